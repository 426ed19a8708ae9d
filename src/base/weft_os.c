/* weft_os: see weft_os.h. */
#include "weft_os.h"

#include "weft_assert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t weft_os_now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t weft_os_monotonic_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t weft_os_monotonic_ms(void) {
    return weft_os_monotonic_us() / 1000;
}

void weft_os_random_fill(void *to, size_t size) {
    ssize_t got;
    do {
        got = getrandom(to, size, 0);
    } while (got < 0 && errno == EINTR);
    WEFT_ASSERT(got == (ssize_t) size); /* up to 256 bytes come whole (getrandom(2)) */
}

uint64_t weft_os_random(void) {
    uint64_t value;
    do {
        weft_os_random_fill(&value, sizeof value);
    } while (!value);
    return value;
}

void weft_os_uuid(weft_uuid_t *out) {
    weft_os_random_fill(out->bytes, sizeof out->bytes);
    out->bytes[6] = (uint8_t) ((out->bytes[6] & 0x0f) | 0x40);
    out->bytes[8] = (uint8_t) ((out->bytes[8] & 0x3f) | 0x80);
}

static int s_open_parent(const char *path, int flags) {
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t) (slash - path) : 0;
    if (!slash)
        memcpy(parent, ".", 2);
    else
        snprintf(parent, sizeof parent, "%.*s/", (int) size, path);
    return open(parent, flags | O_CLOEXEC, 0600);
}

/* A new directory survives power loss once its parent is synced. */
static bool s_sync_parent(const char *path) {
    int fd = s_open_parent(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool s_make(const char *path) {
    if (mkdir(path, 0777) == 0) return s_sync_parent(path);
    return errno == EEXIST;
}

weft_err_t weft_os_mkdir(const char *path) {
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (!size || size >= sizeof part) {
        errno = size ? ENAMETOOLONG : ENOENT;
        return WEFT_E_IO;
    }
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        char keep = part[i];
        part[i] = '\0';
        if (!s_make(part)) return WEFT_E_IO;
        part[i] = keep;
    }
    struct stat st;
    if (stat(path, &st) != 0) return WEFT_E_IO;
    if (S_ISDIR(st.st_mode)) return WEFT_OK;
    errno = ENOTDIR;
    return WEFT_E_IO;
}

bool weft_os_has_room(const char *path, size_t bytes) {
    int fd = s_open_parent(path, O_TMPFILE | O_RDWR); /* without a name: nothing is left of it */
    if (fd < 0) return errno != ENOSPC && errno != EDQUOT;
    int error = posix_fallocate(fd, 0, (off_t) bytes);
    close(fd);
    return error != ENOSPC && error != EDQUOT;
}

weft_err_t weft_os_lock(int *out, const char *path, long *pid) {
    *out = -1;
    *pid = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return WEFT_E_IO;
    char text[32] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool held = errno == EWOULDBLOCK;
        if (held && read(fd, text, sizeof text - 1) > 0) *pid = strtol(text, NULL, 10);
        close(fd);
        return held ? WEFT_E_LOCKED : WEFT_E_IO;
    }
    int size = snprintf(text, sizeof text, "%ld\n", (long) getpid());
    if (pwrite(fd, text, (size_t) size, 0) != size || ftruncate(fd, size) != 0) {
        int keep =
            errno; /* a full disk must not keep a service from starting: the pid is for people */
        if (keep != ENOSPC && keep != EDQUOT) {
            close(fd);
            errno = keep;
            return WEFT_E_IO;
        }
    }
    *out = fd;
    return WEFT_OK;
}

void weft_os_unlock(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}
