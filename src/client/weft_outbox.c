/* weft_outbox: see weft_outbox.h. Rows hold the fields; the event's bytes are made when it is sent,
 * always the same ones, since all that goes in is stored. */
#include "weft_outbox.h"

#include "weft_crash.h"
#include "weft_fresh.h"
#include "weft_limits.h"
#include "weft_notify.h"
#include "weft_os.h"
#include "weft_type.h"
#include "weft_wire_event.h"

#include <stdlib.h>
#include <string.h>

/* Each commit of the bus is a sync of the disk that a busy service's own commits wait for. */
#define GATHER_US 1000
#define RENEW_STEP_MS 20
#define RENEW_WAIT_MS 10000 /* without a word from the bus */
#define SETTLE_ROWS 10000u  /* deleted in one transaction: keeps the loop's pauses short */

struct weft_outbox {
    sqlite3 *db;
    weft_relay_t *relay;
    weft_uuid_t origin;
    char *source, *bus;
    void *zmq_context; /* not owned; may be NULL */
    uint64_t highest;  /* committed */
    uint64_t added;    /* in the transaction at hand; 0: nothing */
    uint64_t oldest;
    uint64_t settled; /* acked as it stands in the database */
    weft_stmt_t insert, read, settle, prune, drop, first, last;
    uint64_t reading; /* sequence that read stands on; rows come in order */
    weft_fresh_t fresh;
    weft_buf_t event;
    char type[WEFT_TYPE_BYTES_MAX + 1];
};

/* ---- reading for the relay */

static bool s_build(weft_outbox_t *self, uint64_t sequence, weft_relay_event_t *out) {
    size_t type_size, subject_size, data_size, traceparent_size;
    const char *type = weft_stmt_text(&self->read, 0, &type_size);
    const char *subject = weft_stmt_text(&self->read, 2, &subject_size);
    const void *traceparent = weft_stmt_blob(&self->read, 4, &traceparent_size);
    const void *data = weft_stmt_blob(&self->read, 5, &data_size);
    if (!type || !data || type_size > WEFT_TYPE_BYTES_MAX) return false;
    weft_wire_event_t event = {
        .origin = self->origin.bytes,
        .source_seq = sequence,
        .time_us = weft_stmt_int(&self->read, 1),
        .source = self->source,
        .source_size = strlen(self->source),
        .subject = subject,
        .subject_size = subject_size,
        .cause = weft_stmt_bits(&self->read, 3),
        .traceparent = traceparent_size == WEFT_TRACEPARENT_BYTES ? traceparent : NULL,
        .data = data,
        .data_size = data_size,
    };
    weft_buf_clear(&self->event);
    weft_wire_event_put(&self->event, &event);
    memcpy(self->type, type, type_size);
    *out = (weft_relay_event_t){.type = self->type,
                                .type_size = type_size,
                                .event = self->event.data,
                                .size = self->event.size};
    return weft_buf_ok(&self->event);
}

static bool s_read(void *arg, uint64_t sequence, weft_relay_event_t *out) {
    weft_outbox_t *self = arg;
    if (weft_fresh_get(&self->fresh, sequence, out)) return true;
    if (self->reading != sequence) {
        (void) weft_stmt_done(&self->read); /* a failed step shows again at the next one */
        weft_stmt_bind_bits(&self->read, 1, sequence);
        if (!weft_stmt_row(&self->read)) goto fail;
    }
    if (weft_stmt_bits(&self->read, 6) != sequence || !s_build(self, sequence, out)) goto fail;
    self->reading = weft_stmt_row(&self->read) ? sequence + 1 : 0;
    return true;
fail:
    self->reading = 0;
    weft_diag(WEFT_DIAG_ERROR, "outbox.read",
              "sequence=%llu reason=\"row is missing or unreadable\"",
              (unsigned long long) sequence);
    (void) weft_stmt_done(&self->read);
    return false;
}

/* End the read between steps: an open statement would pin the WAL. */
static void s_end_read(weft_outbox_t *self) {
    (void) weft_stmt_done(&self->read);
    self->reading = 0;
}

/* ---- lifecycle */

