/* Statements that a handler leaves open: stepped once for their one row, to be reset before their next use. */
#include "applier_fixture.h"

#include "weft_commands.h"

static struct {
    sqlite3_stmt *stmt;
    const char *sql;
    weft_err_t gives;
} s;

static weft_err_t s_leave_open(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    weft_err_t rc = s_note(tx, event, arg);
    if (event->position.value != 2) return rc;
    if (!s.stmt)
        assert_int_equal(sqlite3_prepare_v2(weft_tx_db(tx), s.sql, -1, &s.stmt, NULL), SQLITE_OK);
    sqlite3_reset(s.stmt);
    assert_int_equal(sqlite3_step(s.stmt), SQLITE_ROW);
    return rc == WEFT_OK ? s.gives : rc;
}

static void s_three(const char *sql, weft_err_t gives) {
    s_exec("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    s.sql = sql;
    s.gives = gives;
    assert_rc(weft_applier_on(w.applier, ">", s_leave_open, NULL), WEFT_OK);
    BATCH(1, "a:s/1", "a:s/2", "a:s/3");
    weft_err_t rc = WEFT_E_AGAIN;
    for (int turn = 0; turn < 20 && rc == WEFT_E_AGAIN; turn++) {
        rc = s_run();
        w.now = w.again;
    }
    assert_rc(rc, WEFT_OK);
    assert_int_equal(s_info().stored.value, 3);
    assert_int_equal(s_info().trouble, WEFT_OK);
}

static int s_end(void **state) {
    sqlite3_finalize(s.stmt);
    s.stmt = NULL;
    return s_tear_down(state);
}

static void a_write_is_there_and_all_go_on(void **state) {
    (void) state;
    s_three("INSERT INTO parent VALUES (7) RETURNING id", WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3");
    assert_int_equal(s_sql("SELECT count(*) FROM parent"), 1);
    assert_int_equal(w.calls, 3);
}

static void a_write_is_there_when_another_event_fails(void **state) {
    (void) state;
    w.fails_at = 3;
    w.fails_for = 100;
    s_three("INSERT INTO parent VALUES (7) RETURNING id", WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2");
    assert_string_equal(s_list("SELECT position FROM weft_parked"), "3");
    assert_int_equal(s_sql("SELECT count(*) FROM parent"), 1);
}

static void an_event_that_fails_with_a_write_is_parked_alone_and_retried(void **state) {
    uint64_t done = 0;
    (void) state;
    s_three("INSERT INTO parent VALUES (7) RETURNING id", WEFT_E_ARG);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 3");
    assert_string_equal(s_list("SELECT position FROM weft_parked"), "2");
    assert_int_equal(s_sql("SELECT count(*) FROM parent"), 0);
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_E_HANDLER);
    s.gives = WEFT_OK;
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_OK);
    assert_int_equal(done, 1);
    assert_int_equal(s_sql("SELECT count(*) FROM parent"), 1);
}

static weft_err_t s_from_outside(weft_tx_t *tx, void *arg) {
    if (!s.stmt) sqlite3_prepare_v2(weft_tx_db(tx), s.sql, -1, &s.stmt, NULL);
    sqlite3_reset(s.stmt);
    assert_int_equal(sqlite3_step(s.stmt), SQLITE_ROW);
    return *(weft_err_t *) arg;
}

static void a_transaction_from_outside_ends_its_write_too(void **state) {
    weft_err_t gives = WEFT_OK;
    (void) state;
    s_exec("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    s.sql = "INSERT INTO parent VALUES (NULL) RETURNING id";
    assert_rc(weft_applier_transaction(w.applier, s_from_outside, &gives), WEFT_OK);
    gives = WEFT_E_ARG;
    assert_rc(weft_applier_transaction(w.applier, s_from_outside, &gives), WEFT_E_ARG);
    assert_int_equal(s_sql("SELECT count(*) FROM parent"), 1);
    s_on(">", NULL);
    w.fails_at = 2;
    w.fails_for = 1;
    BATCH(1, "a:s/1", "a:s/2");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2");
}

/* As weft dead retry, from a process of its own. */
static void s_write_from_another_process(void) {
    sqlite3 *other;
    int64_t id;
    assert_rc(weft_db_open(&other, w.store.path, WEFT_DB_CREATE, true, 4096), WEFT_OK);
    assert_rc(weft_commands_add(other, "retry", NULL, (weft_position_t){0}, &id), WEFT_OK);
    sqlite3_close(other);
}

static void a_read_holds_no_old_state(void **state) {
    weft_command_row_t row;
    (void) state;
    s_three("SELECT position FROM seen", WEFT_OK);
    assert_int_equal(sqlite3_txn_state(w.store.db, "main"), SQLITE_TXN_NONE);
    s_write_from_another_process();
    assert_rc(weft_commands_next(w.store.db, &row), WEFT_OK);
    weft_commands_free(&row);
    BATCH(4, "a:s/4");
    assert_rc(s_run(), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3 4");
}

static void a_read_from_outside_goes_on_where_it_stood(void **state) {
    sqlite3_stmt *outside;
    (void) state;
    s_exec("INSERT INTO seen (who, position) VALUES ('x', 100), ('x', 101)");
    assert_int_equal(sqlite3_prepare_v2(w.store.db, "SELECT position FROM seen WHERE who = 'x'", -1,
                                        &outside, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(outside), SQLITE_ROW);
    s_three("INSERT INTO parent VALUES (7) RETURNING id", WEFT_OK);
    assert_int_equal(sqlite3_step(outside), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(outside, 0), 101);
    sqlite3_finalize(outside);
}

#define TEST_OPEN(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_end)

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* what fails here is meant to fail */
    const struct CMUnitTest tests[] = {
        TEST_OPEN(a_write_is_there_and_all_go_on),
        TEST_OPEN(a_write_is_there_when_another_event_fails),
        TEST_OPEN(an_event_that_fails_with_a_write_is_parked_alone_and_retried),
        TEST_OPEN(a_transaction_from_outside_ends_its_write_too),
        TEST_OPEN(a_read_holds_no_old_state),
        TEST_OPEN(a_read_from_outside_goes_on_where_it_stood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
