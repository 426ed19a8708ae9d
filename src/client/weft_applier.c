/* weft_applier: see weft_applier.h. In memory, applied counts and parked subjects change only after a
 * COMMIT has returned. */
#include "weft_applier_inner.h"
#include "weft_assert.h"
#include "weft_crash.h"
#include "weft_os.h"
#include "weft_type.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS_MIN 100
#define RETRY_MS_MAX 30000
#define STORE_PAUSE_MS 1000
#define LAZY_MS 60000       /* S6: at the latest each minute */
#define TX_REASON_BYTES 400 /* leaves room for the name of the code */

struct weft_tx {
    weft_applier_t *applier;
    weft_position_t cause;
    bool traced;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    char reason[TX_REASON_BYTES];
};

/* ---- lifecycle */

/* SQLite itself ends a transaction on some errors of the disk. A handler that goes on regardless would then
 * write row by row, for good: between our BEGIN and our COMMIT nothing else may commit. */
static int s_veto(void *arg) {
    const weft_applier_t *self = arg;
    return self->in_transaction && !self->committing;
}

static void s_on_rollback(void *arg) {
    weft_applier_t *self = arg;
    self->ended = self->in_transaction;
}

/* Even if somebody has begun another one since: what was written in ours is gone. */
static bool s_is_gone(const weft_applier_t *self) {
    return self->ended || sqlite3_get_autocommit(self->store->db);
}

/* Of deferred foreign keys. COMMIT would refuse them, and the whole batch with the event that did it. */
static bool s_leaves_violations(const weft_applier_t *self) {
    int now = 0, most = 0;
    (void) sqlite3_db_status(self->store->db, SQLITE_DBSTATUS_DEFERRED_FKS, &now, &most, 0);
    return now != 0;
}

weft_err_t weft_applier_new(weft_applier_t **out, weft_service_store_t *store,
                            weft_outbox_t *outbox, unsigned park_after, weft_on_error_t on_error) {
    weft_applier_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->store = store;
    self->outbox = outbox;
    self->park_after = park_after;
    self->on_error = on_error;
    self->parked_subjects = weft_map_new();
    weft_err_t rc = self->parked_subjects ? weft_applier_load_parked(self) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->begin, store->db, "BEGIN IMMEDIATE");
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->commit, store->db, "COMMIT");
    if (rc == WEFT_OK) rc = weft_service_store_position(store, &self->stored);
    if (rc == WEFT_OK) {
        self->lazy = self->stored;
        sqlite3_commit_hook(store->db, s_veto, self);
        sqlite3_rollback_hook(store->db, s_on_rollback, self);
        *out = self;
        self = NULL;
    }
    weft_applier_destroy(&self);
    return rc;
}

void weft_applier_destroy(weft_applier_t **self_p) {
    weft_applier_t *self = *self_p;
    if (!self) return;
    sqlite3_commit_hook(self->store->db, NULL, NULL);
    sqlite3_rollback_hook(self->store->db, NULL, NULL);
    weft_stmt_free(&self->begin);
    weft_stmt_free(&self->commit);
    weft_map_destroy(&self->parked_subjects, NULL);
    for (size_t i = 0; i < self->handlers_count; i++) free(self->handlers[i].filter);
    free(self->handlers);
    free(self);
    *self_p = NULL;
}

weft_err_t weft_applier_on(weft_applier_t *self, const char *filter, weft_handler_fn fn,
                           void *arg) {
    weft_err_t rc = weft_filter_check(filter, strlen(filter));
    if (rc != WEFT_OK) return rc;
    bool known = false;
    for (size_t i = 0; i < self->filters_count && !known; i++)
        known = strcmp(self->filters[i], filter) == 0;
    if (!known && self->filters_count == WEFT_FILTERS_MAX) return WEFT_E_TOO_BIG;
    weft_handler_t *handlers = realloc(self->handlers,
                                       (self->handlers_count + 1) * sizeof *handlers);
    if (!handlers) return WEFT_E_NOMEM;
    self->handlers = handlers;
    char *copy = strdup(filter);
    if (!copy) return WEFT_E_NOMEM;
    handlers[self->handlers_count++] = (weft_handler_t){.filter = copy, .fn = fn, .arg = arg};
    if (!known) self->filters[self->filters_count++] = copy;
    return WEFT_OK;
}