static weft_err_t s_prepare(weft_outbox_t *self) {
    weft_err_t rc = weft_stmt_prepare(
        &self->insert, self->db,
        "INSERT INTO weft_outbox (type, time_us, subject, cause, traceparent, data)"
        " VALUES (?, ?, ?, ?, ?, ?)");
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&self->read, self->db,
                               "SELECT type, time_us, subject, cause, traceparent, data, seq"
                               " FROM weft_outbox WHERE seq >= ? ORDER BY seq");
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&self->settle, self->db,
                               "UPDATE weft_acked SET acked = ?, chain = ?, log = ?");
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&self->prune, self->db, "DELETE FROM weft_outbox WHERE seq <= ?");
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&self->drop, self->db, "DELETE FROM weft_outbox WHERE seq = ?");
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(
            &self->first, self->db,
            "SELECT time_us FROM weft_outbox WHERE seq > ? ORDER BY seq LIMIT 1");
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&self->last, self->db,
                               "SELECT seq FROM sqlite_sequence WHERE name = 'weft_outbox'");
    return rc;
}

static weft_err_t s_load(weft_outbox_t *self, weft_relay_config_t *config) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->db,
        "SELECT (SELECT value FROM weft_meta WHERE key = 'origin'), acked, chain, log,"
        " (SELECT seq FROM sqlite_sequence WHERE name = 'weft_outbox'),"
        " (SELECT min(seq) FROM weft_outbox) FROM weft_acked");
    if (rc != WEFT_OK) return rc;
    rc = WEFT_E_CORRUPT;
    if (weft_stmt_row(&stmt)) {
        size_t origin_size, log_size;
        const void *origin = weft_stmt_blob(&stmt, 0, &origin_size);
        const void *log = weft_stmt_blob(&stmt, 3, &log_size);
        config->acked = self->settled = weft_stmt_bits(&stmt, 1);
        config->acked_chain = weft_stmt_bits(&stmt, 2);
        config->highest = self->highest = weft_stmt_bits(&stmt, 4);
        if (config->highest < config->acked) config->highest = self->highest = config->acked;
        self->oldest = weft_stmt_is_null(&stmt, 5) ? config->highest + 1 : weft_stmt_bits(&stmt, 5);
        config->oldest = self->oldest;
        if (origin_size == 16) {
            memcpy(self->origin.bytes, origin, 16);
            config->origin = self->origin;
            if (log_size == 16) memcpy(config->log.bytes, log, 16);
            rc = WEFT_OK;
        }
    }
    weft_err_t end = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return end != WEFT_OK ? end : rc;
}

static weft_err_t s_open_relay(weft_outbox_t *self, weft_relay_t **relay) {
    weft_relay_config_t config = {.bus = self->bus,
                                  .name = self->source,
                                  .zmq_context = self->zmq_context,
                                  .gather_us = GATHER_US,
                                  .read = s_read,
                                  .arg = self};
    weft_err_t rc = s_load(self, &config);
    return rc == WEFT_OK ? weft_relay_new(relay, &config) : rc;
}

weft_err_t weft_outbox_new(weft_outbox_t **out, sqlite3 *db, const char *source, const char *bus,
                           void *zmq_context) {
    weft_outbox_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->db = db;
    self->zmq_context = zmq_context;
    self->source = strdup(source);
    self->bus = strdup(bus);
    weft_err_t rc = self->source && self->bus ? s_prepare(self) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = s_open_relay(self, &self->relay);
    if (rc == WEFT_OK) {
        *out = self;
        self = NULL;
    }
    weft_outbox_destroy(&self);
    return rc;
}

void weft_outbox_destroy(weft_outbox_t **self_p) {
    weft_outbox_t *self = *self_p;
    if (!self) return;
    weft_relay_destroy(&self->relay);
    weft_stmt_free(&self->insert);
    weft_stmt_free(&self->read);
    weft_stmt_free(&self->settle);
    weft_stmt_free(&self->prune);
    weft_stmt_free(&self->drop);
    weft_stmt_free(&self->first);
    weft_stmt_free(&self->last);
    weft_buf_free(&self->event);
    weft_fresh_free(&self->fresh);
    free(self->source);
    free(self->bus);
    free(self);
    *self_p = NULL;
}

