/* weft_log_origins: the origins of a log that was cut, worked out anew from its rows. */
#ifndef WEFT_LOG_ORIGINS_H
#define WEFT_LOG_ORIGINS_H

#include "weft.h"

#include <sqlite3.h>

/* Called after each piece of rows with the position it has come to; false ends it. */
typedef bool (*weft_log_origins_fn)(void *arg, uint64_t at);

/* db is a log whose rows end at head, while its origins may tell of rows beyond it: those become as the
 * rows have them. Where the log was trimmed, an origin's chain before the first row is not known any
 * more; it becomes 0, so that its publisher is refused (TWIN) instead of believed. Not in a
 * transaction. WEFT_OK, WEFT_E_CORRUPT, WEFT_E_INTERRUPTED, WEFT_E_NOMEM, or as SQLite says. */
weft_err_t weft_log_origins_cut(sqlite3 *db, uint64_t head, weft_log_origins_fn progress,
                                void *arg);

#endif
