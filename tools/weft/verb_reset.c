/* weft reset: let a stopped service stand somewhere else in the log.
 *
 * What its handlers have written stays as it is; the events after the new position are handled (again).
 * Parked events beyond it come by the stream again, so their rows go. */
#include "weft_verb.h"

#include "weft_options.h"
#include "weft_out.h"
#include "weft_replay.h"

static weft_err_t s_reset(weft_replay_t *self, const weft_args_t *args, uint64_t to, bool dry_run) {
    weft_replay_counts_t counts;
    weft_err_t rc = weft_replay_place(self, args, to);
    if (rc == WEFT_OK) rc = weft_replay_count(self, args, to, &counts);
    if (rc != WEFT_OK) return rc;
    if (!dry_run) rc = weft_replay_move(self, args);
    if (rc != WEFT_OK) return rc;
    if (args->json) {
        weft_out_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "service",
                                self->database.name, "from", (json_int_t) self->from, "to",
                                (json_int_t) to, "again", (json_int_t) counts.again, "never",
                                (json_int_t) counts.never, "unparked", (json_int_t) counts.unparked,
                                "emitted", (json_int_t) counts.emitted, "dryRun", dry_run));
        return WEFT_OK;
    }
    weft_out("%s %s from position %llu to %llu\n", self->database.name,
             dry_run ? "would move" : "moved", (unsigned long long) self->from,
             (unsigned long long) to);
    if (counts.again)
        weft_out("%llu events are handled again, on top of what the database holds\n",
                 (unsigned long long) counts.again);
    if (counts.never)
        weft_out("%llu events are never handled\n", (unsigned long long) counts.never);
    if (counts.unparked)
        weft_out("%llu parked events are among them and are unparked\n",
                 (unsigned long long) counts.unparked);
    if (counts.emitted && counts.again)
        weft_out(
            "this service has emitted %llu events: what it emits on the way is emitted again\n",
            (unsigned long long) counts.emitted);
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_replay_t self;
    const char *to;
    uint64_t number;
    bool dry_run = false;
    const weft_verb_option_t options[] = {
        {"to", "N", "the position to stand at; event N+1 is the next", NULL, &to, NULL},
        {"dry-run", NULL, "only tell what it would do", NULL, NULL, &dry_run},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!to) return weft_say_usage(verb, "--to is missing");
    if (!weft_options_number(to, 0, INT64_MAX, &number))
        return weft_say_usage(verb, "--to '%s' is no position", to);
    rc = weft_replay_open(&self, &args, args.words[0], dry_run);
    if (rc != WEFT_OK) return rc;
    rc = s_reset(&self, &args, number, dry_run);
    weft_replay_close(&self);
    return rc;
}

const weft_verb_t weft_verb_reset = {
    .name = "reset",
    .words = "SERVICE",
    .words_least = 1,
    .words_most = 1,
    .help = "let a stopped service stand at another position of the log",
    .more =
        "SERVICE is a name that reports to the bus, or a path: DIR/NAME.db, or the directory of it.\n"
        "What its handlers wrote stays: events after N are handled again on top of it, so they must\n"
        "bear that; with N ahead of where it stands, the events between are never handled. Parked\n"
        "events after N are unparked. weft replay builds a view anew instead.\n"
        "--dry-run also looks at a running service; to be reset it must be stopped.\n",
    .run = s_run,
    .online = true,
};
