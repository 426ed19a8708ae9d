/* weft check: is a store as it was written? */
#include "weft_verb.h"

#include "weft_log_check.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_MS 1000

typedef struct {
    int64_t started_ms, told_ms;
    bool told;
} weft_check_progress_t;

static void s_progress(void *arg, const weft_log_check_t *so_far) {
    weft_check_progress_t *self = arg;
    int64_t now_ms = weft_os_monotonic_ms();
    if (now_ms - self->told_ms < PROGRESS_MS || !isatty(STDERR_FILENO)) return;
    double seconds = (double) (now_ms - self->started_ms) / 1e3;
    fprintf(stderr, "\rrow %" PRIu64 " of %" PRIu64 ", %.0f rows/s, %.0f MB/s   ",
            so_far->first + so_far->rows - 1, so_far->head, (double) so_far->rows / seconds,
            (double) so_far->bytes / seconds / 1e6);
    fflush(stderr);
    self->told_ms = now_ms;
    self->told = true;
}

static void s_json(const weft_log_check_t *check, weft_err_t rc, const char *log, double seconds) {
    json_t *json = json_object();
    json_object_set_new(json, "whole", json_boolean(rc == WEFT_OK));
    json_object_set_new(json, "log", json_string(log));
    json_object_set_new(json, "first", json_integer((json_int_t) check->first));
    json_object_set_new(json, "head", json_integer((json_int_t) check->head));
    json_object_set_new(json, "rows", json_integer((json_int_t) check->rows));
    json_object_set_new(json, "bytes", json_integer((json_int_t) check->bytes));
    json_object_set_new(json, "origins", json_integer((json_int_t) check->origins));
    json_object_set_new(json, "types", json_integer((json_int_t) check->types));
    json_object_set_new(json, "blocks", json_integer((json_int_t) check->blocks));
    json_object_set_new(json, "seconds", json_real(seconds));
    json_object_set_new(json, "error", json_string(rc == WEFT_OK ? "" : weft_err_name(rc)));
    json_object_set_new(json, "position", json_integer((json_int_t) check->position));
    json_object_set_new(json, "reason", json_string(check->reason));
    weft_out_json(json);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_log_check_t check;
    char log[33];
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc != WEFT_OK) return rc;
    int64_t now_ms = weft_os_monotonic_ms();
    weft_check_progress_t progress = {.started_ms = now_ms, .told_ms = now_ms};
    rc = weft_log_check(args.words[0], s_progress, &progress, &check);
    double seconds = (double) (weft_os_monotonic_ms() - now_ms) / 1e3;
    if (progress.told) fprintf(stderr, "\r%60s\r", "");
    if (rc == WEFT_E_NOT_FOUND)
        return weft_say_usage(verb, "'%s' is no store: %s", args.words[0], check.reason);
    weft_uuid_text(log, check.log.bytes);
    if (args.json) s_json(&check, rc, log, seconds);
    if (rc == WEFT_E_CORRUPT)
        return weft_say(verb, rc, "%s is damaged: %s", args.words[0], check.reason);
    if (rc != WEFT_OK)
        return weft_say(verb, rc, "%s cannot be checked: %s", args.words[0], check.reason);
    if (!args.json)
        weft_out("whole: log %s, rows %" PRIu64 " to %" PRIu64 ", %" PRIu64 " origins, %" PRIu64
                 " types, %" PRIu64 " bytes of events, %.1f s\n",
                 log, check.first, check.head, check.origins, check.types, check.bytes, seconds);
    return WEFT_OK;
}

const weft_verb_t weft_verb_check = {
    .name = "check",
    .words = "DIR",
    .words_least = 1,
    .words_most = 1,
    .help = "verify a store: chain, gaps, origins, types and their index, SQLite's own check",
    .more =
        "DIR is what weft-bus has as --store. It is only read, and a bus may run on it meanwhile:\n"
        "rows up to the head at the end of the check are verified. Names the first damaged\n"
        "position. Exit status 0 whole, 1 damaged or unreadable, 2 wrong use or no store there.\n",
    .run = s_run,
};