const char *const *weft_applier_filters(const weft_applier_t *self, size_t *count) {
    *count = self->filters_count;
    return self->filters;
}

/* ---- transactions */

/* A constraint may end the transaction, too: ON CONFLICT ROLLBACK, RAISE(ROLLBACK). The veto above shows as one. */
static bool s_ended_by_constraint(const weft_applier_t *self) {
    int sql = sqlite3_extended_errcode(self->store->db);
    return (sql & 0xff) == SQLITE_CONSTRAINT && sql != SQLITE_CONSTRAINT_COMMITHOOK;
}

/* Not the handler's fault: the disk is full or failing, or SQLite has ended the transaction because it
 * was. Asked before the rollback. */
static bool s_is_disk_trouble(const weft_applier_t *self, weft_err_t rc) {
    int sql = sqlite3_errcode(self->store->db) & 0xff;
    return rc == WEFT_E_FULL || sql == SQLITE_FULL || sql == SQLITE_IOERR ||
           (s_is_gone(self) && !s_ended_by_constraint(self));
}

/* A transaction that changed nothing has not tried the disk. */
static void s_written(weft_applier_t *self) {
    if (self->trouble == WEFT_OK || sqlite3_total_changes64(self->store->db) == self->before)
        return;
    self->trouble = WEFT_OK;
    weft_diag(WEFT_DIAG_INFO, "service.well_again", "path=\"%s\"", self->store->path);
}

static sqlite3_stmt *s_next_open(const weft_applier_t *self, sqlite3_stmt *stmt) {
    do stmt = sqlite3_next_stmt(self->store->db, stmt);
    while (stmt && !sqlite3_stmt_busy(stmt));
    return stmt;
}

/* Reset what a handler has left open, as whoever resets before the next use does. With a statement that writes
 * (RETURNING) SQLite refuses COMMIT and savepoints. One that reads would stay where it stands: the WAL could only
 * grow, and once another process has written, nothing could be any more. */
static void s_end_open(weft_applier_t *self) {
    for (sqlite3_stmt *stmt = NULL; (stmt = s_next_open(self, stmt));)
        if (!self->read_before || !sqlite3_stmt_readonly(stmt))
            (void) sqlite3_reset(stmt); /* its writes were done at its first step */
}

weft_err_t weft_applier_tx_begin(weft_applier_t *self) {
    WEFT_ASSERT(!self->in_transaction);
    weft_err_t rc = weft_stmt_run(&self->begin);
    if (rc != WEFT_OK) {
        self->trouble = rc;
        return rc;
    }
    self->before = sqlite3_total_changes64(self->store->db);
    self->in_transaction = true;
    self->ended = false;
    self->read_before = s_next_open(self, NULL) != NULL;
    self->parked_now = 0;
    weft_outbox_rewind(self->outbox, 0);
    return WEFT_OK;
}

void weft_applier_tx_rollback(weft_applier_t *self) {
    if (s_is_disk_trouble(self, WEFT_OK)) {
        weft_err_t why = weft_db_error(self->store->db, sqlite3_extended_errcode(self->store->db));
        self->trouble = why != WEFT_OK ? why : WEFT_E_STORE;
    }
    s_end_open(self);
    (void) weft_db_exec(self->store->db, "ROLLBACK"); /* fails only if SQLite has done it already */
    weft_outbox_rewind(self->outbox, 0);
    self->in_transaction = false;
}

