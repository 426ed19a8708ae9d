/* weft_shm: room on the disk for what SQLite maps into memory.
 *
 * Beside a WAL lies PATH-shm, which SQLite maps (https://sqlite.org/walformat.html#the_wal_index_file_format).
 * It makes room in it by one byte in each 4 KiB (unixShmMap in os_unix.c), so where blocks are smaller the rest
 * are holes, and on a full disk the first write into one ends the process by SIGBUS. */
#ifndef WEFT_SHM_H
#define WEFT_SHM_H

#include <sqlite3.h>

/* From now on db has all blocks of such a map before it uses it, or fails with SQLITE_FULL. Before the first
 * statement; any thread. Kernels before Linux 5.14 cannot, and keep the holes. */
void weft_shm_fill(sqlite3 *db);

#endif
