/* weft_doctor_disk: does what is synced in a directory survive a power loss, as far as one can see from here?
 *
 * A disk that lies cannot be found out by asking it. What can be seen: a file system that has no disk below
 * it, or keeps no order; barriers switched off; and a sync that is faster than the disk could be. */
#include "weft_findings.h"

#include "weft_os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SYNCS 64u
#define BLOCK_BYTES 4096u
#define NEVER_US 10.0  /* no disk is done sooner, one with a battery neither */
#define TURN_US 1000.0 /* nor does one that turns */
#define SLOW_US 20000.0
#define WAL_BYTES_BOUND (64 << 20)

typedef struct {
    const weft_findings_t *findings;
    char dir[PATH_MAX];
    struct stat st;
    const char *name; /* of the file system */
} weft_disk_t;

/* ---- the file system */

typedef struct {
    long magic;
    const char *name;
    weft_health_t health;
    const char *why, *mend;
} weft_file_system_t;

#define NETWORK \
    "SQLite's WAL needs memory that all its processes share, and sync over a network is its server's word"
#define LOCAL "use a directory on a local disk"
static const weft_file_system_t s_file_systems[] = {
    {0xef53, "ext4", WEFT_FINE, "", ""},
    {0x58465342, "xfs", WEFT_FINE, "", ""},
    {0x9123683e, "btrfs", WEFT_FINE, "", ""},
    {0x2fc12fc1, "zfs", WEFT_FINE, "", ""},
    {0xf2f52010, "f2fs", WEFT_FINE, "", ""},
    {0x01021994, "tmpfs", WEFT_BAD, "it is memory: gone with the power", LOCAL},
    {0x858458f6, "ramfs", WEFT_BAD, "it is memory: gone with the power", LOCAL},
    {0x794c7630, "overlay", WEFT_DOUBT, "a container's own layer: gone with the container",
     "mount a volume there"},
    {0x6969, "nfs", WEFT_BAD, NETWORK, LOCAL},
    {0xff534d42, "cifs", WEFT_BAD, NETWORK, LOCAL},
    {0xfe534d42, "smb", WEFT_BAD, NETWORK, LOCAL},
    {0x00c36400, "ceph", WEFT_BAD, NETWORK, LOCAL},
    {0x01021997, "9p", WEFT_DOUBT, "what a sync does there is the host's choice", LOCAL},
    {0x65735546, "fuse", WEFT_DOUBT, "what a sync does there is a program's choice", LOCAL},
    {0x4d44, "vfat", WEFT_DOUBT, "it keeps no order of writes", LOCAL},
};

static void s_file_system(weft_disk_t *self) {
    struct statfs fs;
    self->name = "?";
    if (statfs(self->dir, &fs) != 0) return;
    for (size_t i = 0; i < sizeof s_file_systems / sizeof *s_file_systems; i++) {
        const weft_file_system_t *known = &s_file_systems[i];
        if (known->magic != (long) (fs.f_type & 0xffffffff)) continue;
        self->name = known->name;
        if (known->health == WEFT_FINE)
            weft_finding(self->findings, WEFT_FINE, "disk", self->dir, "", "%s", known->name);
        else
            weft_finding(self->findings, known->health, "disk", self->dir, known->mend, "%s: %s",
                         known->name, known->why);
        return;
    }
    weft_finding(self->findings, WEFT_DOUBT, "disk", self->dir,
                 "ext4 and xfs are the ones that weft is tested on",
                 "an unknown file system, type %#lx", (unsigned long) fs.f_type);
}

/* The mount of this device, as /proc/self/mountinfo has it:
 * ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS */
static void s_mount(const weft_disk_t *self) {
    char line[4096], device[32];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file) return;
    snprintf(device, sizeof device, " %u:%u ", major(self->st.st_dev), minor(self->st.st_dev));
    while (fgets(line, sizeof line, file)) {
        if (!strstr(line, device)) continue;
        bool none = strstr(line, "nobarrier") || strstr(line, "barrier=0");
        if (none)
            weft_finding(self->findings, WEFT_BAD, "disk", self->dir, "mount it with barriers",
                         "mounted without write barriers: a power loss"
                         " may take what was synced");
        break;
    }
    fclose(file);
}

/* ---- sync */

static int s_compare(const void *a, const void *b) {
    const int64_t *one = a, *two = b;
    return *one < *two ? -1 : *one > *two;
}

static int s_scratch(const weft_disk_t *self) {
    char path[PATH_MAX];
    int fd = open(self->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); /* nothing is left of it */
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
    if (snprintf(path, sizeof path, "%s/.weft-doctor-XXXXXX", self->dir) >= PATH_MAX) return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    return fd;
}

/* Times of overwriting a block and waiting for the disk, in order. False: told. */
static bool s_time(const weft_disk_t *self, int64_t times[SYNCS]) {
    static uint8_t block[BLOCK_BYTES];
    int fd = s_scratch(self);
    bool ok = fd >= 0;
    for (off_t i = 0; ok && i < 16; i++)
        ok = pwrite(fd, block, sizeof block, i * BLOCK_BYTES) == (ssize_t) sizeof block;
    ok = ok && fsync(fd) == 0;
    for (size_t i = 0; ok && i < SYNCS; i++) {
        int64_t start = weft_os_monotonic_us();
        block[0]++;
        ok = pwrite(fd, block, sizeof block, (off_t) (i % 16) * BLOCK_BYTES) ==
                 (ssize_t) sizeof block &&
             fdatasync(fd) == 0;
        times[i] = weft_os_monotonic_us() - start;
    }
    if (!ok)
        weft_finding(self->findings, WEFT_BAD, "sync", self->dir,
                     "make room, or see to its rights and to the disk", "cannot write and sync: %s",
                     strerror(errno));
    if (fd >= 0) close(fd);
    qsort(times, SYNCS, sizeof *times, s_compare);
    return ok;
}

