/* weft_log_schema: see weft_log_schema.h. */
#include "weft_log_schema.h"

#include "weft_log_sql.h"
#include "weft_log_trust.h"
#include "weft_os.h"
#include "weft_stmt.h"

#include <stdio.h>

typedef struct {
    int64_t application, version, tables;
} weft_log_marks_t;

static weft_err_t s_read(sqlite3 *db, weft_log_marks_t *out) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, db, weft_sql_schema);
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&st))
        *out = (weft_log_marks_t){weft_stmt_int(&st, 0), weft_stmt_int(&st, 1),
                                  weft_stmt_int(&st, 2)};
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

static weft_err_t s_put_log(sqlite3 *db) {
    weft_stmt_t put;
    weft_uuid_t log;
    weft_os_uuid(&log);
    weft_err_t rc = weft_stmt_prepare(&put, db, weft_sql_meta_insert);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&put, 1, "log", 3);
    weft_stmt_bind_blob(&put, 2, log.bytes, sizeof log.bytes);
    rc = weft_stmt_run(&put);
    weft_stmt_free(&put);
    return rc;
}

/* All steps from that version on. */
static weft_err_t s_step(sqlite3 *db, int64_t version) {
    weft_err_t rc = weft_db_exec(db, "BEGIN IMMEDIATE");
    if (rc != WEFT_OK) return rc;
    if (version < 1) rc = weft_db_exec(db, weft_sql_create);
    if (rc == WEFT_OK && version < 1) rc = s_put_log(db);
    if (rc == WEFT_OK) rc = weft_log_trust_all(db);
    if (rc == WEFT_OK) rc = weft_db_exec(db, "COMMIT");
    if (rc != WEFT_OK && !sqlite3_get_autocommit(db))
        (void) weft_db_exec(db, "ROLLBACK"); /* else the end of the connection does it */
    return rc;
}

weft_err_t weft_log_schema_open(sqlite3 *db, const char *path, char *reason, size_t reason_size) {
    weft_log_marks_t marks = {0};
    weft_err_t rc = s_read(db, &marks);
    if (rc == WEFT_OK && marks.tables > 0 && marks.application != WEFT_LOG_APPLICATION_ID) {
        snprintf(reason, reason_size,
                 "%s is an SQLite database, but not a weft log: choose another --store", path);
        return WEFT_E_STORE;
    }
    if (rc == WEFT_OK && marks.version > WEFT_LOG_SCHEMA) {
        snprintf(reason, reason_size,
                 "%s has schema %lld, this weft-bus knows %d: use a newer weft-bus", path,
                 (long long) marks.version, WEFT_LOG_SCHEMA);
        return WEFT_E_SCHEMA;
    }
    if (rc == WEFT_OK && marks.tables > 0 && marks.version < 1) rc = WEFT_E_CORRUPT;
    if (rc == WEFT_OK && marks.version < WEFT_LOG_SCHEMA) {
        rc = s_step(db, marks.version);
        if (rc == WEFT_OK && marks.version)
            weft_diag(WEFT_DIAG_INFO, "store.schema", "path=\"%s\" from=%lld to=%d", path,
                      (long long) marks.version, WEFT_LOG_SCHEMA);
    }
    if (rc == WEFT_OK) rc = weft_db_exec(db, weft_sql_create_readers);
    if (rc == WEFT_OK) rc = weft_db_exec(db, weft_sql_create_postings);
    if (rc == WEFT_OK) rc = weft_db_exec(db, weft_sql_create_rare);
    if (rc == WEFT_E_CORRUPT)
        snprintf(reason, reason_size,
                 "%s is damaged: restore a copy, or start with an empty --store", path);
    else if (rc != WEFT_OK)
        snprintf(reason, reason_size, "cannot set up %s: %s", path, weft_err_text(rc));
    return rc;
}