/* ---- writing */

weft_err_t weft_outbox_emit(weft_outbox_t *self, const char *type, const char *subject,
                            const void *data, size_t data_size, uint64_t cause,
                            const uint8_t *traceparent) {
    static const uint8_t nil = 0xc0;
    size_t type_size = strlen(type);
    weft_err_t rc = weft_type_check(type, type_size);
    if (rc != WEFT_OK) return rc;
    weft_wire_event_t event = {
        .origin = self->origin.bytes,
        .time_us = weft_os_now_us(),
        .source = self->source,
        .source_size = strlen(self->source),
        .subject = subject ? subject : "",
        .subject_size = subject ? strlen(subject) : 0,
        .cause = cause,
        .traceparent = traceparent,
        .data = data_size ? data : &nil,
        .data_size = data_size ? data_size : 1,
    };
    rc = weft_wire_event_check(&event);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&self->insert, 1, type, type_size);
    weft_stmt_bind_int(&self->insert, 2, event.time_us);
    weft_stmt_bind_text(&self->insert, 3, event.subject, event.subject_size);
    weft_stmt_bind_bits(&self->insert, 4, cause);
    weft_stmt_bind_blob(&self->insert, 5, traceparent, traceparent ? WEFT_TRACEPARENT_BYTES : 0);
    weft_stmt_bind_blob(&self->insert, 6, event.data, event.data_size);
    rc = weft_stmt_run(&self->insert);
    if (rc == WEFT_OK) {
        self->added = event.source_seq = (uint64_t) sqlite3_last_insert_rowid(self->db); /* O1 */
        weft_fresh_add(&self->fresh, type, type_size, &event);
    }
    WEFT_CRASH_POINT("outbox.emitted");
    return rc;
}

uint64_t weft_outbox_added(const weft_outbox_t *self) {
    return self->added;
}

void weft_outbox_rewind(weft_outbox_t *self, uint64_t added) {
    self->added = added;
    weft_fresh_cut(&self->fresh, added ? added : self->highest);
}

weft_err_t weft_outbox_committing(weft_outbox_t *self) {
    if (!self->added) return WEFT_OK;
    uint64_t last = weft_stmt_row(&self->last) ? weft_stmt_bits(&self->last, 0) : 0;
    weft_err_t rc = weft_stmt_done(&self->last);
    if (rc == WEFT_OK && last != self->added)
        weft_outbox_rewind(self, last > self->highest ? last : 0);
    return rc;
}

weft_err_t weft_outbox_committed(weft_outbox_t *self) {
    if (!self->added) return WEFT_OK;
    if (self->added > self->highest) self->highest = self->added;
    self->added = 0;
    weft_relay_queued(self->relay, self->highest);
    return weft_outbox_step(self);
}

weft_err_t weft_outbox_step(weft_outbox_t *self) {
    weft_err_t rc = weft_relay_step(self->relay);
    s_end_read(self);
    return rc;
}

void weft_outbox_report(weft_outbox_t *self, const weft_report_t *report) {
    weft_relay_report(self->relay, report);
}

bool weft_outbox_ask(weft_outbox_t *self, const weft_uuid_t *origin, weft_relay_told_fn fn,
                     void *arg, uint64_t *id) {
    return weft_relay_ask(self->relay, origin, fn, arg, id);
}

int weft_outbox_fd(const weft_outbox_t *self) {
    return weft_relay_fd(self->relay);
}

void weft_outbox_wait(weft_outbox_t *self, int timeout_ms) {
    (void) weft_relay_wait(self->relay, timeout_ms);
}

bool weft_outbox_linked(const weft_outbox_t *self) {
    return weft_publisher_state(weft_relay_publisher(self->relay)) == WEFT_PUBLISHER_SENDING;
}

bool weft_outbox_heard(const weft_outbox_t *self) {
    return weft_outbox_linked(self) && weft_publisher_open(weft_relay_publisher(self->relay));
}

