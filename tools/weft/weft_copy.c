/* weft_copy: see weft_copy.h. */
#include "weft_copy.h"

#include "weft_log_copy.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_progress.h"
#include "weft_record.h"
#include "weft_stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICE 10
#define IDLE_IO (3 << 13) /* ioprio_set(2): the class that takes what nobody else wants */

typedef struct {
    weft_progress_t line;
    const char *doing;
    char what[32];
} weft_copy_progress_t;

static bool s_progress(void *arg, const weft_log_copy_t *so_far) {
    weft_copy_progress_t *self = arg;
    if (weft_stop_wanted()) return false;
    if (so_far->doing != self->doing) {
        weft_progress_end(&self->line);
        self->doing = so_far->doing;
        snprintf(self->what, sizeof self->what, "events %s", so_far->doing);
        weft_progress_begin(&self->line, self->what, 0);
    }
    self->line.total = so_far->wanted;
    weft_progress_note(&self->line, so_far->at);
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
    weft_copy_progress_t progress = {.doing = NULL};
    if (!weft_stop_take()) return weft_say(args->verb, WEFT_E_IO, "cannot take signals");
    s_step_back();
    weft_err_t rc = weft_log_copy(from, up_to, to, s_progress, &progress, &copy);
    double seconds = (double) (weft_os_monotonic_ms() - now_ms) / 1e3;
    weft_progress_end(&progress.line);
    if (rc == WEFT_E_NOT_FOUND) return weft_say_usage(args->verb, "%s", copy.reason);
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "%s", copy.reason);
    if (args->json)
        s_json(&copy, from, to, seconds);
    else
        weft_out("whole: events %" PRIu64 " to %" PRIu64 " are in %s, %.1f s\n", copy.first,
                 copy.head, to, seconds);
    return WEFT_OK;
}