weft_err_t weft_applier_tx_commit(weft_applier_t *self) {
    WEFT_CRASH_POINT("applier.committing");
    s_end_open(self);
    weft_err_t rc = self->ended ? WEFT_E_STORE : weft_outbox_committing(self->outbox);
    self->committing = true;
    int64_t began_us = weft_os_monotonic_us();
    if (rc == WEFT_OK) rc = weft_stmt_run(&self->commit);
    self->committing = false;
    if (rc != WEFT_OK) {
        weft_diag(WEFT_DIAG_WARN, "service.commit", "error=%s sqlite=\"%s\"", weft_err_name(rc),
                  sqlite3_errmsg(self->store->db));
        weft_applier_tx_rollback(self);
        return rc;
    }
    weft_histogram_add(&self->commit_us, (uint64_t) (weft_os_monotonic_us() - began_us));
    WEFT_CRASH_POINT("applier.committed");
    self->in_transaction = false;
    s_written(self);
    self->parked += self->parked_now;
    if (self->parked_now && !self->parked_oldest_us) self->parked_oldest_us = weft_os_now_us();
    (void) weft_outbox_committed(self->outbox); /* a stopped relay shows in weft_service_info */
    return WEFT_OK;
}

weft_err_t weft_applier_transaction(weft_applier_t *self, weft_transaction_fn fn, void *arg) {
    if (self->in_transaction) return WEFT_E_STATE;
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    weft_tx_t tx = {.applier = self};
    rc = fn(&tx, arg);
    if (rc == WEFT_OK) return weft_applier_tx_commit(self);
    weft_applier_tx_rollback(self);
    if (rc == WEFT_E_FULL) self->trouble = rc; /* fn may have called SQLite again since */
    return rc;
}

struct sqlite3 *weft_tx_db(weft_tx_t *tx) {
    return tx->applier->store->db;
}

weft_err_t weft_tx_emit(weft_tx_t *tx, const char *type, const char *subject, const void *data,
                        size_t data_size) {
    if (tx->traced) weft_spans_next(&tx->applier->spans, tx->trace);
    return weft_outbox_emit(tx->applier->outbox, type, subject, data, data_size, tx->cause.value,
                            tx->traced ? tx->trace : NULL);
}

void weft_tx_cause(weft_tx_t *tx, weft_position_t cause) {
    tx->cause = cause;
}

void weft_tx_trace(weft_tx_t *tx, const uint8_t *trace) {
    tx->traced = trace != NULL;
    if (trace) memcpy(tx->trace, trace, sizeof tx->trace);
}

void weft_tx_reason(weft_tx_t *tx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(tx->reason, sizeof tx->reason, format, args);
    va_end(args);
}

/* ---- one event */

weft_err_t weft_applier_handle(weft_applier_t *self, const weft_event_t *event,
                               const char *filter) {
    weft_tx_t tx = {.applier = self};
    size_t type_size = strlen(event->type);
    for (size_t i = 0; i < self->handlers_count; i++) {
        const weft_handler_t *handler = &self->handlers[i];
        if (filter && strcmp(handler->filter, filter) != 0) continue;
        if (!weft_filter_match(handler->filter, strlen(handler->filter), event->type, type_size))
            continue;
        weft_tx_cause(&tx, event->position);
        weft_tx_trace(&tx, event->traceparent);
        weft_err_t rc = handler->fn(&tx, event, handler->arg);
        if (rc == WEFT_OK) continue;
        bool sql = rc == WEFT_E_STORE && sqlite3_errcode(self->store->db) != SQLITE_OK;
        const char *text = sql ? sqlite3_errmsg(self->store->db) : weft_err_text(rc);
        snprintf(self->reason, sizeof self->reason, "%s: %s", weft_err_name(rc),
                 tx.reason[0] ? tx.reason : text);
        return rc;
    }
    bool gone = s_is_gone(self);
    if (!gone && !s_leaves_violations(self)) return WEFT_OK;
    snprintf(self->reason, sizeof self->reason, "%s: %s", weft_err_name(WEFT_E_STORE),
             gone ? "the transaction was ended while it was handled"
                  : "a deferred FOREIGN KEY constraint failed");
    return WEFT_E_STORE;
}

