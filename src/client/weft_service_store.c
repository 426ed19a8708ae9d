/* weft_service_store: see weft_service_store.h. */
#include "weft_service_store.h"

#include "weft_commands.h"
#include "weft_os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA 1
#define PAGE_BYTES 4096u

static const char s_tables[] =
    "CREATE TABLE weft_meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE weft_position (id INTEGER PRIMARY KEY CHECK (id = 1), log BLOB NOT NULL,"
    " position INTEGER NOT NULL, chain INTEGER NOT NULL);"
    "INSERT INTO weft_position VALUES (1, zeroblob(16), 0, 0);"
    "CREATE TABLE weft_filters (filter TEXT PRIMARY KEY, behind INTEGER NOT NULL, log BLOB NOT NULL,"
    " position INTEGER NOT NULL, chain INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE weft_outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL,"
    " time_us INTEGER NOT NULL, subject TEXT NOT NULL, cause INTEGER NOT NULL, traceparent BLOB,"
    " data BLOB NOT NULL);"
    "CREATE TABLE weft_acked (id INTEGER PRIMARY KEY CHECK (id = 1), acked INTEGER NOT NULL,"
    " chain INTEGER NOT NULL, log BLOB NOT NULL);"
    "INSERT INTO weft_acked VALUES (1, 0, 0, zeroblob(16));"
    "CREATE TABLE weft_parked (position INTEGER NOT NULL, filter TEXT NOT NULL, subject TEXT NOT NULL,"
    " type TEXT NOT NULL, event BLOB NOT NULL, stored_us INTEGER NOT NULL, chain INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, error TEXT NOT NULL, parked_us INTEGER NOT NULL,"
    " PRIMARY KEY (position, filter));"
    "CREATE INDEX weft_parked_subject ON weft_parked (subject, position);";

/* ---- meta */

static weft_err_t s_meta_int(weft_service_store_t *self, const char *key, int64_t *out) {
    weft_stmt_t stmt;
    *out = -1;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db, "SELECT value FROM weft_meta WHERE key = ?");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&stmt, 1, key, strlen(key));
    if (weft_stmt_row(&stmt)) *out = weft_stmt_int(&stmt, 0);
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

static weft_err_t s_meta_set_int(weft_service_store_t *self, const char *key, int64_t value) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db,
                                      "INSERT OR REPLACE INTO weft_meta VALUES (?, ?)");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&stmt, 1, key, strlen(key));
    weft_stmt_bind_int(&stmt, 2, value);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

/* ---- opening */

static weft_err_t s_create(weft_service_store_t *self, const char *name) {
    weft_stmt_t stmt;
    weft_uuid_t origin;
    weft_os_uuid(&origin);
    weft_err_t rc = weft_db_exec(self->db, s_tables);
    if (rc == WEFT_OK) rc = s_meta_set_int(self, "schema", SCHEMA);
    if (rc == WEFT_OK) rc = s_meta_set_int(self, "steps", 0);
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&stmt, self->db,
                               "INSERT INTO weft_meta VALUES ('name', ?), ('origin', ?)");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&stmt, 1, name, strlen(name));
    weft_stmt_bind_blob(&stmt, 2, origin.bytes, sizeof origin.bytes);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

static weft_err_t s_check(weft_service_store_t *self, const char *name) {
    int64_t schema;
    weft_err_t rc = s_meta_int(self, "schema", &schema);
    if (rc != WEFT_OK) return rc;
    if (schema > SCHEMA || schema < 1) {
        weft_diag(WEFT_DIAG_ERROR, "service.schema",
                  "path=\"%s\" schema=%lld known=%d mend=\"run the newer program\"", self->path,
                  (long long) schema, SCHEMA);
        return WEFT_E_SCHEMA;
    }
    weft_stmt_t stmt;
    rc = weft_stmt_prepare(&stmt, self->db, "SELECT value FROM weft_meta WHERE key = 'name'");
    if (rc != WEFT_OK) return rc;
    const char *found = weft_stmt_row(&stmt) ? weft_stmt_text(&stmt, 0, NULL) : NULL;
    bool same = found && strcmp(found, name) == 0;
    if (!same)
        weft_diag(WEFT_DIAG_ERROR, "service.name", "path=\"%s\" belongs_to=\"%s\" name=\"%s\"",
                  self->path, found ? found : "", name);
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc == WEFT_OK && !same ? WEFT_E_ARG : rc;
}

