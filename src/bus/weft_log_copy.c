/* weft_log_copy: see weft_log_copy.h. SQLite moves the rows from file to file itself. */
#include "weft_log_copy.h"

#include "weft_log_check.h"
#include "weft_log_origins.h"
#include "weft_log_partial.h"
#include "weft_log_sql.h"
#include "weft_log_trust.h"
#include "weft_os.h"
#include "weft_stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A piece is a transaction of some ms, and a quarter of a MiB in the disk's queue, for which a commit of the
 * bus may have to wait: with five times as much the slowest took twice as long. Rows may have any size. */
#define PIECE_ROWS_MAX 1000
#define PIECE_ROWS_MIN 4
#define PIECE_US 5000
/* each second that did not bring the copy nearer to its end doubles the pieces */
#define LOOK_US 1000000
#define PUSH (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

typedef struct {
    weft_log_copy_t *out;
    weft_log_copy_fn progress;
    void *arg;
    const char *from;
    uint64_t up_to;
    char source[PATH_MAX];
    weft_log_partial_t place;
    int sync_fd;
    int64_t piece_rows;
    int64_t times; /* as large as pieces begin with */
    int64_t looked_us;
    uint64_t left; /* to be copied, when that was looked at */
    bool trusted;  /* the source has checksums of what stands beside the rows */
    sqlite3 *db;
    weft_stmt_t rows, top, wanted;
} weft_copy_run_t;

static weft_err_t s_say(weft_copy_run_t *self, weft_err_t rc, const char *format, ...)
    WEFT_PRINTF(3, 4);

static weft_err_t s_say(weft_copy_run_t *self, weft_err_t rc, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self->out->reason, sizeof self->out->reason, format, args);
    va_end(args);
    return rc;
}

static bool s_go_on(weft_copy_run_t *self) {
    return !self->progress || self->progress(self->arg, self->out);
}

/* ---- the two databases */

static weft_err_t s_database(weft_copy_run_t *self, weft_err_t rc, const char *what) {
    if (rc == WEFT_OK || *self->out->reason) return rc;
    if (rc == WEFT_E_FULL)
        return s_say(self, rc, "the disk of %s is full: make room, or choose another",
                     self->place.partial);
    if (rc == WEFT_E_CORRUPT)
        return s_say(self, rc, "%s is damaged; weft check %s says where", self->source, self->from);
    return s_say(self, rc, "cannot %s: %s", what,
                 self->db ? sqlite3_errmsg(self->db) : weft_err_text(rc));
}

/* As a URI, so that it can be opened for reading only. */
static weft_err_t s_attach(weft_copy_run_t *self) {
    char uri[3 * PATH_MAX + 16] = "file:";
    weft_stmt_t st;
    size_t used = strlen(uri);
    for (const char *at = self->source; *at; at++) {
        bool plain = strchr("?#%", *at) == NULL;
        used += (size_t) snprintf(uri + used, sizeof uri - used, plain ? "%c" : "%%%02x",
                                  (unsigned char) *at);
    }
    snprintf(uri + used, sizeof uri - used, "?mode=ro");
    weft_err_t rc = weft_stmt_prepare(&st, self->db, "ATTACH ?1 AS source");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&st, 1, uri, strlen(uri));
    rc = weft_stmt_run(&st);
    weft_stmt_free(&st);
    return rc;
}

/* One number; -1 if there is none. */
static weft_err_t s_number(weft_copy_run_t *self, const char *sql, int64_t *out) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, sql);
    *out = -1;
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&st)) *out = weft_stmt_int(&st, 0);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc;
}

static weft_err_t s_check_source(weft_copy_run_t *self) {
    int64_t application, version;
    weft_err_t rc = s_number(self, "PRAGMA source.application_id", &application);
    if (rc == WEFT_OK) rc = s_number(self, "PRAGMA source.user_version", &version);
    if (rc != WEFT_OK) return rc;
    if (application != WEFT_LOG_APPLICATION_ID)
        return s_say(self, WEFT_E_NOT_FOUND, "%s is no weft log", self->source);
    if (version > WEFT_LOG_SCHEMA)
        return s_say(self, WEFT_E_SCHEMA, "%s has schema %lld, this weft knows %d: use a newer one",
                     self->source, (long long) version, WEFT_LOG_SCHEMA);
    self->trusted = version >= WEFT_LOG_SCHEMA_TRUSTED;
    return WEFT_OK;
}

