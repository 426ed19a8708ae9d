/* I3 under a failing disk: what was not acknowledged may be missing, what was acknowledged is there,
 * nothing is ever half there. The faults come from a VFS that stands before the real one. */
#include "store_fixture.h"

static struct {
    int code;       /* SQLite's; 0: none */
    bool on_sync;   /* else on write */
    unsigned after; /* calls that still go well */
    bool for_good;  /* else once */
    bool reached;
} s_fault;

static const sqlite3_io_methods *s_real[4];
static sqlite3_io_methods s_patched[4];
static sqlite3_vfs *s_vfs, s_wrapper;

static int s_fail(bool sync) {
    if (!s_fault.code || s_fault.on_sync != sync) return SQLITE_OK;
    if (s_fault.after) {
        s_fault.after--;
        return SQLITE_OK;
    }
    int code = s_fault.code;
    s_fault.reached = true;
    if (!s_fault.for_good) s_fault.code = 0;
    return code;
}

static const sqlite3_io_methods *s_methods(sqlite3_file *file) {
    for (unsigned i = 0; i < 4; i++)
        if (file->pMethods == &s_patched[i]) return s_real[i];
    return file->pMethods;
}

static int s_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    int rc = s_fail(false);
    return rc == SQLITE_OK ? s_methods(file)->xWrite(file, bytes, size, at) : rc;
}

static int s_sync(sqlite3_file *file, int flags) {
    int rc = s_fail(true);
    return rc == SQLITE_OK ? s_methods(file)->xSync(file, flags) : rc;
}

static int s_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                  int *out) {
    (void) vfs;
    int rc = s_vfs->xOpen(s_vfs, name, file, flags, out);
    if (rc != SQLITE_OK || !file->pMethods) return rc;
    unsigned i = 0;
    while (i < 4 && s_real[i] && s_real[i] != file->pMethods) i++;
    assert_true(i < 4);
    s_real[i] = file->pMethods;
    s_patched[i] = *file->pMethods;
    s_patched[i].xWrite = s_write;
    s_patched[i].xSync = s_sync;
    file->pMethods = &s_patched[i];
    return rc;
}

static int install_vfs(void **state) {
    (void) state;
    s_vfs = sqlite3_vfs_find(NULL);
    s_wrapper = *s_vfs;
    s_wrapper.zName = "weft-faults";
    s_wrapper.pNext = NULL;
    s_wrapper.xOpen = s_open;
    return sqlite3_vfs_register(&s_wrapper, 1);
}

static void no_fault(void) {
    memset(&s_fault, 0, sizeof s_fault);
}

static int tear_down(void **state) {
    no_fault();
    return fixture_tear_down(state);
}

static void full_disk_passes(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 1, 1, 40), WEFT_OK);
    s_fault.code = SQLITE_FULL;
    s_fault.for_good = true;
    assert_rc(fixture_append(f, 1, 41, 80), WEFT_E_FULL);
    assert_true(s_fault.reached);
    assert_rc(weft_store_trouble(f->store), WEFT_E_FULL);
    assert_int_equal(weft_sequencer_position(f->sequencer), 40);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), 40);
    assert_rc(fixture_append(f, 1, 41, 80), WEFT_E_FULL);
    no_fault();
    assert_rc(fixture_append(f, 1, 41, 80), WEFT_OK);
    assert_rc(weft_store_trouble(f->store), WEFT_OK);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), 80);
    fixture_reopen(f);
    assert_int_equal(weft_store_head(f->store)->position, 80);
}

