/* idempotency: see idempotency.h. */
#include "idempotency.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_BYTES_MAX 255u
#define SWEEP_MS (10u * 60 * 1000)
#define SWEEP_FIRST_MS 1000u
#define SWEEP_MORE_MS 50u /* while there is more than a piece: faster than keys come */
#define SWEEP_ROWS 500

enum { FIND, KEEP, SWEEP, STATEMENTS };

static const char *const s_sql[STATEMENTS] = {
    [FIND] = "SELECT body_hash, body_size, status, location, answer FROM idempotency "
             "WHERE scope = ?1 AND key = ?2 AND created_us > ?3",
    [KEEP] = "INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    /* a piece at a time, so that requests have their turn */
    [SWEEP] = "DELETE FROM idempotency WHERE (scope, key) IN (SELECT scope, key FROM idempotency "
              "WHERE created_us <= ?1 ORDER BY created_us LIMIT ?2)",
};

struct idempotency {
    weft_service_t *service;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int64_t keep_us;
    int timer_id;
    bool timer;
    int swept; /* rows of the last piece */
};

static int64_t s_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Keys made after this one count. */
static int64_t s_since_us(const idempotency_t *self) {
    return self->keep_us == IDEMPOTENCY_FOR_EVER ? INT64_MIN : s_now_us() - self->keep_us;
}

static weft_err_t s_error(const idempotency_t *self, int rc) {
    int cause = sqlite3_system_errno(self->db);
    switch (rc & 0xFF) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return WEFT_OK;
    case SQLITE_FULL: return WEFT_E_FULL;
    case SQLITE_NOMEM: return WEFT_E_NOMEM;
    default: break;
    }
    weft_diag(WEFT_DIAG_ERROR, "idempotency.store", "sqlite=%d text=\"%s\"", rc,
              sqlite3_errmsg(self->db));
    return (rc & 0xFF) == SQLITE_IOERR && (cause == ENOSPC || cause == EDQUOT) ? WEFT_E_FULL
                                                                               : WEFT_E_STORE;
}

/* Run a bound statement that gives no rows. */
static weft_err_t s_run(idempotency_t *self, size_t which) {
    int rc = sqlite3_step(self->statements[which]);
    weft_err_t error = s_error(self, rc);
    sqlite3_reset(self->statements[which]);
    sqlite3_clear_bindings(self->statements[which]);
    return error;
}

static weft_err_t s_sweep(weft_tx_t *tx, void *arg) {
    idempotency_t *self = arg;
    (void) tx;
    sqlite3_bind_int64(self->statements[SWEEP], 1, s_since_us(self));
    sqlite3_bind_int(self->statements[SWEEP], 2, SWEEP_ROWS);
    weft_err_t rc = s_run(self, SWEEP);
    self->swept = rc == WEFT_OK ? sqlite3_changes(self->db) : 0;
    return rc;
}

static weft_err_t s_arm(idempotency_t *self, unsigned ms);

static void s_on_timer(void *arg) {
    idempotency_t *self = arg;
    weft_err_t rc = weft_service_transaction(self->service, s_sweep, self);
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "idempotency.sweep", "error=%s", weft_err_name(rc));
    rc = s_arm(self, rc == WEFT_OK && self->swept == SWEEP_ROWS ? SWEEP_MORE_MS : SWEEP_MS);
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_ERROR, "idempotency.timer", "error=%s", weft_err_name(rc));
}

static weft_err_t s_arm(idempotency_t *self, unsigned ms) {
    weft_err_t rc = weft_service_timer(self->service, ms, 1, s_on_timer, self, &self->timer_id);
    self->timer = rc == WEFT_OK;
    return rc;
}

weft_err_t idempotency_new(idempotency_t **out, weft_service_t *service, int64_t keep_us) {
    weft_err_t rc = WEFT_E_NOMEM;
    idempotency_t *self = calloc(1, sizeof *self);
    if (!self) goto out;
    self->service = service;
    self->keep_us = keep_us;
    self->db = weft_service_db(service);
    for (size_t i = 0; i < STATEMENTS; i++) {
        rc = s_error(self, sqlite3_prepare_v3(self->db, s_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                              &self->statements[i], NULL));
        if (rc != WEFT_OK) goto out;
    }
    if (keep_us != IDEMPOTENCY_FOR_EVER) {
        rc = s_arm(self, SWEEP_FIRST_MS);
        if (rc != WEFT_OK) goto out;
    }
    *out = self;
    self = NULL;
out:
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_ERROR, "idempotency.start", "error=%s", weft_err_name(rc));
    idempotency_destroy(&self);
    return rc;
}

void idempotency_destroy(idempotency_t **self_p) {
    idempotency_t *self = *self_p;
    if (!self) return;
    if (self->timer) weft_service_timer_end(self->service, self->timer_id);
    for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(self->statements[i]);
    free(self);
    *self_p = NULL;
}

/* The database's own words for an unsigned hash, and back. */
static int64_t s_signed(uint64_t hash) {
    int64_t out;
    memcpy(&out, &hash, sizeof out);
    return out;
}

static uint64_t s_unsigned(int64_t bits) {
    uint64_t out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static const char *s_column(sqlite3_stmt *stmt, int column) {
    const char *text = (const char *) sqlite3_column_text(stmt, column);
    return text ? text : "";
}

weft_err_t idempotency_find(idempotency_t *self, const char *scope, const char *key,
                            idempotency_row_t *row) {
    sqlite3_stmt *stmt = self->statements[FIND];
    sqlite3_bind_text(stmt, 1, scope, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, s_since_us(self));
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE) return WEFT_E_NOT_FOUND;
    if (rc != SQLITE_ROW) return s_error(self, rc);
    *row = (idempotency_row_t){.body_hash = s_unsigned(sqlite3_column_int64(stmt, 0)),
                               .body_size = (size_t) sqlite3_column_int64(stmt, 1),
                               .status = (unsigned) sqlite3_column_int64(stmt, 2),
                               .location = s_column(stmt, 3),
                               .answer = s_column(stmt, 4)};
    return WEFT_OK;
}

/* A statement left in mid-read would pin the WAL. */
void idempotency_found(idempotency_t *self) {
    sqlite3_reset(self->statements[FIND]);
    sqlite3_clear_bindings(self->statements[FIND]);
}

weft_err_t idempotency_keep(idempotency_t *self, const char *scope, const char *key,
                            const idempotency_row_t *row) {
    sqlite3_stmt *stmt = self->statements[KEEP];
    sqlite3_bind_text(stmt, 1, scope, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, s_signed(row->body_hash));
    sqlite3_bind_int64(stmt, 4, (sqlite3_int64) row->body_size);
    sqlite3_bind_int64(stmt, 5, row->status);
    sqlite3_bind_text(stmt, 6, row->location, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 7, row->answer, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 8, s_now_us());
    return s_run(self, KEEP);
}

const weft_service_t *idempotency_service(const idempotency_t *self) {
    return self->service;
}

bool idempotency_key_ok(const char *key) {
    size_t size = strlen(key);
    if (!size || size > KEY_BYTES_MAX) return false;
    for (; *key; key++)
        if (*key < 0x21 || *key > 0x7E) return false;
    return true;
}
