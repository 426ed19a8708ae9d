/* weft_log_reader: see weft_log_reader.h.
 * Types never change once they are committed, so the ones seen are kept in memory for ever. */
#include "weft_log_reader.h"

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

typedef struct {
    char *name; /* NULL: no such id */
    size_t size;
    uint64_t hash;
} weft_log_type_t;

typedef enum { WANTED_UNKNOWN, WANTED_NO, WANTED_YES } weft_wanted_t;

struct weft_log_reader {
    sqlite3 *db;
    weft_stmt_t head, anchor, row, chain, origin, origins, origins_top, types_after, rows_after,
        look;
    weft_log_head_t at; /* of the transaction in hand */
    uint64_t highest;   /* head ever seen */
    bool open;
    weft_log_type_t *types;             /* by id */
    uint8_t *wanted;                    /* by id, weft_wanted_t of the page in hand */
    size_t types_count, types_capacity; /* ids below types_count have been asked for */
    const weft_filters_t *filters;      /* of the page in hand */
    char reason[256];
};

/* A row as the database has it. */
typedef struct {
    uint64_t position, chain, checksum, event_hash;
    int64_t type, stored_us;
    const void *event; /* NULL: it is no blob */
    size_t size;
} weft_log_row_t;

const char *weft_log_reader_reason(const weft_log_reader_t *self) {
    return self->reason;
}

static weft_err_t s_damaged(weft_log_reader_t *self, uint64_t position, const char *what) {
    snprintf(self->reason, sizeof self->reason, "row %" PRIu64 " is damaged: %s", position, what);
    return WEFT_E_CORRUPT;
}

/* SQLite's own word for it: a page of the file makes no sense. */
static weft_err_t s_unreadable(weft_log_reader_t *self, weft_err_t rc, uint64_t position) {
    if (rc == WEFT_E_CORRUPT)
        snprintf(self->reason, sizeof self->reason, "row %" PRIu64 " cannot be read: %s", position,
                 weft_err_text(rc));
    return rc;
}

static const char s_missing[] = "it is missing";
static const char s_misfit[] = "checksum and chain do not fit";

/* ---- types */

static bool s_room_for_type(weft_log_reader_t *self, size_t id) {
    if (id < self->types_capacity) return true;
    size_t capacity = self->types_capacity ? self->types_capacity : 64;
    while (capacity <= id) capacity *= 2;
    weft_log_type_t *types = realloc(self->types, capacity * sizeof *types);
    if (types) self->types = types;
    uint8_t *wanted = realloc(self->wanted, capacity);
    if (wanted) self->wanted = wanted;
    if (!types || !wanted) return false;
    memset(types + self->types_capacity, 0, (capacity - self->types_capacity) * sizeof *types);
    memset(wanted + self->types_capacity, 0, capacity - self->types_capacity);
    self->types_capacity = capacity;
    return true;
}

static weft_err_t s_refresh_types(weft_log_reader_t *self) {
    weft_err_t kept = WEFT_OK;
    weft_stmt_bind_int(&self->types_after, 1, (int64_t) self->types_count - 1);
    while (kept == WEFT_OK && weft_stmt_row(&self->types_after)) {
        size_t size;
        int64_t id = weft_stmt_int(&self->types_after, 0);
        const char *name = weft_stmt_text(&self->types_after, 1, &size);
        if (!name || id < 1 || id > (int64_t) WEFT_TYPES_MAX)
            continue; /* its rows count as damaged */
        kept = WEFT_E_NOMEM;
        char *copy = malloc(size + 1);
        if (copy && s_room_for_type(self, (size_t) id)) {
            memcpy(copy, name, size + 1);
            self->types[id] = (weft_log_type_t){
                .name = copy, .size = size, .hash = weft_hash(copy, size)};
            self->types_count = (size_t) id + 1;
            copy = NULL;
            kept = WEFT_OK;
        }
        free(copy);
    }
    weft_err_t rc = weft_stmt_done(&self->types_after);
    return rc == WEFT_OK ? kept : rc;
}

/* type out: NULL if the store has none with that id. */
static weft_err_t s_type(weft_log_reader_t *self, int64_t id, const weft_log_type_t **type) {
    *type = NULL;
    if (id < 1 || id > (int64_t) WEFT_TYPES_MAX) return WEFT_OK;
    if ((size_t) id >= self->types_count) {
        weft_err_t rc = s_refresh_types(self);
        if (rc != WEFT_OK) return rc;
    }
    if ((size_t) id < self->types_count && self->types[id].name) *type = &self->types[id];
    return WEFT_OK;
}

