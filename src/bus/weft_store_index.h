/* weft_store_index: keeps the postings of the log up to date, in the transactions of its rows, and copies of
 * the rows of rare types side by side, as each of them has a page of its own in the log.
 * A block gets both with the row that fills it; what is not full yet is noted in memory, and
 * read from the log again at a start. Owned by the store. */
#ifndef WEFT_STORE_INDEX_H
#define WEFT_STORE_INDEX_H

#include "weft.h"
#include "weft_postings.h"
#include "weft_sequencer.h"
#include "weft_stmt.h"

typedef struct {
    weft_postings_t *postings;
    weft_buf_t blob;
    weft_stmt_t put, forget, rare_put, rare_forget;
    uint64_t first; /* no blocks below it get postings */
} weft_store_index_t;

/* head: the log's last position. whole: the rows of the block that is not full yet have been checked; else
 * it gets no postings, and is scanned for ever. WEFT_OK, WEFT_E_NOMEM, WEFT_E_STORE, WEFT_E_CORRUPT … */
weft_err_t weft_store_index_open(weft_store_index_t *self, sqlite3 *db, uint64_t head, bool whole);
void weft_store_index_close(weft_store_index_t *self);
/* Inside the transaction that writes these rows, whose types have their store_id. */
weft_err_t weft_store_index_add(weft_store_index_t *self, weft_sequencer_t *sequencer);
/* Inside the transaction that forgets all rows up to position. */
weft_err_t weft_store_index_forget(weft_store_index_t *self, uint64_t position);

#endif
