/* kit_vfs: see kit_vfs.h. */
#include "kit_vfs.h"

#include "kit.h"

#include <errno.h>
#include <sqlite3.h>

#define NODES_MAX 64
#define REGIONS_MAX 16
#define REGION_BYTES 32768
#define SECTOR_BYTES 512

typedef struct {
    uint8_t *bytes;
    size_t size, capacity;
} kit_content_t;

/* A write, or a change of size (bytes NULL). */
typedef struct {
    size_t at, size;
    uint8_t *bytes;
} kit_change_t;

typedef struct kit_vfs_file kit_vfs_file_t;

typedef struct {
    bool used;
    char name[512];
    bool linked, linked_on_disk;
    kit_content_t seen, disk;
    kit_change_t *changes; /* not synced */
    size_t changes_count, changes_capacity;
    unsigned open;
    unsigned shared; /* locks */
    kit_vfs_file_t *reserved, *exclusive;
    uint8_t *regions[REGIONS_MAX];
    unsigned shm_users;
    unsigned shm_shared[SQLITE_SHM_NLOCK];
    kit_vfs_file_t *shm_exclusive[SQLITE_SHM_NLOCK];
} kit_node_t;

struct kit_vfs_file {
    sqlite3_file base;
    kit_node_t *node;
    int lock;
    bool syncs_directory, uses_shm;
    uint16_t shm_shared, shm_exclusive;
};

const char *const kit_fault_names[KIT_FAULT_COUNT] = {"none",        "I/O error",   "disk full",
                                                      "short write", "failed sync", "crash"};

static struct {
    sqlite3_vfs vfs, *real;
    kit_node_t nodes[NODES_MAX];
    kit_fault_t fault;
    unsigned left;
    bool for_good, reached;
    int last_errno;
    char hit[600];
    uint64_t seed;
} s;

/* ---- faults */

typedef enum { IS_READ = 1, IS_WRITE = 2, IS_ROOM = 4, IS_SYNC = 8 } kit_call_t; /* bits */

static bool s_may_hit(unsigned call) {
    switch (s.fault) {
    case KIT_FAULT_IO: return true;
    case KIT_FAULT_FULL: return call & IS_ROOM;
    case KIT_FAULT_SHORT: return (call & (IS_ROOM | IS_WRITE)) == (IS_ROOM | IS_WRITE);
    case KIT_FAULT_SYNC: return call & IS_SYNC;
    case KIT_FAULT_CRASH: return s.reached || call & (IS_WRITE | IS_ROOM | IS_SYNC);
    default: return false;
    }
}

static bool s_is_full(void) {
    return s.fault == KIT_FAULT_FULL || s.fault == KIT_FAULT_SHORT;
}

/* True: this call fails. */
static bool s_fails(unsigned call, const char *verb, const char *name) {
    if (!s_may_hit(call)) return false;
    if (s.reached && !s.for_good) return false;
    if (!s.reached && --s.left) return false;
    if (!s.reached) {
        const char *slash = name ? strrchr(name, '/') : NULL;
        snprintf(s.hit, sizeof s.hit, "%s %s", verb, slash ? slash + 1 : "a temporary file");
    }
    s.reached = true;
    s.last_errno = s_is_full() ? ENOSPC : EIO;
    if (s.fault == KIT_FAULT_SYNC && kit_below(&s.seed, 2))
        s.last_errno = ENOSPC; /* seen on disks */
    return true;
}

void kit_vfs_fault(kit_fault_t fault, unsigned nth, bool for_good) {
    s.fault = fault;
    s.left = nth;
    s.for_good = for_good || fault == KIT_FAULT_CRASH;
    s.reached = false;
    s.seed = nth;
    s.hit[0] = '\0';
}

bool kit_vfs_reached(void) {
    return s.reached;
}

void kit_vfs_heal(void) {
    s.fault = KIT_FAULT_NONE;
}

const char *kit_vfs_hit(void) {
    return s.hit;
}

/* ---- contents */

static void s_resize(kit_content_t *self, size_t size) {
    if (size > self->capacity) {
        self->capacity = size * 2;
        self->bytes = realloc(self->bytes, self->capacity);
        assert_non_null(self->bytes);
    }
    if (size > self->size) memset(self->bytes + self->size, 0, size - self->size);
    self->size = size;
}

