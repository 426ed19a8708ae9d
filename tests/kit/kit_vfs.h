/* kit_vfs: a disk in memory, as SQLite sees disks, that fails and loses power where a test says so.
 *
 * What a connection writes is seen by all at once, but lies on the disk only after a sync, as with a
 * kernel's page cache. At a power loss each sector that was not synced is kept, dropped or garbled, file
 * sizes and names included; -shm is memory and gone. For one thread. Locks and WAL indexes work, so
 * several connections see each other as on a real disk. */
#ifndef KIT_VFS_H
#define KIT_VFS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    KIT_FAULT_NONE,
    KIT_FAULT_IO,    /* any call: an I/O error */
    KIT_FAULT_FULL,  /* calls that need room: the disk is full */
    KIT_FAULT_SHORT, /* writes: half of it, then the disk is full */
    KIT_FAULT_SYNC,  /* syncs: an I/O error; what was not synced may be lost for good, unseen */
    KIT_FAULT_CRASH, /* calls that change the disk: half of it, then nothing works any more */
    KIT_FAULT_COUNT
} kit_fault_t;

extern const char *const kit_fault_names[KIT_FAULT_COUNT];

/* Become SQLite's default. Paths are those of the real disk, files are not. */
void kit_vfs_install(void);
/* An empty disk without faults. No connection may be open. */
void kit_vfs_reset(void);

/* The nth call from now on that this fault may hit fails, 1 is the next; once or from then on. */
void kit_vfs_fault(kit_fault_t fault, unsigned nth, bool for_good);
bool kit_vfs_reached(void);
/* No more faults; a disk that was full has room. */
void kit_vfs_heal(void);
/* What the fault hit: "write log.db-wal". */
const char *kit_vfs_hit(void);

/* No connection may be open. */
void kit_vfs_power_loss(uint64_t seed);
/* For tests of this itself. */
uint64_t kit_vfs_unsynced(void);

#endif