static weft_err_t s_create_or_check(weft_service_store_t *self, const char *name) {
    weft_err_t rc = weft_db_exec(self->db, "BEGIN IMMEDIATE");
    if (rc != WEFT_OK) return rc;
    weft_stmt_t stmt;
    rc = weft_stmt_prepare(&stmt, self->db,
                           "SELECT count(*) FROM sqlite_schema WHERE name = 'weft_meta'");
    if (rc == WEFT_OK) {
        bool there = weft_stmt_row(&stmt) && weft_stmt_int(&stmt, 0) > 0;
        rc = weft_stmt_done(&stmt);
        weft_stmt_free(&stmt);
        if (rc == WEFT_OK) rc = there ? s_check(self, name) : s_create(self, name);
    }
    if (rc == WEFT_OK) rc = weft_commands_create(self->db);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    if (rc != WEFT_OK) (void) weft_db_exec(self->db, "ROLLBACK");
    return rc;
}

static weft_err_t s_prepare(weft_service_store_t *self) {
    const struct {
        weft_stmt_t *stmt;
        const char *sql;
    } all[] = {
        {&self->position_write, "UPDATE weft_position SET log = ?, position = ?, chain = ?"},
        {&self->filter_write, "INSERT OR REPLACE INTO weft_filters VALUES (?, ?, ?, ?, ?)"},
        {&self->park, "INSERT INTO weft_parked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
        {&self->park_failed, "UPDATE weft_parked SET attempts = attempts + 1, error = ?"
                             " WHERE position = ? AND filter = ?"},
        {&self->unpark, "DELETE FROM weft_parked WHERE position = ? AND filter = ?"},
        {&self->parked_next,
         "SELECT position, chain, stored_us, filter, type, subject, event FROM weft_parked"
         " WHERE (?1 IS NULL OR subject = ?1) AND (position, filter) > (?2, ?3)"
         " ORDER BY position, filter LIMIT 1"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        weft_err_t rc = weft_stmt_prepare(all[i].stmt, self->db, all[i].sql);
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

static weft_err_t s_lock(weft_service_store_t *self, const char *dir, const char *name) {
    char *path = NULL;
    long pid = 0;
    if (weft_os_mkdir(dir) != WEFT_OK) {
        weft_diag(WEFT_DIAG_ERROR, "service.data", "dir=\"%s\" reason=\"%s\"", dir,
                  strerror(errno));
        return WEFT_E_IO;
    }
    if (asprintf(&self->path, "%s/%s.db", dir, name) < 0) self->path = NULL;
    if (!self->path || asprintf(&path, "%s/%s.lock", dir, name) < 0) return WEFT_E_NOMEM;
    weft_err_t rc = weft_os_lock(&self->lock_fd, path, &pid);
    if (rc == WEFT_E_LOCKED)
        weft_diag(WEFT_DIAG_ERROR, "service.locked",
                  "database=\"%s\" pid=%ld reason=\"another process runs on this database\"",
                  self->path, pid);
    else if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_ERROR, "service.lock", "path=\"%s\" reason=\"%s\"", path,
                  strerror(errno));
    free(path);
    return rc;
}

weft_err_t weft_service_store_open(weft_service_store_t *self, const char *dir, const char *name) {
    *self = (weft_service_store_t){.lock_fd = -1};
    weft_err_t rc = s_lock(self, dir, name);
    if (rc == WEFT_OK) rc = weft_db_open(&self->db, self->path, WEFT_DB_CREATE, true, PAGE_BYTES);
    if (rc == WEFT_OK) rc = weft_db_secure(self->db);
    if (rc == WEFT_OK) rc = s_create_or_check(self, name);
    if (rc == WEFT_OK) rc = s_prepare(self);
    if (rc != WEFT_OK) weft_service_store_close(self);
    return rc;
}

void weft_service_store_close(weft_service_store_t *self) {
    weft_stmt_free(&self->position_write);
    weft_stmt_free(&self->filter_write);
    weft_stmt_free(&self->park);
    weft_stmt_free(&self->park_failed);
    weft_stmt_free(&self->unpark);
    weft_stmt_free(&self->parked_next);
    weft_db_close(&self->db);
    weft_os_unlock(&self->lock_fd);
    free(self->path);
    self->path = NULL;
}

weft_err_t weft_service_store_schema(weft_service_store_t *self, const char *const *steps,
                                     size_t count) {
    int64_t done;
    weft_err_t rc = s_meta_int(self, "steps", &done);
    if (rc != WEFT_OK) return rc;
    if (done < 0 || (uint64_t) done > count) {
        weft_diag(WEFT_DIAG_ERROR, "service.schema",
                  "path=\"%s\" steps=%lld known=%zu mend=\"run the newer program\"", self->path,
                  (long long) done, count);
        return WEFT_E_SCHEMA;
    }
    for (size_t i = (size_t) done; i < count; i++) {
        rc = weft_db_exec(self->db, "BEGIN IMMEDIATE");
        if (rc == WEFT_OK) rc = weft_db_exec(self->db, steps[i]);
        if (rc == WEFT_OK) rc = s_meta_set_int(self, "steps", (int64_t) i + 1);
        if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
        if (rc == WEFT_OK) continue;
        weft_diag(WEFT_DIAG_ERROR, "service.schema", "path=\"%s\" step=%zu sqlite=\"%s\"",
                  self->path, i + 1, sqlite3_errmsg(self->db));
        (void) weft_db_exec(self->db, "ROLLBACK");
        return rc;
    }
    return WEFT_OK;
}

/* ---- position and filters */

/* log, position, chain from three columns. */
static void s_resume(const weft_stmt_t *stmt, int column, weft_resume_t *out) {
    size_t size;
    const void *log = weft_stmt_blob(stmt, column, &size);
    *out = (weft_resume_t){.position = {weft_stmt_bits(stmt, column + 1)},
                           .chain = weft_stmt_bits(stmt, column + 2)};
    if (size == sizeof out->log.bytes) memcpy(out->log.bytes, log, size);
}

weft_err_t weft_service_store_position(weft_service_store_t *self, weft_resume_t *out) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db,
                                      "SELECT log, position, chain FROM weft_position");
    if (rc != WEFT_OK) return rc;
    bool there = weft_stmt_row(&stmt);
    if (there) s_resume(&stmt, 0, out);
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc == WEFT_OK && !there ? WEFT_E_CORRUPT : rc;
}

weft_err_t weft_service_store_move(weft_service_store_t *self, const weft_resume_t *to) {
    weft_stmt_bind_blob(&self->position_write, 1, to->log.bytes, sizeof to->log.bytes);
    weft_stmt_bind_bits(&self->position_write, 2, to->position.value);
    weft_stmt_bind_bits(&self->position_write, 3, to->chain);
    return weft_stmt_run(&self->position_write);
}

weft_err_t weft_service_store_adopt(weft_service_store_t *self, const weft_resume_t *to) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db,
                                      "SELECT count(*) FROM weft_parked WHERE position > ?");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&stmt, 1, to->position.value);
    int64_t parked = weft_stmt_row(&stmt) ? weft_stmt_int(&stmt, 0) : 0;
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    if (rc == WEFT_OK && parked) { /* their keys would meet those of the log's own events */
        weft_diag(
            WEFT_DIAG_ERROR, "service.adopt",
            "parked=%lld position=%llu reason=\"parked events lie beyond the adopted position\""
            " ways=\"delete their rows in weft_parked, or adopt a later position\"",
            (long long) parked, (unsigned long long) to->position.value);
        return WEFT_E_STATE;
    }
    if (rc == WEFT_OK) rc = weft_service_store_move(self, to);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "UPDATE weft_filters SET behind = 0");
    return rc;
}

