/* weft_copy: see weft_copy.h. */
#include "weft_copy.h"

#include "weft_log_copy.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_record.h"
#include "weft_stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRESS_MS 1000
#define NICE 10
#define IDLE_IO (3 << 13) /* ioprio_set(2): the class that takes what nobody else wants */

typedef struct {
    int64_t phase_ms, told_ms; /* since when it does this */
    uint64_t phase_at;
    const char *doing;
    bool told;
} weft_copy_progress_t;

static bool s_progress(void *arg, const weft_log_copy_t *so_far) {
    weft_copy_progress_t *self = arg;
    int64_t now_ms = weft_os_monotonic_ms();
    if (weft_stop_wanted()) return false;
    if (so_far->doing != self->doing) {
        self->doing = so_far->doing;
        self->phase_ms = now_ms;
        self->phase_at = so_far->at;
    }
    if (now_ms - self->told_ms < PROGRESS_MS || !isatty(STDERR_FILENO)) return true;
    double seconds = (double) (now_ms - self->phase_ms + 1) / 1e3;
    double rate = (double) (so_far->at - self->phase_at) / seconds;
    uint64_t left = so_far->wanted > so_far->at ? so_far->wanted - so_far->at : 0;
    fprintf(stderr, "\r%s %" PRIu64 " of %" PRIu64 ", %.0f events/s, %.0f s left   ", self->doing,
            so_far->at, so_far->wanted, rate, rate > 0 ? (double) left / rate : 0.0);
    fflush(stderr);
    self->told_ms = now_ms;
    self->told = true;
    return true;
}

/* The bus goes first, at the processor and at the disk. */
static void s_step_back(void) {
    (void) setpriority(PRIO_PROCESS, 0, NICE);
    (void) syscall(SYS_ioprio_set, 1, 0, IDLE_IO);
}

static void s_json(const weft_log_copy_t *copy, const char *from, const char *to, double seconds) {
    char log[33];
    weft_uuid_text(log, copy->log.bytes);
    json_t *json = json_object();
    json_object_set_new(json, "from", json_string(from));
    json_object_set_new(json, "to", json_string(to));
    json_object_set_new(json, "log", json_string(log));
    json_object_set_new(json, "first", json_integer((json_int_t) copy->first));
    json_object_set_new(json, "head", json_integer((json_int_t) copy->head));
    json_object_set_new(json, "seconds", json_real(seconds));
    weft_out_json(json);
}

weft_err_t weft_copy(const weft_args_t *args, const char *from, uint64_t up_to, const char *to) {
    weft_log_copy_t copy;
    int64_t now_ms = weft_os_monotonic_ms();
    weft_copy_progress_t progress = {.phase_ms = now_ms, .told_ms = now_ms};
    if (!weft_stop_take()) return weft_say(args->verb, WEFT_E_IO, "cannot take signals");
    s_step_back();
    weft_err_t rc = weft_log_copy(from, up_to, to, s_progress, &progress, &copy);
    double seconds = (double) (weft_os_monotonic_ms() - now_ms) / 1e3;
    if (progress.told) fprintf(stderr, "\r%70s\r", "");
    if (rc == WEFT_E_NOT_FOUND) return weft_say_usage(args->verb, "%s", copy.reason);
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "%s", copy.reason);
    if (args->json)
        s_json(&copy, from, to, seconds);
    else
        weft_out("whole: events %" PRIu64 " to %" PRIu64 " are in %s, %.1f s\n", copy.first,
                 copy.head, to, seconds);
    return WEFT_OK;
}
