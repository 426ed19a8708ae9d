/* weft pub: publish one event, or one for each line of standard input, and wait until it is
 * durable.
 *
 * Lines are sent as they come, a window of them at a time, and are acknowledged in order: the bus
 * has all up to some line and none behind it. So on a failure the number of stored lines says it
 * all. */
#include "weft_verb.h"

#include "weft_online.h"
#include "weft_buf.h"
#include "weft_limits.h"
#include "weft_options.h"
#include "weft_out.h"
#include "weft_type.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536u
#define LINE_BYTES_MAX (8u * WEFT_EVENT_BYTES_MAX) /* JSON may be longer than the event it means */
#define REASON_BYTES 128
#define ASK_WHY_MS 500
#define ACK_MS 30000
#define REACH_MS 3000
#define TRACE_LIKE "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" /* W3C's example */

typedef struct {
    weft_args_t args;
    const char *type, *subject, *data, *source;
    weft_position_t cause;
    bool traced;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    int64_t timeout_ms, reach_ms;
    weft_pub_t *pub;
    weft_sequence_t sent; /* the last one */
    uint64_t lines;
    weft_buf_t input; /* read and not yet sent */
} weft_pub_run_t;

/* ---- what went wrong */

/* How much is on disk for certain, for the end of a message. */
static void s_stored(const weft_pub_run_t *self, char *text, size_t size) {
    unsigned long long acked = weft_pub_acked(self->pub).value;
    if (acked)
        snprintf(text, size, "the first %llu of %llu events are stored", acked,
                 (unsigned long long) self->sent.value);
    else
        snprintf(text, size, "nothing is known to be stored");
}

/* An answer did not come: is the bus away, or does it refuse? */
static weft_err_t s_no_answer(const weft_pub_run_t *self) {
    char stored[96];
    weft_ask_t ask;
    weft_welcome_t welcome;
    s_stored(self, stored, sizeof stored);
    weft_err_t rc = weft_ask_open(&ask, self->args.bus);
    if (rc != WEFT_OK) return weft_say(self->args.verb, rc, "%s; %s", weft_err_text(rc), stored);
    rc = weft_ask_welcome(&ask, ASK_WHY_MS, &welcome);
    bool there = rc == WEFT_OK;
    rc = !there ? WEFT_E_UNREACHABLE : welcome.accepting ? WEFT_E_TIMEOUT : WEFT_E_NOT_ACCEPTING;
    double seconds = (double) self->timeout_ms / 1000;
    if (rc == WEFT_E_NOT_ACCEPTING)
        weft_say(self->args.verb, rc, "bus %s accepts no events: %.*s; %s", self->args.bus,
                 (int) welcome.reason.size, welcome.reason.data, stored);
    else if (there)
        weft_say(self->args.verb, rc, "no acknowledgement from bus %s within %g s; %s",
                 self->args.bus, seconds, stored);
    else
        weft_say(self->args.verb, rc, "bus %s did not answer within %g s; %s", self->args.bus,
                 seconds, stored);
    weft_ask_close(&ask);
    return rc;
}

static weft_err_t s_failed(const weft_pub_run_t *self, weft_err_t rc) {
    char stored[96];
    if (rc == WEFT_E_TIMEOUT) return s_no_answer(self);
    s_stored(self, stored, sizeof stored);
    return weft_say(self->args.verb, rc, "%s; %s", weft_err_text(rc), stored);
}

/* ---- sending */

/* Wait until the event with this sequence is durable. */
static weft_err_t s_wait(weft_pub_run_t *self, weft_sequence_t sequence,
                         weft_position_t *position) {
    weft_err_t rc = weft_pub_wait(self->pub, sequence, (int) self->timeout_ms, position);
    return rc == WEFT_OK ? rc : s_failed(self, rc);
}

/* What is wrong with the event itself (s_bad_event) is left to the caller to tell. */
static weft_err_t s_send(weft_pub_run_t *self, const void *data, size_t size) {
    for (;;) {
        weft_err_t rc = weft_pub_send(self->pub, self->type, self->subject, data, size,
                                      &self->sent);
        if (rc == WEFT_OK || rc == WEFT_E_TOO_BIG || rc == WEFT_E_BAD_EVENT) return rc;
        if (rc != WEFT_E_FULL) return s_failed(self, rc);
        /* half a window of room, so that what follows travels in groups */
        rc = s_wait(self, (weft_sequence_t){self->sent.value - WEFT_WINDOW_EVENTS_MAX / 2}, NULL);
        if (rc != WEFT_OK) return rc;
    }
}

static void s_bad_event(weft_err_t rc, char *reason, size_t size) {
    if (rc == WEFT_E_TOO_BIG)
        snprintf(reason, size, "event is beyond %u bytes, or its subject beyond %u",
                 WEFT_EVENT_BYTES_MAX, WEFT_SUBJECT_BYTES_MAX);
    else
        snprintf(reason, size, "subject is not UTF-8 without control characters");
}

