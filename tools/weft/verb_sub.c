/* weft sub: print events, those of the past, those to come, or both, joined without a gap.
 *
 * The subscriber of libweft does the joining; this file decides where it begins and when it ends.
 * A bus that is away is waited for, as services do, unless --until-end wants an end. Ends with 0
 * on SIGINT, SIGTERM, when nobody reads the output any more, and when what was asked for is
 * printed. */
#include "weft_verb.h"

#include "weft_last.h"
#include "weft_past.h"
#include "weft_presence.h"
#include "weft_options.h"
#include "weft_out.h"
#include "weft_print_event.h"
#include "weft_stop.h"
#include "weft_where.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 500 /* how often silence is looked for when nothing else happens */

typedef struct {
    weft_args_t args;
    weft_from_t from;
    const char *from_text;
    weft_print_t print;
    weft_where_t *where;
    bool last_per_subject;
    weft_text_t filters[WEFT_FILTERS_MAX];
    weft_filters_t all; /* the filters, ">" if there are none */
    bool until_end;
    int64_t timeout_ms;    /* for --until-end */
    uint64_t count;        /* events to print, UINT64_MAX: no end */
    uint64_t end;          /* with until_end: the head at the start */
    weft_position_t after; /* with a start by position */
    weft_sub_t *sub;
    weft_presence_t presence;
} weft_sub_run_t;

/* ---- arguments */

static weft_err_t s_parse(weft_sub_run_t *self, const weft_verb_t *verb, int argc, char **argv) {
    const char *from, *count, *timeout, *format, *where;
    const weft_verb_option_t options[] = {
        {"from", "WHERE", "start, now, N, last=N, since=1h, since=TIME", "now", &from, NULL},
        {"until-end", NULL, "end at the log's head as it is now", NULL, NULL, &self->until_end},
        {"count", "N", "end after N events", NULL, &count, NULL},
        {"timeout", "SECONDS", "with --until-end: how long to wait for the bus", "3", &timeout,
         NULL},
        WEFT_WHERE_OPTION(where),
        {"last-per-subject", NULL, "of the past only the last event of each subject", NULL, NULL,
         &self->last_per_subject},
        WEFT_PRINT_OPTION(format),
    };
    weft_err_t rc = weft_args_parse(&self->args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc == WEFT_OK) rc = weft_past_filters(&self->args, 0, self->filters, &self->all);
    if (rc == WEFT_OK) rc = weft_print_begin(&self->print, &self->args, format);
    if (rc == WEFT_OK) rc = weft_where_new(&self->where, verb, where);
    if (rc != WEFT_OK) return rc;
    if (!weft_from_parse(&self->from, from))
        return weft_say_usage(
            verb, "--from '%s' is none of start, now, N, last=N, since=90s|5m|1h|7d, since=TIME",
            from);
    self->from_text = from;
    self->count = UINT64_MAX;
    if (count && !weft_options_number(count, 1, INT64_MAX, &self->count))
        return weft_say_usage(verb, "--count '%s' is no number of events", count);
    if (!weft_args_seconds(timeout, &self->timeout_ms))
        return weft_say_usage(verb, "--timeout '%s' is no number of seconds", timeout);
    return WEFT_OK;
}

/* ---- where it begins and ends */

/* What has to be asked first: the head, and the position of a time or of the last N. */
static weft_err_t s_look_up(weft_sub_run_t *self) {
    weft_ask_t ask;
    weft_welcome_t welcome;
    int timeout_ms = self->until_end ? (int) self->timeout_ms : -1;
    if (!self->until_end && !weft_from_wants_bus(&self->from)) return WEFT_OK;
    weft_err_t rc = weft_ask_begin(&ask, &self->args);
    if (rc != WEFT_OK) return rc;
    ask.note = weft_presence_told;
    ask.note_arg = &(weft_presence_t){.args = &self->args};
    rc = weft_ask_welcome(&ask, timeout_ms, &welcome);
    if (rc == WEFT_OK) self->end = welcome.head;
    if (rc == WEFT_OK && weft_from_wants_bus(&self->from))
        rc = weft_from_find(&self->from, &ask, timeout_ms, &welcome, &self->all, &self->after);
    if (rc != WEFT_OK && rc != WEFT_E_INTERRUPTED)
        weft_say(self->args.verb, rc, "%s", weft_ask_reason(&ask));
    weft_ask_close(&ask);
    return rc;
}

/* Print the past up to the head, and go on from there. */
static weft_err_t s_last_per_subject(weft_sub_run_t *self) {
    weft_past_t past;
    weft_args_t args = self->args;
    args.timeout_ms = self->until_end ? (int) self->timeout_ms : -1;
    weft_err_t rc = weft_last_print(&past, &args, self->from_text, &self->all, self->where,
                                    &self->print, &self->count);
    self->from.kind = WEFT_FROM_POSITION;
    self->from.number = past.head + 1;
    return rc;
}

static weft_err_t s_open(weft_sub_run_t *self) {
    const weft_from_t *from = &self->from;
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    config.bus = self->args.bus;
    config.filters = self->args.words;
    config.filters_count = self->args.words_count;
    config.start = WEFT_START_POSITION;
    config.resume.position = self->after;
    if (from->kind == WEFT_FROM_START) config.start = WEFT_START_BEGINNING;
    if (from->kind == WEFT_FROM_NOW) config.start = WEFT_START_NOW;
    if (from->kind == WEFT_FROM_POSITION && from->number > 0)
        config.resume.position.value = from->number - 1;
    weft_err_t rc = weft_sub_new(&self->sub, &config);
    if (rc == WEFT_OK) return rc;
    return weft_say(self->args.verb, rc, "cannot connect to bus '%s': %s", self->args.bus,
                    weft_err_text(rc));
}

