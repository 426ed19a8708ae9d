/* weft_log_origins: see weft_log_origins.h. */
#include "weft_log_origins.h"

#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_log_reader.h"
#include "weft_log_sql.h"
#include "weft_log_trust.h"
#include "weft_map.h"
#include "weft_record.h"
#include "weft_stmt.h"
#include "weft_wire_event.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_ROWS 50000u

typedef struct {
    weft_uuid_t uuid;
    uint64_t last, position, chain;
    bool from_start; /* its first row is here, so its chain is known */
    bool doubtful;   /* it has rows beyond head; whether any was trimmed is not known yet */
    char *source;
    size_t source_size;
} weft_cut_origin_t;

typedef struct {
    sqlite3 *db;
    uint64_t head, anchor;
    weft_log_origins_fn progress;
    void *arg;
    weft_map_t *origins;
    size_t doubtful;
    uint64_t *type_hashes; /* by the store's id of the type; 0: none */
} weft_cut_t;

static void s_free(void *value) {
    weft_cut_origin_t *origin = value;
    free(origin->source);
    free(origin);
}

static weft_err_t s_types(weft_cut_t *self) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_types_after);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&st, 1, 0);
    while (weft_stmt_row(&st)) {
        size_t size;
        int64_t id = weft_stmt_int(&st, 0);
        const char *name = weft_stmt_text(&st, 1, &size);
        if (name && id <= (int64_t) WEFT_TYPES_MAX) self->type_hashes[id] = weft_hash(name, size);
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

/* ---- rows up to head */

static weft_cut_origin_t *s_add(weft_cut_t *self, const void *uuid) {
    weft_cut_origin_t *origin = calloc(1, sizeof *origin);
    if (!origin || !weft_map_put(self->origins, uuid, 16, origin)) {
        free(origin);
        return NULL;
    }
    memcpy(origin->uuid.bytes, uuid, 16);
    return origin;
}

static weft_cut_origin_t *s_origin(weft_cut_t *self, const weft_wire_event_t *event) {
    weft_cut_origin_t *origin = weft_map_get(self->origins, event->origin, 16);
    if (origin) return origin;
    origin = s_add(self, event->origin);
    if (origin) origin->from_start = event->source_seq == 1;
    return origin;
}

static weft_err_t s_name(weft_cut_origin_t *origin, const weft_wire_event_t *event) {
    if (origin->source_size == event->source_size &&
        memcmp(origin->source ? origin->source : "", event->source, event->source_size) == 0)
        return WEFT_OK;
    free(origin->source);
    origin->source = strndup(event->source, event->source_size);
    origin->source_size = origin->source ? event->source_size : 0;
    return origin->source ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_err_t s_row(weft_cut_t *self, const weft_stmt_t *st) {
    size_t size;
    int64_t type = weft_stmt_int(st, 1);
    const void *bytes = weft_stmt_blob(st, 4, &size);
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_wire_event_t event;
    if (!bytes || type < 1 || type > (int64_t) WEFT_TYPES_MAX ||
        weft_wire_event_take(&r, &event) != WEFT_OK)
        return WEFT_E_CORRUPT;
    if (!event.source_seq) return WEFT_OK;
    weft_cut_origin_t *origin = s_origin(self, &event);
    if (!origin || s_name(origin, &event) != WEFT_OK) return WEFT_E_NOMEM;
    origin->last = event.source_seq;
    origin->position = weft_stmt_bits(st, 0);
    origin->chain = weft_checksum_origin(origin->chain, self->type_hashes[type],
                                         weft_hash(event.bytes, event.size));
    return WEFT_OK;
}

static weft_err_t s_rows(weft_cut_t *self) {
    weft_stmt_t st;
    uint64_t at = 0, before;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_rows_after), row = WEFT_OK;
    if (rc != WEFT_OK) return rc;
    do {
        before = at;
        weft_stmt_bind_bits(&st, 1, at);
        weft_stmt_bind_int(&st, 2, PIECE_ROWS);
        while (row == WEFT_OK && weft_stmt_row(&st)) {
            row = s_row(self, &st);
            at = weft_stmt_bits(&st, 0);
        }
        rc = weft_stmt_done(&st);
        if (rc == WEFT_OK) rc = row;
        if (rc == WEFT_OK && !self->progress(self->arg, "read", at, self->head))
            rc = WEFT_E_INTERRUPTED;
    } while (rc == WEFT_OK && at != before && at < self->head);
    weft_stmt_free(&st);
    return rc;
}

/* ---- origins whose rows up to head were trimmed, if they ever had any */

static weft_err_t s_doubt(weft_cut_t *self, const weft_log_origin_t *row) {
    /* with no more than one event, that one lies beyond head */
    if (row->position <= self->head || row->last <= 1) return WEFT_OK;
    if (weft_map_get(self->origins, row->uuid, 16)) return WEFT_OK;
    weft_cut_origin_t *origin = s_add(self, row->uuid);
    if (!origin) return WEFT_E_NOMEM;
    origin->doubtful = true;
    self->doubtful++;
    return WEFT_OK;
}

/* All of them are looked at: one that is missing would be forgotten without a word (P6). */
static weft_err_t s_doubt_all(weft_cut_t *self, const weft_log_meta_t *meta) {
    weft_stmt_t st;
    weft_log_origin_t row;
    uint64_t count = 0;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_origins), taken = WEFT_OK;
    if (rc != WEFT_OK) return rc;
    while (taken == WEFT_OK && weft_stmt_row(&st)) {
        taken = weft_log_take_origin(&st, &row);
        if (taken == WEFT_OK) taken = s_doubt(self, &row);
        count++;
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    if (rc == WEFT_OK) rc = taken;
    return rc == WEFT_OK && count != meta->origins ? WEFT_E_CORRUPT : rc;
}

static weft_err_t s_trimmed(weft_cut_t *self) {
    weft_stmt_t st;
    weft_log_meta_t meta;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_meta_all);
    if (rc != WEFT_OK) return rc;
    rc = weft_log_read_meta(&st, &meta);
    weft_stmt_free(&st);
    self->anchor = meta.anchor;
    return rc == WEFT_OK && self->anchor ? s_doubt_all(self, &meta) : rc;
}

