/* What a service says of its database: why the last write did not come in, until one has. */
#include "applier_fixture.h"

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

#define A_LOT "INSERT INTO seen (who) VALUES (zeroblob(1000000))"

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
    assert_rc(s_write("SELECT count(*) FROM seen"), WEFT_OK);
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
    assert_rc(s_write("INSERT INTO seen (who) VALUES (1)"), WEFT_E_LOCKED);
    assert_rc(s_trouble(), WEFT_E_LOCKED);
    assert_rc(weft_db_exec(other, "ROLLBACK"), WEFT_OK);
    sqlite3_close(other);
    assert_rc(s_write("INSERT INTO seen (who) VALUES (1)"), WEFT_OK);
    assert_rc(s_trouble(), WEFT_OK);
}

static void what_is_wrong_with_a_statement_is_no_trouble(void **state) {
    (void) state;
    assert_rc(s_write("DELETE FROM nowhere"), WEFT_E_STORE);
    assert_rc(s_trouble(), WEFT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk_is_told_until_a_write_has_come_in),
        TEST(it_is_told_also_when_more_was_asked_of_the_database_since),
        TEST(another_program_that_holds_the_database_is_told),
        TEST(what_is_wrong_with_a_statement_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
