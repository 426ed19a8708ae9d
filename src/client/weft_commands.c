/* weft_commands: see weft_commands.h. */
#include "weft_commands.h"

#include "weft_os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 100 /* rows that are done stay so long, for whoever asked to read them */
#define COLUMNS "SELECT id, verb, subject, position, done_us, count, error FROM weft_commands"

weft_err_t weft_commands_create(sqlite3 *db) {
    return weft_db_exec(
        db,
        "CREATE TABLE IF NOT EXISTS weft_commands (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " verb TEXT NOT NULL, subject TEXT, position INTEGER NOT NULL, asked_us INTEGER NOT NULL,"
        " done_us INTEGER, count INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '')");
}

weft_err_t weft_commands_add(sqlite3 *db, const char *verb, const char *subject,
                             weft_position_t position, int64_t *id) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, db,
        "INSERT INTO weft_commands (verb, subject, position, asked_us)"
        " VALUES (?, ?, ?, ?)");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&stmt, 1, verb, strlen(verb));
    if (subject)
        weft_stmt_bind_text(&stmt, 2, subject, strlen(subject));
    else
        weft_stmt_bind_null(&stmt, 2);
    weft_stmt_bind_bits(&stmt, 3, position.value);
    weft_stmt_bind_int(&stmt, 4, weft_os_now_us());
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    if (rc == WEFT_OK) *id = sqlite3_last_insert_rowid(db);
    return rc;
}

static weft_err_t s_copy(const weft_stmt_t *stmt, weft_command_row_t *out) {
    const char *verb = weft_stmt_text(stmt, 1, NULL), *subject = weft_stmt_text(stmt, 2, NULL);
    const char *error = weft_stmt_text(stmt, 6, NULL);
    out->id = weft_stmt_int(stmt, 0);
    snprintf(out->verb, sizeof out->verb, "%s", verb ? verb : "");
    out->subject = subject ? strdup(subject) : NULL;
    out->position.value = weft_stmt_bits(stmt, 3);
    out->done = !weft_stmt_is_null(stmt, 4);
    out->count = weft_stmt_bits(stmt, 5);
    out->error = strdup(error ? error : "");
    return (subject && !out->subject) || !out->error ? WEFT_E_NOMEM : WEFT_OK;
}

static weft_err_t s_one(sqlite3 *db, const char *sql, int64_t id, weft_command_row_t *out) {
    weft_stmt_t stmt;
    *out = (weft_command_row_t){0};
    weft_err_t rc = weft_stmt_prepare(&stmt, db, sql);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&stmt, 1, id);
    rc = weft_stmt_row(&stmt) ? s_copy(&stmt, out) : WEFT_E_NOT_FOUND;
    weft_err_t end = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    if (end != WEFT_OK) rc = end;
    if (rc != WEFT_OK) weft_commands_free(out);
    return rc;
}

weft_err_t weft_commands_get(sqlite3 *db, int64_t id, weft_command_row_t *out) {
    return s_one(db, COLUMNS " WHERE id = ?", id, out);
}

weft_err_t weft_commands_next(sqlite3 *db, weft_command_row_t *out) {
    return s_one(db, COLUMNS " WHERE done_us IS NULL AND id > ? ORDER BY id LIMIT 1", 0, out);
}

weft_err_t weft_commands_finish(sqlite3 *db, int64_t id, uint64_t count, const char *error) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, db, "UPDATE weft_commands SET done_us = ?, count = ?, error = ? WHERE id = ?");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&stmt, 1, weft_os_now_us());
    weft_stmt_bind_bits(&stmt, 2, count);
    weft_stmt_bind_text(&stmt, 3, error, strlen(error));
    weft_stmt_bind_int(&stmt, 4, id);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&stmt, db,
                               "DELETE FROM weft_commands WHERE done_us IS NOT NULL AND id <= ?");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&stmt, 1, id - KEPT);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

void weft_commands_free(weft_command_row_t *row) {
    free(row->subject);
    free(row->error);
    *row = (weft_command_row_t){0};
}

bool weft_commands_changed(sqlite3 *db, int64_t *version) {
    weft_stmt_t stmt;
    int64_t now = 0;
    if (weft_stmt_prepare(&stmt, db, "PRAGMA data_version") != WEFT_OK) return false;
    if (weft_stmt_row(&stmt)) now = weft_stmt_int(&stmt, 0);
    weft_err_t rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    bool changed = rc == WEFT_OK && now != *version;
    if (changed) *version = now;
    return changed;
}