/* Is anybody there? No input is read for nobody. And a cause that is not in the log would mean nothing. */
static weft_err_t s_reach(const weft_pub_run_t *self) {
    weft_ask_t ask;
    weft_welcome_t welcome;
    weft_err_t rc = weft_ask_begin(&ask, &self->args);
    if (rc != WEFT_OK) return rc;
    rc = weft_ask_welcome(&ask, (int) self->reach_ms, &welcome);
    weft_ask_close(&ask);
    if (rc == WEFT_OK && self->cause.value > welcome.head)
        return weft_say_usage(self->args.verb, "--cause %llu is beyond the head of the log, %llu",
                              (unsigned long long) self->cause.value,
                              (unsigned long long) welcome.head);
    if (rc != WEFT_E_UNREACHABLE) return WEFT_OK; /* what else is wrong shows when it is sent */
    return weft_say(self->args.verb, rc,
                    "bus %s did not answer within %g s; nothing is known to be stored",
                    self->args.bus, (double) self->reach_ms / 1000);
}

/* ---- one event */

static weft_err_t s_one(weft_pub_run_t *self) {
    char reason[REASON_BYTES] = "";
    void *data = NULL;
    size_t size = 0;
    weft_position_t position;
    const weft_verb_t *verb = self->args.verb;
    weft_err_t rc = WEFT_OK;
    if (self->data) {
        rc = weft_json_to_msgpack(self->data, strlen(self->data), &data, &size, reason,
                                  sizeof reason);
        if (rc != WEFT_OK)
            return weft_say_usage(verb, "--data: %s", *reason ? reason : weft_err_text(rc));
    }
    if (self->cause.value) rc = s_reach(self); /* before it is there */
    if (rc == WEFT_OK) rc = s_send(self, data, size);
    free(data);
    if (rc == WEFT_E_TOO_BIG || rc == WEFT_E_BAD_EVENT) {
        s_bad_event(rc, reason, sizeof reason);
        return weft_say_usage(verb, "%s", reason);
    }
    if (rc == WEFT_OK && !self->cause.value) rc = s_reach(self);
    if (rc == WEFT_OK) rc = s_wait(self, self->sent, &position);
    if (rc != WEFT_OK) return rc;
    if (self->args.json)
        weft_out_json(json_pack("{s:I, s:I}", "position", (json_int_t) position.value, "sequence",
                                (json_int_t) self->sent.value));
    else
        weft_out("%llu\n", (unsigned long long) position.value);
    return WEFT_OK;
}

/* ---- one event a line */

static weft_err_t s_line(weft_pub_run_t *self, const char *line, size_t size) {
    char reason[REASON_BYTES] = "", stored[96];
    void *data = NULL;
    size_t data_size = 0, blank = 0;
    self->lines++;
    while (blank < size && strchr(" \t\r", line[blank])) blank++;
    if (blank == size) return WEFT_OK;
    weft_err_t rc = weft_json_to_msgpack(line, size, &data, &data_size, reason, sizeof reason);
    bool ours = rc != WEFT_OK;
    if (ours && !*reason) snprintf(reason, sizeof reason, "%s", weft_err_text(rc));
    if (!ours) {
        rc = s_send(self, data, data_size);
        free(data);
        ours = rc == WEFT_E_TOO_BIG || rc == WEFT_E_BAD_EVENT;
        if (ours) s_bad_event(rc, reason, sizeof reason);
    }
    if (!ours) return rc;
    (void) weft_pub_flush(self->pub, (int) self->timeout_ms); /* what came before counts */
    s_stored(self, stored, sizeof stored);
    return weft_say(self->args.verb, rc, "line %llu: %s; %s", (unsigned long long) self->lines,
                    reason, stored);
}

/* Send all whole lines of the input; at its end also what lacks a line end. */
static weft_err_t s_lines(weft_pub_run_t *self, bool ended) {
    weft_err_t rc = WEFT_OK;
    size_t at = 0;
    while (rc == WEFT_OK && at < self->input.size) {
        const char *line = (const char *) self->input.data + at;
        size_t left = self->input.size - at;
        const char *end = memchr(line, '\n', left);
        if (!end && !ended) break;
        size_t size = end ? (size_t) (end - line) : left;
        rc = s_line(self, line, size);
        at += size + (end ? 1 : 0);
    }
    if (at) memmove(self->input.data, self->input.data + at, self->input.size - at);
    self->input.size -= at;
    if (rc == WEFT_OK && self->input.size > LINE_BYTES_MAX)
        return weft_say(self->args.verb, WEFT_E_TOO_BIG, "line %llu is beyond %u bytes",
                        (unsigned long long) self->lines + 1, LINE_BYTES_MAX);
    if (rc != WEFT_OK) return rc;
    rc = weft_pub_step(self->pub); /* what the last lines left waiting */
    return rc == WEFT_OK ? rc : s_failed(self, rc);
}