weft_err_t weft_service_store_filter(weft_service_store_t *self, const char *filter,
                                     weft_filter_state_t *state, weft_resume_t *at) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->db, "SELECT behind, log, position, chain FROM weft_filters WHERE filter = ?");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&stmt, 1, filter, strlen(filter));
    *state = WEFT_FILTER_UNKNOWN;
    if (weft_stmt_row(&stmt)) {
        *state = weft_stmt_int(&stmt, 0) ? WEFT_FILTER_BEHIND : WEFT_FILTER_CURRENT;
        s_resume(&stmt, 1, at);
    }
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

weft_err_t weft_service_store_filter_set(weft_service_store_t *self, const char *filter,
                                         const weft_resume_t *at) {
    static const weft_resume_t none;
    const weft_resume_t *place = at ? at : &none;
    weft_stmt_bind_text(&self->filter_write, 1, filter, strlen(filter));
    weft_stmt_bind_int(&self->filter_write, 2, at != NULL);
    weft_stmt_bind_blob(&self->filter_write, 3, place->log.bytes, sizeof place->log.bytes);
    weft_stmt_bind_bits(&self->filter_write, 4, place->position.value);
    weft_stmt_bind_bits(&self->filter_write, 5, place->chain);
    return weft_stmt_run(&self->filter_write);
}