static weft_err_t s_park(weft_applier_t *self, const weft_event_t *event, unsigned attempts,
                         const char *error) {
    if (self->parked + self->parked_now >= WEFT_PARKED_MAX) return WEFT_E_PARKED_FULL;
    weft_err_t rc = weft_service_store_park(self->store, event, self->filter ? self->filter : "",
                                            attempts, error);
    if (rc == WEFT_OK) self->parked_now++;
    return rc;
}

/* Apply one event, or set it aside if its subject is parked. */
static weft_err_t s_event(weft_applier_t *self, const weft_event_t *event) {
    if (*event->subject && weft_map_count(self->parked_subjects) &&
        weft_map_get(self->parked_subjects, event->subject, strlen(event->subject)))
        return s_park(self, event, 0, "waits behind an earlier event of its subject");
    return weft_applier_handle(self, event, self->filter);
}

/* ---- a batch */

void weft_applier_begin(weft_applier_t *self, const weft_batch_t *batch, const char *filter,
                        weft_position_t limit) {
    WEFT_ASSERT(!self->busy);
    self->batch = *batch;
    self->filter = filter;
    self->limit = limit;
    while (filter && self->batch.count &&
           self->batch.events[self->batch.count - 1].position.value > limit.value)
        self->batch.count--;
    self->at = 0;
    self->attempts = 0;
    self->again_ms = 0;
    self->busy = true;
}

bool weft_applier_busy(const weft_applier_t *self) {
    return self->busy;
}

static weft_resume_t s_place_of(const weft_applier_t *self, size_t event) {
    const weft_event_t *e = &self->batch.events[event];
    return (weft_resume_t){.log = self->batch.next.log, .position = e->position, .chain = e->chain};
}

/* Move the position, or the progress of an added filter, inside the transaction. */
static weft_err_t s_move(weft_applier_t *self, const weft_resume_t *to) {
    if (!self->filter) return weft_service_store_move(self->store, to);
    bool reached = to->position.value >= self->limit.value;
    return weft_service_store_filter_set(self->store, self->filter, reached ? NULL : to);
}

/* The transaction is committed: events [at, end) are behind us and to is where we stand. */
static void s_applied(weft_applier_t *self, size_t end, const weft_resume_t *to) {
    size_t live_from = self->batch.count > self->batch.live_count
                           ? self->batch.count - self->batch.live_count
                           : 0; /* those by catch-up come first */
    for (size_t i = self->at; i < end; i++)
        *(i < live_from ? &self->applied_catch_up : &self->applied_live) += 1;
    self->at = end;
    self->attempts = 0;
    if (!self->filter) self->stored = self->lazy = *to;
}

