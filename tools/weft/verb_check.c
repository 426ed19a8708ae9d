/* weft check: is a store as it was written? */
#include "weft_verb.h"

#include "weft_log_check.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_progress.h"
#include "weft_record.h"
#include "weft_stop.h"

#include <inttypes.h>

static bool s_progress(void *arg, const weft_log_check_t *so_far) {
    weft_progress_t *self = arg;
    self->total = so_far->head >= so_far->first ? so_far->head - so_far->first + 1 : 0;
    weft_progress_note(self, so_far->rows);
    return !weft_stop_wanted();
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
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    int64_t now_ms = weft_os_monotonic_ms();
    weft_progress_t progress;
    weft_progress_begin(&progress, "events", 0);
    rc = weft_log_check(args.words[0], s_progress, &progress, &check);
    double seconds = (double) (weft_os_monotonic_ms() - now_ms) / 1e3;
    weft_progress_end(&progress);
    if (rc == WEFT_E_INTERRUPTED) return rc;
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
