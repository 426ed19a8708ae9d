/* What a handler can do to the transaction that it is in: it fails its own event, and no other. */
#include "applier_fixture.h"

static const char *s_at_two;

/* Content whatever becomes of it. */
static weft_err_t s_handle(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    weft_err_t rc = s_note(tx, event, arg);
    if (rc == WEFT_OK && event->position.value == 2)
        (void) sqlite3_exec(weft_tx_db(tx), s_at_two, NULL, NULL, NULL);
    return rc;
}

/* Three events, the second of which does this too. Gives what the last run said. */
static weft_err_t s_three(const char *sql) {
    s_exec("CREATE TABLE parent (id INTEGER PRIMARY KEY, CHECK (id <> 13));"
           "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);"
           "CREATE TRIGGER refuse BEFORE INSERT ON parent WHEN new.id = 12"
           " BEGIN SELECT RAISE(ROLLBACK, 'not twelve'); END");
    s_at_two = sql;
    assert_rc(weft_applier_on(w.applier, ">", s_handle, NULL), WEFT_OK);
    BATCH(1, "a:s/1", "a:s/2", "a:s/3");
    weft_err_t rc = WEFT_E_AGAIN;
    for (int turn = 0; turn < 50 && rc == WEFT_E_AGAIN; turn++) {
        rc = s_run();
        w.now = w.again;
    }
    return rc;
}

static void s_expect_second_parked(const char *reason) {
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 3");
    assert_string_equal(s_list("SELECT position FROM weft_parked"), "2");
    assert_non_null(strstr(s_list("SELECT error FROM weft_parked"), reason));
    assert_int_equal(s_info().stored.value, 3);
    assert_int_equal(s_info().trouble, WEFT_OK);
}

static void what_only_the_commit_would_refuse_parks_its_event_alone(void **state) {
    (void) state;
    assert_rc(s_three("INSERT INTO child VALUES (77)"), WEFT_OK);
    s_expect_second_parked("FOREIGN KEY");
}

static void a_violation_that_its_handler_mends_is_none(void **state) {
    (void) state;
    assert_rc(s_three("INSERT INTO child VALUES (77); INSERT INTO parent VALUES (77)"), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3");
}

static void a_trigger_that_rolls_all_back_parks_its_event_alone(void **state) {
    (void) state;
    assert_rc(s_three("INSERT INTO parent VALUES (12)"), WEFT_OK);
    s_expect_second_parked("ended");
}

static void a_conflict_that_rolls_all_back_parks_its_event_alone(void **state) {
    (void) state;
    assert_rc(s_three("INSERT OR ROLLBACK INTO parent VALUES (13)"), WEFT_OK);
    s_expect_second_parked("ended");
}

/* It passes for what SQLite does on a failing disk, so it is not parked. */
static void
a_handler_that_ends_the_transaction_and_begins_one_gets_nowhere_and_loses_nothing(void **state) {
    (void) state;
    assert_rc(s_three("ROLLBACK; BEGIN"), WEFT_E_AGAIN);
    assert_int_equal(s_info().stored.value, 0);
    s_at_two = "";
    assert_rc(s_run(), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3");
}

static void
a_retry_of_what_only_the_commit_would_refuse_fails_again_until_it_is_mended(void **state) {
    uint64_t done = 0;
    (void) state;
    assert_rc(s_three("INSERT INTO child VALUES (77)"), WEFT_OK);
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_E_HANDLER);
    assert_int_equal(s_sql("SELECT attempts FROM weft_parked"), 4);
    s_exec("INSERT INTO parent VALUES (77)");
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 3 2");
    assert_int_equal(done, 1);
}

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* what fails here is meant to fail */
    const struct CMUnitTest tests[] = {
        TEST(what_only_the_commit_would_refuse_parks_its_event_alone),
        TEST(a_violation_that_its_handler_mends_is_none),
        TEST(a_trigger_that_rolls_all_back_parks_its_event_alone),
        TEST(a_conflict_that_rolls_all_back_parks_its_event_alone),
        TEST(a_handler_that_ends_the_transaction_and_begins_one_gets_nowhere_and_loses_nothing),
        TEST(a_retry_of_what_only_the_commit_would_refuse_fails_again_until_it_is_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