weft_err_t weft_service_store_resume(weft_service_store_t *self, weft_position_t *out) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->db,
        "SELECT min(position) FROM (SELECT position FROM weft_position UNION ALL"
        " SELECT position FROM weft_filters WHERE behind)");
    if (rc != WEFT_OK) return rc;
    out->value = weft_stmt_row(&stmt) ? weft_stmt_bits(&stmt, 0) : 0;
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

weft_err_t weft_service_store_filters_keep(weft_service_store_t *self, const char *const *filters,
                                           size_t count) {
    weft_stmt_t keep;
    weft_err_t rc = weft_db_exec(self->db,
                                 "CREATE TEMP TABLE IF NOT EXISTS weft_keep (filter TEXT);"
                                 "DELETE FROM weft_keep;");
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&keep, self->db, "INSERT INTO weft_keep VALUES (?)");
    if (rc != WEFT_OK) return rc;
    for (size_t i = 0; i < count && rc == WEFT_OK; i++) {
        weft_stmt_bind_text(&keep, 1, filters[i], strlen(filters[i]));
        rc = weft_stmt_run(&keep);
    }
    weft_stmt_free(&keep);
    if (rc == WEFT_OK)
        rc = weft_db_exec(self->db, "DELETE FROM weft_filters WHERE filter NOT IN weft_keep;"
                                    "DROP TABLE weft_keep;");
    return rc;
}

/* ---- parked events */

weft_err_t weft_service_store_park(weft_service_store_t *self, const weft_event_t *event,
                                   const char *filter, unsigned attempts, const char *error) {
    weft_stmt_t *stmt = &self->park;
    weft_stmt_bind_bits(stmt, 1, event->position.value);
    weft_stmt_bind_text(stmt, 2, filter, strlen(filter));
    weft_stmt_bind_text(stmt, 3, event->subject, strlen(event->subject));
    weft_stmt_bind_text(stmt, 4, event->type, strlen(event->type));
    weft_stmt_bind_blob(stmt, 5, event->raw, event->raw_size);
    weft_stmt_bind_int(stmt, 6, event->stored_us);
    weft_stmt_bind_bits(stmt, 7, event->chain);
    weft_stmt_bind_int(stmt, 8, attempts);
    weft_stmt_bind_text(stmt, 9, error, strlen(error));
    weft_stmt_bind_int(stmt, 10, weft_os_now_us());
    return weft_stmt_run(stmt);
}

static char *s_copy_text(const weft_stmt_t *stmt, int column) {
    const char *text = weft_stmt_text(stmt, column, NULL);
    return strdup(text ? text : "");
}