static void s_put(kit_content_t *self, size_t at, const void *bytes, size_t size) {
    if (!size) return; // a file emptied has no bytes to point at
    if (at + size > self->size) s_resize(self, at + size);
    memcpy(self->bytes + at, bytes, size);
}

static void s_change(kit_node_t *node, size_t at, const void *bytes, size_t size) {
    if (node->changes_count == node->changes_capacity) {
        node->changes_capacity = node->changes_capacity ? 2 * node->changes_capacity : 64;
        node->changes = realloc(node->changes, node->changes_capacity * sizeof *node->changes);
        assert_non_null(node->changes);
    }
    kit_change_t *change = &node->changes[node->changes_count++];
    *change = (kit_change_t){.at = at, .size = size};
    if (!bytes) {
        s_resize(&node->seen, at);
        return;
    }
    change->bytes = malloc(size + 1);
    assert_non_null(change->bytes);
    memcpy(change->bytes, bytes, size);
    s_put(&node->seen, at, bytes, size);
}

static void s_forget_changes(kit_node_t *node) {
    for (size_t i = 0; i < node->changes_count; i++) free(node->changes[i].bytes);
    node->changes_count = 0;
}

static void s_reach_disk(kit_node_t *node) {
    for (size_t i = 0; i < node->changes_count; i++) {
        const kit_change_t *change = &node->changes[i];
        if (change->bytes)
            s_put(&node->disk, change->at, change->bytes, change->size);
        else
            s_resize(&node->disk, change->at);
    }
    s_forget_changes(node);
}

/* After a failed sync the kernel may take pages for clean that never reached the disk: they are read as
 * they were written until the power goes, and no later sync writes them. */
static void s_lose_some(kit_node_t *node) {
    size_t kept = 0;
    for (size_t i = 0; i < node->changes_count; i++) {
        if (node->changes[i].bytes && kit_below(&s.seed, 2))
            free(node->changes[i].bytes);
        else
            node->changes[kept++] = node->changes[i];
    }
    node->changes_count = kept;
}

/* ---- names */

static kit_node_t *s_find(const char *name) {
    for (unsigned i = 0; name && i < NODES_MAX; i++)
        if (s.nodes[i].used && s.nodes[i].linked && strcmp(s.nodes[i].name, name) == 0)
            return &s.nodes[i];
    return NULL;
}

static kit_node_t *s_create(const char *name) {
    unsigned i = 0;
    while (i < NODES_MAX && s.nodes[i].used) i++;
    assert_true(i < NODES_MAX);
    kit_node_t *node = &s.nodes[i];
    memset(node, 0, sizeof *node);
    node->used = true;
    node->linked = name != NULL;
    snprintf(node->name, sizeof node->name, "%s", name ? name : "");
    return node;
}

static void s_drop_regions(kit_node_t *node) {
    for (unsigned i = 0; i < REGIONS_MAX; i++) {
        free(node->regions[i]);
        node->regions[i] = NULL;
    }
}

static void s_free_if_unused(kit_node_t *node) {
    if (node->open || node->linked || node->linked_on_disk) return;
    s_forget_changes(node);
    s_drop_regions(node);
    free(node->changes);
    free(node->seen.bytes);
    free(node->disk.bytes);
    memset(node, 0, sizeof *node);
}

static void s_sync_names(void) {
    for (unsigned i = 0; i < NODES_MAX; i++) {
        if (!s.nodes[i].used) continue;
        s.nodes[i].linked_on_disk = s.nodes[i].linked;
        s_free_if_unused(&s.nodes[i]);
    }
}

/* ---- power loss */

/* Whole sectors of it: kept, dropped or garbled. */
static void s_tear(kit_node_t *node, const kit_change_t *change, unsigned keep, unsigned drop) {
    size_t done = 0;
    while (done < change->size) {
        size_t at = change->at + done, part = SECTOR_BYTES - at % SECTOR_BYTES;
        if (part > change->size - done) part = change->size - done;
        uint64_t fate = kit_below(&s.seed, 100);
        if (fate < keep) {
            s_put(&node->disk, at, change->bytes + done, part);
        } else if (fate >= keep + drop) {
            uint8_t garbage[SECTOR_BYTES];
            for (size_t i = 0; i < part; i++) garbage[i] = (uint8_t) kit_random(&s.seed);
            s_put(&node->disk, at, garbage, part);
        }
        done += part;
    }
}