/* An origin has no gaps (I2): its first row beyond head tells which was its last one up to there. Where
 * that one lay is gone with it, but not beyond the anchor. */
static weft_err_t s_decide(weft_cut_t *self, const weft_wire_event_t *event) {
    weft_cut_origin_t *origin = event->source_seq ? weft_map_get(self->origins, event->origin, 16)
                                                  : NULL;
    if (!origin || !origin->doubtful) return WEFT_OK;
    origin->doubtful = false;
    self->doubtful--;
    origin->last = event->source_seq - 1;
    origin->position = self->anchor;
    return s_name(origin, event);
}

static weft_err_t s_decide_page(weft_cut_t *self, const weft_buf_t *page) {
    weft_mp_t r = weft_mp_reader(page->data, page->size);
    weft_err_t rc = WEFT_OK;
    while (rc == WEFT_OK && self->doubtful && weft_mp_left(&r)) {
        const char *type;
        size_t size;
        weft_stamp_t stamp;
        weft_wire_event_t event;
        if (!weft_mp_str(&r, &type, &size) || !weft_stamp_take(&r, &stamp) ||
            weft_wire_event_take(&r, &event) != WEFT_OK)
            return WEFT_E_CORRUPT;
        rc = s_decide(self, &event);
    }
    return rc;
}

/* One page is one short read transaction, and verified. The log may be trimmed between two. */
static weft_err_t s_search_page(weft_cut_t *self, weft_log_reader_t *reader, weft_buf_t *bytes,
                                uint64_t *at, uint64_t *end) {
    static const weft_text_t all = {.data = ">", .size = 1};
    weft_filters_t filters = {.count = 1, .items = (weft_text_t *) (uintptr_t) &all};
    weft_log_head_t now;
    weft_log_page_t page = {.next = *at};
    weft_buf_clear(bytes);
    weft_err_t rc = weft_log_reader_begin(reader, &now);
    if (rc == WEFT_OK && now.anchor > *at) rc = WEFT_E_GONE;
    if (rc == WEFT_OK)
        rc = weft_log_reader_page(reader, *at, &filters, WEFT_PAGE_EVENTS_MAX, WEFT_PAGE_BYTES_MAX,
                                  bytes, &page);
    weft_log_reader_end(reader);
    if (rc != WEFT_OK) return rc;
    *at = page.next;
    *end = now.position;
    return s_decide_page(self, bytes);
}

static weft_err_t s_search(weft_cut_t *self, const char *source) {
    weft_log_reader_t *reader = NULL;
    weft_buf_t bytes;
    uint64_t at = self->head, end = UINT64_MAX;
    weft_buf_init(&bytes);
    weft_err_t rc = weft_log_reader_new(&reader, source);
    while (rc == WEFT_OK && self->doubtful && at < end) {
        rc = s_search_page(self, reader, &bytes, &at, &end);
        if (rc == WEFT_OK &&
            !self->progress(self->arg, "searched", at - self->head, end - self->head))
            rc = WEFT_E_INTERRUPTED;
    }
    weft_log_reader_destroy(&reader);
    weft_buf_free(&bytes);
    return rc == WEFT_OK && self->doubtful ? WEFT_E_CORRUPT : rc;
}

/* ---- what comes of it */

/* Those without a row beyond head stand as they were; last is 0 of those without one up to it. */
static weft_err_t s_put(weft_cut_t *self) {
    weft_stmt_t st;
    size_t cursor = 0;
    const weft_cut_origin_t *origin;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_origin_add);
    while (rc == WEFT_OK && (origin = weft_map_next(self->origins, &cursor))) {
        if (!origin->last) continue;
        weft_log_origin_t row = {.uuid = origin->uuid.bytes,
                                 .source = origin->source ? origin->source : "",
                                 .source_size = origin->source_size,
                                 .last = origin->last,
                                 .position = origin->position,
                                 .chain = origin->from_start ? origin->chain : 0};
        weft_log_bind_origin(&st, &row);
        rc = weft_stmt_run(&st);
    }
    weft_stmt_free(&st);
    return rc;
}

static weft_err_t s_forget(weft_cut_t *self) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_origins_forget);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&st, 1, self->head);
    rc = weft_stmt_run(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_log_origins_cut(sqlite3 *db, const char *source, uint64_t head,
                                weft_log_origins_fn progress, void *arg) {
    weft_cut_t self = {
        .db = db, .head = head, .progress = progress, .arg = arg, .origins = weft_map_new()};
    self.type_hashes = calloc(WEFT_TYPES_MAX + 1, sizeof *self.type_hashes);
    weft_err_t rc = self.origins && self.type_hashes ? s_types(&self) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = s_rows(&self);
    if (rc == WEFT_OK) rc = s_trimmed(&self);
    if (rc == WEFT_OK && self.doubtful) rc = s_search(&self, source);
    if (rc == WEFT_OK) rc = s_forget(&self);
    if (rc == WEFT_OK) rc = s_put(&self);
    weft_map_destroy(&self.origins, s_free);
    free(self.type_hashes);
    return rc;
}
