/* The checkpointer: what is in the WAL gets into the database, also while commits go on, and a failed sync is told. */
#include "kit.h"
#include "store_fixture.h"

#include "kit_vfs.h"
#include "weft_checkpointer.h"

#define EACH 500u /* events a commit */
#define BYTES 1000u

static weft_checkpointer_t *s_new(const fixture_t *f) {
    weft_checkpointer_t *self;
    assert_rc(weft_checkpointer_new(&self, weft_store_path(f->store), true), WEFT_OK);
    return self;
}

static void s_append(fixture_t *f, uint64_t *seq) {
    fixture_begin(f);
    for (unsigned i = 0; i < EACH; i++) assert_true(fixture_take(f, "a.b", 1, ++*seq, BYTES));
    assert_rc(fixture_end(f), WEFT_OK);
}

static weft_err_t s_ended(weft_checkpointer_t *self) {
    weft_err_t rc;
    assert_true(weft_checkpointer_ended(self, true, &rc));
    return rc;
}

/* Rows in the database file alone, without the WAL. */
static uint64_t s_rows(const fixture_t *f) {
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *st;
    snprintf(path, sizeof path, "file:%s?immutable=1", weft_store_path(f->store));
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    bool there = sqlite3_prepare_v2(db, "SELECT count(*) FROM events", -1, &st, NULL) == SQLITE_OK;
    if (there) assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    uint64_t rows = there ? (uint64_t) sqlite3_column_int64(st, 0) : 0; /* no table yet either */
    sqlite3_finalize(st);
    sqlite3_close(db);
    return rows;
}

static void it_moves_while_commits_go_on(void **state) {
    fixture_t *f = *state;
    uint64_t seq = 0, moved = 0;
    weft_checkpointer_t *self = s_new(f);
    s_append(f, &seq);
    for (unsigned round = 0; round < 5; round++) {
        weft_checkpointer_start(self);
        for (unsigned i = 0; i < 3; i++) s_append(f, &seq);
        assert_rc(s_ended(self), WEFT_OK);
        uint64_t rows = s_rows(f); /* how many is a matter of whose transaction was in the way */
        assert_in_range(rows, moved, seq);
        moved = rows;
    }
    assert_true(moved > 0);
    weft_checkpointer_start(self);
    assert_rc(s_ended(self), WEFT_OK);
    assert_int_equal(s_rows(f), seq);
    weft_checkpointer_destroy(&self);
    fixture_reopen(f);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), seq);
}

static void it_is_stopped_with_a_move_in_hand(void **state) {
    fixture_t *f = *state;
    uint64_t seq = 0;
    for (unsigned i = 0; i < 20; i++) {
        weft_checkpointer_t *self = s_new(f);
        s_append(f, &seq);
        weft_checkpointer_start(self);
        weft_checkpointer_destroy(&self);
    }
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), seq);
}

/* The owner waits meanwhile: the disk in memory is for one thread at a time. */
static void a_failed_sync_is_told(void **state) {
    fixture_t *f = *state;
    uint64_t seq = 0;
    weft_checkpointer_t *self = s_new(f);
    s_append(f, &seq);
    kit_vfs_fault(KIT_FAULT_SYNC, 1, false);
    weft_checkpointer_start(self);
    assert_rc(s_ended(self), WEFT_E_STORE);
    assert_true(kit_vfs_reached());
    kit_vfs_heal();
    s_append(f, &seq);
    assert_rc(weft_store_moved(f->store, WEFT_E_LOCKED), WEFT_OK);
    assert_rc(weft_store_moved(f->store, WEFT_E_FULL), WEFT_OK);
    s_append(f, &seq);
    assert_rc(weft_store_moved(f->store, WEFT_E_STORE), WEFT_E_STORE);
    assert_int_equal(weft_store_trouble(f->store), WEFT_E_STORE); /* for good */
    fixture_begin(f);
    assert_true(fixture_take(f, "a.b", 1, ++seq, BYTES));
    assert_rc(fixture_end(f), WEFT_E_STORE);
    weft_checkpointer_destroy(&self);
}

static int s_set_up_in_memory(void **state) {
    kit_vfs_install();
    kit_vfs_reset();
    return fixture_set_up(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(it_moves_while_commits_go_on), T(it_is_stopped_with_a_move_in_hand),
        cmocka_unit_test_setup_teardown(
            a_failed_sync_is_told, s_set_up_in_memory,
            fixture_tear_down), /* the last: all after it is in memory */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