static bool s_match(const weft_filters_t *filters, const weft_log_type_t *type) {
    for (size_t i = 0; i < filters->count; i++)
        if (weft_filter_match(filters->items[i].data, filters->items[i].size, type->name,
                              type->size))
            return true;
    return false;
}

/* Does the page in hand want this type? Filters are tried once a type and page. */
static bool s_wanted(weft_log_reader_t *self, size_t id) {
    if (self->wanted[id] == WANTED_UNKNOWN)
        self->wanted[id] = s_match(self->filters, &self->types[id]) ? WANTED_YES : WANTED_NO;
    return self->wanted[id] == WANTED_YES;
}

/* ---- opening */

weft_err_t weft_log_reader_new(weft_log_reader_t **out, const char *path) {
    char sql[64];
    weft_err_t rc = WEFT_E_NOMEM;
    weft_log_reader_t *self = calloc(1, sizeof *self);
    if (!self) goto out;
    self->types_count = 1; /* ids start with 1 */
    if (!s_room_for_type(self, 1)) goto out;
    if ((rc = weft_db_open(&self->db, path, WEFT_DB_READ_ONLY, true, 0)) != WEFT_OK) goto out;
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d", CACHE_KIB);
    if ((rc = weft_db_exec(self->db, sql)) != WEFT_OK) goto out;
    const struct {
        weft_stmt_t *stmt;
        const char *sql;
    } all[] = {
        {&self->head, weft_sql_head},
        {&self->anchor, weft_sql_anchor},
        {&self->row, weft_sql_row},
        {&self->chain, weft_sql_chain},
        {&self->origin, weft_sql_origin},
        {&self->origins, weft_sql_origins},
        {&self->origins_top, weft_sql_origins_top},
        {&self->types_after, weft_sql_types_after},
        {&self->rows_after, weft_sql_rows_after},
        {&self->look, weft_sql_look},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((rc = weft_stmt_prepare(all[i].stmt, self->db, all[i].sql)) != WEFT_OK) goto out;
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
    weft_stmt_free(&self->anchor);
    weft_stmt_free(&self->row);
    weft_stmt_free(&self->chain);
    weft_stmt_free(&self->origin);
    weft_stmt_free(&self->origins);
    weft_stmt_free(&self->origins_top);
    weft_stmt_free(&self->types_after);
    weft_stmt_free(&self->rows_after);
    weft_stmt_free(&self->look);
    weft_db_close(&self->db);
    for (size_t i = 0; i < self->types_capacity; i++) free(self->types[i].name);
    free(self->types);
    free(self->wanted);
    free(self);
    *self_p = NULL;
}

/* ---- the transaction and its head */

static weft_err_t s_read_anchor(weft_log_reader_t *self) {
    bool found = false;
    if (weft_stmt_row(&self->anchor)) {
        found = !weft_stmt_is_null(&self->anchor, 0) && !weft_stmt_is_null(&self->anchor, 1) &&
                weft_stmt_int(&self->anchor, 0) >= 0;
        self->at.anchor = (uint64_t) weft_stmt_int(&self->anchor, 0);
        self->at.anchor_chain = weft_stmt_bits(&self->anchor, 1);
        self->at.stored_us = weft_stmt_int(&self->anchor, 2);
    }
    weft_err_t rc = weft_stmt_done(&self->anchor);
    if (rc != WEFT_OK || found) return rc;
    snprintf(self->reason, sizeof self->reason, "its anchor is damaged");
    return WEFT_E_CORRUPT;
}

weft_err_t weft_log_reader_begin(weft_log_reader_t *self, weft_log_head_t *head) {
    WEFT_ASSERT(!self->open);
    self->reason[0] = '\0';
    weft_err_t rc = weft_db_exec(self->db, "BEGIN");
    if (rc != WEFT_OK) return rc;
    self->open = true;
    rc = s_read_anchor(self);
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
        rc = s_damaged(self, self->at.position, s_missing);
    if (rc == WEFT_OK && self->at.position < self->highest) /* a log never becomes shorter */
        rc = s_damaged(self, self->at.position + 1, s_missing);
    if (rc == WEFT_OK) self->highest = self->at.position;
    *head = self->at;
    return rc;
}

void weft_log_reader_end(weft_log_reader_t *self) {
    if (self->open && weft_db_exec(self->db, "COMMIT") != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "reader.end", "sqlite=\"%s\"", sqlite3_errmsg(self->db));
    self->open = false;
}

/* ---- single rows */

static weft_err_t s_chain_at(weft_log_reader_t *self, uint64_t position, uint64_t *chain) {
    *chain = self->at.anchor_chain;
    if (position == self->at.anchor) return WEFT_OK;
    weft_stmt_bind_int(&self->chain, 1, (int64_t) position);
    bool found = weft_stmt_row(&self->chain);
    if (found) *chain = weft_stmt_bits(&self->chain, 0);
    weft_err_t rc = weft_stmt_done(&self->chain);
    if (rc != WEFT_OK) return s_unreadable(self, rc, position);
    return found ? WEFT_OK : s_damaged(self, position, s_missing);
}

/* Columns of weft_sql_row and weft_sql_rows_after. Text in place of a blob has the same bytes, but is
 * not what was written. */
static void s_take_row(const weft_stmt_t *st, weft_log_row_t *row) {
    row->position = (uint64_t) weft_stmt_int(st, 0);
    row->type = weft_stmt_int(st, 1);
    row->chain = weft_stmt_bits(st, 2);
    row->stored_us = weft_stmt_int(st, 3);
    row->event = weft_stmt_blob(st, 4, &row->size);
    if (!weft_stmt_is_blob(st, 4)) row->event = NULL;
}

/* Sets row->checksum and type. */
static weft_err_t s_check_row(weft_log_reader_t *self, weft_log_row_t *row, uint64_t previous_chain,
                              const weft_log_type_t **type) {
    weft_err_t rc = s_type(self, row->type, type);
    if (rc != WEFT_OK) return rc;
    if (!*type) return s_damaged(self, row->position, "its type is unknown");
    if (!row->event) return s_damaged(self, row->position, "its event is no blob");
    row->event_hash = weft_hash(row->event, row->size);
    row->checksum = weft_checksum_row(row->position, row->stored_us, (*type)->hash,
                                      row->event_hash);
    if (weft_checksum_chain(previous_chain, row->checksum) != row->chain)
        return s_damaged(self, row->position, s_misfit);
    return WEFT_OK;
}

weft_err_t weft_log_reader_verify(weft_log_reader_t *self, uint64_t position, uint64_t *chain) {
    WEFT_ASSERT(self->open);
    WEFT_ASSERT(position >= self->at.anchor && position <= self->at.position);
    const weft_log_type_t *type;
    uint64_t previous;
    if (position == self->at.anchor) return s_chain_at(self, position, chain);
    weft_err_t rc = s_chain_at(self, position - 1, &previous), checked;
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&self->row, 1, (int64_t) position);
    if (weft_stmt_row(&self->row)) {
        weft_log_row_t row;
        s_take_row(&self->row, &row);
        *chain = row.chain;
        checked = s_check_row(self, &row, previous, &type);
    } else {
        checked = s_damaged(self, position, s_missing);
    }
    rc = weft_stmt_done(&self->row);
    return rc == WEFT_OK ? checked : s_unreadable(self, rc, position);
}

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
    weft_err_t rc = s_chain_at(self, position, &chain);
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
    return rc == WEFT_OK && !found ? s_damaged(self, position, s_missing) : rc;
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

