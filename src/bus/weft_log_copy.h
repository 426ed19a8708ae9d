/* weft_log_copy: a whole, checked copy of a store, also of one that a bus writes to meanwhile.
 *
 * Rows never change once they are committed. So they are copied in short read transactions, the last of
 * which also holds the origins, types and meta: the copy is the log as it was at that moment, and no
 * long transaction keeps the bus from moving its WAL into the database. */
#ifndef WEFT_LOG_COPY_H
#define WEFT_LOG_COPY_H

#include "weft.h"

#define WEFT_LOG_COPY_ALL UINT64_MAX

typedef struct {
    weft_uuid_t log;
    uint64_t first, head; /* rows first..head are in the copy; first = head + 1: none */
    uint64_t at;          /* copied up to here, or checked up to here */
    uint64_t wanted;      /* head as last seen while it grows */
    const char *doing;    /* "copied", "read" and "searched" (for the origins of a fork; at and
                             wanted of a search count from up_to on), "checked" */
    char reason[512];     /* on error: one sentence, what is wrong and what to do */
} weft_log_copy_t;

/* Called after each piece; false ends the copy with WEFT_E_INTERRUPTED. */
typedef bool (*weft_log_copy_fn)(void *arg, const weft_log_copy_t *so_far);

/* from  a store's directory.
 * up_to the last position to be in the copy, or WEFT_LOG_COPY_ALL. A copy that ends earlier than the log
 *       is the log as it was then: its origins are worked out from its rows, and no service
 *       is known to it.
 * to    made; it may exist if it is empty. It appears under its name only when it is complete, read
 *       back and on disk; until then it is to.partial, which is removed on error.
 * Returns WEFT_OK, WEFT_E_NOT_FOUND (no store in from), WEFT_E_STATE (to is not empty), WEFT_E_LOCKED
 *         (another copy to the same place), WEFT_E_LOG_BEHIND (up_to is beyond its head), WEFT_E_GONE (up_to
 *         is before what it keeps, or it was trimmed beyond up_to before the origins were worked out),
 *         WEFT_E_CORRUPT, WEFT_E_SCHEMA, WEFT_E_FULL, WEFT_E_STORE, WEFT_E_IO, WEFT_E_NOMEM,
 *         WEFT_E_INTERRUPTED. */
weft_err_t weft_log_copy(const char *from, uint64_t up_to, const char *to,
                         weft_log_copy_fn progress, void *arg, weft_log_copy_t *out);

#endif
