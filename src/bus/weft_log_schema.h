/* weft_log_schema: makes the schema of a store, or brings an older one up to date. */
#ifndef WEFT_LOG_SCHEMA_H
#define WEFT_LOG_SCHEMA_H

#include "weft.h"

#include <sqlite3.h>

/* db is open for writing. Each step is one transaction.
 * reason  out on error: one sentence, what is wrong and what to do.
 * WEFT_OK, WEFT_E_SCHEMA (of a newer program), WEFT_E_CORRUPT, WEFT_E_STORE (also: no weft log), WEFT_E_FULL … */
weft_err_t weft_log_schema_open(sqlite3 *db, const char *path, char *reason, size_t reason_size);

#endif
