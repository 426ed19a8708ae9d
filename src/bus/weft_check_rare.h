/* weft_check_rare: are the copies of rare rows those of the log? To be asked after the rows. */
#ifndef WEFT_CHECK_RARE_H
#define WEFT_CHECK_RARE_H

#include "weft.h"

#include <sqlite3.h>

/* Compare each copy with its row, some thousand in a read transaction. One that is not there is none's fault:
 * whoever reads takes the log's own. Of the first row of a trimmed log the chain before it cannot be compared.
 * next    called after each transaction. May be NULL.
 * reason  out on WEFT_E_CORRUPT. WEFT_OK, WEFT_E_CORRUPT, or as SQLite says. */
weft_err_t weft_check_rare(sqlite3 *db, void (*next)(void *arg), void *arg, char *reason,
                           size_t reason_size);

#endif