static weft_err_t s_settle(weft_outbox_t *self, uint64_t acked, uint64_t upto) {
    const weft_publisher_t *publisher = weft_relay_publisher(self->relay);
    weft_stmt_bind_bits(&self->settle, 1, acked);
    weft_stmt_bind_bits(&self->settle, 2, weft_publisher_acked_chain(publisher));
    weft_stmt_bind_blob(&self->settle, 3, weft_publisher_log(publisher)->bytes, 16);
    weft_err_t rc = weft_stmt_run(&self->settle);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&self->prune, 1, upto);
    return weft_stmt_run(&self->prune);
}

weft_err_t weft_outbox_settle(weft_outbox_t *self, bool *more) {
    uint64_t acked = weft_publisher_acked(weft_relay_publisher(self->relay));
    *more = false;
    if (acked == self->settled && self->oldest > acked) return WEFT_OK;
    uint64_t upto = acked;
    if (upto + 1 > self->oldest + SETTLE_ROWS) upto = self->oldest + SETTLE_ROWS - 1;
    weft_err_t rc = weft_db_exec(self->db, "BEGIN IMMEDIATE");
    if (rc == WEFT_OK) rc = s_settle(self, acked, upto);
    WEFT_CRASH_POINT("outbox.settling");
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    WEFT_CRASH_POINT("outbox.settled");
    if (rc != WEFT_OK) {
        (void) weft_db_exec(self->db, "ROLLBACK"); /* fails only if SQLite has rolled back itself */
        return rc;
    }
    self->settled = acked;
    if (upto >= self->oldest) {
        self->oldest = upto + 1;
        weft_relay_pruned(self->relay, self->oldest);
    }
    *more = self->oldest <= acked;
    return WEFT_OK;
}

/* ---- a new origin */

/* Drop the row if the event of the log is the same. */
static weft_err_t s_drop_if_same(weft_outbox_t *self, const weft_event_t *event) {
    weft_relay_event_t own;
    uint64_t sequence = event->sequence.value;
    if (memcmp(&event->origin, &self->origin, sizeof self->origin) != 0 || sequence > self->highest)
        return WEFT_OK;
    weft_stmt_bind_bits(&self->read, 1, sequence);
    bool same = weft_stmt_row(&self->read) && weft_stmt_bits(&self->read, 6) == sequence &&
                s_build(self, sequence, &own) && own.size == event->raw_size &&
                memcmp(own.event, event->raw, own.size) == 0 &&
                strcmp(self->type, event->type) == 0;
    weft_err_t rc = weft_stmt_done(&self->read);
    if (rc != WEFT_OK || !same) return rc;
    weft_stmt_bind_bits(&self->drop, 1, sequence);
    return weft_stmt_run(&self->drop);
}

/* Go through the log up to its head as it is now and drop what it has. */
static weft_err_t s_drop_stored(weft_outbox_t *self) {
    weft_sub_t *sub = NULL;
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    config.bus = self->bus;
    config.name = self->source;
    config.zmq_context = self->zmq_context;
    weft_err_t rc = weft_sub_new(&sub, &config);
    uint64_t head = UINT64_MAX, at = 0;
    int64_t end_ms = weft_os_monotonic_ms() + RENEW_WAIT_MS;
    while (rc == WEFT_OK && at < head) {
        weft_batch_t batch = {0};
        weft_sub_info_t info;
        rc = weft_sub_recv(sub, RENEW_STEP_MS, &batch);
        weft_notify_beat(weft_os_monotonic_ms()); /* it is the loop that waits here */
        if (rc == WEFT_OK) end_ms = weft_os_monotonic_ms() + RENEW_WAIT_MS;
        if (rc == WEFT_E_TIMEOUT)
            rc = weft_os_monotonic_ms() < end_ms ? WEFT_OK : WEFT_E_UNREACHABLE;
        for (size_t i = 0; rc == WEFT_OK && i < batch.count; i++)
            rc = s_drop_if_same(self, &batch.events[i]);
        weft_sub_info(sub, &info);
        if (info.connected && head == UINT64_MAX) head = info.head.value;
        at = info.position.value;
    }
    weft_sub_destroy(&sub);
    return rc;
}

