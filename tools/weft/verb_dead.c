/* weft dead: the events that a service has parked. ls and show read its database, whether it runs or
 * not. retry is a wish in weft_commands, since only the service has the handlers: it is fulfilled at
 * once, or at the next start. drop goes the same way to a running service, which keeps the parked
 * subjects in memory; of a stopped one the rows are deleted here, under its lock. */
#include "weft_verb.h"

#include "weft_commands.h"
#include "weft_database.h"
#include "weft_event_json.h"
#include "weft_options.h"
#include "weft_os.h"
#include "weft_print_event.h"
#include "weft_service_store.h"
#include "weft_stop.h"
#include "weft_table.h"
#include "weft_time.h"
#include "weft_wire_event.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 20 /* how often the answer is looked for */

typedef struct {
    weft_args_t args;
    weft_database_t database;
    const char *subject;
    weft_position_t position; /* 0: none */
    bool all;
    int wait_ms;
} weft_dead_run_t;

/* ---- ls */

static void s_row_json(const weft_stmt_t *stmt) {
    char time[WEFT_TIME_BYTES];
    weft_time_text(time, weft_stmt_int(stmt, 6), 6);
    weft_out_json(json_pack(
        "{s:I, s:s, s:s, s:s, s:I, s:s, s:s}", "position", (json_int_t) weft_stmt_int(stmt, 0),
        "type", weft_stmt_text(stmt, 1, NULL), "subject", weft_stmt_text(stmt, 2, NULL), "filter",
        weft_stmt_text(stmt, 3, NULL), "attempts", (json_int_t) weft_stmt_int(stmt, 4), "error",
        weft_stmt_text(stmt, 5, NULL), "parked", time));
}

static void s_row(weft_table_t *table, const weft_stmt_t *stmt) {
    char ago[WEFT_AGO_BYTES];
    const char *subject = weft_stmt_text(stmt, 2, NULL);
    double seconds = (double) (weft_os_now_us() - weft_stmt_int(stmt, 6)) / 1e6;
    weft_table_cell(table, WEFT_PLAIN, "%lld", (long long) weft_stmt_int(stmt, 0));
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_stmt_text(stmt, 1, NULL));
    weft_table_cell(table, WEFT_PLAIN, "%s", *subject ? subject : "-");
    weft_table_cell(table, WEFT_PLAIN, "%lld", (long long) weft_stmt_int(stmt, 4));
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_ago(ago, seconds));
    weft_table_cell(table, weft_stmt_int(stmt, 4) ? WEFT_RED : WEFT_PLAIN, "%s",
                    weft_stmt_text(stmt, 5, NULL));
}

static weft_err_t s_ls(weft_dead_run_t *self) {
    static const char *const heads[] = {">POSITION", "TYPE",    "SUBJECT",
                                        ">ATTEMPTS", ">PARKED", "ERROR"};
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->database.db,
        "SELECT position, type, subject, filter, attempts, error, parked_us FROM weft_parked"
        " ORDER BY position, filter");
    if (rc != WEFT_OK) return weft_database_failed(&self->database, &self->args, rc);
    weft_table_t *table = self->args.json ? NULL : weft_table_new(heads, 6);
    while (weft_stmt_row(&stmt)) {
        if (self->args.json)
            s_row_json(&stmt);
        else
            s_row(table, &stmt);
    }
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    weft_table_print(&table);
    return rc == WEFT_OK ? rc : weft_database_failed(&self->database, &self->args, rc);
}

/* ---- show */

