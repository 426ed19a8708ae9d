/* weft_log_origins: see weft_log_origins.h. */
#include "weft_log_origins.h"

#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_log_sql.h"
#include "weft_log_trust.h"
#include "weft_map.h"
#include "weft_stmt.h"
#include "weft_wire_event.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_ROWS 50000u

typedef struct {
    weft_uuid_t uuid;
    uint64_t last, position, chain;
    bool from_start; /* its first row is here, so its chain is known */
    char *source;
    size_t source_size;
} weft_cut_origin_t;

typedef struct {
    sqlite3 *db;
    weft_map_t *origins;
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

static weft_cut_origin_t *s_origin(weft_cut_t *self, const weft_wire_event_t *event) {
    weft_cut_origin_t *origin = weft_map_get(self->origins, event->origin, 16);
    if (origin) return origin;
    origin = calloc(1, sizeof *origin);
    if (!origin || !weft_map_put(self->origins, event->origin, 16, origin)) {
        free(origin);
        return NULL;
    }
    memcpy(origin->uuid.bytes, event->origin, 16);
    origin->from_start = event->source_seq == 1;
    return origin;
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
    if (!origin) return WEFT_E_NOMEM;
    if (origin->source_size != event.source_size ||
        memcmp(origin->source ? origin->source : "", event.source, event.source_size) != 0) {
        free(origin->source);
        origin->source = strndup(event.source, event.source_size);
        if (!origin->source) return WEFT_E_NOMEM;
        origin->source_size = event.source_size;
    }
    origin->last = event.source_seq;
    origin->position = weft_stmt_bits(st, 0);
    origin->chain = weft_checksum_origin(origin->chain, self->type_hashes[type],
                                         weft_hash(event.bytes, event.size));
    return WEFT_OK;
}

static weft_err_t s_rows(weft_cut_t *self, uint64_t head, weft_log_origins_fn progress, void *arg) {
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
        if (rc == WEFT_OK && !progress(arg, at)) rc = WEFT_E_INTERRUPTED;
    } while (rc == WEFT_OK && at != before && at < head);
    weft_stmt_free(&st);
    return rc;
}

/* Those without a row beyond head stand as they were. */
static weft_err_t s_put(weft_cut_t *self) {
    weft_stmt_t st;
    size_t cursor = 0;
    const weft_cut_origin_t *origin;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_origin_add);
    while (rc == WEFT_OK && (origin = weft_map_next(self->origins, &cursor))) {
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

static weft_err_t s_forget(weft_cut_t *self, uint64_t head) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_origins_forget);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&st, 1, head);
    rc = weft_stmt_run(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_log_origins_cut(sqlite3 *db, uint64_t head, weft_log_origins_fn progress,
                                void *arg) {
    weft_cut_t self = {.db = db, .origins = weft_map_new()};
    self.type_hashes = calloc(WEFT_TYPES_MAX + 1, sizeof *self.type_hashes);
    weft_err_t rc = self.origins && self.type_hashes ? s_types(&self) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = s_rows(&self, head, progress, arg);
    if (rc == WEFT_OK) rc = s_forget(&self, head);
    if (rc == WEFT_OK) rc = s_put(&self);
    weft_map_destroy(&self.origins, s_free);
    free(self.type_hashes);
    return rc;
}
