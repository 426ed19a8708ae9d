/* weft_check_postings: see weft_check_postings.h. */
#include "weft_check_postings.h"

#include "weft_limits.h"
#include "weft_log_sql.h"
#include "weft_postings.h"
#include "weft_stmt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    sqlite3 *db;
    weft_stmt_t next, rows; /* postings, rows of a block */
    weft_postings_t *postings;
    weft_buf_t blob, made;
    uint64_t block; /* in hand */
    uint64_t *blocks;
    char *reason;
    size_t reason_size;
} weft_check_postings_t;

static weft_err_t s_damaged(weft_check_postings_t *self, const char *what) {
    snprintf(self->reason, self->reason_size,
             "the index of types for rows %" PRIu64 " to %" PRIu64 " is damaged: %s",
             self->block * WEFT_POSTINGS_BLOCK + 1, weft_postings_last(self->block), what);
    return WEFT_E_CORRUPT;
}

static bool s_none(void *arg, int64_t type) {
    (void) arg;
    (void) type;
    return false;
}

/* Take the postings of the first block from self->block on. */
static weft_err_t s_take(weft_check_postings_t *self, bool *found) {
    weft_err_t checked = WEFT_OK;
    weft_stmt_bind_bits(&self->next, 1, self->block);
    *found = weft_stmt_row(&self->next);
    if (*found) {
        size_t size, count;
        uint64_t none[1];
        self->block = weft_stmt_bits(&self->next, 0);
        bool kind = weft_stmt_is_blob(&self->next, 1);
        const void *bytes = weft_stmt_blob(&self->next, 1, &size);
        weft_buf_clear(&self->blob);
        weft_buf_append(&self->blob, bytes, size);
        if (!kind || !weft_postings_find(self->block, bytes, size, s_none, NULL, none, 1, &count))
            checked = s_damaged(self, "its checksum does not fit");
    }
    weft_err_t rc = weft_stmt_done(&self->next);
    return rc == WEFT_OK ? checked : rc;
}

/* The rows of the block: how many, and is the first one there? */
static weft_err_t s_note(weft_check_postings_t *self, uint64_t *count, bool *from_start) {
    uint64_t before = self->block * WEFT_POSTINGS_BLOCK;
    *count = 0;
    *from_start = false;
    weft_stmt_bind_bits(&self->rows, 1, before);
    weft_stmt_bind_bits(&self->rows, 2, weft_postings_last(self->block));
    while (weft_stmt_row(&self->rows)) {
        uint64_t position = weft_stmt_bits(&self->rows, 0);
        int64_t type = weft_stmt_int(&self->rows, 1);
        if (type < 1 || type > (int64_t) WEFT_TYPES_MAX)
            continue; /* damage that the rows told of */
        weft_postings_note(self->postings, position, type);
        *from_start = *from_start || position == before + 1;
        ++*count;
    }
    return weft_stmt_done(&self->rows);
}

static weft_err_t s_compare(weft_check_postings_t *self) {
    uint64_t count;
    bool from_start;
    weft_err_t rc = s_note(self, &count, &from_start);
    if (rc != WEFT_OK) return rc;
    if (count == 0) return s_damaged(self, "there are no such rows");
    if (!from_start) return WEFT_OK;
    if (count < WEFT_POSTINGS_BLOCK) return s_damaged(self, "there are fewer rows");
    weft_buf_clear(&self->made);
    weft_postings_encode(self->postings, self->block, &self->made);
    if (!weft_buf_ok(&self->made) || !weft_buf_ok(&self->blob)) return WEFT_E_NOMEM;
    if (self->made.size != self->blob.size ||
        memcmp(self->made.data, self->blob.data, self->made.size) != 0)
        return s_damaged(self, "it is not that of the rows");
    ++*self->blocks;
    return WEFT_OK;
}

static weft_err_t s_block(weft_check_postings_t *self, bool *found) {
    weft_err_t rc = weft_db_exec(self->db, "BEGIN");
    *found = false;
    if (rc != WEFT_OK) return rc;
    rc = s_take(self, found);
    if (rc == WEFT_OK && *found) rc = s_compare(self);
    weft_err_t ended = weft_db_exec(self->db, "COMMIT");
    return rc == WEFT_OK ? ended : rc;
}

static weft_err_t s_has_postings(sqlite3 *db, bool *has) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, db, weft_sql_has_postings);
    if (rc != WEFT_OK) return rc;
    *has = weft_stmt_row(&st);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_check_postings(sqlite3 *db, void (*next)(void *arg), void *arg, uint64_t *blocks,
                               char *reason, size_t reason_size) {
    bool more = false;
    weft_check_postings_t self = {
        .db = db, .blocks = blocks, .reason = reason, .reason_size = reason_size};
    *blocks = 0;
    weft_err_t rc = s_has_postings(db, &more);
    if (rc != WEFT_OK || !more) return rc;
    self.postings = weft_postings_new();
    if (!self.postings) rc = WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self.next, db, weft_sql_postings_from);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self.rows, db, weft_sql_types_between);
    while (rc == WEFT_OK && more) {
        rc = s_block(&self, &more);
        self.block++;
        if (next) next(arg);
    }
    weft_stmt_free(&self.next);
    weft_stmt_free(&self.rows);
    weft_buf_free(&self.blob);
    weft_buf_free(&self.made);
    weft_postings_destroy(&self.postings);
    return rc;
}
