/* weft_log_copy: see weft_log_copy.h. SQLite moves the rows from file to file itself. */
#include "weft_log_copy.h"

#include "weft_log_check.h"
#include "weft_log_sql.h"
#include "weft_os.h"
#include "weft_stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_ROWS \
    5000 /* about a MiB: a transaction of some ms, and no more than that in the disk's queue */
#define PUSH (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

typedef struct {
    weft_log_copy_t *out;
    weft_log_copy_fn progress;
    void *arg;
    const char *from, *to;
    char source[PATH_MAX], partial[PATH_MAX], path[PATH_MAX];
    int lock, sync_fd;
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

/* ---- the place of the copy */

static bool s_path(char out[PATH_MAX], const char *dir, const char *name) {
    return snprintf(out, PATH_MAX, "%s%s", dir, name) < PATH_MAX;
}

/* What an earlier copy left that was killed; nobody else uses that name. */
static void s_remove_partial(const weft_copy_run_t *self, bool directory) {
    static const char *const names[] = {"/log.db", "/log.db-wal", "/log.db-shm", "/log.db-journal"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (s_path(path, self->partial, names[i])) unlink(path);
    if (!directory) return;
    if (s_path(path, self->partial, "/lock")) unlink(path);
    rmdir(self->partial);
}

static weft_err_t s_enter(weft_copy_run_t *self) {
    char path[PATH_MAX];
    long pid;
    size_t size = strlen(self->to);
    while (size > 1 && self->to[size - 1] == '/') size--;
    if (!s_path(self->source, self->from, "/log.db") ||
        snprintf(self->partial, PATH_MAX, "%.*s.partial", (int) size, self->to) >= PATH_MAX ||
        !s_path(self->path, self->partial, "/log.db") || !s_path(path, self->partial, "/lock"))
        return s_say(self, WEFT_E_IO, "a path is too long");
    if (access(self->source, F_OK) != 0)
        return s_say(self, WEFT_E_NOT_FOUND, "%s is no store: %s: %s", self->from, self->source,
                     strerror(errno));
    if (rmdir(self->to) != 0 && errno != ENOENT)
        return s_say(self, WEFT_E_STATE, "%s is there already: move it away, or choose another",
                     self->to);
    if (weft_os_mkdir(self->partial) != WEFT_OK)
        return s_say(self, WEFT_E_IO, "cannot make %s: %s", self->partial, strerror(errno));
    weft_err_t rc = weft_os_lock(&self->lock, path, &pid);
    if (rc == WEFT_E_LOCKED)
        return s_say(self, rc, "the process with pid %ld is making a copy there", pid);
    if (rc != WEFT_OK)
        return s_say(self, rc, "cannot write in %s: %s", self->partial, strerror(errno));
    s_remove_partial(self, false);
    return WEFT_OK;
}

static bool s_sync(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

static weft_err_t s_appear(weft_copy_run_t *self) {
    char parent[PATH_MAX];
    if (!s_sync(self->path, O_RDONLY) || !s_sync(self->partial, O_RDONLY | O_DIRECTORY))
        return s_say(self, WEFT_E_IO, "cannot sync %s: %s", self->partial, strerror(errno));
    if (rename(self->partial, self->to) != 0)
        return s_say(self, WEFT_E_IO, "cannot rename %s to %s: %s", self->partial, self->to,
                     strerror(errno));
    if (!s_path(parent, self->to, "/..") || !s_sync(parent, O_RDONLY | O_DIRECTORY))
        return s_say(self, WEFT_E_IO, "cannot sync the directory of %s: %s", self->to,
                     strerror(errno));
    return WEFT_OK;
}

/* ---- the two databases */

static weft_err_t s_database(weft_copy_run_t *self, weft_err_t rc, const char *what) {
    if (rc == WEFT_OK || *self->out->reason) return rc;
    if (rc == WEFT_E_FULL)
        return s_say(self, rc, "the disk of %s is full: make room, or choose another",
                     self->partial);
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
    return WEFT_OK;
}

/* No journal: a copy that does not come to its end is thrown away. */
static weft_err_t s_open(weft_copy_run_t *self) {
    char sql[128];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    int opened = sqlite3_open_v2(self->path, &self->db, flags, NULL);
    if (opened != SQLITE_OK) return weft_db_error(self->db, opened);
    sqlite3_busy_timeout(self->db, 5000);
    snprintf(sql, sizeof sql,
             "PRAGMA page_size=%u; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;",
             WEFT_LOG_PAGE_BYTES);
    weft_err_t rc = weft_db_exec(self->db, sql);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, weft_sql_create);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, weft_sql_create_readers);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "DELETE FROM main.meta");
    if (rc == WEFT_OK) rc = s_attach(self);
    if (rc == WEFT_OK) rc = s_check_source(self);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->rows, self->db, weft_sql_copy_rows);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->top, self->db, weft_sql_copy_top);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&self->wanted, self->db, weft_sql_copy_wanted);
    if (rc != WEFT_OK) return rc;
    self->sync_fd = open(self->path, O_RDWR | O_CLOEXEC);
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

