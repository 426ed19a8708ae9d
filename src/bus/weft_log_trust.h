/* weft_log_trust: checksums of what stands beside the rows of the log: each origin has one, and the log's
 * id, its anchor and the number of its origins have one together. A chain vouches for rows alone; an origin
 * that is wrong, or missing, would let a publisher send again what is stored already (P6). */
#ifndef WEFT_LOG_TRUST_H
#define WEFT_LOG_TRUST_H

#include "weft.h"
#include "weft_stmt.h"

typedef struct {
    const void *uuid; /* 16 bytes */
    const char *source;
    size_t source_size;
    uint64_t last, position, chain;
} weft_log_origin_t;

typedef struct {
    weft_uuid_t log;
    uint64_t anchor, anchor_chain;
    int64_t anchor_stored_us; /* 0: the log was never trimmed */
    uint64_t origins;         /* rows in origins */
    bool trusted;             /* a checksum says so: not in a store of schema 1 */
} weft_log_meta_t;

uint64_t weft_log_origin_sum(const weft_log_origin_t *origin);
uint64_t weft_log_meta_sum(const weft_log_meta_t *meta);

/* From the row that weft_sql_origin or weft_sql_origins stands on; out points into it. A store of schema 1
 * has no checksums. WEFT_OK, WEFT_E_CORRUPT (uuid is NULL then, if it cannot be one). */
weft_err_t weft_log_take_origin(const weft_stmt_t *st, weft_log_origin_t *out);
/* Of that origin, for weft_sql_origin_put and weft_sql_origin_add. */
void weft_log_bind_origin(weft_stmt_t *st, const weft_log_origin_t *origin);

/* As the database has it; st is prepared from weft_sql_meta_all. WEFT_OK, WEFT_E_CORRUPT, WEFT_E_STORE … */
weft_err_t weft_log_read_meta(weft_stmt_t *st, weft_log_meta_t *out);
extern const char weft_log_meta_damaged[]; /* in words */

/* Inside a transaction: give a store of schema 1 its checksums, as it is. */
weft_err_t weft_log_trust_all(sqlite3 *db);
/* Inside a transaction: write the number of origins and the checksum of meta anew, from what there is. */
weft_err_t weft_log_trust_meta(sqlite3 *db);

#endif
