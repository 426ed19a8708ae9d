/* No room for what SQLite maps, or a hole in it: an error that says so each time, until there is room, and never a
 * write into it. The kernel's part is played here, as it takes a disk of small blocks to see it. */
#include "kit.h"

#include "weft_shm.h"
#include "weft_stmt.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    sqlite3 *db;
    bool full;      /* for the holes of a map */
    bool no_longer; /* for a longer file */
    unsigned asked, grown;
} w;

/* In place of libc's. */
int madvise(void *at, size_t size, int advice) {
    if (advice != MADV_POPULATE_WRITE) return (int) syscall(SYS_madvise, at, size, advice);
    w.asked++;
    if (!w.full) return 0;
    errno = EFAULT;
    return -1;
}

/* SQLite makes a file of this kind longer by its last byte. */
static ssize_t s_pwrite(int fd, const void *data, size_t size, off_t at) {
    if (size != 1) return pwrite(fd, data, size, at);
    w.grown++;
    if (!w.no_longer) return pwrite(fd, data, size, at);
    errno = ENOSPC;
    return -1;
}

static void s_play_pwrite(bool here) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr call = here ? (sqlite3_syscall_ptr) s_pwrite : NULL;
    if (vfs->xGetSystemCall(vfs, "pwrite64"))
        assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64", call), SQLITE_OK);
    if (vfs->xGetSystemCall(vfs, "pwrite"))
        assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite", call), SQLITE_OK);
}

static int s_set_up(void **state) {
    static unsigned serial;
    char *path = kit_path("shm-%u.db", ++serial);
    (void) state;
    memset(&w, 0, sizeof w);
    assert_rc(weft_db_open(&w.db, path, WEFT_DB_CREATE, true, 4096), WEFT_OK);
    assert_rc(weft_db_exec(w.db, "PRAGMA wal_autocheckpoint=0; CREATE TABLE t (x)"), WEFT_OK);
    free(path);
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    weft_db_close(&w.db);
    return 0;
}

/* More frames than one region of the index of the WAL counts, 4,062. */
static weft_err_t s_write(void) {
    weft_err_t rc = weft_db_exec(w.db, "BEGIN; INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION"
                                       " ALL SELECT x + 1 FROM c WHERE x < 5000)"
                                       " SELECT zeroblob(3900) FROM c; COMMIT");
    if (rc != WEFT_OK && !sqlite3_get_autocommit(w.db)) (void) weft_db_exec(w.db, "ROLLBACK");
    return rc;
}

static void each_region_is_filled_before_it_is_used(void **state) {
    (void) state;
    assert_int_equal(w.asked, 1);
    assert_rc(s_write(), WEFT_OK);
    assert_int_equal(w.asked, 2);
}

static void one_that_has_no_room_is_asked_for_again_each_time(void **state) {
    (void) state;
    w.full = true;
    for (unsigned tries = 1; tries <= 3; tries++) {
        unsigned before = w.asked;
        assert_rc(s_write(), WEFT_E_FULL);
        assert_true(w.asked > before);
    }
    w.full = false;
    assert_rc(s_write(), WEFT_OK);
}

/* Within COMMIT SQLite does not keep what the system said. */
static weft_err_t s_write_row_by_row(void) {
    weft_err_t rc = weft_db_exec(w.db, "PRAGMA synchronous=OFF");
    for (unsigned row = 0; row < 4200 && rc == WEFT_OK; row++)
        rc = weft_db_exec(w.db, "INSERT INTO t VALUES (zeroblob(3900))");
    return rc;
}

static void a_file_that_cannot_grow_is_a_full_disk_each_time(void **state) {
    (void) state;
    s_play_pwrite(true);
    w.no_longer = true;
    for (unsigned tries = 1; tries <= 3; tries++) {
        unsigned before = w.grown;
        assert_rc(s_write_row_by_row(), WEFT_E_FULL);
        assert_true(w.grown > before);
    }
    w.no_longer = false;
    assert_rc(s_write_row_by_row(), WEFT_OK);
    s_play_pwrite(false);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, s_set_up, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_region_is_filled_before_it_is_used),
        TEST(one_that_has_no_room_is_asked_for_again_each_time),
        TEST(a_file_that_cannot_grow_is_a_full_disk_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