/* In the transaction of the last rows: all of one moment. A trim may have passed meanwhile. */
static weft_err_t s_rest(weft_copy_run_t *self) {
    int64_t readers;
    weft_err_t rc = weft_db_exec(self->db, weft_sql_copy_rest);
    if (rc == WEFT_OK) rc = s_number(self, weft_sql_copy_has_readers, &readers);
    if (rc == WEFT_OK && readers) rc = weft_db_exec(self->db, weft_sql_copy_readers);
    return rc;
}

static weft_err_t s_piece(weft_copy_run_t *self, bool *last) {
    weft_err_t rc = weft_db_exec(self->db, "BEGIN");
    weft_stmt_bind_int(&self->rows, 1, (int64_t) self->out->at);
    weft_stmt_bind_int(&self->rows, 2, PIECE_ROWS);
    weft_err_t ran = weft_stmt_run(&self->rows);
    if (rc == WEFT_OK) rc = ran;
    *last = sqlite3_changes(self->db) < PIECE_ROWS;
    if (rc == WEFT_OK && *last) rc = s_rest(self);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    if (rc == WEFT_OK) rc = s_read(&self->top, &self->out->at);
    if (rc == WEFT_OK) rc = s_read(&self->wanted, &self->out->wanted);
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

static void s_on_check(void *arg, const weft_log_check_t *so_far) {
    weft_copy_run_t *self = arg;
    self->out->checking = true;
    self->out->at = so_far->first + so_far->rows - 1;
    self->out->wanted = so_far->head;
    (void) s_go_on(self); /* the check has no way to end early, and it only reads */
}

static weft_err_t s_check(weft_copy_run_t *self) {
    weft_log_check_t check;
    weft_err_t rc = weft_log_check(self->partial, s_on_check, self, &check);
    if (rc != WEFT_OK)
        return s_say(self, rc, "%s is damaged: %s; weft check %s says more", self->from,
                     check.reason, self->from);
    self->out->log = check.log;
    self->out->first = check.first;
    self->out->head = check.head;
    return WEFT_OK;
}

weft_err_t weft_log_copy(const char *from, const char *to, weft_log_copy_fn progress, void *arg,
                         weft_log_copy_t *out) {
    weft_copy_run_t self = {.out = out,
                            .progress = progress,
                            .arg = arg,
                            .from = from,
                            .to = to,
                            .lock = -1,
                            .sync_fd = -1};
    *out = (weft_log_copy_t){0};
    weft_err_t rc = s_enter(&self);
    bool entered = rc == WEFT_OK;
    if (rc == WEFT_OK) rc = s_database(&self, s_open(&self), "open");
    if (rc == WEFT_OK) rc = s_copy(&self);
    s_close(&self);
    if (rc == WEFT_OK) rc = s_check(&self);
    if (rc == WEFT_OK) rc = s_appear(&self);
    if (rc != WEFT_OK && entered) s_remove_partial(&self, true);
    weft_os_unlock(&self.lock);
    return rc;
}