static void s_lose_power(kit_node_t *node, unsigned keep, unsigned drop) {
    for (size_t i = 0; i < node->changes_count; i++) {
        const kit_change_t *change = &node->changes[i];
        if (change->bytes)
            s_tear(node, change, keep, drop);
        else if (kit_below(&s.seed, 100) < keep)
            s_resize(&node->disk, change->at);
    }
    s_forget_changes(node);
    s_drop_regions(node);
    s_resize(&node->seen, 0);
    s_put(&node->seen, 0, node->disk.bytes, node->disk.size);
}

/* A name whose last change was not synced stands for the old or the new file, or for none. */
static void s_choose_name(kit_node_t *node) {
    bool new_one = kit_below(&s.seed, 2);
    for (unsigned i = 0; i < NODES_MAX; i++) {
        kit_node_t *other = &s.nodes[i];
        if (!other->used || strcmp(other->name, node->name) != 0) continue;
        bool wins = new_one ? other->linked : other->linked_on_disk;
        other->linked = other->linked_on_disk = wins;
    }
}

void kit_vfs_power_loss(uint64_t seed) {
    static const unsigned keeps[] = {0, 100, 50, 90}, drops[] = {100, 0, 30, 5};
    unsigned mood = (unsigned) (seed % 4);
    s.seed = seed;
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (s.nodes[i].used && s.nodes[i].linked != s.nodes[i].linked_on_disk)
            s_choose_name(&s.nodes[i]);
    for (unsigned i = 0; i < NODES_MAX; i++) {
        if (!s.nodes[i].used) continue;
        assert_int_equal(s.nodes[i].open, 0);
        s_lose_power(&s.nodes[i], keeps[mood], drops[mood]);
        s_free_if_unused(&s.nodes[i]);
    }
}

uint64_t kit_vfs_unsynced(void) {
    uint64_t count = 0;
    for (unsigned i = 0; i < NODES_MAX; i++) count += s.nodes[i].changes_count;
    return count;
}

void kit_vfs_reset(void) {
    for (unsigned i = 0; i < NODES_MAX; i++) {
        if (!s.nodes[i].used) continue;
        s.nodes[i].linked = s.nodes[i].linked_on_disk = false;
        s_free_if_unused(&s.nodes[i]);
    }
    kit_vfs_heal();
}

/* ---- files */

static kit_vfs_file_t *s_file(sqlite3_file *file) {
    return (kit_vfs_file_t *) file;
}

static int s_close(sqlite3_file *base) {
    kit_vfs_file_t *file = s_file(base);
    file->node->open--;
    s_free_if_unused(file->node);
    return SQLITE_OK;
}