/* ---- the loop */

/* True: what was asked for is printed. */
static bool s_print(weft_sub_run_t *self, const weft_batch_t *batch) {
    for (size_t i = 0; i < batch->count && self->count; i++) {
        const weft_event_t *event = &batch->events[i];
        if (self->until_end && event->position.value > self->end) return true;
        if (!weft_where_match(self->where, event->data, event->data_size)) continue;
        weft_print_event(&self->print, event);
        self->count--;
    }
    return self->count == 0 || (self->until_end && batch->next.position.value >= self->end);
}

static weft_err_t s_stopped(weft_sub_run_t *self, weft_err_t rc) {
    weft_sub_info_t info;
    const char *mend = "run it again to read the log as it is now";
    weft_sub_info(self->sub, &info);
    if (rc == WEFT_E_LOG_BEHIND && self->from.kind == WEFT_FROM_POSITION &&
        info.from_catch_up + info.from_live == 0)
        return weft_say(self->args.verb, rc, "--from %llu is beyond the head; see weft status",
                        (unsigned long long) self->from.number);
    if (rc == WEFT_E_GONE) mend = "use --from start";
    if (rc == WEFT_E_LOG_BEHIND) mend = "weft status tells where its head is";
    if (rc == WEFT_E_CORRUPT) mend = "the bus' diagnostics tell which row";
    if (rc == WEFT_E_VERSION) mend = "use a weft of the bus' version";
    return weft_say(self->args.verb, rc, "stopped after position %llu: %s; %s",
                    (unsigned long long) info.position.value, weft_err_text(rc), mend);
}

/* Until there is something to do. A reader who has gone away shows as an error on its pipe. */
static weft_err_t s_wait(const weft_sub_run_t *self) {
    struct pollfd items[] = {{.fd = weft_sub_fd(self->sub), .events = POLLIN},
                             {.fd = weft_stop_fd(), .events = POLLIN},
                             {.fd = STDOUT_FILENO, .events = 0}};
    poll(items, 3, LOOK_MS);
    return items[2].revents & POLLERR ? WEFT_E_INTERRUPTED : WEFT_OK;
}

/* Nothing has come: is the bus there, and is this the end? done out. */
static weft_err_t s_idle(weft_sub_run_t *self, bool *done) {
    weft_sub_info_t info;
    weft_sub_info(self->sub, &info);
    weft_presence_note(&self->presence, info.connected);
    *done = self->until_end && info.connected && info.position.value >= self->end;
    if (*done) return WEFT_OK;
    if (self->until_end && weft_presence_away_ms(&self->presence) > self->timeout_ms)
        return weft_say(self->args.verb, WEFT_E_UNREACHABLE,
                        "gave up after position %llu of %llu: bus %s does not answer",
                        (unsigned long long) info.position.value, (unsigned long long) self->end,
                        self->args.bus);
    return s_wait(self);
}

static weft_err_t s_loop(weft_sub_run_t *self) {
    weft_err_t rc = WEFT_OK;
    bool done = false;
    while (rc == WEFT_OK && !done && !weft_stop_wanted()) {
        weft_batch_t batch;
        rc = weft_sub_recv(self->sub, 0, &batch);
        if (rc == WEFT_E_TIMEOUT) {
            rc = s_idle(self, &done);
        } else if (rc == WEFT_OK) {
            done = s_print(self, &batch);
            rc = weft_out_flush();
        } else {
            s_stopped(self, rc);
        }
    }
    return rc;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_sub_run_t self = {0};
    weft_err_t rc = s_parse(&self, verb, argc, argv);
    if (rc != WEFT_OK) goto out;
    if (!weft_stop_take()) {
        rc = weft_say(verb, WEFT_E_IO, "cannot take signals");
        goto out;
    }
    self.presence.args = &self.args;
    rc = s_look_up(&self);
    if (rc == WEFT_OK && self.last_per_subject) rc = s_last_per_subject(&self);
    if (rc == WEFT_OK && self.last_per_subject && self.until_end) goto out;
    if (rc == WEFT_OK) rc = s_open(&self);
    if (rc == WEFT_OK) rc = s_loop(&self);
out:
    weft_sub_destroy(&self.sub);
    weft_where_destroy(&self.where);
    return rc == WEFT_E_INTERRUPTED || weft_stop_wanted() ? WEFT_OK : rc;
}

const weft_verb_t weft_verb_sub = {
    .name = "sub",
    .words = "[FILTER...]",
    .words_most = WEFT_FILTERS_MAX,
    .help = "print events: of the past, live, or both without a gap",
    .more =
        "Filters: comment.created, comment.* (one level), comment.> (all below), > (all), the default.\n"
        "--from start is the whole log, N the event at position N and all after it, last=N the\n"
        "last N that match, since=90s|5m|1h|7d or since=2026-11-24T08:00:00Z a time; then it goes\n"
        "on live. With --until-end it stops at the end of the past.\n"
        "One line an event, POSITION TIME TYPE SUBJECT DATA; with --json all that is known.\n"
        "--where '.total > 10' looks at the event's data. --last-per-subject wants --from start, or\n"
        "where the past begins, and leaves out events without a subject.\n" WEFT_PRINT_HELP,
    .run = s_run,
};
