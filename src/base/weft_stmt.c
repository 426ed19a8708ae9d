/* weft_stmt: see weft_stmt.h. */
#include "weft_stmt.h"

#include "weft_shm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

weft_err_t weft_db_error(sqlite3 *db, int rc) {
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return WEFT_OK;
    case SQLITE_FULL: return WEFT_E_FULL;
    case SQLITE_NOMEM: return WEFT_E_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return WEFT_E_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return WEFT_E_LOCKED;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
        /* after a failed sync nobody knows what reached the disk, whatever the cause */
        if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) return WEFT_E_STORE;
        /* a full disk shows as an I/O error where SQLite extends the -shm file or opens a journal */
        int cause = db ? sqlite3_system_errno(db) : 0;
        return cause == ENOSPC || cause == EDQUOT ? WEFT_E_FULL : WEFT_E_STORE;
    }
    default: return WEFT_E_STORE;
    }
}

weft_err_t weft_db_exec(sqlite3 *db, const char *sql) {
    return weft_db_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static weft_err_t s_set_up(sqlite3 *db, weft_db_mode_t mode, bool full, unsigned page_size) {
    char sql[128];
    weft_shm_fill(db);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_extended_result_codes(db, 1);
    weft_err_t rc = WEFT_OK;
    if (mode == WEFT_DB_CREATE) {
        snprintf(sql, sizeof sql,
                 "PRAGMA page_size=%u; PRAGMA journal_mode=WAL; PRAGMA synchronous=%s;", page_size,
                 full ? "FULL" : "NORMAL");
        rc = weft_db_exec(db, sql);
    }
    if (rc == WEFT_OK)
        rc = weft_db_exec(
            db, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
                "SELECT count(*) FROM sqlite_schema;"); /* reads page 1: is it a database? */
    return rc;
}

weft_err_t weft_db_open(sqlite3 **out, const char *path, weft_db_mode_t mode, bool full,
                        unsigned page_size) {
    sqlite3 *db = NULL;
    int flags = mode == WEFT_DB_READ_ONLY ? SQLITE_OPEN_READONLY
                                          : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    *out = NULL;
    int sql = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    weft_err_t rc = sql == SQLITE_OK ? s_set_up(db, mode, full, page_size) : weft_db_error(db, sql);
    if (rc != WEFT_OK) {
        weft_diag(WEFT_DIAG_ERROR, "db.open", "error=%s path=\"%s\" sqlite=\"%s\"",
                  weft_err_name(rc), path, db ? sqlite3_errmsg(db) : sqlite3_errstr(sql));
        sqlite3_close(db);
        return rc;
    }
    *out = db;
    return WEFT_OK;
}

/* Write a page as it is, so that the WAL begins anew: an old one that comes back under its name, after
 * its deletion has not reached the disk, may be shorter than what was read from it. */
static weft_err_t s_begin_wal(sqlite3 *db) {
    weft_stmt_t st;
    char sql[64];
    int64_t version = 0;
    weft_err_t rc = weft_stmt_prepare(&st, db, "PRAGMA user_version");
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&st)) version = weft_stmt_int(&st, 0);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%lld", (long long) version);
    return rc == WEFT_OK ? weft_db_exec(db, sql) : rc;
}

weft_err_t weft_db_secure(sqlite3 *db) {
    int frames = 0;
    int sql = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, NULL);
    weft_err_t rc = weft_db_error(db, sql);
    if (rc == WEFT_OK && frames > 0) rc = s_begin_wal(db);
    return rc == WEFT_E_FULL || rc == WEFT_E_LOCKED ? WEFT_OK : rc;
}

void weft_db_close(sqlite3 **db) {
    sqlite3_close(*db);
    *db = NULL;
}

