/* weft_replay: see weft_replay.h. */
#include "weft_replay.h"

#include "weft_record.h"
#include "weft_service_store.h"
#include "weft_stop.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening */

static weft_err_t s_check_log(weft_replay_t *self, const weft_args_t *args) {
    static const weft_uuid_t none;
    weft_resume_t stands;
    weft_service_store_t store = {.db = self->database.db, .lock_fd = -1};
    weft_err_t rc = weft_service_store_position(&store, &stands);
    if (rc != WEFT_OK) return weft_database_failed(&self->database, args, rc);
    self->from = stands.position.value;
    if (memcmp(&stands.log, &none, sizeof none) == 0 ||
        memcmp(&stands.log, &self->log, sizeof none) == 0)
        return WEFT_OK;
    return weft_say(args->verb, WEFT_E_OTHER_LOG,
                    "bus %s runs on another log than the one that %s reads", args->bus,
                    self->database.name);
}

weft_err_t weft_replay_open(weft_replay_t *self, const weft_args_t *args, const char *which,
                            bool dry_run) {
    weft_welcome_t welcome;
    *self = (weft_replay_t){0};
    if (!weft_stop_take()) return weft_say(args->verb, WEFT_E_IO, "cannot take signals");
    weft_err_t rc = weft_database_open(&self->database, args, which,
                                       dry_run ? WEFT_DATABASE_READ : WEFT_DATABASE_OWN);
    if (rc != WEFT_OK) return rc;
    rc = weft_ask_begin(&self->ask, args);
    if (rc != WEFT_OK) {
        weft_database_close(&self->database);
        return rc;
    }
    rc = weft_ask_welcome(&self->ask, args->timeout_ms, &welcome);
    if (rc == WEFT_OK) {
        self->log = welcome.log;
        self->first = welcome.first;
        self->head = welcome.head;
        rc = s_check_log(self, args);
    } else {
        weft_ask_failed(&self->ask, args, rc);
    }
    if (rc != WEFT_OK) weft_replay_close(self);
    return rc;
}

void weft_replay_close(weft_replay_t *self) {
    weft_ask_close(&self->ask);
    weft_database_close(&self->database);
}

/* ---- where to */

weft_err_t weft_replay_place(weft_replay_t *self, const weft_args_t *args, uint64_t to) {
    weft_event_t event;
    if (to > self->head)
        return weft_say(args->verb, WEFT_E_LOG_BEHIND, "position %llu is beyond the head, %llu",
                        (unsigned long long) to, (unsigned long long) self->head);
    if (to ? to <= self->first : self->first)
        return weft_say(args->verb, WEFT_E_GONE, "the log keeps only what comes after %llu",
                        (unsigned long long) self->first);
    self->place = (weft_resume_t){0};
    if (!to) return WEFT_OK;
    weft_err_t rc = weft_ask_event(&self->ask, args->timeout_ms, (weft_position_t){to}, &event);
    if (rc != WEFT_OK) return weft_ask_failed(&self->ask, args, rc);
    self->place = (weft_resume_t){
        .log = self->log, .position = event.position, .chain = event.chain};
    return WEFT_OK;
}

static bool s_count_one(void *arg, const weft_ask_row_t *row) {
    (void) row;
    ++*(uint64_t *) arg;
    return true;
}

/* The service's filters as it last ran; texts into buf. */
static weft_err_t s_filters(weft_replay_t *self, weft_buf_t *buf, weft_text_t *items,
                            weft_filters_t *out) {
    weft_stmt_t stmt;
    size_t sizes[WEFT_FILTERS_MAX], at = 0;
    *out = (weft_filters_t){.items = items};
    weft_err_t rc = weft_stmt_prepare(&stmt, self->database.db, "SELECT filter FROM weft_filters");
    if (rc != WEFT_OK) return rc;
    while (out->count < WEFT_FILTERS_MAX && weft_stmt_row(&stmt)) {
        const char *text = weft_stmt_text(&stmt, 0, &sizes[out->count]);
        weft_buf_append(buf, text, sizes[out->count++]);
    }
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    if (!weft_buf_ok(buf)) return WEFT_E_NOMEM;
    for (size_t i = 0; i < out->count; at += sizes[i++])
        items[i] = (weft_text_t){.data = (const char *) buf->data + at, .size = sizes[i]};
    return rc;
}

weft_err_t weft_replay_count(weft_replay_t *self, const weft_args_t *args, uint64_t to,
                             weft_replay_counts_t *out) {
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters;
    weft_buf_t buf;
    weft_stmt_t stmt;
    uint64_t matching = 0;
    *out = (weft_replay_counts_t){0};
    weft_buf_init(&buf);
    weft_err_t rc = s_filters(self, &buf, items, &filters);
    if (rc == WEFT_OK)
        rc = weft_database_number(&self->database,
                                  "SELECT seq FROM sqlite_sequence WHERE name = 'weft_outbox'",
                                  &out->emitted);
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&stmt, self->database.db,
                               "SELECT count(*) FROM weft_parked WHERE position > ?");
    if (rc == WEFT_OK) {
        weft_stmt_bind_bits(&stmt, 1, to);
        if (weft_stmt_row(&stmt)) out->unparked = weft_stmt_bits(&stmt, 0);
        rc = weft_stmt_done(&stmt);
        weft_stmt_free(&stmt);
    }
    if (rc != WEFT_OK) {
        weft_database_failed(&self->database, args, rc);
    } else if (filters.count) {
        bool back = to < self->from;
        rc = weft_scan(&self->ask, args, &filters, back ? to : self->from, back ? self->from : to,
                       s_count_one, &matching);
        *(back ? &out->again : &out->never) = matching;
    }
    weft_buf_free(&buf);
    return rc;
}

/* ---- moving */

static weft_err_t s_with_position(weft_replay_t *self, const char *sql) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->database.db, sql);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&stmt, 1, self->place.position.value);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

weft_err_t weft_replay_move_in(weft_replay_t *self) {
    weft_service_store_t store = {.db = self->database.db, .lock_fd = -1};
    weft_err_t rc = weft_stmt_prepare(&store.position_write, store.db,
                                      "UPDATE weft_position SET log = ?, position = ?, chain = ?");
    if (rc != WEFT_OK) return rc;
    rc = weft_service_store_move(&store, &self->place);
    weft_stmt_free(&store.position_write);
    if (rc == WEFT_OK) rc = s_with_position(self, "DELETE FROM weft_parked WHERE position > ?");
    /* an added filter that has come further than that begins with the others */
    if (rc == WEFT_OK)
        rc = s_with_position(self,
                             "UPDATE weft_filters SET behind = 0 WHERE behind AND position >= ?");
    return rc;
}

weft_err_t weft_replay_move(weft_replay_t *self, const weft_args_t *args) {
    weft_err_t rc = weft_db_exec(self->database.db, "BEGIN IMMEDIATE");
    if (rc == WEFT_OK) rc = weft_replay_move_in(self);
    if (rc == WEFT_OK) rc = weft_db_exec(self->database.db, "COMMIT");
    if (rc == WEFT_OK) return rc;
    weft_database_failed(&self->database, args, rc);
    (void) weft_db_exec(self->database.db, "ROLLBACK"); /* fails only if SQLite has done it */
    return rc;
}