weft_err_t weft_log_reader_origin(weft_log_reader_t *self, const weft_uuid_t *origin,
                                  weft_origin_state_t *out) {
    *out = (weft_origin_state_t){0};
    weft_stmt_bind_blob(&self->origin, 1, origin->bytes, sizeof origin->bytes);
    if (weft_stmt_row(&self->origin)) {
        out->last = (uint64_t) weft_stmt_int(&self->origin, 0);
        out->position = (uint64_t) weft_stmt_int(&self->origin, 1);
        out->chain = weft_stmt_bits(&self->origin, 2);
    }
    return weft_stmt_done(&self->origin);
}

weft_err_t weft_log_reader_origins(weft_log_reader_t *self, weft_log_origin_fn fn, void *arg) {
    bool more = true;
    while (more && weft_stmt_row(&self->origins)) {
        size_t size;
        weft_uuid_t origin = {0};
        const void *bytes = weft_stmt_blob(&self->origins, 0, &size);
        weft_origin_state_t state = {.last = (uint64_t) weft_stmt_int(&self->origins, 1),
                                     .position = (uint64_t) weft_stmt_int(&self->origins, 2),
                                     .chain = weft_stmt_bits(&self->origins, 3)};
        if (size == sizeof origin.bytes) memcpy(origin.bytes, bytes, size); /* else: none of ours */
        more = fn(arg, &origin, &state);
    }
    return weft_stmt_done(&self->origins);
}