/* Everything in one transaction, without savepoints. WEFT_E_HANDLER: some handler failed. */
static weft_err_t s_run_fast(weft_applier_t *self) {
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    for (size_t i = self->at; i < self->batch.count; i++) {
        rc = s_event(self, &self->batch.events[i]);
        WEFT_CRASH_POINT("applier.handled");
        if (rc == WEFT_OK) continue;
        if (rc != WEFT_E_PARKED_FULL)
            rc = s_is_disk_trouble(self, rc) ? WEFT_E_STORE : WEFT_E_HANDLER;
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = s_move(self, &self->batch.next);
    if (rc != WEFT_OK) {
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = weft_applier_tx_commit(self);
    if (rc == WEFT_OK) s_applied(self, self->batch.count, &self->batch.next);
    return rc;
}

static weft_err_t s_event_in_savepoint(weft_applier_t *self, const weft_event_t *event) {
    uint64_t added = weft_outbox_added(self->outbox);
    uint64_t parked = self->parked_now;
    weft_err_t rc = weft_db_exec(self->store->db, "SAVEPOINT weft_event");
    if (rc != WEFT_OK) return WEFT_E_STORE;
    rc = s_event(self, event);
    if (rc == WEFT_E_PARKED_FULL) return rc;
    if (rc != WEFT_OK && s_is_disk_trouble(self, rc)) return WEFT_E_STORE;
    if (rc != WEFT_OK && s_is_gone(self)) return WEFT_E_HANDLER;
    s_end_open(self);
    if (rc == WEFT_OK) return weft_db_exec(self->store->db, "RELEASE weft_event");
    if (weft_db_exec(self->store->db, "ROLLBACK TO weft_event; RELEASE weft_event") != WEFT_OK)
        return WEFT_E_STORE;
    weft_outbox_rewind(self->outbox, added);
    self->parked_now = parked;
    return WEFT_E_HANDLER;
}

/* A savepoint each, up to event `until`; commits what comes before the first event that fails. */
static weft_err_t s_run_slow(weft_applier_t *self, size_t until) {
    weft_err_t failed = WEFT_OK;
    size_t end = self->at;
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    for (; end < until; end++) {
        failed = s_event_in_savepoint(self, &self->batch.events[end]);
        if (failed != WEFT_OK) break;
    }
    bool took_along = failed == WEFT_E_HANDLER && s_is_gone(self); /* what comes before it */
    if (failed != WEFT_OK && (failed != WEFT_E_HANDLER || end == self->at || took_along)) {
        weft_applier_tx_rollback(self);
        if (end == self->at || !took_along) return failed;
        rc = s_run_slow(self, end);
        return rc == WEFT_OK ? failed : rc;
    }
    weft_resume_t to = end == self->batch.count ? self->batch.next : s_place_of(self, end - 1);
    rc = s_move(self, &to);
    if (rc != WEFT_OK) {
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = weft_applier_tx_commit(self);
    if (rc != WEFT_OK) return rc;
    s_applied(self, end, &to);
    return failed;
}

/* Give up on the event at hand: a row for it, and the position moves past it. */
static weft_err_t s_park_at(weft_applier_t *self) {
    const weft_event_t *event = &self->batch.events[self->at];
    size_t size = strlen(event->subject);
    weft_resume_t to = s_place_of(self, self->at);
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    rc = s_park(self, event, self->attempts, self->reason);
    if (rc == WEFT_OK) rc = s_move(self, &to);
    if (rc != WEFT_OK) {
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = weft_applier_tx_commit(self);
    if (rc != WEFT_OK) return rc;
    weft_diag(
        WEFT_DIAG_ERROR, "service.parked", "position=%llu type=%s subject=\"%s\" reason=\"%s\"",
        (unsigned long long) event->position.value, event->type, event->subject, self->reason);
    if (size && !weft_map_get(self->parked_subjects, event->subject, size) &&
        !weft_map_put(self->parked_subjects, event->subject, size, self))
        return WEFT_E_NOMEM; /* the row is there: after a restart the subject is parked */
    s_applied(self, self->at + 1, &to);
    return WEFT_OK;
}

/* Give up on the event at hand for good: only the position moves past it. */
static weft_err_t s_skip_at(weft_applier_t *self) {
    const weft_event_t *event = &self->batch.events[self->at];
    weft_resume_t to = s_place_of(self, self->at);
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    rc = s_move(self, &to);
    if (rc != WEFT_OK) {
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = weft_applier_tx_commit(self);
    if (rc != WEFT_OK) return rc;
    weft_diag(
        WEFT_DIAG_ERROR, "service.skipped", "position=%llu type=%s subject=\"%s\" reason=\"%s\"",
        (unsigned long long) event->position.value, event->type, event->subject, self->reason);
    self->skipped++;
    s_applied(self, self->at + 1, &to);
    return WEFT_OK;
}

static weft_err_t s_failed(weft_applier_t *self, int64_t now_ms) {
    const weft_event_t *event = &self->batch.events[self->at];
    self->attempts++;
    self->failures++;
    weft_diag(WEFT_DIAG_WARN, "service.handler",
              "position=%llu type=%s attempt=%u of=%u reason=\"%s\"",
              (unsigned long long) event->position.value, event->type, self->attempts,
              self->park_after, self->reason);
    if (self->attempts >= self->park_after && self->on_error == WEFT_ON_ERROR_SKIP)
        return s_skip_at(self);
    if (self->attempts >= self->park_after && self->on_error == WEFT_ON_ERROR_PARK)
        return s_park_at(self);
    if (self->attempts >= self->park_after) return WEFT_E_HANDLER;
    self->pause_ms = self->attempts == 1 ? RETRY_MS_MIN : self->pause_ms * 2;
    if (self->pause_ms > RETRY_MS_MAX) self->pause_ms = RETRY_MS_MAX;
    self->again_ms = now_ms + self->pause_ms;
    return WEFT_E_AGAIN;
}

/* Nothing of interest in the batch: the move is written lazily (S6), or at once for an added filter. */
static bool s_pass(weft_applier_t *self, int64_t now_ms) {
    if (self->batch.count || self->filter) return false;
    if (self->lazy.position.value == self->stored.position.value) self->lazy_since_ms = now_ms;
    self->lazy = self->batch.next;
    self->busy = false;
    weft_applier_tick(self, now_ms);
    return true;
}

weft_err_t weft_applier_run(weft_applier_t *self, int64_t now_ms, int64_t *again_ms) {
    if (!self->busy || s_pass(self, now_ms)) return WEFT_OK;
    weft_err_t rc = WEFT_E_AGAIN;
    while (now_ms >= self->again_ms) {
        rc = self->attempts ? WEFT_E_HANDLER : s_run_fast(self);
        if (rc == WEFT_E_HANDLER) rc = s_run_slow(self, self->batch.count);
        if (rc == WEFT_OK) {
            self->busy = false;
            return WEFT_OK;
        }
        if (rc == WEFT_E_HANDLER) {
            rc = s_failed(self, now_ms);
            if (rc == WEFT_OK) continue; /* parked or skipped: on with the next one */
        }
        if (rc == WEFT_E_PARKED_FULL || rc == WEFT_E_HANDLER || rc == WEFT_E_NOMEM) return rc;
        if (rc != WEFT_E_AGAIN) {
            weft_diag(WEFT_DIAG_WARN, "service.trouble", "error=%s again_ms=%d", weft_err_name(rc),
                      STORE_PAUSE_MS);
            self->again_ms = now_ms + STORE_PAUSE_MS;
        }
    }
    *again_ms = self->again_ms;
    return WEFT_E_AGAIN;
}

void weft_applier_tick(weft_applier_t *self, int64_t now_ms) {
    if (now_ms - self->lazy_since_ms >= LAZY_MS)
        (void) weft_applier_flush(self); /* or the next time */
}

weft_err_t weft_applier_flush(weft_applier_t *self) {
    if (self->lazy.position.value == self->stored.position.value || self->in_transaction)
        return WEFT_OK;
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    rc = weft_service_store_move(self->store, &self->lazy);
    if (rc != WEFT_OK) {
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = weft_applier_tx_commit(self);
    if (rc == WEFT_OK) self->stored = self->lazy;
    return rc;
}

weft_err_t weft_applier_adopt(weft_applier_t *self, const weft_resume_t *to) {
    WEFT_ASSERT(!self->busy);
    weft_err_t rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) return rc;
    rc = weft_service_store_adopt(self->store, to);
    if (rc != WEFT_OK) {
        weft_applier_tx_rollback(self);
        return rc;
    }
    rc = weft_applier_tx_commit(self);
    if (rc == WEFT_OK) self->stored = self->lazy = *to;
    return rc;
}

/* ---- figures */

void weft_applier_info(const weft_applier_t *self, weft_applier_info_t *info) {
    *info = (weft_applier_info_t){.stored = self->stored.position,
                                  .applied_catch_up = self->applied_catch_up,
                                  .applied_live = self->applied_live,
                                  .parked = self->parked,
                                  .parked_oldest_us = self->parked_oldest_us,
                                  .skipped = self->skipped,
                                  .failures = self->failures,
                                  .trouble = self->trouble};
}

const weft_histogram_t *weft_applier_commits(const weft_applier_t *self) {
    return &self->commit_us;
}