/* Rows get the sequences 1, 2, 3 … in their order. */
static weft_err_t s_number_anew(weft_outbox_t *self, uint64_t *count) {
    weft_stmt_t next, move;
    weft_err_t rc = weft_stmt_prepare(&next, self->db,
                                      "SELECT min(seq) FROM weft_outbox WHERE seq > ?");
    if (rc != WEFT_OK) return rc;
    rc = weft_stmt_prepare(&move, self->db, "UPDATE weft_outbox SET seq = ? WHERE seq = ?");
    while (rc == WEFT_OK) {
        weft_stmt_bind_bits(&next, 1, *count);
        bool there = weft_stmt_row(&next) && !weft_stmt_is_null(&next, 0);
        uint64_t from = there ? weft_stmt_bits(&next, 0) : 0;
        rc = weft_stmt_done(&next);
        if (rc != WEFT_OK || !there) break;
        weft_stmt_bind_bits(&move, 1, ++*count);
        weft_stmt_bind_bits(&move, 2, from);
        rc = weft_stmt_run(&move);
    }
    weft_stmt_free(&next);
    weft_stmt_free(&move);
    return rc;
}

static weft_err_t s_put_origin(weft_outbox_t *self, uint64_t highest) {
    char rest[160];
    weft_stmt_t stmt;
    weft_uuid_t origin;
    weft_os_uuid(&origin);
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db,
                                      "UPDATE weft_meta SET value = ? WHERE key = 'origin'");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_blob(&stmt, 1, origin.bytes, sizeof origin.bytes);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    snprintf(rest, sizeof rest,
             "UPDATE weft_acked SET acked = 0, chain = 0, log = zeroblob(16);"
             "UPDATE sqlite_sequence SET seq = %llu WHERE name = 'weft_outbox'",
             (unsigned long long) highest);
    return rc == WEFT_OK ? weft_db_exec(self->db, rest) : rc;
}

weft_err_t weft_outbox_renew(weft_outbox_t *self, uint64_t *sent) {
    weft_relay_t *relay = NULL;
    uint64_t acked = weft_publisher_acked(weft_relay_publisher(self->relay));
    if (acked < self->settled) acked = self->settled; /* by a log that has lost it */
    *sent = 0;
    s_end_read(self);
    weft_fresh_cut(&self->fresh, 0); /* their origin and sequences change */
    weft_err_t rc = weft_db_exec(self->db, "BEGIN IMMEDIATE");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&self->prune, 1, acked);
    rc = weft_stmt_run(&self->prune);
    if (rc == WEFT_OK && self->highest > acked) rc = s_drop_stored(self);
    if (rc == WEFT_OK) rc = s_number_anew(self, sent);
    if (rc == WEFT_OK) rc = s_put_origin(self, *sent);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    if (rc != WEFT_OK) {
        (void) weft_db_exec(self->db, "ROLLBACK"); /* fails only if SQLite has rolled back itself */
        return rc;
    }
    rc = s_open_relay(self, &relay);
    if (rc != WEFT_OK) return rc;
    weft_relay_destroy(&self->relay);
    self->relay = relay;
    return WEFT_OK;
}

int64_t weft_outbox_oldest_us(weft_outbox_t *self) {
    int64_t time_us = 0;
    weft_stmt_bind_bits(&self->first, 1, weft_publisher_acked(weft_relay_publisher(self->relay)));
    if (weft_stmt_row(&self->first)) time_us = weft_stmt_int(&self->first, 0);
    return weft_stmt_done(&self->first) == WEFT_OK ? time_us : 0;
}

uint64_t weft_outbox_resent(const weft_outbox_t *self) {
    return weft_publisher_resent(weft_relay_publisher(self->relay));
}

uint64_t weft_outbox_depth(const weft_outbox_t *self) {
    uint64_t acked = weft_publisher_acked(weft_relay_publisher(self->relay));
    return self->highest > acked ? self->highest - acked : 0;
}

const weft_uuid_t *weft_outbox_origin(const weft_outbox_t *self) {
    return &self->origin;
}

uint64_t weft_outbox_highest(const weft_outbox_t *self) {
    return self->highest;
}

weft_err_t weft_outbox_stopped(const weft_outbox_t *self) {
    return weft_publisher_stopped(weft_relay_publisher(self->relay));
}
