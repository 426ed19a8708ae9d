/* weft_log_reader: see weft_log_reader.h. */
#include "weft_log_reader_inner.h"

#include "weft_assert.h"
#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_log_sql.h"
#include "weft_record.h"
#include "weft_stmt.h"
#include "weft_type.h"
#include "weft_wire_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_KIB 16384

const char *weft_log_reader_reason(const weft_log_reader_t *self) {
    return self->reason;
}

/* ---- opening */

/* If its table is there, which has tells. */
static weft_err_t s_prepare_if(weft_log_reader_t *self, const char *has, weft_stmt_t *out,
                               const char *sql) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, has);
    if (rc != WEFT_OK) return rc;
    bool there = weft_stmt_row(&st);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc == WEFT_OK && there ? weft_stmt_prepare(out, self->db, sql) : rc;
}

weft_err_t weft_log_reader_new(weft_log_reader_t **out, const char *path) {
    char sql[64];
    weft_err_t rc = WEFT_E_NOMEM;
    weft_log_reader_t *self = calloc(1, sizeof *self);
    if (!self) goto out;
    self->types_count = 1; /* ids start with 1 */
    if (!weft_log_room_for_type(self, 1)) goto out;
    if ((rc = weft_db_open(&self->db, path, WEFT_DB_READ_ONLY, true, 0)) != WEFT_OK) goto out;
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d", CACHE_KIB);
    if ((rc = weft_db_exec(self->db, sql)) != WEFT_OK) goto out;
    const struct {
        weft_stmt_t *stmt;
        const char *sql;
    } all[] = {
        {&self->head, weft_sql_head},
        {&self->meta, weft_sql_meta_all},
        {&self->row, weft_sql_row},
        {&self->chain, weft_sql_chain},
        {&self->origin, weft_sql_origin},
        {&self->origins, weft_sql_origins},
        {&self->types_after, weft_sql_types_after},
        {&self->rows_after, weft_sql_rows_after},
        {&self->look, weft_sql_look},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((rc = weft_stmt_prepare(all[i].stmt, self->db, all[i].sql)) != WEFT_OK) goto out;
    rc = s_prepare_if(self, weft_sql_has_postings, &self->postings, weft_sql_postings);
    if (rc == WEFT_OK) rc = s_prepare_if(self, weft_sql_has_rare, &self->rare, weft_sql_rare);
    if (rc != WEFT_OK) goto out;
    *out = self;
    self = NULL; /* handed over */
out:
    weft_log_reader_destroy(&self);
    return rc;
}

void weft_log_reader_destroy(weft_log_reader_t **self_p) {
    weft_log_reader_t *self = *self_p;
    if (!self) return;
    weft_stmt_free(&self->head);
    weft_stmt_free(&self->meta);
    weft_stmt_free(&self->row);
    weft_stmt_free(&self->chain);
    weft_stmt_free(&self->origin);
    weft_stmt_free(&self->origins);
    weft_stmt_free(&self->types_after);
    weft_stmt_free(&self->rows_after);
    weft_stmt_free(&self->look);
    weft_stmt_free(&self->postings);
    weft_stmt_free(&self->rare);
    weft_db_close(&self->db);
    for (size_t i = 0; i < self->types_capacity; i++) free(self->types[i].name);
    free(self->types);
    free(self->wanted);
    free(self);
    *self_p = NULL;
}

/* ---- the transaction and its head */

void weft_log_reader_share(weft_log_reader_t *self, weft_turnstile_t *turnstile) {
    self->turnstile = turnstile;
}

static weft_err_t s_read_meta(weft_log_reader_t *self) {
    weft_err_t rc = weft_log_read_meta(&self->meta, &self->known);
    if (rc == WEFT_E_CORRUPT)
        snprintf(self->reason, sizeof self->reason, "%s", weft_log_meta_damaged);
    self->at.anchor = self->known.anchor;
    self->at.anchor_chain = self->known.anchor_chain;
    self->at.stored_us = self->known.anchor_stored_us;
    return rc;
}

weft_err_t weft_log_reader_begin(weft_log_reader_t *self, weft_log_head_t *head) {
    WEFT_ASSERT(!self->open);
    self->reason[0] = '\0';
    if (self->turnstile) weft_turnstile_enter(self->turnstile);
    self->open = true;
    weft_err_t rc = weft_db_exec(self->db, "BEGIN");
    if (rc != WEFT_OK) return rc;
    rc = s_read_meta(self);
    if (rc != WEFT_OK) return rc;
    self->at.position = self->at.anchor;
    self->at.chain = self->at.anchor_chain;
    if (weft_stmt_row(&self->head)) {
        int64_t position = weft_stmt_int(&self->head, 0);
        self->at.position = position < 0 ? 0 : (uint64_t) position;
        self->at.stored_us = weft_stmt_int(&self->head, 1);
        self->at.chain = weft_stmt_bits(&self->head, 2);
    }
    rc = weft_stmt_done(&self->head);
    if (rc == WEFT_OK && self->at.position < self->at.anchor)
        rc = weft_log_damaged(self, self->at.position, weft_log_missing);
    if (rc == WEFT_OK && self->at.position < self->highest) /* a log never becomes shorter */
        rc = weft_log_damaged(self, self->at.position + 1, weft_log_missing);
    if (rc == WEFT_OK) self->highest = self->at.position;
    *head = self->at;
    return rc;
}

void weft_log_reader_end(weft_log_reader_t *self) {
    if (!self->open) return;
    if (!sqlite3_get_autocommit(self->db) && weft_db_exec(self->db, "COMMIT") != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "reader.end", "sqlite=\"%s\"", sqlite3_errmsg(self->db));
    if (self->turnstile) weft_turnstile_leave(self->turnstile);
    self->open = false;
}

const weft_log_meta_t *weft_log_reader_meta(const weft_log_reader_t *self) {
    return &self->known;
}

/* ---- single rows */

weft_err_t weft_log_reader_place(weft_log_reader_t *self, const weft_uuid_t *log,
                                 const weft_place_t *place) {
    static const weft_uuid_t zero;
    uint64_t position = place->at.position.value, chain;
    bool checked = place->kind == WEFT_PLACE_CHECKED;
    bool start = position == 0 && memcmp(&place->at.log, &zero, sizeof zero) == 0;
    char ours[33], theirs[33];
    if (place->kind == WEFT_PLACE_NONE) return WEFT_OK;
    if (checked && !start && memcmp(&place->at.log, log, sizeof *log) != 0) {
        weft_uuid_text(ours, log->bytes);
        weft_uuid_text(theirs, place->at.log.bytes);
        snprintf(self->reason, sizeof self->reason,
                 "position %" PRIu64 " belongs to log %s, this is log %s", position, theirs, ours);
        return WEFT_E_OTHER_LOG;
    }
    if (position > self->at.position) {
        snprintf(self->reason, sizeof self->reason,
                 "position %" PRIu64 " is beyond the head %" PRIu64 " of the log", position,
                 self->at.position);
        return WEFT_E_LOG_BEHIND;
    }
    if (position < self->at.anchor) {
        snprintf(self->reason, sizeof self->reason,
                 "position %" PRIu64 " is below %" PRIu64 ", the lowest that the log still keeps:"
                 " build the reader anew from what is kept, or go on without what is gone"
                 " (a service: --adopt-log)",
                 position, self->at.anchor);
        return WEFT_E_GONE;
    }
    if (!checked) return WEFT_OK;
    weft_err_t rc = weft_log_chain_at(self, position, &chain);
    if (rc != WEFT_OK || chain == place->at.chain) return rc;
    rc = weft_log_reader_verify(self, position,
                                &chain); /* another history, or a flipped bit here? */
    if (rc != WEFT_OK) return rc;
    snprintf(self->reason, sizeof self->reason,
             "position %" PRIu64 " has chain %016" PRIx64 ", the log has %016" PRIx64 " there",
             position, place->at.chain, chain);
    return WEFT_E_FORKED;
}

weft_err_t weft_log_reader_look(weft_log_reader_t *self, uint64_t position, int64_t *stored_us,
                                uint64_t *size) {
    WEFT_ASSERT(self->open);
    weft_stmt_bind_int(&self->look, 1, (int64_t) position);
    bool found = weft_stmt_row(&self->look);
    *stored_us = found ? weft_stmt_int(&self->look, 0) : 0;
    *size = found ? (uint64_t) weft_stmt_int(&self->look, 1) : 0;
    weft_err_t rc = weft_stmt_done(&self->look);
    return rc == WEFT_OK && !found ? weft_log_damaged(self, position, weft_log_missing) : rc;
}

weft_err_t weft_log_reader_used(weft_log_reader_t *self, uint64_t *bytes) {
    weft_stmt_t st;
    *bytes = 0;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_used);
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&st)) *bytes = (uint64_t) weft_stmt_int(&st, 0);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_log_reader_readers(weft_log_reader_t *self,
                                   bool (*fn)(void *arg, const weft_reader_t *reader), void *arg) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_readers);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&st, 1, WEFT_REPORTS_MAX);
    while (weft_stmt_row(&st)) {
        size_t size;
        weft_reader_t reader = {.resume = (uint64_t) weft_stmt_int(&st, 2),
                                .seen_us = weft_stmt_int(&st, 3)};
        const void *instance = weft_stmt_blob(&st, 0, &size);
        if (!instance || size != sizeof reader.instance.bytes) continue;
        memcpy(reader.instance.bytes, instance, size);
        const char *name = weft_stmt_text(&st, 1, &size);
        snprintf(reader.name, sizeof reader.name, "%s", name ? name : "");
        if (!fn(arg, &reader)) break;
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

/* The reason names it as far as its name can be read. */
static weft_err_t s_damaged_origin(weft_log_reader_t *self, const void *uuid) {
    char text[33] = "of no name";
    if (uuid) weft_uuid_text(text, uuid);
    snprintf(self->reason, sizeof self->reason, "origin %s is damaged: its checksum does not fit",
             text);
    return WEFT_E_CORRUPT;
}

weft_err_t weft_log_reader_origin(weft_log_reader_t *self, const weft_uuid_t *origin,
                                  weft_origin_state_t *out) {
    weft_log_origin_t row;
    weft_err_t whole = WEFT_OK;
    *out = (weft_origin_state_t){0};
    weft_stmt_bind_blob(&self->origin, 1, origin->bytes, sizeof origin->bytes);
    if (weft_stmt_row(&self->origin)) {
        whole = weft_log_take_origin(&self->origin, &row);
        if (whole == WEFT_OK)
            *out = (weft_origin_state_t){
                .last = row.last, .position = row.position, .chain = row.chain};
    }
    weft_err_t rc = weft_stmt_done(&self->origin);
    if (rc != WEFT_OK) return rc;
    return whole == WEFT_OK ? WEFT_OK : s_damaged_origin(self, origin->bytes);
}

weft_err_t weft_log_reader_origins(weft_log_reader_t *self, weft_log_origin_fn fn, void *arg) {
    bool more = true;
    weft_err_t whole = WEFT_OK;
    uint64_t count = 0;
    while (more && whole == WEFT_OK && weft_stmt_row(&self->origins)) {
        weft_log_origin_t row;
        weft_uuid_t uuid;
        whole = weft_log_take_origin(&self->origins, &row);
        if (whole != WEFT_OK) {
            whole = s_damaged_origin(self, row.uuid);
            break;
        }
        memcpy(uuid.bytes, row.uuid, sizeof uuid.bytes);
        weft_origin_state_t state = {
            .last = row.last, .position = row.position, .chain = row.chain};
        more = fn(arg, &uuid, &state);
        count++;
    }
    weft_err_t rc = weft_stmt_done(&self->origins);
    if (rc != WEFT_OK || whole != WEFT_OK) return rc != WEFT_OK ? rc : whole;
    if (!more || !self->known.trusted || count == self->known.origins) return WEFT_OK;
    snprintf(self->reason, sizeof self->reason,
             "%" PRIu64 " origins are there, and %" PRIu64 " should be", count,
             self->known.origins);
    return WEFT_E_CORRUPT;
}

static bool s_note_top(void *arg, const weft_uuid_t *uuid, const weft_origin_state_t *state) {
    uint64_t *top = arg;
    (void) uuid;
    if (state->position > *top) *top = state->position;
    return true;
}

weft_err_t weft_log_reader_verify_head(weft_log_reader_t *self) {
    uint64_t chain, top = 0;
    weft_err_t rc = weft_log_reader_verify(self, self->at.position, &chain);
    if (rc != WEFT_OK) return rc;
    rc = weft_log_reader_origins(self, s_note_top, &top);
    if (rc != WEFT_OK || top <= self->at.position) return rc;
    return weft_log_damaged(self, self->at.position + 1, weft_log_missing);
}