weft_err_t weft_stmt_prepare(weft_stmt_t *self, sqlite3 *db, const char *sql) {
    *self = (weft_stmt_t){0};
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &self->stmt, NULL);
    if (rc != SQLITE_OK)
        weft_diag(WEFT_DIAG_ERROR, "db.prepare", "sql=\"%s\" sqlite=\"%s\"", sql,
                  sqlite3_errmsg(db));
    return weft_db_error(db, rc);
}

void weft_stmt_free(weft_stmt_t *self) {
    sqlite3_finalize(self->stmt);
    *self = (weft_stmt_t){0};
}

static void s_keep(weft_stmt_t *self, int rc) {
    if (self->rc == SQLITE_OK && rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        self->rc = rc;
}

void weft_stmt_bind_int(weft_stmt_t *self, int at, int64_t value) {
    s_keep(self, sqlite3_bind_int64(self->stmt, at, value));
}

void weft_stmt_bind_bits(weft_stmt_t *self, int at, uint64_t value) {
    s_keep(self, sqlite3_bind_int64(self->stmt, at, (int64_t) value));
}

void weft_stmt_bind_text(weft_stmt_t *self, int at, const char *text, size_t size) {
    s_keep(self, sqlite3_bind_text64(self->stmt, at, text, size, SQLITE_STATIC, SQLITE_UTF8));
}

void weft_stmt_bind_blob(weft_stmt_t *self, int at, const void *bytes, size_t size) {
    s_keep(self, bytes ? sqlite3_bind_blob64(self->stmt, at, bytes, size, SQLITE_STATIC)
                       : sqlite3_bind_null(self->stmt, at));
}

void weft_stmt_bind_null(weft_stmt_t *self, int at) {
    s_keep(self, sqlite3_bind_null(self->stmt, at));
}

bool weft_stmt_row(weft_stmt_t *self) {
    if (self->rc != SQLITE_OK) return false;
    int rc = sqlite3_step(self->stmt);
    s_keep(self, rc);
    return rc == SQLITE_ROW;
}

int64_t weft_stmt_int(const weft_stmt_t *self, int column) {
    return sqlite3_column_int64(self->stmt, column);
}

uint64_t weft_stmt_bits(const weft_stmt_t *self, int column) {
    return (uint64_t) sqlite3_column_int64(self->stmt, column);
}

const char *weft_stmt_text(const weft_stmt_t *self, int column, size_t *size) {
    const char *text = (const char *) sqlite3_column_text(self->stmt, column);
    if (size) *size = (size_t) sqlite3_column_bytes(self->stmt, column);
    return text;
}

const void *weft_stmt_blob(const weft_stmt_t *self, int column, size_t *size) {
    const void *bytes = sqlite3_column_blob(self->stmt, column);
    *size = (size_t) sqlite3_column_bytes(self->stmt, column);
    return bytes;
}

int weft_stmt_columns(const weft_stmt_t *self) {
    return sqlite3_data_count(self->stmt);
}

bool weft_stmt_is_null(const weft_stmt_t *self, int column) {
    return sqlite3_column_type(self->stmt, column) == SQLITE_NULL;
}

bool weft_stmt_is_blob(const weft_stmt_t *self, int column) {
    return sqlite3_column_type(self->stmt, column) == SQLITE_BLOB;
}

weft_err_t weft_stmt_done(weft_stmt_t *self) {
    int rc = self->rc;
    sqlite3 *db = sqlite3_db_handle(self->stmt);
    weft_err_t code = rc == SQLITE_OK ? WEFT_OK : weft_db_error(db, rc);
    if (code != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "db.statement", "error=%s sqlite=\"%s\" sql=\"%.80s\"",
                  weft_err_name(code), sqlite3_errmsg(db), sqlite3_sql(self->stmt));
    sqlite3_reset(self->stmt);
    sqlite3_clear_bindings(self->stmt);
    self->rc = SQLITE_OK;
    return code;
}

weft_err_t weft_stmt_run(weft_stmt_t *self) {
    while (weft_stmt_row(self)) continue;
    return weft_stmt_done(self);
}
