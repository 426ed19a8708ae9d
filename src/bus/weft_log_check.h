/* weft_log_check: is a whole store as it was written? Reads only.
 *
 * Every row is read as catch-up reads it (checksum, chain, gaps, type), every event is decoded, and the
 * origins' last, position and chain are worked out anew and compared, and so are the postings; copies of rare
 * rows are held against their rows; then SQLite checks its own file.
 * Rows never change once they are committed, so this may run while a bus holds the store: rows are
 * read in short transactions, the last of which also holds the origins. */
#ifndef WEFT_LOG_CHECK_H
#define WEFT_LOG_CHECK_H

#include "weft.h"

typedef struct {
    weft_uuid_t log;
    uint64_t first, head; /* rows first..head are kept; first = head + 1: none */
    uint64_t rows, bytes; /* verified, and what their events hold */
    uint64_t origins, types;
    uint64_t blocks;   /* of postings, worked out anew */
    uint64_t position; /* the first that is damaged; 0: none, or no row's fault */
    char reason[512];  /* what is wrong, or why it cannot be read */
} weft_log_check_t;

typedef bool (*weft_log_check_fn)(void *arg, const weft_log_check_t *so_far);

/* DIR/log.db must be a weft log. progress may be NULL; it is called after each page;
 * false ends it.
 * WEFT_OK: whole. WEFT_E_CORRUPT: damaged. Else it cannot be checked: WEFT_E_NOT_FOUND (no store
 * there), WEFT_E_SCHEMA, WEFT_E_STORE, WEFT_E_LOCKED, WEFT_E_NOMEM, WEFT_E_INTERRUPTED. */
weft_err_t weft_log_check(const char *dir, weft_log_check_fn progress, void *arg,
                          weft_log_check_t *out);

#endif
