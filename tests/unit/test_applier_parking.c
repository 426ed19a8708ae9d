/* An event that fails for good is parked with what follows it in its subject, and worked off by a retry. */
#include "applier_fixture.h"

#include "weft_limits.h"

/* ---- parking */

static void a_poison_event_is_parked_with_its_subject_and_others_flow(void **state) {
    (void) state;
    s_on(">", NULL);
    w.fails_at = 2, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/2", "a:s/1", "a:s/2", "a:");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 3 5");
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "2 4");
    assert_string_equal(s_list("SELECT attempts FROM weft_parked ORDER BY position"), "3 0");
    assert_string_equal(s_list("SELECT error FROM weft_parked WHERE position=2"),
                        "ARG: not 7 times");
    assert_int_equal(s_sql("SELECT event = (SELECT event FROM weft_parked WHERE position=2)"
                           " FROM weft_parked WHERE position=2"),
                     1);
    s_stands_at(5);
    assert_int_equal(s_info().parked, 2);
    BATCH(6, "a:s/2", "a:s/3"); /* also in a later batch */
    s_finish();
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "2 4 6");
    s_close(); /* and after a restart */
    s_open(3, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    assert_int_equal(s_info().parked, 3);
    BATCH(8, "a:s/2", "a:s/1");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "2 4 6 8");
    s_stands_at(9);
}

static void an_event_without_subject_parks_only_itself(void **state) {
    (void) state;
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:", "a:", "a:s/1");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM weft_parked"), "1");
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "2 3");
    s_close();
    s_open(3, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    BATCH(4, "a:");
    s_finish();
    assert_int_equal(s_info().parked, 1);
}

static void parking_after_the_first_attempt_is_possible(void **state) {
    (void) state;
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1");
    assert_rc(s_run(), WEFT_OK);
    assert_int_equal(s_info().parked, 1);
    s_stands_at(1);
}

static void parked_rows_end_at_their_limit(void **state) {
    (void) state;
    char sql[300];
    snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %u)"
        " INSERT INTO weft_parked SELECT 1000000+i, '', 'old/'||(i%%7), 'a', x'c0', 0, 0, 1, '', 0 FROM n",
        WEFT_PARKED_MAX - 1);
    s_exec(sql);
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/1", "a:s/2");
    assert_rc(s_run(), WEFT_E_PARKED_FULL); /* the one fits, its follower does not */
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), WEFT_PARKED_MAX);
    s_stands_at(1);
    assert_int_equal(s_sql("SELECT count(*) FROM seen"), 0);
}

/* ---- working off */

static void retry_works_off_a_subject_in_order(void **state) {
    (void) state;
    uint64_t done = 77;
    s_on(">", NULL);
    w.emits = true;
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/1", "a:s/2", "a:s/1");
    s_finish();
    assert_int_equal(s_info().parked, 3);
    assert_rc(weft_applier_retry(w.applier, "s/2", &done), WEFT_OK);
    assert_int_equal(done, 0);
    assert_rc(weft_applier_retry(w.applier, "s/1", &done), WEFT_E_HANDLER); /* still poisoned */
    assert_int_equal(done, 0);
    assert_int_equal(s_info().parked, 3);
    assert_int_equal(s_sql("SELECT attempts FROM weft_parked WHERE position=1"), 4);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "3");
    w.fails_for = 0;
    assert_rc(weft_applier_retry(w.applier, "s/1", &done), WEFT_OK);
    assert_int_equal(done, 3);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "3 1 2 4");
    assert_int_equal(s_info().parked, 0);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), 0);
    assert_string_equal(s_list("SELECT cause FROM weft_outbox ORDER BY seq"), "3 1 2 4");
    BATCH(5, "a:s/1"); /* its subject flows again */
    s_finish();
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "3 1 2 4 5");
    s_stands_at(5);
}

static void retry_of_all_ends_a_subjects_turn_at_its_first_failure(void **state) {
    (void) state;
    uint64_t done;
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/2", "a:s/1");
    s_finish();
    w.fails_at = 4;
    BATCH(4, "a:s/2", "a:", "a:s/2");
    w.fails_for = 1000;
    s_finish(); /* parked now: 1 and 3 of s/1; 4 and 6 of s/2 */
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "1 3 4 6");
    w.fails_at = 1;
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_E_HANDLER);
    assert_int_equal(done, 2);
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "1 3");
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "2 5 4 6");
    w.fails_at = 0;
    assert_rc(weft_applier_retry(w.applier, NULL, NULL), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "2 5 4 6 1 3");
}

static void a_parked_row_that_is_damaged_is_told(void **state) {
    (void) state;
    uint64_t done;
    s_on(">", NULL);
    s_exec("INSERT INTO weft_parked VALUES (5, '', 's/1', 'a', x'c0', 0, 0, 1, '', 0)");
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_E_CORRUPT);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), 1);
}

static void S7_an_added_filter_parks_for_its_own_handlers_alone(void **state) {
    (void) state;
    uint64_t done;
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on("b", "new");
    s_on(">", "all");
    BATCH(1, "b:s/1");
    s_finish();
    w.fails_at = 1, w.fails_for = 1000;
    s_exec("DELETE FROM seen");
    weft_applier_begin(w.applier, &w.batch, "b", (weft_position_t){1});
    s_finish();
    assert_string_equal(s_list("SELECT filter FROM weft_parked"), "b");
    w.fails_for = 0;
    assert_rc(weft_applier_retry(w.applier, "s/1", &done), WEFT_OK);
    assert_int_equal(done, 1);
    assert_string_equal(s_list("SELECT who FROM seen"), "new");
}

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* failing handlers are what this is about */
    const struct CMUnitTest tests[] = {
        TEST(a_poison_event_is_parked_with_its_subject_and_others_flow),
        TEST(an_event_without_subject_parks_only_itself),
        TEST(parking_after_the_first_attempt_is_possible),
        TEST(parked_rows_end_at_their_limit),
        TEST(retry_works_off_a_subject_in_order),
        TEST(retry_of_all_ends_a_subjects_turn_at_its_first_failure),
        TEST(a_parked_row_that_is_damaged_is_told),
        TEST(S7_an_added_filter_parks_for_its_own_handlers_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