static weft_err_t s_copy_parked(const weft_stmt_t *stmt, weft_parked_t *out) {
    const void *event = weft_stmt_blob(stmt, 6, &out->event_size);
    out->position.value = weft_stmt_bits(stmt, 0);
    out->chain = weft_stmt_bits(stmt, 1);
    out->stored_us = weft_stmt_int(stmt, 2);
    out->event = malloc(out->event_size ? out->event_size : 1);
    if (out->event && out->event_size) memcpy(out->event, event, out->event_size);
    out->filter = s_copy_text(stmt, 3);
    out->type = s_copy_text(stmt, 4);
    out->subject = s_copy_text(stmt, 5);
    return out->event && out->filter && out->type && out->subject ? WEFT_OK : WEFT_E_NOMEM;
}

weft_err_t weft_service_store_parked_next(weft_service_store_t *self, const char *subject,
                                          weft_position_t after, const char *after_filter,
                                          weft_parked_t *out) {
    weft_stmt_t *stmt = &self->parked_next;
    *out = (weft_parked_t){0};
    if (subject)
        weft_stmt_bind_text(stmt, 1, subject, strlen(subject));
    else
        weft_stmt_bind_null(stmt, 1);
    weft_stmt_bind_bits(stmt, 2, after.value);
    weft_stmt_bind_text(stmt, 3, after_filter, strlen(after_filter));
    weft_err_t rc = weft_stmt_row(stmt) ? s_copy_parked(stmt, out) : WEFT_E_NOT_FOUND;
    weft_err_t end = weft_stmt_done(stmt);
    if (end != WEFT_OK) rc = end;
    if (rc != WEFT_OK) weft_parked_free(out);
    return rc;
}

void weft_parked_free(weft_parked_t *self) {
    free(self->event);
    free(self->filter);
    free(self->type);
    free(self->subject);
    *self = (weft_parked_t){0};
}

weft_err_t weft_service_store_parked_failed(weft_service_store_t *self, const weft_parked_t *parked,
                                            const char *error) {
    weft_stmt_bind_text(&self->park_failed, 1, error, strlen(error));
    weft_stmt_bind_bits(&self->park_failed, 2, parked->position.value);
    weft_stmt_bind_text(&self->park_failed, 3, parked->filter, strlen(parked->filter));
    return weft_stmt_run(&self->park_failed);
}

weft_err_t weft_service_store_unpark(weft_service_store_t *self, const weft_parked_t *parked) {
    weft_stmt_bind_bits(&self->unpark, 1, parked->position.value);
    weft_stmt_bind_text(&self->unpark, 2, parked->filter, strlen(parked->filter));
    return weft_stmt_run(&self->unpark);
}

weft_err_t weft_service_store_parked_upto(weft_service_store_t *self, weft_position_t upto,
                                          uint64_t *count) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->db, "SELECT count(DISTINCT position) FROM weft_parked WHERE position <= ?");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&stmt, 1, upto.value);
    *count = weft_stmt_row(&stmt) ? weft_stmt_bits(&stmt, 0) : 0;
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}

weft_err_t weft_service_store_subjects(weft_service_store_t *self, weft_subject_fn fn, void *arg) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->db,
        "SELECT subject, count(*), min(parked_us) FROM weft_parked GROUP BY subject");
    if (rc != WEFT_OK) return rc;
    bool ok = true;
    while (ok && weft_stmt_row(&stmt)) {
        const char *subject = weft_stmt_text(&stmt, 0, NULL);
        ok = fn(arg, subject ? subject : "", weft_stmt_bits(&stmt, 1), weft_stmt_int(&stmt, 2));
    }
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc == WEFT_OK && !ok ? WEFT_E_NOMEM : rc;
}

weft_err_t weft_service_store_drop(weft_service_store_t *self, const char *subject,
                                   weft_position_t position, uint64_t *dropped) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(
        &stmt, self->db,
        "DELETE FROM weft_parked WHERE (?1 IS NULL OR subject = ?1) AND (?2 = 0 OR position = ?2)");
    if (rc != WEFT_OK) return rc;
    if (subject)
        weft_stmt_bind_text(&stmt, 1, subject, strlen(subject));
    else
        weft_stmt_bind_null(&stmt, 1);
    weft_stmt_bind_bits(&stmt, 2, position.value);
    rc = weft_stmt_run(&stmt);
    weft_stmt_free(&stmt);
    if (rc == WEFT_OK) *dropped = (uint64_t) sqlite3_changes64(self->db);
    return rc;
}