static void full_disk_passes_also_when_nothing_is_appended(void **state) {
    fixture_t *f = *state;
    assert_rc(weft_store_retry(f->store), WEFT_OK);
    s_fault.code = SQLITE_FULL;
    s_fault.for_good = true;
    assert_rc(fixture_append(f, 1, 1, 40), WEFT_E_FULL);
    s_fault.reached = false;
    assert_rc(weft_store_retry(f->store), WEFT_E_FULL);
    assert_true(s_fault.reached);
    assert_rc(weft_store_trouble(f->store), WEFT_E_FULL);
    no_fault();
    assert_rc(weft_store_retry(f->store), WEFT_OK);
    assert_rc(weft_store_trouble(f->store), WEFT_OK);
    assert_rc(fixture_append(f, 1, 1, 40), WEFT_OK);
    fixture_reopen(f);
    assert_int_equal(weft_store_head(f->store)->position, 40);
}

static void failed_sync_closes_the_store_until_restart(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 1, 1, 40), WEFT_OK);
    s_fault.code = SQLITE_IOERR_FSYNC;
    s_fault.on_sync = true;
    assert_rc(fixture_append(f, 1, 41, 80), WEFT_E_STORE);
    assert_true(s_fault.reached);
    no_fault();
    assert_rc(weft_store_trouble(f->store), WEFT_E_STORE);
    assert_rc(fixture_append(f, 1, 41, 80), WEFT_E_STORE);
    assert_rc(weft_store_retry(f->store), WEFT_E_STORE);
    assert_int_equal(weft_sequencer_position(f->sequencer), 40);
    fixture_reopen(f);
    assert_rc(weft_store_trouble(f->store), WEFT_OK);
    uint64_t head = weft_store_head(f->store)->position;
    assert_true(head == 40 || head == 80); /* all of the batch or nothing of it */
}

static void failed_sync_of_a_checkpoint_closes_the_store(void **state) {
    fixture_t *f = *state;
    uint64_t seq = 0;
    for (unsigned batch = 0; batch < 5; batch++) { /* beyond 16 MiB */
        fixture_begin(f);
        for (unsigned i = 0; i < 16; i++) assert_true(fixture_take(f, "a.b", 1, ++seq, 256000));
        assert_rc(fixture_end(f), WEFT_OK);
    }
    s_fault.code = SQLITE_IOERR_FSYNC;
    s_fault.on_sync = true;
    assert_rc(weft_store_checkpoint(f->store), WEFT_E_STORE);
    no_fault();
    assert_rc(fixture_append(f, 1, seq + 1, seq + 1), WEFT_E_STORE);
    fixture_reopen(f);
    assert_int_equal(weft_store_head(f->store)->position, seq);
}

/* Fail the Nth call, N = 1, 2, … until a run goes through untouched. */
static void each_write_and_sync_may_fail(void **state) {
    fixture_t *f = *state;
    static const int codes[] = {SQLITE_IOERR_WRITE, SQLITE_FULL, SQLITE_IOERR_FSYNC};
    uint64_t stored = 0;
    for (unsigned kind = 0; kind < 3; kind++) {
        bool reached = true;
        for (unsigned nth = 0; reached; nth++) {
            s_fault.code = codes[kind];
            s_fault.on_sync = kind == 2;
            s_fault.after = nth;
            s_fault.reached = false;
            uint64_t acked = stored;
            for (unsigned batch = 0; batch < 3; batch++) {
                uint64_t first = weft_sequencer_position(f->sequencer) + 1;
                if (fixture_append(f, 1, first, first + 39) == WEFT_OK) acked = first + 39;
            }
            reached = s_fault.reached;
            no_fault();
            fixture_reopen(f);
            stored = weft_store_head(f->store)->position;
            assert_true(stored >= acked); /* P1 */
            assert_int_equal(stored % 40, 0);
            assert_int_equal(fixture_sql(f, "SELECT last FROM origins"), stored);
            assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), stored);
            assert_true(nth < 200);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(full_disk_passes),
        T(full_disk_passes_also_when_nothing_is_appended),
        T(failed_sync_closes_the_store_until_restart),
        T(failed_sync_of_a_checkpoint_closes_the_store),
        T(each_write_and_sync_may_fail),
    };
    return cmocka_run_group_tests(tests, install_vfs, NULL);
}
