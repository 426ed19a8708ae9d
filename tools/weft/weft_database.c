/* weft_database: see weft_database.h. */
#include "weft_database.h"

#include "weft_os.h"
#include "weft_state.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

/* ---- finding the file */

static bool s_is_path(const char *which) {
    size_t size = strlen(which);
    return strchr(which, '/') || strcmp(which, ".") == 0 ||
           (size > 3 && strcmp(which + size - 3, ".db") == 0);
}

static weft_err_t s_in_directory(weft_database_t *self, const weft_args_t *args, const char *dir) {
    char *pattern = NULL;
    glob_t found = {0};
    weft_err_t rc = WEFT_OK;
    if (asprintf(&pattern, "%s/*.db", dir) < 0) return WEFT_E_NOMEM;
    int error = glob(pattern, 0, NULL, &found);
    if (error || found.gl_pathc != 1)
        rc = weft_say(args->verb, WEFT_E_NOT_FOUND, "%s holds %s database; name the file itself",
                      dir, error ? "no" : "more than one");
    else
        self->path = strdup(found.gl_pathv[0]);
    globfree(&found);
    free(pattern);
    return rc;
}

static weft_err_t s_by_name(weft_database_t *self, const weft_args_t *args, const char *name) {
    weft_ask_t ask;
    json_t *state, *service;
    size_t i;
    weft_err_t rc = weft_ask_begin(&ask, args);
    if (rc != WEFT_OK) return rc;
    rc = weft_state_ask(&ask, args, &state);
    weft_ask_close(&ask);
    if (rc != WEFT_OK) return rc;
    json_array_foreach(json_object_get(state, "services"), i, service) {
        const char *path = weft_json_text(service, "database");
        if (strcmp(weft_json_text(service, "name"), name) != 0 || !*path) continue;
        free(self->path);
        self->path = strdup(path);
    }
    json_decref(state);
    if (self->path) return WEFT_OK;
    return weft_say(args->verb, WEFT_E_NOT_FOUND,
                    "the bus knows no database of '%s': weft services lists names; or give the path"
                    " DIR/%s.db",
                    name, name);
}

static weft_err_t s_find(weft_database_t *self, const weft_args_t *args, const char *which) {
    struct stat stat_;
    weft_err_t rc = WEFT_OK;
    if (!s_is_path(which))
        rc = s_by_name(self, args, which);
    else if (stat(which, &stat_) == 0 && S_ISDIR(stat_.st_mode))
        rc = s_in_directory(self, args, which);
    else
        self->path = strdup(which);
    if (rc != WEFT_OK) return rc;
    if (!self->path) return WEFT_E_NOMEM;
    if (access(self->path, R_OK) == 0) return WEFT_OK;
    return weft_say(args->verb, WEFT_E_NOT_FOUND, "cannot read %s%s", self->path,
                    s_is_path(which) ? "" : "; does the service run on another machine?");
}

/* ---- opening */

/* Is the service running? OWN keeps the lock. */
static weft_err_t s_lock(weft_database_t *self, const weft_args_t *args,
                         weft_database_mode_t mode) {
    char *path = NULL;
    size_t stem = strlen(self->path);
    if (stem > 3 && strcmp(self->path + stem - 3, ".db") == 0) stem -= 3;
    if (asprintf(&path, "%.*s.lock", (int) stem, self->path) < 0) return WEFT_E_NOMEM;
    weft_err_t rc = weft_os_lock(&self->lock_fd, path, &self->pid);
    free(path);
    self->running = rc == WEFT_E_LOCKED;
    if (mode == WEFT_DATABASE_OWN && self->running)
        return weft_say(args->verb, rc, "the service runs on %s (pid %ld): stop it first",
                        self->path, self->pid);
    if (rc == WEFT_OK && mode != WEFT_DATABASE_OWN) weft_os_unlock(&self->lock_fd);
    if (rc == WEFT_E_IO && mode == WEFT_DATABASE_OWN)
        return weft_say(args->verb, rc, "cannot lock %s", self->path);
    return WEFT_OK;
}

static weft_err_t s_name(weft_database_t *self, const weft_args_t *args) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db,
                                      "SELECT value FROM weft_meta WHERE key = 'name'");
    if (rc == WEFT_OK) {
        const char *name = weft_stmt_row(&stmt) ? weft_stmt_text(&stmt, 0, NULL) : NULL;
        self->name = name ? strdup(name) : NULL;
        rc = weft_stmt_done(&stmt);
        weft_stmt_free(&stmt);
    }
    if (rc == WEFT_OK && self->name) return rc;
    return weft_say(args->verb, WEFT_E_NOT_FOUND, "%s is no database of a weft service",
                    self->path);
}

weft_err_t weft_database_open(weft_database_t *self, const weft_args_t *args, const char *which,
                              weft_database_mode_t mode) {
    *self = (weft_database_t){.lock_fd = -1};
    weft_err_t rc = s_find(self, args, which);
    if (rc == WEFT_OK) rc = s_lock(self, args, mode);
    if (rc == WEFT_OK) {
        rc = weft_db_open(&self->db, self->path,
                          mode == WEFT_DATABASE_READ ? WEFT_DB_READ_ONLY : WEFT_DB_CREATE, true,
                          PAGE_BYTES);
        if (rc != WEFT_OK)
            weft_say(args->verb, rc, "cannot open %s: %s", self->path, weft_err_text(rc));
    }
    if (rc == WEFT_OK) rc = s_name(self, args);
    if (rc != WEFT_OK) weft_database_close(self);
    return rc;
}

void weft_database_close(weft_database_t *self) {
    if (self->db) weft_db_close(&self->db);
    weft_os_unlock(&self->lock_fd);
    free(self->path);
    free(self->name);
    *self = (weft_database_t){.lock_fd = -1};
}

weft_err_t weft_database_failed(const weft_database_t *self, const weft_args_t *args,
                                weft_err_t rc) {
    return weft_say(args->verb, rc, "%s: %s (%s)", self->path, weft_err_text(rc),
                    sqlite3_errmsg(self->db));
}

weft_err_t weft_database_number(const weft_database_t *self, const char *sql, uint64_t *out) {
    weft_stmt_t stmt;
    *out = 0;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->db, sql);
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&stmt)) *out = weft_stmt_bits(&stmt, 0);
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    return rc;
}
