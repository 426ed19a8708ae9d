/* weft_shm: see weft_shm.h. A file's methods with one of them replaced, as a VFS shim would have it. */
#include "weft_shm.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

typedef int (*shm_map_fn)(sqlite3_file *, int, int, int, void volatile **);

static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_io_methods s_methods;
static shm_map_fn s_map;

/* Only a hole without room gives EFAULT; whatever else is not ours to judge, as memory that is no map of a file. */
static int s_map_filled(sqlite3_file *file, int region, int bytes, int extend,
                        void volatile **out) {
    errno = 0;
    int rc = s_map(file, region, bytes, extend, out);
    if (rc == SQLITE_IOERR_SHMSIZE && (errno == ENOSPC || errno == EDQUOT)) return SQLITE_FULL;
    if (rc != SQLITE_OK || !*out) return rc;
    bool full = madvise((void *) *out, (size_t) bytes, MADV_POPULATE_WRITE) != 0 && errno == EFAULT;
    if (!full) return SQLITE_OK;
    *out = NULL; /* what SQLite is given it keeps, error or not, and does not ask for again */
    return SQLITE_FULL;
}

void weft_shm_fill(sqlite3 *db) {
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
        !file->pMethods || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap)
        return;
    pthread_mutex_lock(&s_lock);
    if (!s_map) {
        s_methods = *file->pMethods;
        s_map = s_methods.xShmMap;
        s_methods.xShmMap = s_map_filled;
    }
    if (file->pMethods->xShmMap == s_map) file->pMethods = &s_methods;
    pthread_mutex_unlock(&s_lock);
}
