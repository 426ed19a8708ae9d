/* weft_log_origins: the origins of a log that was cut, worked out anew from its rows. */
#ifndef WEFT_LOG_ORIGINS_H
#define WEFT_LOG_ORIGINS_H

#include "weft.h"

#include <sqlite3.h>

/* Called after each piece of rows; doing: "read" up to position at of it, or "searched" so many positions
 * beyond it, of as many as there are now. False ends it. */
typedef bool (*weft_log_origins_fn)(void *arg, const char *doing, uint64_t at, uint64_t of);

/* db is a log whose rows end at head, while its origins may tell of rows beyond it: those become as they
 * were at head. source is the file of the log it was cut from, whose bus may run. Where that was trimmed:
 *
 *   - an origin whose rows up to head are all gone is looked for beyond head in source, until the first
 *     row of each is found. That one tells its last; its position becomes the anchor, which is no
 *     earlier than the true one.
 *   - an origin's chain before the first row is not known any more; it becomes 0, so that its
 *     publisher is refused (TWIN) instead of believed.
 *
 * Not in a transaction. WEFT_OK, WEFT_E_CORRUPT, WEFT_E_GONE (source was trimmed beyond head before all
 * was found), WEFT_E_INTERRUPTED, WEFT_E_NOMEM, or as SQLite says. */
weft_err_t weft_log_origins_cut(sqlite3 *db, const char *source, uint64_t head,
                                weft_log_origins_fn progress, void *arg);

#endif
