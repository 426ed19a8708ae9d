/* blog_db: prepared statements of a service, and how SQLite's errors are told. */
#include "blog_db.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

weft_err_t blog_sqlite_error(sqlite3 *db, int rc) {
    int cause = sqlite3_system_errno(db);
    switch (rc & 0xFF) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return WEFT_OK;
    case SQLITE_FULL: return WEFT_E_FULL;
    case SQLITE_NOMEM: return WEFT_E_NOMEM;
    case SQLITE_IOERR: return cause == ENOSPC || cause == EDQUOT ? WEFT_E_FULL : WEFT_E_STORE;
    default: return WEFT_E_STORE;
    }
}

static weft_err_t s_failed(const blog_query_t *query) {
    weft_diag(WEFT_DIAG_ERROR, "store.failed", "sqlite=%d text=\"%s\"", query->rc,
              sqlite3_errmsg(query->db));
    return blog_sqlite_error(query->db, query->rc);
}

blog_query_t blog_query(blog_app_t *app, size_t which) {
    blog_query_t query = {.db = app->db, .rc = SQLITE_OK};
    sqlite3_stmt **slot = &app->statements[which];
    if (!*slot)
        query.rc = sqlite3_prepare_v3(app->db, app->config->sql[which], -1,
                                      SQLITE_PREPARE_PERSISTENT, slot, NULL);
    query.stmt = *slot;
    return query;
}

void blog_bind_text(blog_query_t *query, int index, const char *text) {
    if (query->rc == SQLITE_OK)
        query->rc = sqlite3_bind_text(query->stmt, index, text, -1, SQLITE_STATIC);
}

void blog_bind_int(blog_query_t *query, int index, int64_t value) {
    if (query->rc == SQLITE_OK) query->rc = sqlite3_bind_int64(query->stmt, index, value);
}

/* A statement left in mid-read would pin the WAL. */
void blog_end(blog_query_t *query) {
    if (!query->stmt) return;
    sqlite3_reset(query->stmt); /* repeats the error of the step, which has been told */
    sqlite3_clear_bindings(query->stmt);
    query->stmt = NULL;
}

weft_err_t blog_step(blog_query_t *query) {
    if (query->rc == SQLITE_OK || query->rc == SQLITE_ROW) query->rc = sqlite3_step(query->stmt);
    if (query->rc == SQLITE_ROW) return WEFT_OK;
    weft_err_t rc = query->rc == SQLITE_DONE ? WEFT_E_NOT_FOUND : s_failed(query);
    blog_end(query);
    return rc;
}

weft_err_t blog_run(blog_query_t *query, int *changes) {
    weft_err_t rc = blog_step(query);
    while (rc == WEFT_OK) rc = blog_step(query);
    if (rc != WEFT_E_NOT_FOUND) return rc;
    if (changes) *changes = sqlite3_changes(query->db);
    return WEFT_OK;
}

const char *blog_column_text(const blog_query_t *query, int column) {
    const char *text = (const char *) sqlite3_column_text(query->stmt, column);
    return text ? text : "";
}

int64_t blog_column_int(const blog_query_t *query, int column) {
    return sqlite3_column_int64(query->stmt, column);
}

weft_err_t blog_id_draw(char id[BLOG_ID_BYTES]) {
    unsigned char bytes[4];
    ssize_t got;
    do got = getrandom(bytes, sizeof bytes, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t) sizeof bytes) return WEFT_E_IO;
    snprintf(id, BLOG_ID_BYTES, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    return WEFT_OK;
}
