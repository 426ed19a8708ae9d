/* weft_log_rows: rows of the log and their checks. See weft_log_reader_inner.h.
 * Types never change once they are committed, so the ones seen are kept in memory for ever. */
#include "weft_log_reader_inner.h"

#include "weft_assert.h"
#include "weft_checksum.h"
#include "weft_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

weft_err_t weft_log_damaged(weft_log_reader_t *self, uint64_t position, const char *what) {
    snprintf(self->reason, sizeof self->reason, "row %" PRIu64 " is damaged: %s", position, what);
    return WEFT_E_CORRUPT;
}

/* SQLite's own word for it: a page of the file makes no sense. */
weft_err_t weft_log_unreadable(weft_log_reader_t *self, weft_err_t rc, uint64_t position) {
    if (rc == WEFT_E_CORRUPT)
        snprintf(self->reason, sizeof self->reason, "row %" PRIu64 " cannot be read: %s", position,
                 weft_err_text(rc));
    return rc;
}

const char weft_log_missing[] = "it is missing";
static const char s_misfit[] = "checksum and chain do not fit";

/* ---- types */

bool weft_log_room_for_type(weft_log_reader_t *self, size_t id) {
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
        if (copy && weft_log_room_for_type(self, (size_t) id)) {
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

weft_err_t weft_log_type(weft_log_reader_t *self, int64_t id, const weft_log_type_t **type) {
    *type = NULL;
    if (id < 1 || id > (int64_t) WEFT_TYPES_MAX) return WEFT_OK;
    if ((size_t) id >= self->types_count) {
        weft_err_t rc = s_refresh_types(self);
        if (rc != WEFT_OK) return rc;
    }
    if ((size_t) id < self->types_count && self->types[id].name) *type = &self->types[id];
    return WEFT_OK;
}

/* ---- single rows */

weft_err_t weft_log_chain_at(weft_log_reader_t *self, uint64_t position, uint64_t *chain) {
    *chain = self->at.anchor_chain;
    if (position == self->at.anchor) return WEFT_OK;
    weft_stmt_bind_int(&self->chain, 1, (int64_t) position);
    bool found = weft_stmt_row(&self->chain);
    if (found) *chain = weft_stmt_bits(&self->chain, 0);
    weft_err_t rc = weft_stmt_done(&self->chain);
    if (rc != WEFT_OK) return weft_log_unreadable(self, rc, position);
    return found ? WEFT_OK : weft_log_damaged(self, position, weft_log_missing);
}

/* Columns of weft_sql_row and weft_sql_rows_after. Text in place of a blob has the same bytes, but is
 * not what was written. */
void weft_log_take_row(const weft_stmt_t *st, weft_log_row_t *row) {
    row->position = (uint64_t) weft_stmt_int(st, 0);
    row->type = weft_stmt_int(st, 1);
    row->chain = weft_stmt_bits(st, 2);
    row->stored_us = weft_stmt_int(st, 3);
    row->event = weft_stmt_blob(st, 4, &row->size);
    if (!weft_stmt_is_blob(st, 4)) row->event = NULL;
}

weft_err_t weft_log_check_row(weft_log_reader_t *self, weft_log_row_t *row, uint64_t previous_chain,
                              const weft_log_type_t **type) {
    weft_err_t rc = weft_log_type(self, row->type, type);
    if (rc != WEFT_OK) return rc;
    if (!*type) return weft_log_damaged(self, row->position, "its type is unknown");
    if (!row->event) return weft_log_damaged(self, row->position, "its event is no blob");
    row->event_hash = weft_hash(row->event, row->size);
    row->checksum = weft_checksum_row(row->position, row->stored_us, (*type)->hash,
                                      row->event_hash);
    if (weft_checksum_chain(previous_chain, row->checksum) != row->chain)
        return weft_log_damaged(self, row->position, s_misfit);
    self->types[row->type].vouched = true;
    return WEFT_OK;
}

weft_err_t weft_log_reader_verify(weft_log_reader_t *self, uint64_t position, uint64_t *chain) {
    WEFT_ASSERT(self->open);
    WEFT_ASSERT(position >= self->at.anchor && position <= self->at.position);
    const weft_log_type_t *type;
    uint64_t previous;
    if (position == self->at.anchor) return weft_log_chain_at(self, position, chain);
    weft_err_t rc = weft_log_chain_at(self, position - 1, &previous), checked;
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&self->row, 1, (int64_t) position);
    if (weft_stmt_row(&self->row)) {
        weft_log_row_t row;
        weft_log_take_row(&self->row, &row);
        *chain = row.chain;
        checked = weft_log_check_row(self, &row, previous, &type);
    } else {
        checked = weft_log_damaged(self, position, weft_log_missing);
    }
    rc = weft_stmt_done(&self->row);
    return rc == WEFT_OK ? checked : weft_log_unreadable(self, rc, position);
}
