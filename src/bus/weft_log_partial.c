/* weft_log_partial: see weft_log_partial.h. */
#include "weft_log_partial.h"

#include "weft_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static weft_err_t s_say(weft_log_partial_t *self, weft_err_t rc, const char *format, ...)
    WEFT_PRINTF(3, 4);

static weft_err_t s_say(weft_log_partial_t *self, weft_err_t rc, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self->reason, self->reason_size, format, args);
    va_end(args);
    return rc;
}

static bool s_path(char out[PATH_MAX], const char *dir, const char *name) {
    return snprintf(out, PATH_MAX, "%s%s", dir, name) < PATH_MAX;
}

/* Nobody else uses these names. */
static void s_remove(const weft_log_partial_t *self, bool directory) {
    static const char *const names[] = {"/log.db", "/log.db-wal", "/log.db-shm", "/log.db-journal"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (s_path(path, self->partial, names[i])) unlink(path);
    if (!directory) return;
    if (s_path(path, self->partial, "/lock")) unlink(path);
    rmdir(self->partial);
}

weft_err_t weft_log_partial_enter(weft_log_partial_t *self, const char *to, char *reason,
                                  size_t reason_size) {
    char path[PATH_MAX];
    long pid;
    size_t size = strlen(to);
    *self = (weft_log_partial_t){
        .to = to, .lock = -1, .reason = reason, .reason_size = reason_size};
    while (size > 1 && to[size - 1] == '/') size--;
    if (snprintf(self->partial, PATH_MAX, "%.*s.partial", (int) size, to) >= PATH_MAX ||
        !s_path(self->path, self->partial, "/log.db") || !s_path(path, self->partial, "/lock"))
        return s_say(self, WEFT_E_IO, "a path is too long");
    if (rmdir(to) != 0 && errno != ENOENT)
        return s_say(self, WEFT_E_STATE, "%s is there already: move it away, or choose another",
                     to);
    if (weft_os_mkdir(self->partial) != WEFT_OK)
        return s_say(self, WEFT_E_IO, "cannot make %s: %s", self->partial, strerror(errno));
    weft_err_t rc = weft_os_lock(&self->lock, path, &pid);
    if (rc == WEFT_E_LOCKED)
        return s_say(self, rc, "the process with pid %ld is making a store there", pid);
    if (rc != WEFT_OK)
        return s_say(self, rc, "cannot write in %s: %s", self->partial, strerror(errno));
    s_remove(self, false);
    return WEFT_OK;
}

static bool s_sync(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

weft_err_t weft_log_partial_appear(weft_log_partial_t *self) {
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

void weft_log_partial_leave(weft_log_partial_t *self, bool remove) {
    if (remove) s_remove(self, true);
    weft_os_unlock(&self->lock);
}
