/* weft_check_postings: are the postings of a log those of its rows? To be asked after the rows. */
#ifndef WEFT_CHECK_POSTINGS_H
#define WEFT_CHECK_POSTINGS_H

#include "weft.h"

#include <sqlite3.h>

/* Work out the postings of each block that has some anew and compare, one short read transaction a block.
 * Blocks without are none's fault: old stores have none. Of a block that was trimmed in part the checksum
 * alone can be checked.
 * next    called after each block. May be NULL.
 * blocks  out: compared.
 * reason  out on WEFT_E_CORRUPT. WEFT_OK, WEFT_E_CORRUPT, WEFT_E_NOMEM, or as SQLite says. */
weft_err_t weft_check_postings(sqlite3 *db, void (*next)(void *arg), void *arg, uint64_t *blocks,
                               char *reason, size_t reason_size);

#endif