static int s_read(sqlite3_file *base, void *to, int size, sqlite3_int64 at) {
    const kit_node_t *node = s_file(base)->node;
    size_t wanted = (size_t) size, from = (size_t) at;
    if (s_fails(IS_READ, "read", node->name)) return SQLITE_IOERR_READ;
    size_t there = from < node->seen.size ? node->seen.size - from : 0;
    if (there > wanted) there = wanted;
    if (there) memcpy(to, node->seen.bytes + from, there);
    if (there == wanted) return SQLITE_OK;
    memset((uint8_t *) to + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
}

static int s_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 at) {
    kit_node_t *node = s_file(base)->node;
    bool dead = s.reached && s.for_good; /* a second failure writes nothing */
    if (!s_fails(IS_WRITE | IS_ROOM, "write", node->name)) {
        s_change(node, (size_t) at, bytes, (size_t) size);
        return SQLITE_OK;
    }
    if (!dead && (s.fault == KIT_FAULT_SHORT || s.fault == KIT_FAULT_CRASH))
        s_change(node, (size_t) at, bytes, (size_t) size / 2);
    return s_is_full() ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int s_truncate(sqlite3_file *base, sqlite3_int64 size) {
    kit_node_t *node = s_file(base)->node;
    if (s_fails(IS_WRITE, "truncate", node->name)) return SQLITE_IOERR_TRUNCATE;
    s_change(node, (size_t) size, NULL, 0);
    return SQLITE_OK;
}

static int s_sync(sqlite3_file *base, int flags) {
    kit_vfs_file_t *file = s_file(base);
    (void) flags;
    if (s_fails(IS_SYNC, "sync", file->node->name)) {
        if (s.fault == KIT_FAULT_SYNC) s_lose_some(file->node);
        return SQLITE_IOERR_FSYNC;
    }
    s_reach_disk(file->node);
    if (file->syncs_directory) s_sync_names(); /* as SQLite's unix VFS does for a new WAL */
    file->syncs_directory = false;
    return SQLITE_OK;
}

static int s_size(sqlite3_file *base, sqlite3_int64 *size) {
    const kit_node_t *node = s_file(base)->node;
    if (s_fails(IS_READ, "size", node->name)) return SQLITE_IOERR_FSTAT;
    *size = (sqlite3_int64) node->seen.size;
    return SQLITE_OK;
}

/* ---- locks */

static int s_lock(sqlite3_file *base, int level) {
    kit_vfs_file_t *file = s_file(base);
    kit_node_t *node = file->node;
    if (level <= file->lock) return SQLITE_OK;
    if (s_fails(IS_READ, "lock", node->name)) return SQLITE_IOERR_LOCK;
    if (file->lock == SQLITE_LOCK_NONE) {
        if (node->exclusive) return SQLITE_BUSY;
        node->shared++;
        file->lock = SQLITE_LOCK_SHARED;
    }
    if (level >= SQLITE_LOCK_RESERVED) {
        if (node->reserved && node->reserved != file) return SQLITE_BUSY;
        node->reserved = file;
        file->lock = SQLITE_LOCK_RESERVED;
    }
    if (level == SQLITE_LOCK_EXCLUSIVE) {
        node->exclusive = file; /* pending: nobody new gets in */
        file->lock = SQLITE_LOCK_PENDING;
        if (node->shared > 1) return SQLITE_BUSY;
        file->lock = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
}

static int s_unlock(sqlite3_file *base, int level) {
    kit_vfs_file_t *file = s_file(base);
    kit_node_t *node = file->node;
    if (level >= file->lock) return SQLITE_OK;
    if (node->reserved == file) node->reserved = NULL;
    if (node->exclusive == file) node->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE) node->shared--;
    file->lock = level;
    return SQLITE_OK;
}

static int s_check_reserved(sqlite3_file *base, int *out) {
    *out = s_file(base)->node->reserved != NULL;
    return SQLITE_OK;
}

/* ---- the WAL's index */

static int s_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out) {
    kit_vfs_file_t *file = s_file(base);
    kit_node_t *node = file->node;
    *out = NULL;
    assert_true(region < REGIONS_MAX && size == REGION_BYTES);
    if (s_fails(extend ? IS_ROOM : IS_READ, "map", node->name))
        return s_is_full() ? SQLITE_IOERR_SHMSIZE : SQLITE_IOERR_SHMMAP;
    if (!file->uses_shm) node->shm_users++;
    file->uses_shm = true;
    if (!node->regions[region] && extend) {
        node->regions[region] = calloc(1, REGION_BYTES);
        assert_non_null(node->regions[region]);
    }
    *out = node->regions[region];
    return SQLITE_OK;
}

static int s_shm_lock(sqlite3_file *base, int first, int count, int flags) {
    kit_vfs_file_t *file = s_file(base);
    kit_node_t *node = file->node;
    for (int i = first; i < first + count && flags & SQLITE_SHM_LOCK; i++) {
        bool others = node->shm_shared[i] > (unsigned) (file->shm_shared >> i & 1);
        if (node->shm_exclusive[i] && node->shm_exclusive[i] != file) return SQLITE_BUSY;
        if (flags & SQLITE_SHM_EXCLUSIVE && others) return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; i++) {
        uint16_t bit = (uint16_t) (1u << i);
        bool exclusive = flags & SQLITE_SHM_EXCLUSIVE, take = flags & SQLITE_SHM_LOCK;
        if (exclusive) {
            node->shm_exclusive[i] = take ? file : NULL;
        } else if (take && !(file->shm_shared & bit)) {
            node->shm_shared[i]++;
            file->shm_shared |= bit;
        } else if (!take && file->shm_shared & bit) {
            node->shm_shared[i]--;
            file->shm_shared &= (uint16_t) ~bit;
        }
    }
    return SQLITE_OK;
}