/* Wait for input while the publisher goes on; ended out: there will be no more. */
static weft_err_t s_read(weft_pub_run_t *self, bool *ended) {
    struct pollfd items[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = weft_pub_fd(self->pub), .events = POLLIN}};
    if (poll(items, 2, -1) < 0 && errno != EINTR)
        return weft_say(self->args.verb, WEFT_E_IO, "poll: %s", strerror(errno));
    if (!items[0].revents) return WEFT_OK;
    uint8_t *to = weft_buf_reserve(&self->input, READ_BYTES);
    if (!to) return weft_say(self->args.verb, WEFT_E_NOMEM, "out of memory");
    ssize_t got = read(STDIN_FILENO, to, READ_BYTES);
    if (got < 0 && errno != EINTR && errno != EAGAIN)
        return weft_say(self->args.verb, WEFT_E_IO, "standard input: %s", strerror(errno));
    if (got > 0) self->input.size += (size_t) got;
    *ended = got == 0;
    return WEFT_OK;
}

static weft_err_t s_many(weft_pub_run_t *self) {
    weft_position_t position = {0};
    bool ended = false;
    weft_err_t rc = s_reach(self);
    while (rc == WEFT_OK && !ended) {
        rc = s_read(self, &ended);
        if (rc == WEFT_OK) rc = s_lines(self, ended);
    }
    if (rc == WEFT_OK && self->sent.value) rc = s_wait(self, self->sent, &position);
    if (rc != WEFT_OK) return rc;
    unsigned long long count = self->sent.value;
    if (self->args.json)
        weft_out_json(json_pack("{s:I, s:I}", "events", (json_int_t) count, "position",
                                (json_int_t) position.value));
    else if (count)
        weft_out("%llu event%s, last at position %llu\n", count, count == 1 ? "" : "s",
                 (unsigned long long) position.value);
    else
        weft_out("0 events\n");
    return WEFT_OK;
}

/* ---- the verb */

static weft_err_t s_parse(weft_pub_run_t *self, const weft_verb_t *verb, int argc, char **argv) {
    const char *timeout, *cause, *traceparent;
    const weft_verb_option_t options[] = {
        {"subject", "TEXT", "what it is about, post/42", "", &self->subject, NULL},
        {"data", "JSON", "its data; - reads one JSON value a line, an event each", NULL,
         &self->data, NULL},
        {"source", "NAME", "who says so, for people", "weft", &self->source, NULL},
        {"cause", "POSITION", "the event that it follows from", NULL, &cause, NULL},
        {"traceparent", "TEXT", "header of the request that it belongs to, 00-…-…-01", NULL,
         &traceparent, NULL},
        {"timeout", "SECONDS", "how long to wait for the bus (3) and each acknowledgement (30)",
         NULL, &timeout, NULL},
    };
    weft_err_t rc = weft_args_parse(&self->args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    self->type = self->args.words[0];
    if (weft_type_check(self->type, strlen(self->type)) != WEFT_OK)
        return weft_say_usage(verb, "'%s' is no event type; want one like comment.created",
                              self->type);
    if (cause && !weft_options_number(cause, 1, INT64_MAX, &self->cause.value))
        return weft_say_usage(verb, "--cause '%s' is no position", cause);
    self->traced = traceparent != NULL;
    if (traceparent && !weft_trace_parse(traceparent, self->trace))
        return weft_say_usage(verb, "--traceparent '%s' is none; want one like 00-" TRACE_LIKE,
                              traceparent);
    self->timeout_ms = ACK_MS;
    self->reach_ms = REACH_MS;
    if (!timeout) return WEFT_OK;
    if (!weft_args_seconds(timeout, &self->timeout_ms))
        return weft_say_usage(verb, "--timeout '%s' is no number of seconds", timeout);
    self->reach_ms = self->timeout_ms;
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_pub_run_t self = {0};
    weft_err_t rc = s_parse(&self, verb, argc, argv);
    if (rc != WEFT_OK) return rc;
    weft_pub_config_t config;
    weft_pub_config_init(&config);
    config.bus = self.args.bus;
    config.source = self.source;
    weft_buf_init(&self.input);
    rc = weft_pub_new(&self.pub, &config);
    if (rc == WEFT_E_ARG)
        rc = weft_say_usage(verb,
                            "--source wants 1 to %u bytes of UTF-8 without control characters",
                            WEFT_SOURCE_BYTES_MAX);
    else if (rc != WEFT_OK)
        rc = weft_say(verb, rc, "cannot connect to bus '%s'", config.bus);
    if (rc == WEFT_OK) {
        weft_pub_cause(self.pub, self.cause);
        weft_pub_trace(self.pub, self.traced ? self.trace : NULL);
        rc = self.data && strcmp(self.data, "-") == 0 ? s_many(&self) : s_one(&self);
    }
    weft_pub_destroy(&self.pub);
    weft_buf_free(&self.input);
    return rc;
}

const weft_verb_t weft_verb_pub = {
    .name = "pub",
    .words = "TYPE",
    .words_least = 1,
    .words_most = 1,
    .help = "publish an event, or one for each line of input, and wait until it is on disk",
    .more =
        "Prints the position of the event in the log; for lines of input how many there were and\n"
        "where the last one lies. Without --data the event's data is nil. In JSON, binary data is\n"
        "{\"$binary\": \"base64\"}, an integer beyond 2^63-1 {\"$uint\": \"digits\"}, and a key that\n"
        "begins with $ gets one more.\n",
    .run = s_run,
};