/* A word from the queue of the disk below, "" if there is none to ask. */
static void s_queue(const weft_disk_t *self, const char *what, char out[32]) {
    static const char *const places[] = {"", "/.."}; /* a partition has its disk's above it */
    char path[128];
    out[0] = '\0';
    for (size_t i = 0; i < 2 && !out[0]; i++) {
        snprintf(path, sizeof path, "/sys/dev/block/%u:%u%s/queue/%s", major(self->st.st_dev),
                 minor(self->st.st_dev), places[i], what);
        FILE *file = fopen(path, "re");
        if (!file) continue;
        if (!fgets(out, 32, file)) out[0] = '\0';
        out[strcspn(out, "\n")] = '\0';
        fclose(file);
    }
}

/* Is it some host's file, or one of this machine? Such a one says of itself that it turns, whatever is
 * below. */
static bool s_virtual(const weft_disk_t *self) {
    char link[64], path[PATH_MAX] = "";
    snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(self->st.st_dev),
             minor(self->st.st_dev));
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    return strstr(path, "/virtio") || strstr(path, "/xvd") || strstr(path, "/vmbus") ||
           strstr(path, "/block/loop");
}

static void s_sync(const weft_disk_t *self) {
    int64_t times[SYNCS] = {0};
    char turns[32], cache[32];
    if (!s_time(self, times)) return;
    double middle = (double) times[SYNCS / 2], worst = (double) times[SYNCS - 1];
    s_queue(self, "rotational", turns);
    s_queue(self, "write_cache", cache);
    weft_health_t health = WEFT_FINE;
    const char *mend = "", *says = "";
    bool host = s_virtual(self);
    if (host) says = "; a virtual disk: its host has to keep the promise";
    if (middle < NEVER_US) {
        health = WEFT_BAD;
        says = "; no disk is that fast, so nothing was waited for";
        mend = "use a disk, without nobarrier, libeatmydata or a host's unsafe cache";
    } else if (middle < TURN_US && strcmp(turns, "1") == 0 && !host) {
        health = WEFT_DOUBT;
        says = "; a disk that turns is not that fast: its cache keeps what it has acknowledged";
        mend = "switch its write cache off (hdparm -W0), unless a battery keeps it";
    } else if (middle > SLOW_US) {
        health = WEFT_DOUBT;
        says = "; each commit waits that long";
        mend = "see what else keeps the disk busy, or use a faster one";
    }
    weft_finding(self->findings, health, "sync", self->dir, mend,
                 "a sync takes %.2f ms, at most %.2f ms%s%s%s", middle / 1e3, worst / 1e3,
                 *cache ? ", cache: " : "", cache, says);
}

/* ---- room */

static void s_room(const weft_disk_t *self) {
    struct statvfs fs;
    if (statvfs(self->dir, &fs) != 0 || !fs.f_blocks) return;
    double free = (double) fs.f_bavail * (double) fs.f_frsize;
    double share = 100.0 * (double) fs.f_bavail / (double) fs.f_blocks;
    weft_health_t health = free < 100e6 || share < 1 ? WEFT_BAD
                           : free < 1e9 || share < 5 ? WEFT_DOUBT
                                                     : WEFT_FINE;
    weft_finding(self->findings, health, "room", self->dir,
                 health == WEFT_FINE ? "" : "make room, or bound the log: weft-bus --keep",
                 "%.*f %s are free, %.0f %%", free < 10e9 ? 0 : 1,
                 free < 10e9 ? free / 1e6 : free / 1e9, free < 10e9 ? "MB" : "GB", share);
    if (fs.f_files && fs.f_favail < 100)
        weft_finding(self->findings, WEFT_BAD, "room", self->dir, "remove files",
                     "no more files fit: %" PRIu64 " inodes are free", (uint64_t) fs.f_favail);
}

static void s_wal(const weft_disk_t *self) {
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/log.db-wal", self->dir) >= PATH_MAX || stat(path, &st) != 0)
        return;
    bool large = st.st_size > 2 * WAL_BYTES_BOUND;
    weft_finding(self->findings, large ? WEFT_DOUBT : WEFT_FINE, "wal", self->dir,
                 large ? "end programs that read log.db in long transactions" : "",
                 "%.0f MB wait to be moved into log.db", (double) st.st_size / 1e6);
}

void weft_doctor_disk(const weft_findings_t *findings, const char *path) {
    weft_disk_t self = {.findings = findings};
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= PATH_MAX || stat(copy, &self.st) != 0) {
        weft_finding(findings, WEFT_BAD, "disk", path, "name a directory that is there", "%s",
                     strerror(errno));
        return;
    }
    snprintf(self.dir, sizeof self.dir, "%s", S_ISDIR(self.st.st_mode) ? copy : dirname(copy));
    s_file_system(&self);
    s_mount(&self);
    s_sync(&self);
    s_room(&self);
    s_wal(&self);
}
