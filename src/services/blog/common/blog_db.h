/* blog_db: prepared statements of a service, and how SQLite's errors are told. */
#ifndef BLOG_DB_H
#define BLOG_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include <weft.h>

#include "blog_app.h"

#define BLOG_ID_BYTES 9u /* 8 hex digits and a NUL */

/* A statement in use. The first error is kept and comes out of blog_step or blog_run. */
typedef struct {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int rc; /* SQLite's */
} blog_query_t;

/* Statement number which of config->sql. Pair with blog_run, or with blog_step until it returns
 * anything but WEFT_OK, or with blog_end. */
blog_query_t blog_query(blog_app_t *app, size_t which);
/* Bind parameter index, 1 and up. text stays valid until the statement ends. */
void blog_bind_text(blog_query_t *query, int index, const char *text);
void blog_bind_int(blog_query_t *query, int index, int64_t value);
/* WEFT_OK: a row. WEFT_E_NOT_FOUND: no more, ended. Else an error, ended. */
weft_err_t blog_step(blog_query_t *query);
void blog_end(blog_query_t *query);
/* Run a statement that gives no rows to its end. changes  out: rows changed. May be NULL. */
weft_err_t blog_run(blog_query_t *query, int *changes);
/* Columns, 0 and up. Text is never NULL and valid until the next step. */
const char *blog_column_text(const blog_query_t *query, int column);
int64_t blog_column_int(const blog_query_t *query, int column);

/* WEFT_E_FULL for a full disk under whatever name, WEFT_E_NOMEM, else WEFT_E_STORE. */
weft_err_t blog_sqlite_error(sqlite3 *db, int rc);

/* Draw an id. Returns WEFT_OK or WEFT_E_IO. */
weft_err_t blog_id_draw(char id[BLOG_ID_BYTES]);

#endif
