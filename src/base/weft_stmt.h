/* weft_stmt: SQLite behind prepared statements that are always reset.
 *
 * A weft_stmt_t keeps the first error of binding and stepping; weft_stmt_done ends one use: it
 * resets, clears the bindings and tells how it went. No statement is left open between uses, since
 * an open one pins a read snapshot and with it the WAL. Owned by one thread, as its database. */
#ifndef WEFT_STMT_H
#define WEFT_STMT_H

#include "weft.h"

#include <sqlite3.h>

typedef struct {
    sqlite3_stmt *stmt;
    int rc; /* first SQLite error of this use */
} weft_stmt_t;

typedef enum {
    WEFT_DB_CREATE,   /* read and write, make it if it is not there */
    WEFT_DB_READ_ONLY /* must exist */
} weft_db_mode_t;

/* Open with the settings that the promises need: WAL, synchronous=FULL (NORMAL if !full), foreign
 * keys on, a busy timeout of 5 s, no trusted schema. page_size only counts for a new file.
 * On error *db is NULL and the cause has gone to weft_diag as "db.open".
 * WEFT_OK, WEFT_E_STORE, WEFT_E_CORRUPT, WEFT_E_FULL, WEFT_E_IO. */
weft_err_t weft_db_open(sqlite3 **db, const char *path, weft_db_mode_t mode, bool full,
                        unsigned page_size);
void weft_db_close(sqlite3 **db);
/* To be called once after opening a file for writing. Moves what the WAL holds into the file and syncs it:
 * after a failed sync the kernel may show pages that never reach the disk, and what a restart has found
 * there, it tells to others. A full disk or another program's lock is no error. WEFT_OK, WEFT_E_STORE,
 * WEFT_E_CORRUPT. */
weft_err_t weft_db_secure(sqlite3 *db);
/* Run SQL without parameters, one or more statements. */
weft_err_t weft_db_exec(sqlite3 *db, const char *sql);
/* What an SQLite result means: FULL also for ENOSPC and EDQUOT in another dress, CORRUPT for damage. */
weft_err_t weft_db_error(sqlite3 *db, int rc);

weft_err_t weft_stmt_prepare(weft_stmt_t *self, sqlite3 *db, const char *sql);
void weft_stmt_free(weft_stmt_t *self);

/* Parameters are numbered from 1. Bytes and text must live until weft_stmt_done. */
void weft_stmt_bind_int(weft_stmt_t *self, int at, int64_t value);
void weft_stmt_bind_bits(weft_stmt_t *self, int at, uint64_t value); /* all 64 bits, as they are */
void weft_stmt_bind_text(weft_stmt_t *self, int at, const char *text, size_t size);
void weft_stmt_bind_blob(weft_stmt_t *self, int at, const void *bytes,
                         size_t size); /* NULL bytes: NULL */
void weft_stmt_bind_null(weft_stmt_t *self, int at);

/* True: there is a row. False: no more, or an error kept for weft_stmt_done. */
bool weft_stmt_row(weft_stmt_t *self);
int64_t weft_stmt_int(const weft_stmt_t *self, int column); /* columns from 0 */
uint64_t weft_stmt_bits(const weft_stmt_t *self, int column);
/* Valid until the next row or weft_stmt_done; NULL for NULL. */
const char *weft_stmt_text(const weft_stmt_t *self, int column, size_t *size);
const void *weft_stmt_blob(const weft_stmt_t *self, int column, size_t *size);
int weft_stmt_columns(const weft_stmt_t *self); /* of the row in hand */
bool weft_stmt_is_null(const weft_stmt_t *self, int column);
bool weft_stmt_is_blob(const weft_stmt_t *self, int column);

weft_err_t weft_stmt_done(weft_stmt_t *self);
/* For statements without rows: step to the end and done. */
weft_err_t weft_stmt_run(weft_stmt_t *self);

#endif