/* The event as every verb prints events, then why it is here. */
static weft_err_t s_print(const weft_dead_run_t *self, const weft_stmt_t *stmt) {
    char time[WEFT_TIME_BYTES];
    size_t size;
    const void *bytes = weft_stmt_blob(stmt, 0, &size);
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_wire_event_t wire;
    if (weft_wire_event_take(&r, &wire) != WEFT_OK)
        return weft_say(self->args.verb, WEFT_E_CORRUPT, "the parked row cannot be read");
    char *source = strndup(wire.source, wire.source_size);
    if (!source) return weft_say(self->args.verb, WEFT_E_NOMEM, "out of memory");
    weft_event_t event = {.position = self->position,
                          .chain = weft_stmt_bits(stmt, 2),
                          .stored_us = weft_stmt_int(stmt, 1),
                          .type = weft_stmt_text(stmt, 3, NULL),
                          .sequence = {wire.source_seq},
                          .time_us = wire.time_us,
                          .source = source,
                          .subject = weft_stmt_text(stmt, 4, NULL),
                          .cause = {wire.cause},
                          .traceparent = wire.traceparent,
                          .data = wire.data,
                          .data_size = wire.data_size};
    memcpy(event.origin.bytes, wire.origin, sizeof event.origin.bytes);
    weft_time_text(time, weft_stmt_int(stmt, 8), 6);
    long long attempts = (long long) weft_stmt_int(stmt, 6);
    const char *error = weft_stmt_text(stmt, 7, NULL);
    if (self->args.json) {
        json_t *object = weft_event_json(&event);
        json_object_set_new(object, "filter", json_string(weft_stmt_text(stmt, 5, NULL)));
        json_object_set_new(object, "parked", json_string(time));
        json_object_set_new(object, "attempts", json_integer(attempts));
        json_object_set_new(object, "error", json_string(error));
        weft_out_json(object);
    } else {
        weft_print_t print = {0};
        weft_print_event(&print, &event);
        weft_out("%-10s %s\n%-10s %lld\n%-10s %s\n", "parked", time, "attempts", attempts, "error",
                 error);
    }
    free(source);
    return WEFT_OK;
}

static weft_err_t s_none(const weft_dead_run_t *self) {
    return weft_say(self->args.verb, WEFT_E_NOT_FOUND, "no event %llu is parked; see weft dead ls",
                    (unsigned long long) self->position.value);
}

static weft_err_t s_show(weft_dead_run_t *self) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->database.db,
        "SELECT event, stored_us, chain, type, subject, filter, attempts, error, parked_us"
        " FROM weft_parked WHERE position = ? ORDER BY filter");
    if (rc != WEFT_OK) return weft_database_failed(&self->database, &self->args, rc);
    weft_stmt_bind_bits(&stmt, 1, self->position.value);
    bool some = false;
    while (rc == WEFT_OK && weft_stmt_row(&stmt)) {
        some = true;
        rc = s_print(self, &stmt);
    }
    weft_err_t end = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    if (end != WEFT_OK) return weft_database_failed(&self->database, &self->args, end);
    return rc == WEFT_OK && !some ? s_none(self) : rc;
}

/* ---- retry and drop */

static weft_err_t s_told(const weft_dead_run_t *self, const char *done, uint64_t count,
                         const char *error) {
    uint64_t left;
    weft_err_t rc = weft_database_number(&self->database, "SELECT count(*) FROM weft_parked",
                                         &left);
    if (rc != WEFT_OK) return weft_database_failed(&self->database, &self->args, rc);
    if (self->args.json)
        weft_out_json(json_pack("{s:s, s:I, s:I, s:s}", "service", self->database.name, done,
                                (json_int_t) count, "left", (json_int_t) left, "error", error));
    else
        weft_out("%llu %s, %llu left\n", (unsigned long long) count, done,
                 (unsigned long long) left);
    if (!*error) return count || !self->position.value ? WEFT_OK : s_none(self);
    return weft_say(self->args.verb, WEFT_E_HANDLER, "%s; weft dead ls tells why", error);
}

/* Wait until the service has done it. */
static weft_err_t s_await(weft_dead_run_t *self, int64_t id, const char *done) {
    int64_t end = weft_os_monotonic_ms() + self->wait_ms;
    for (;;) {
        weft_command_row_t row;
        weft_err_t rc = weft_commands_get(self->database.db, id, &row);
        if (rc != WEFT_OK) return weft_database_failed(&self->database, &self->args, rc);
        if (row.done) rc = s_told(self, done, row.count, row.error);
        bool ready = row.done;
        weft_commands_free(&row);
        if (ready) return rc;
        if (weft_stop_wanted()) return WEFT_E_INTERRUPTED;
        if (weft_os_monotonic_ms() >= end)
            return weft_say(self->args.verb, WEFT_E_TIMEOUT,
                            "%s (pid %ld) has not answered yet; it will be done once it does, then "
                            "weft dead ls shows what is left",
                            self->database.name, self->database.pid);
        struct pollfd item = {.fd = weft_stop_fd(), .events = POLLIN};
        poll(&item, 1, LOOK_MS);
    }
}