/* No journal: a copy that does not come to its end is thrown away. */
static weft_err_t s_open(weft_copy_run_t *self) {
    char sql[128];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    int opened = sqlite3_open_v2(self->place.path, &self->db, flags, NULL);
    if (opened != SQLITE_OK) return weft_db_error(self->db, opened);
    sqlite3_busy_timeout(self->db, 5000);
    snprintf(sql, sizeof sql,
             "PRAGMA page_size=%u; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;",
             WEFT_LOG_PAGE_BYTES);
    weft_err_t rc = weft_db_exec(self->db, sql);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, weft_sql_create);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, weft_sql_create_readers);
    if (rc == WEFT_OK) rc = s_attach(self);
    if (rc == WEFT_OK) rc = s_check_source(self);
    if (rc == WEFT_OK && self->trusted) rc = weft_db_exec(self->db, weft_sql_create_sums);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "DELETE FROM main.meta");
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->rows, self->db, weft_sql_copy_rows);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->top, self->db, weft_sql_copy_top);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->wanted, self->db, weft_sql_copy_wanted);
    if (rc != WEFT_OK) return rc;
    self->sync_fd = open(self->place.path, O_RDWR | O_CLOEXEC);
    return self->sync_fd < 0 ? WEFT_E_IO : WEFT_OK;
}

static void s_close(weft_copy_run_t *self) {
    weft_stmt_free(&self->rows);
    weft_stmt_free(&self->top);
    weft_stmt_free(&self->wanted);
    weft_db_close(&self->db);
    if (self->sync_fd >= 0) close(self->sync_fd);
    self->sync_fd = -1;
}

/* ---- copying */

static weft_err_t s_read(weft_stmt_t *st, uint64_t *out) {
    *out = weft_stmt_row(st) ? (uint64_t) weft_stmt_int(st, 0) : 0;
    return weft_stmt_done(st);
}

static bool s_cut(const weft_copy_run_t *self) {
    return self->up_to != WEFT_LOG_COPY_ALL;
}

/* Was there a log that ended at up_to? */
static weft_err_t s_check_end(weft_copy_run_t *self) {
    int64_t anchor, top;
    weft_err_t rc = s_number(self, weft_sql_copy_anchor, &anchor);
    if (rc == WEFT_OK) rc = s_number(self, weft_sql_copy_wanted, &top);
    if (rc != WEFT_OK) return rc;
    uint64_t first = anchor > 0 ? (uint64_t) anchor : 0, head = top > 0 ? (uint64_t) top : 0;
    if (head < first) head = first;
    if (self->up_to > head)
        return s_say(self, WEFT_E_LOG_BEHIND, "%s ends at %" PRIu64 ": there is no %" PRIu64,
                     self->from, head, self->up_to);
    if (self->up_to < first)
        return s_say(self, WEFT_E_GONE,
                     "%s has forgotten all up to %" PRIu64 ": it cannot end at %" PRIu64,
                     self->from, first, self->up_to);
    return WEFT_OK;
}

/* In the transaction of the last rows: all of one moment. A trim may have passed meanwhile. */
static weft_err_t s_rest(weft_copy_run_t *self) {
    int64_t readers;
    weft_err_t rc = weft_db_exec(self->db, weft_sql_copy_rest);
    if (rc == WEFT_OK && s_cut(self)) rc = s_check_end(self);
    if (rc == WEFT_OK) rc = s_number(self, weft_sql_copy_has_readers, &readers);
    if (rc == WEFT_OK && readers && !s_cut(self))
        rc = weft_db_exec(self->db, weft_sql_copy_readers);
    return rc;
}

static void s_size_piece(weft_copy_run_t *self, int64_t took_us) {
    int64_t most = PIECE_ROWS_MAX * self->times;
    int64_t rows = self->piece_rows * PIECE_US * self->times / (took_us > 0 ? took_us : 1);
    if (rows > self->piece_rows * 2) rows = self->piece_rows * 2;
    self->piece_rows = rows < PIECE_ROWS_MIN ? PIECE_ROWS_MIN : rows > most ? most : rows;
}

/* A log that grows as fast as small pieces are copied would have no copy: large ones cost less a row, and one
 * that takes all that is left is the last. */
static void s_hurry(weft_copy_run_t *self) {
    int64_t now_us = weft_os_monotonic_us();
    if (now_us - self->looked_us < LOOK_US) return;
    uint64_t left = self->out->wanted > self->out->at ? self->out->wanted - self->out->at : 0;
    if (self->looked_us && left >= self->left) self->times *= 2;
    self->left = left;
    self->looked_us = now_us;
}

static weft_err_t s_piece(weft_copy_run_t *self, bool *last) {
    int64_t start_us = weft_os_monotonic_us();
    weft_err_t rc = weft_db_exec(self->db, "BEGIN");
    weft_stmt_bind_int(&self->rows, 1, (int64_t) self->out->at);
    weft_stmt_bind_int(&self->rows, 2, self->piece_rows);
    weft_stmt_bind_int(&self->rows, 3, self->up_to < INT64_MAX ? (int64_t) self->up_to : INT64_MAX);
    weft_err_t ran = weft_stmt_run(&self->rows);
    if (rc == WEFT_OK) rc = ran;
    *last = sqlite3_changes(self->db) < self->piece_rows;
    if (rc == WEFT_OK && *last) rc = s_rest(self);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    s_size_piece(self, weft_os_monotonic_us() - start_us);
    if (rc == WEFT_OK) rc = s_read(&self->top, &self->out->at);
    if (rc == WEFT_OK) rc = s_read(&self->wanted, &self->out->wanted);
    if (self->out->wanted > self->up_to) self->out->wanted = self->up_to;
    s_hurry(self);
    return rc;
}