static void s_shm_barrier(sqlite3_file *base) {
    (void) base;
}

static int s_shm_unmap(sqlite3_file *base, int delete_it) {
    kit_vfs_file_t *file = s_file(base);
    (void) delete_it;
    if (!file->uses_shm) return SQLITE_OK;
    file->uses_shm = false;
    if (--file->node->shm_users == 0) s_drop_regions(file->node); /* who comes first starts anew */
    return SQLITE_OK;
}

static int s_control(sqlite3_file *base, int op, void *arg) {
    (void) base;
    (void) op;
    (void) arg;
    return SQLITE_NOTFOUND;
}

static int s_sector(sqlite3_file *base) {
    (void) base;
    return SECTOR_BYTES;
}

static int s_traits(sqlite3_file *base) {
    (void) base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as the unix VFS says */
}

static const sqlite3_io_methods s_methods = {
    .iVersion = 2,
    .xClose = s_close,
    .xRead = s_read,
    .xWrite = s_write,
    .xTruncate = s_truncate,
    .xSync = s_sync,
    .xFileSize = s_size,
    .xLock = s_lock,
    .xUnlock = s_unlock,
    .xCheckReservedLock = s_check_reserved,
    .xFileControl = s_control,
    .xSectorSize = s_sector,
    .xDeviceCharacteristics = s_traits,
    .xShmMap = s_shm_map,
    .xShmLock = s_shm_lock,
    .xShmBarrier = s_shm_barrier,
    .xShmUnmap = s_shm_unmap,
};

/* ---- the disk */

static int s_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags,
                  int *out_flags) {
    kit_vfs_file_t *file = s_file(base);
    kit_node_t *node = s_find(name);
    bool create = !node && flags & SQLITE_OPEN_CREATE;
    (void) vfs;
    memset(file, 0, sizeof *file);
    if (!node && !create) return SQLITE_CANTOPEN;
    if (s_fails(create ? IS_WRITE | IS_ROOM : IS_READ, "open", name)) return SQLITE_CANTOPEN;
    if (!node) node = s_create(name);
    node->open++;
    file->base.pMethods = &s_methods;
    file->node = node;
    file->syncs_directory = flags & SQLITE_OPEN_CREATE &&
                            flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

static int s_delete(sqlite3_vfs *vfs, const char *name, int sync_directory) {
    kit_node_t *node = s_find(name);
    (void) vfs;
    if (s_fails(IS_WRITE, "delete", name)) return SQLITE_IOERR_DELETE;
    if (!node) return SQLITE_IOERR_DELETE_NOENT;
    node->linked = false;
    s_free_if_unused(node);
    if (sync_directory) s_sync_names();
    return SQLITE_OK;
}

static int s_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    const kit_node_t *node = s_find(name);
    (void) vfs;
    if (s_fails(IS_READ, "look for", name)) return SQLITE_IOERR_ACCESS;
    *out = node &&
           (flags != SQLITE_ACCESS_EXISTS || node->seen.size > 0); /* as unix: empty is none */
    return SQLITE_OK;
}

static int s_last_error(sqlite3_vfs *vfs, int size, char *text) {
    (void) vfs;
    (void) size;
    (void) text;
    return s.last_errno;
}

void kit_vfs_install(void) {
    s.real = sqlite3_vfs_find(NULL);
    s.vfs = *s.real;
    s.vfs.zName = "kit";
    s.vfs.pNext = NULL;
    s.vfs.szOsFile = sizeof(kit_vfs_file_t);
    s.vfs.xOpen = s_open;
    s.vfs.xDelete = s_delete;
    s.vfs.xAccess = s_access;
    s.vfs.xGetLastError = s_last_error;
    assert_int_equal(sqlite3_vfs_register(&s.vfs, 1), SQLITE_OK);
    kit_vfs_reset();
}