weft_err_t weft_log_reader_verify_head(weft_log_reader_t *self) {
    uint64_t chain, top = 0;
    weft_err_t rc = weft_log_reader_verify(self, self->at.position, &chain);
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&self->origins_top)) top = (uint64_t) weft_stmt_int(&self->origins_top, 0);
    rc = weft_stmt_done(&self->origins_top);
    if (rc != WEFT_OK || top <= self->at.position) return rc;
    return s_damaged(self, self->at.position + 1, s_missing);
}

/* ---- pages */

/* Append type, stamp and event. False: the page has no room for it. */
static bool s_put_row(weft_buf_t *w, size_t start, uint64_t max_bytes, const weft_log_row_t *row,
                      const weft_log_type_t *type) {
    weft_stamp_t stamp = {
        .position = row->position, .stored_us = row->stored_us, .chain = row->chain};
    size_t before = w->size;
    weft_mp_put_str(w, type->name, type->size);
    size_t more = w->size - before + WEFT_STAMP_BYTES_MAX + row->size;
    if (before > start && before - start + more > max_bytes) {
        w->size = before;
        return false;
    }
    uint8_t *to = weft_buf_reserve(w, WEFT_STAMP_BYTES_MAX);
    if (!to) return true; /* no memory: w says so in the end */
    weft_stamp_write(to, &stamp);
    w->size += WEFT_STAMP_BYTES_MAX;
    weft_buf_append(w, row->event, row->size);
    return true;
}

/* One row of the scan. more out: go on. A row that the filters skip is checked like any other: if its
 * type is what was damaged, an event of interest would be missed without a word. */
static weft_err_t s_page_row(weft_log_reader_t *self, weft_log_row_t *row, size_t start,
                             uint64_t max_bytes, weft_buf_t *w, weft_log_page_t *out, bool *more) {
    const weft_log_type_t *type;
    *more = false;
    if (row->position != out->next + 1) return s_damaged(self, out->next + 1, s_missing);
    weft_err_t rc = s_check_row(self, row, out->chain, &type);
    if (rc != WEFT_OK) return rc;
    if (s_wanted(self, (size_t) row->type)) {
        if (!s_put_row(w, start, max_bytes, row, type)) return WEFT_OK;
        out->count++;
        out->sum += row->checksum;
    }
    *more = true;
    out->next = row->position;
    out->chain = row->chain;
    return WEFT_OK;
}

/* The first row after from is damaged, unless it is from itself, whose chain it was held against. */
static weft_err_t s_blame(weft_log_reader_t *self, uint64_t from) {
    uint64_t chain;
    char reason[sizeof self->reason];
    memcpy(reason, self->reason, sizeof reason);
    weft_err_t rc = weft_log_reader_verify(self, from, &chain);
    if (rc != WEFT_OK) return rc;
    memcpy(self->reason, reason, sizeof reason);
    return WEFT_E_CORRUPT;
}

weft_err_t weft_log_reader_page(weft_log_reader_t *self, uint64_t from,
                                const weft_filters_t *filters, uint64_t max_events,
                                uint64_t max_bytes, weft_buf_t *w, weft_log_page_t *out) {
    WEFT_ASSERT(self->open && max_events > 0);
    size_t start = w->size;
    uint64_t rows = 0, bytes = 0; /* looked at */
    bool more = true;
    *out = (weft_log_page_t){.next = from};
    self->filters = filters;
    memset(self->wanted, WANTED_UNKNOWN, self->types_capacity);
    weft_err_t rc = s_chain_at(self, from, &out->chain), stop = WEFT_OK;
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&self->rows_after, 1, (int64_t) from);
    weft_stmt_bind_int(&self->rows_after, 2, WEFT_PAGE_ROWS_MAX);
    while (stop == WEFT_OK && more && out->count < max_events && rows < WEFT_PAGE_ROWS_MAX &&
           bytes < WEFT_PAGE_LOOK_BYTES_MAX) {
        weft_log_row_t row;
        if (!weft_stmt_row(&self->rows_after)) {
            if (out->next < self->at.position) stop = s_damaged(self, out->next + 1, s_missing);
            break;
        }
        s_take_row(&self->rows_after, &row);
        rows++;
        bytes += row.size;
        stop = s_page_row(self, &row, start, max_bytes, w, out, &more);
    }
    rc = weft_stmt_done(&self->rows_after);
    self->filters = NULL;
    rc = rc == WEFT_OK ? stop : s_unreadable(self, rc, out->next + 1);
    /* what lies before the damage is whole */
    if (rc == WEFT_E_CORRUPT) rc = out->next > from ? WEFT_OK : s_blame(self, from);
    return rc == WEFT_OK && !weft_buf_ok(w) ? WEFT_E_NOMEM : rc;
}