/* What is written goes to the disk piece by piece, and is waited for: all of it at the end would stand
 * in the way of the bus' own syncs for seconds. */
static weft_err_t s_copy(weft_copy_run_t *self) {
    bool last = false;
    while (!last) {
        weft_err_t rc = s_piece(self, &last);
        if (rc != WEFT_OK) return s_database(self, rc, "copy");
        (void) sync_file_range(self->sync_fd, 0, 0, PUSH); /* how fast, not whether: see s_appear */
        if (!s_go_on(self)) return s_say(self, WEFT_E_INTERRUPTED, "interrupted");
    }
    return WEFT_OK;
}

static bool s_on_origins(void *arg, const char *doing, uint64_t at, uint64_t of) {
    weft_copy_run_t *self = arg;
    self->out->doing = doing;
    self->out->at = at;
    self->out->wanted = of;
    return s_go_on(self);
}

/* What stands beside the rows as it was when the log ended there. */
static weft_err_t s_fit(weft_copy_run_t *self) {
    weft_err_t rc = self->trusted ? WEFT_OK : weft_log_trust_all(self->db);
    if (rc != WEFT_OK || !s_cut(self)) return s_database(self, rc, "copy");
    rc = weft_log_origins_cut(self->db, self->source, self->up_to, s_on_origins, self);
    if (rc == WEFT_E_INTERRUPTED) return s_say(self, rc, "interrupted");
    if (rc == WEFT_E_GONE)
        return s_say(self, rc,
                     "%s has meanwhile forgotten events beyond %" PRIu64
                     ", which told where origins stood there: choose a later end",
                     self->from, self->up_to);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, weft_sql_types_unused);
    if (rc == WEFT_OK) rc = weft_log_trust_meta(self->db);
    return s_database(self, rc, "cut");
}

static bool s_on_check(void *arg, const weft_log_check_t *so_far) {
    weft_copy_run_t *self = arg;
    self->out->doing = "checked";
    self->out->at = so_far->first + so_far->rows - 1;
    self->out->wanted = so_far->head;
    return s_go_on(self);
}

static weft_err_t s_check(weft_copy_run_t *self) {
    weft_log_check_t check;
    weft_err_t rc = weft_log_check(self->place.partial, s_on_check, self, &check);
    if (rc == WEFT_E_INTERRUPTED) return s_say(self, rc, "interrupted");
    if (rc != WEFT_OK)
        return s_say(self, rc, "%s is damaged: %s; weft check %s says more", self->from,
                     check.reason, self->from);
    self->out->log = check.log;
    self->out->first = check.first;
    self->out->head = check.head;
    return WEFT_OK;
}

static weft_err_t s_enter(weft_copy_run_t *self, const char *to) {
    char *reason = self->out->reason;
    if (snprintf(self->source, PATH_MAX, "%s/log.db", self->from) >= PATH_MAX)
        return s_say(self, WEFT_E_IO, "a path is too long");
    if (access(self->source, F_OK) != 0)
        return s_say(self, WEFT_E_NOT_FOUND, "%s is no store: %s: %s", self->from, self->source,
                     strerror(errno));
    return weft_log_partial_enter(&self->place, to, reason, sizeof self->out->reason);
}

weft_err_t weft_log_copy(const char *from, uint64_t up_to, const char *to,
                         weft_log_copy_fn progress, void *arg, weft_log_copy_t *out) {
    weft_copy_run_t self = {.out = out,
                            .progress = progress,
                            .arg = arg,
                            .from = from,
                            .up_to = up_to,
                            .place = {.lock = -1},
                            .sync_fd = -1,
                            .piece_rows = PIECE_ROWS_MIN,
                            .times = 1};
    *out = (weft_log_copy_t){.doing = "copied"};
    weft_err_t rc = s_enter(&self, to);
    bool entered = self.place.lock >= 0;
    if (rc == WEFT_OK) rc = s_database(&self, s_open(&self), "open");
    if (rc == WEFT_OK) rc = s_copy(&self);
    if (rc == WEFT_OK) rc = s_fit(&self);
    s_close(&self);
    if (rc == WEFT_OK) rc = s_check(&self);
    if (rc == WEFT_OK) rc = weft_log_partial_appear(&self.place);
    weft_log_partial_leave(&self.place, rc != WEFT_OK && entered);
    return rc;
}
