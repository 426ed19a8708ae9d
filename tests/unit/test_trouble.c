/* What a service says of its database: why the last write did not come in, until one has. */
#include "kit.h"

#include "weft_applier.h"

static struct {
    weft_service_store_t store;
    weft_outbox_t *outbox;
    weft_applier_t *applier;
} w;

static int s_set_up(void **state) {
    static unsigned serial;
    char *dir = kit_path("data-%u", ++serial), *bus = kit_path("nobody");
    char endpoint[200];
    (void) state;
    snprintf(endpoint, sizeof endpoint, "ipc://%s", bus);
    assert_rc(weft_service_store_open(&w.store, dir, "svc"), WEFT_OK);
    assert_rc(weft_outbox_new(&w.outbox, w.store.db, "svc", endpoint, NULL), WEFT_OK);
    assert_rc(weft_applier_new(&w.applier, &w.store, w.outbox, 3, WEFT_ON_ERROR_PARK), WEFT_OK);
    assert_rc(weft_db_exec(w.store.db, "CREATE TABLE t (x)"), WEFT_OK);
    free(dir);
    free(bus);
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    weft_applier_destroy(&w.applier);
    weft_outbox_destroy(&w.outbox);
    weft_service_store_close(&w.store);
    return 0;
}

static weft_err_t s_trouble(void) {
    weft_applier_info_t info;
    weft_applier_info(w.applier, &info);
    return info.trouble;
}

static weft_err_t s_do(weft_tx_t *tx, void *sql) {
    return weft_db_exec(weft_tx_db(tx), sql);
}

static weft_err_t s_write(const char *sql) {
    return weft_applier_transaction(w.applier, s_do, (void *) (uintptr_t) sql);
}

#define A_LOT "INSERT INTO t VALUES (zeroblob(1000000))"

static void s_no_more_room(void) {
    assert_rc(weft_db_exec(w.store.db, "PRAGMA max_page_count=1"),
              WEFT_OK); /* what there is stays */
}

static void a_full_disk_is_told_until_a_write_has_come_in(void **state) {
    (void) state;
    assert_rc(s_trouble(), WEFT_OK);
    s_no_more_room();
    assert_rc(s_trouble(), WEFT_OK);
    assert_rc(s_write(A_LOT), WEFT_E_FULL);
    assert_rc(s_trouble(), WEFT_E_FULL);
    assert_rc(s_write("SELECT count(*) FROM t"), WEFT_OK);
    assert_rc(s_trouble(), WEFT_E_FULL); /* nothing was written */
    assert_rc(s_write("DELETE FROM nowhere"), WEFT_E_STORE);
    assert_rc(s_trouble(), WEFT_E_FULL);
    assert_rc(weft_db_exec(w.store.db, "PRAGMA max_page_count=1000000"), WEFT_OK);
    assert_rc(s_write(A_LOT), WEFT_OK);
    assert_rc(s_trouble(), WEFT_OK);
}

static weft_err_t s_swallow(weft_tx_t *tx, void *arg) {
    (void) arg;
    weft_err_t rc = weft_db_exec(weft_tx_db(tx), A_LOT);
    assert_rc(weft_db_exec(weft_tx_db(tx), "SELECT 1"), WEFT_OK);
    return rc;
}

static void it_is_told_also_when_more_was_asked_of_the_database_since(void **state) {
    (void) state;
    s_no_more_room();
    assert_rc(weft_applier_transaction(w.applier, s_swallow, NULL), WEFT_E_FULL);
    assert_rc(s_trouble(), WEFT_E_FULL);
}

static void another_program_that_holds_the_database_is_told(void **state) {
    (void) state;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(w.store.path, &other), SQLITE_OK);
    assert_rc(weft_db_exec(other, "BEGIN IMMEDIATE"), WEFT_OK);
    sqlite3_busy_timeout(w.store.db, 0);
    assert_rc(s_write("INSERT INTO t VALUES (1)"), WEFT_E_LOCKED);
    assert_rc(s_trouble(), WEFT_E_LOCKED);
    assert_rc(weft_db_exec(other, "ROLLBACK"), WEFT_OK);
    sqlite3_close(other);
    assert_rc(s_write("INSERT INTO t VALUES (1)"), WEFT_OK);
    assert_rc(s_trouble(), WEFT_OK);
}

static void what_is_wrong_with_a_statement_is_no_trouble(void **state) {
    (void) state;
    assert_rc(s_write("DELETE FROM nowhere"), WEFT_E_STORE);
    assert_rc(s_trouble(), WEFT_OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, s_set_up, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk_is_told_until_a_write_has_come_in),
        TEST(it_is_told_also_when_more_was_asked_of_the_database_since),
        TEST(another_program_that_holds_the_database_is_told),
        TEST(what_is_wrong_with_a_statement_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
