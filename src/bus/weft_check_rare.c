/* weft_check_rare: see weft_check_rare.h. */
#include "weft_check_rare.h"

#include "weft_log_sql.h"
#include "weft_stmt.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS 4096

/* Those after *at, which becomes the last one; false in more: there are none. */
static weft_err_t s_some(weft_stmt_t *compare, uint64_t *at, bool *more, char *reason,
                         size_t reason_size) {
    weft_err_t found = WEFT_OK;
    *more = false;
    weft_stmt_bind_bits(compare, 1, *at);
    weft_stmt_bind_int(compare, 2, ROWS);
    while (found == WEFT_OK && weft_stmt_row(compare)) {
        *at = weft_stmt_bits(compare, 0);
        *more = true;
        if (weft_stmt_int(compare, 1)) continue;
        snprintf(reason, reason_size, "the copy of row %" PRIu64 " is not that row", *at);
        found = WEFT_E_CORRUPT;
    }
    weft_err_t rc = weft_stmt_done(compare);
    return rc == WEFT_OK ? found : rc;
}

static weft_err_t s_has_rare(sqlite3 *db, bool *has) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, db, weft_sql_has_rare);
    if (rc != WEFT_OK) return rc;
    *has = weft_stmt_row(&st);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_check_rare(sqlite3 *db, void (*next)(void *arg), void *arg, char *reason,
                           size_t reason_size) {
    weft_stmt_t compare = {0};
    uint64_t at = 0;
    bool more = false;
    weft_err_t rc = s_has_rare(db, &more);
    if (rc != WEFT_OK || !more) return rc;
    rc = weft_stmt_prepare(&compare, db, weft_sql_rare_compare);
    while (rc == WEFT_OK && more) {
        rc = s_some(&compare, &at, &more, reason, reason_size);
        if (next) next(arg);
    }
    weft_stmt_free(&compare);
    return rc;
}