static weft_err_t s_ask(weft_dead_run_t *self, const char *verb, const char *done) {
    int64_t id;
    weft_err_t rc = weft_commands_create(self->database.db);
    if (rc == WEFT_OK)
        rc = weft_commands_add(self->database.db, verb, self->subject, self->position, &id);
    if (rc != WEFT_OK) return weft_database_failed(&self->database, &self->args, rc);
    if (self->database.running) return s_await(self, id, done);
    if (self->args.json)
        weft_out_json(json_pack("{s:s, s:b}", "service", self->database.name, "atNextStart", true));
    else
        weft_out("%s does not run: done at its next start\n", self->database.name);
    return WEFT_OK;
}

static weft_err_t s_drop(weft_dead_run_t *self) {
    uint64_t dropped = 0;
    if (!self->subject && !self->position.value && !self->all)
        return weft_say_usage(self->args.verb,
                              "drop what? a POSITION, --subject TEXT or --all is missing");
    if (self->database.running) return s_ask(self, "drop", "dropped");
    weft_service_store_t store = {.db = self->database.db, .lock_fd = -1};
    weft_err_t rc = weft_service_store_drop(&store, self->subject, self->position, &dropped);
    if (rc != WEFT_OK) return weft_database_failed(&self->database, &self->args, rc);
    return s_told(self, "dropped", dropped, "");
}

/* ---- the verb */

typedef struct {
    const char *name;
    bool wants_position;
    weft_database_mode_t mode;
    weft_err_t (*run)(weft_dead_run_t *self);
} weft_dead_act_t;

static weft_err_t s_retry(weft_dead_run_t *self) {
    return s_ask(self, "retry", "applied");
}

static weft_err_t s_act(weft_dead_run_t *self, const weft_dead_act_t *act) {
    const weft_args_t *args = &self->args;
    if (args->words_count < 2)
        return weft_say_usage(args->verb, "SERVICE is missing, as in weft dead %s blog-query",
                              act->name);
    if (args->words_count > 2 && strcmp(act->name, "show") != 0 && strcmp(act->name, "drop") != 0)
        return weft_say_usage(args->verb, "unexpected word '%s'", args->words[2]);
    if (act->wants_position && args->words_count < 3)
        return weft_say_usage(args->verb, "POSITION is missing");
    if (args->words_count > 2 &&
        !weft_options_number(args->words[2], 1, INT64_MAX, &self->position.value))
        return weft_say_usage(args->verb, "'%s' is no position", args->words[2]);
    weft_err_t rc = weft_database_open(&self->database, args, args->words[1], act->mode);
    if (rc != WEFT_OK) return rc;
    if (!weft_stop_take()) rc = weft_say(args->verb, WEFT_E_IO, "cannot take signals");
    if (rc == WEFT_OK) rc = act->run(self);
    weft_database_close(&self->database);
    return rc;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    static const weft_dead_act_t acts[] = {{"ls", false, WEFT_DATABASE_READ, s_ls},
                                           {"show", true, WEFT_DATABASE_READ, s_show},
                                           {"retry", false, WEFT_DATABASE_WRITE, s_retry},
                                           {"drop", false, WEFT_DATABASE_WRITE, s_drop}};
    weft_dead_run_t self = {0};
    const char *wait;
    int64_t wait_ms;
    const weft_verb_option_t options[] = {
        {"subject", "TEXT", "retry, drop: only events of this subject", NULL, &self.subject, NULL},
        {"all", NULL, "drop: all of them", NULL, NULL, &self.all},
        {"wait", "SECONDS", "how long to wait for a running service", "10", &wait, NULL},
    };
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!weft_args_seconds(wait, &wait_ms))
        return weft_say_usage(verb, "--wait '%s' is no number of seconds", wait);
    self.wait_ms = (int) wait_ms;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].name, self.args.words[0]) == 0) return s_act(&self, &acts[i]);
    return weft_say_usage(verb, "'%s' is none of ls, show, retry, drop", self.args.words[0]);
}

const weft_verb_t weft_verb_dead = {
    .name = "dead",
    .words = "ls|show|retry|drop SERVICE [POSITION]",
    .words_least = 1,
    .words_most = 3,
    .help = "list, show, retry or drop the events that a service has parked",
    .more =
        "SERVICE is a name that reports to the bus, or a path: DIR/NAME.db, or the directory of it.\n"
        "ls SERVICE lists them; show SERVICE POSITION has the data and the error; retry SERVICE lets\n"
        "the service work them off in order, subject by subject, at once or when it starts again;\n"
        "drop SERVICE POSITION (or --subject, --all) forgets them for good. What waits behind a dropped\n"
        "event stays parked until it is retried. Exit status 1 if some remain after a retry, or if there\n"
        "is none at POSITION.\n",
    .run = s_run,
    .online = true,
};
