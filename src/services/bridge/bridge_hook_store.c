/* bridge_hook_store: hooks, their places and what they have parked, in the bridge's database. */
#include "bridge_hook_store.h"

#include <string.h>

const char bridge_hook_schema[] =
    "CREATE TABLE hooks (name TEXT PRIMARY KEY, spec TEXT NOT NULL, start_kind INTEGER NOT NULL,"
    " start_position INTEGER NOT NULL, log BLOB, position INTEGER, chain INTEGER,"
    " delivered INTEGER NOT NULL, retried INTEGER NOT NULL, skipped INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE hooks_parked (hook TEXT NOT NULL, position INTEGER NOT NULL, type TEXT NOT NULL,"
    " subject TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL,"
    " error TEXT NOT NULL, parked_us INTEGER NOT NULL, PRIMARY KEY (hook, position)) WITHOUT ROWID";

static sqlite3_stmt *s_prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL); /* NULL steps to SQLITE_MISUSE */
    return stmt;
}

static void s_text(sqlite3_stmt *stmt, int at, const char *text) {
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static weft_err_t s_end(sqlite3_stmt *stmt, int rc) {
    sqlite3_finalize(stmt);
    if (rc == SQLITE_DONE || rc == SQLITE_ROW) return WEFT_OK;
    return rc == SQLITE_FULL ? WEFT_E_FULL : WEFT_E_STORE;
}

static weft_err_t s_run(sqlite3_stmt *stmt) {
    return s_end(stmt, sqlite3_step(stmt));
}

/* Parameters 1 name, 2.. place and counters. */
static void s_bind_place(sqlite3_stmt *stmt, const bridge_hook_row_t *row) {
    s_text(stmt, 1, row->name);
    sqlite3_bind_int(stmt, 2, (int) row->start.kind);
    sqlite3_bind_int64(stmt, 3, (sqlite3_int64) row->start.position);
    if (row->placed) {
        sqlite3_bind_blob(stmt, 4, row->at.log.bytes, sizeof row->at.log.bytes, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 5, (sqlite3_int64) row->at.position.value);
        sqlite3_bind_int64(stmt, 6, (sqlite3_int64) row->at.chain);
    }
    sqlite3_bind_int64(stmt, 7, (sqlite3_int64) row->delivered);
    sqlite3_bind_int64(stmt, 8, (sqlite3_int64) row->retried);
    sqlite3_bind_int64(stmt, 9, (sqlite3_int64) row->skipped);
}

weft_err_t bridge_hook_store_put(sqlite3 *db, const bridge_hook_row_t *row) {
    sqlite3_stmt *stmt = s_prepare(
        db, "INSERT OR REPLACE INTO hooks (name, start_kind, start_position, log, position, chain,"
            " delivered, retried, skipped, spec) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    s_bind_place(stmt, row);
    s_text(stmt, 10, row->spec);
    return s_run(stmt);
}

weft_err_t bridge_hook_store_place(sqlite3 *db, const bridge_hook_row_t *row) {
    sqlite3_stmt *stmt = s_prepare(
        db, "UPDATE hooks SET start_kind = ?2, start_position = ?3, log = ?4, position = ?5,"
            " chain = ?6, delivered = ?7, retried = ?8, skipped = ?9 WHERE name = ?1");
    s_bind_place(stmt, row);
    return s_run(stmt);
}

weft_err_t bridge_hook_store_delete(sqlite3 *db, const char *name) {
    uint64_t count;
    weft_err_t rc = bridge_hook_store_unpark(db, name, 0, &count);
    if (rc != WEFT_OK) return rc;
    sqlite3_stmt *stmt = s_prepare(db, "DELETE FROM hooks WHERE name = ?");
    s_text(stmt, 1, name);
    return s_run(stmt);
}

weft_err_t bridge_hook_store_each(sqlite3 *db, bridge_hook_row_fn fn, void *arg) {
    sqlite3_stmt *stmt = s_prepare(
        db, "SELECT name, spec, start_kind, start_position, log, position, chain, delivered,"
            " retried, skipped FROM hooks ORDER BY name");
    weft_err_t rc = WEFT_OK;
    int step = SQLITE_DONE;
    while (rc == WEFT_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        bridge_hook_row_t row = {.name = (const char *) sqlite3_column_text(stmt, 0),
                                 .spec = (const char *) sqlite3_column_text(stmt, 1),
                                 .start = {.kind = (weft_start_t) sqlite3_column_int(stmt, 2),
                                           .position = (uint64_t) sqlite3_column_int64(stmt, 3)},
                                 .placed = sqlite3_column_bytes(stmt, 4) ==
                                           (int) sizeof row.at.log.bytes,
                                 .at = {.position = {(uint64_t) sqlite3_column_int64(stmt, 5)},
                                        .chain = (uint64_t) sqlite3_column_int64(stmt, 6)},
                                 .delivered = (uint64_t) sqlite3_column_int64(stmt, 7),
                                 .retried = (uint64_t) sqlite3_column_int64(stmt, 8),
                                 .skipped = (uint64_t) sqlite3_column_int64(stmt, 9)};
        if (row.placed)
            memcpy(row.at.log.bytes, sqlite3_column_blob(stmt, 4), sizeof row.at.log.bytes);
        rc = fn(&row, arg);
    }
    weft_err_t end = s_end(stmt, step);
    return rc == WEFT_OK ? end : rc;
}

/* ---- parked */

weft_err_t bridge_hook_store_park(sqlite3 *db, const bridge_parked_t *parked) {
    sqlite3_stmt *stmt = s_prepare(
        db, "INSERT OR REPLACE INTO hooks_parked (hook, position, type, subject, headers, body,"
            " attempts, error, parked_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    s_text(stmt, 1, parked->hook);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64) parked->position);
    s_text(stmt, 3, parked->type);
    s_text(stmt, 4, parked->subject);
    s_text(stmt, 5, parked->headers);
    sqlite3_bind_blob64(stmt, 6, parked->body, parked->body_size, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 7, parked->attempts);
    s_text(stmt, 8, parked->error);
    sqlite3_bind_int64(stmt, 9, parked->parked_us);
    return s_run(stmt);
}

uint64_t bridge_hook_store_parked_count(sqlite3 *db, const char *hook) {
    sqlite3_stmt *stmt = s_prepare(db, "SELECT count(*) FROM hooks_parked WHERE hook = ?");
    s_text(stmt, 1, hook);
    uint64_t count = sqlite3_step(stmt) == SQLITE_ROW ? (uint64_t) sqlite3_column_int64(stmt, 0)
                                                      : 0;
    sqlite3_finalize(stmt);
    return count;
}

weft_err_t bridge_hook_store_parked(sqlite3 *db, const char *hook, uint64_t after, unsigned limit,
                                    bridge_parked_fn fn, void *arg) {
    sqlite3_stmt *stmt = s_prepare(
        db, "SELECT position, type, subject, headers, body, attempts, error, parked_us"
            " FROM hooks_parked WHERE hook = ? AND position > ? ORDER BY position LIMIT ?");
    s_text(stmt, 1, hook);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64) after);
    sqlite3_bind_int64(stmt, 3, limit);
    int step;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        bridge_parked_t row = {.hook = hook,
                               .position = (uint64_t) sqlite3_column_int64(stmt, 0),
                               .type = (const char *) sqlite3_column_text(stmt, 1),
                               .subject = (const char *) sqlite3_column_text(stmt, 2),
                               .headers = (const char *) sqlite3_column_text(stmt, 3),
                               .body = sqlite3_column_blob(stmt, 4),
                               .body_size = (size_t) sqlite3_column_bytes(stmt, 4),
                               .attempts = (unsigned) sqlite3_column_int64(stmt, 5),
                               .error = (const char *) sqlite3_column_text(stmt, 6),
                               .parked_us = sqlite3_column_int64(stmt, 7)};
        fn(&row, arg);
    }
    return s_end(stmt, step);
}

weft_err_t bridge_hook_store_unpark(sqlite3 *db, const char *hook, uint64_t position,
                                    uint64_t *count) {
    sqlite3_stmt *stmt = s_prepare(
        db, "DELETE FROM hooks_parked WHERE hook = ?1 AND (?2 = 0 OR position = ?2)");
    s_text(stmt, 1, hook);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64) position);
    weft_err_t rc = s_run(stmt);
    *count = rc == WEFT_OK ? (uint64_t) sqlite3_changes(db) : 0;
    return rc;
}
