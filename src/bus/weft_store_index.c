/* weft_store_index: see weft_store_index.h. */
#include "weft_store_index.h"

#include "weft_limits.h"
#include "weft_log_sql.h"

#include <string.h>

/* A type is rare in a block with a filter's share of 0.4 %, as where looking up single rows costs most; copies take
 * at most 1.6 % of the rows, and none of a row that fills much of a page by itself. */
#define RARE_EVENTS_MAX 16
#define RARE_ROWS_MAX 64
#define RARE_BYTES_MAX 2048

_Static_assert(WEFT_BATCH_EVENTS_MAX <= WEFT_POSTINGS_BLOCK,
               "a batch ends one block at most, and two are kept");

/* Rows of the block that is not full yet. */
static weft_err_t s_load(weft_store_index_t *self, sqlite3 *db, uint64_t head) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, db, weft_sql_types_from);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&st, 1, weft_postings_block(head + 1) * WEFT_POSTINGS_BLOCK);
    while (weft_stmt_row(&st)) {
        int64_t type = weft_stmt_int(&st, 1);
        if (type > 0 && type <= (int64_t) WEFT_TYPES_MAX) /* else the row counts as damaged */
            weft_postings_note(self->postings, weft_stmt_bits(&st, 0), type);
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_store_index_open(weft_store_index_t *self, sqlite3 *db, uint64_t head, bool whole) {
    self->postings = weft_postings_new();
    if (!self->postings) return WEFT_E_NOMEM;
    weft_err_t rc = weft_stmt_prepare(&self->put, db, weft_sql_postings_put);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->forget, db, weft_sql_postings_forget);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->rare_put, db, weft_sql_rare_put);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->rare_forget, db, weft_sql_rare_forget);
    if (!whole) self->first = weft_postings_block(head + 1) + 1;
    if (rc == WEFT_OK && whole) rc = s_load(self, db, head);
    return rc;
}

void weft_store_index_close(weft_store_index_t *self) {
    weft_stmt_free(&self->put);
    weft_stmt_free(&self->forget);
    weft_stmt_free(&self->rare_put);
    weft_stmt_free(&self->rare_forget);
    weft_buf_free(&self->blob);
    weft_postings_destroy(&self->postings);
}

static weft_err_t s_put_rare(weft_store_index_t *self, uint64_t block) {
    uint64_t positions[RARE_ROWS_MAX];
    size_t count = weft_postings_rare(self->postings, block, RARE_EVENTS_MAX, positions,
                                      RARE_ROWS_MAX);
    weft_err_t rc = WEFT_OK;
    for (size_t i = 0; i < count && rc == WEFT_OK; i++) {
        weft_stmt_bind_bits(&self->rare_put, 1, positions[i]);
        weft_stmt_bind_int(&self->rare_put, 2, RARE_BYTES_MAX);
        rc = weft_stmt_run(&self->rare_put);
    }
    return rc;
}

static weft_err_t s_put(weft_store_index_t *self, uint64_t block) {
    weft_buf_clear(&self->blob);
    weft_postings_encode(self->postings, block, &self->blob);
    if (!weft_buf_ok(&self->blob)) return WEFT_E_NOMEM;
    weft_stmt_bind_bits(&self->put, 1, block);
    weft_stmt_bind_blob(&self->put, 2, self->blob.data, self->blob.size);
    weft_err_t rc = weft_stmt_run(&self->put);
    return rc == WEFT_OK ? s_put_rare(self, block) : rc;
}

weft_err_t weft_store_index_add(weft_store_index_t *self, weft_sequencer_t *sequencer) {
    size_t count, types_count;
    const weft_row_t *rows = weft_sequencer_rows(sequencer, &count);
    const weft_batch_type_t *types = weft_sequencer_types(sequencer, &types_count);
    for (size_t i = 0; i < count; i++) {
        uint64_t position = rows[i].position, block = weft_postings_block(position);
        weft_postings_note(self->postings, position, types[rows[i].type].type->store_id);
        if (position != weft_postings_last(block) || block < self->first) continue;
        weft_err_t rc = s_put(self, block);
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

weft_err_t weft_store_index_forget(weft_store_index_t *self, uint64_t position) {
    weft_stmt_bind_bits(&self->forget, 1, weft_postings_block(position + 1));
    weft_stmt_bind_bits(&self->rare_forget, 1, position);
    weft_err_t rc = weft_stmt_run(&self->forget);
    return rc == WEFT_OK ? weft_stmt_run(&self->rare_forget) : rc;
}
