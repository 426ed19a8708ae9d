/* Handlers over batches: what is in one transaction, what a failure takes back, and where the service stands
 * after it. */
#include "applier_fixture.h"

#include "weft_limits.h"

static int s_count_commit(void *count) {
    ++*(unsigned *) count;
    return 0;
}

static void a_batch_and_its_position_are_one_transaction(void **state) {
    (void) state;
    unsigned commits = 0;
    s_on("a.*", NULL);
    sqlite3_commit_hook(w.store.db, s_count_commit, &commits);
    BATCH(1, "a.x:s/1", "a.y:s/2", "a.x:");
    s_finish();
    sqlite3_commit_hook(w.store.db, NULL, NULL);
    assert_int_equal(commits, 1);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3");
    s_stands_at(3);
    assert_int_equal(w.calls, 3);
    assert_int_equal(s_info().applied_catch_up, 3);
    w.batch.live_count = 1;
    s_begin();
    s_finish();
    assert_int_equal(s_info().applied_live, 1);
    assert_int_equal(s_info().applied_catch_up, 5);
}

static void S7_handlers_that_match_run_in_the_order_of_registration(void **state) {
    (void) state;
    s_on("a.*", "one");
    s_on(">", "two");
    s_on("b", "three");
    s_on("a.x", "four");
    s_on("a.*", "five"); /* the same filter once more */
    BATCH(1, "a.x:", "b:");
    s_finish();
    assert_string_equal(s_list("SELECT who FROM seen ORDER BY n"), "one two four five two three");
    size_t count;
    const char *const *filters = weft_applier_filters(w.applier, &count);
    assert_int_equal(count, 4);
    assert_string_equal(filters[3], "a.x");
}

static void filters_are_checked_and_end_at_their_limit(void **state) {
    (void) state;
    char filter[16];
    assert_rc(weft_applier_on(w.applier, "a..b", s_note, NULL), WEFT_E_BAD_FILTER);
    for (unsigned i = 0; i < WEFT_FILTERS_MAX; i++) {
        snprintf(filter, sizeof filter, "t%u", i);
        s_on(filter, NULL);
    }
    assert_rc(weft_applier_on(w.applier, "more", s_note, NULL), WEFT_E_TOO_BIG);
    s_on("t5", NULL); /* one that is known is none more */
}

static void P2_what_fails_is_rolled_back_and_what_came_before_it_stays(void **state) {
    (void) state;
    s_on(">", NULL);
    w.emits = true;
    w.fails_at = 3, w.fails_for = 4; /* two passes at once, then two attempts */
    BATCH(1, "a:s/1", "a:s/2", "a:s/3", "a:s/4");
    assert_rc(s_run(), WEFT_E_AGAIN);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2");
    assert_string_equal(s_list("SELECT subject FROM weft_outbox ORDER BY seq"), "s/1 s/2");
    s_stands_at(2);
    assert_int_equal(weft_outbox_depth(w.outbox), 2);
    unsigned calls = w.calls;
    assert_rc(s_run(), WEFT_E_AGAIN); /* too early */
    assert_int_equal(w.calls, calls);
    w.now = w.again;
    assert_rc(s_run(), WEFT_E_AGAIN);
    int64_t first_pause = w.again - w.now;
    s_stands_at(2);
    assert_true(first_pause > 0);
    w.fails_for = 0;
    w.now = w.again;
    assert_rc(s_run(), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3 4");
    assert_string_equal(s_list("SELECT subject FROM weft_outbox ORDER BY seq"), "s/1 s/2 s/3 s/4");
    assert_string_equal(s_list("SELECT seq FROM weft_outbox ORDER BY seq"),
                        "1 2 3 4"); /* O1: no hole */
    assert_string_equal(s_list("SELECT cause FROM weft_outbox ORDER BY seq"), "1 2 3 4");
    s_stands_at(4);
    assert_int_equal(weft_outbox_depth(w.outbox), 4);
    assert_int_equal(s_info().parked, 0);
}

static void pauses_between_attempts_grow_up_to_a_cap(void **state) {
    (void) state;
    s_close();
    s_open(1000, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:");
    int64_t before = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_rc(s_run(), WEFT_E_AGAIN);
        int64_t pause = w.again - w.now;
        assert_true(pause >= before && pause <= 30000);
        before = pause;
        w.now = w.again;
    }
    assert_int_equal(before, 30000);
}

static void s_nothing_up_to(uint64_t position) {
    while (w.log.count < position) kit_log_add(&w.log, "x", 1, w.log.count + 1, 5);
    w.batch = (weft_batch_t){.events = w.events,
                             .next = {.log = w.log.log,
                                      .position = {position},
                                      .chain = kit_log_chain(&w.log, position)}};
    s_begin();
    assert_rc(s_run(), WEFT_OK);
}

static void S6_past_nothing_of_interest_the_position_is_written_lazily(void **state) {
    (void) state;
    s_on("a", NULL);
    s_nothing_up_to(5);
    s_stands_at(0);
    w.now += 59999;
    s_nothing_up_to(6);
    s_stands_at(0);
    w.now += 1;
    s_nothing_up_to(7);
    s_stands_at(7); /* at the latest each minute */
    w.now += 59999;
    s_nothing_up_to(8);
    s_stands_at(7);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK); /* at a clean stop */
    s_stands_at(8);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK);
    s_nothing_up_to(9);
    BATCH(10, "a:"); /* an event takes it along */
    s_finish();
    s_stands_at(10);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK);
    s_stands_at(10);
}

static void S7_an_added_filter_catches_up_alone_and_ends_at_the_limit(void **state) {
    (void) state;
    weft_filter_state_t s;
    weft_resume_t at;
    s_on("a", "old");
    s_on("b", "new");
    s_on(">", "all");
    BATCH(1, "b:s/1", "b:s/2");
    s_finish();
    s_exec("DELETE FROM seen");
    MAKE(1, "b:s/1", "b:s/2", "b:s/3");
    w.batch.count = 1;
    w.batch.next.position.value = 1;
    weft_applier_begin(w.applier, &w.batch, "b", (weft_position_t){2});
    s_finish();
    assert_rc(weft_service_store_filter(&w.store, "b", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_BEHIND);
    assert_int_equal(at.position.value, 1);
    w.batch.events++, w.batch.count = 2; /* 2 and 3: the service stands at 2 */
    w.batch.next.position.value = 3;
    weft_applier_begin(w.applier, &w.batch, "b", (weft_position_t){2});
    s_finish();
    assert_rc(weft_service_store_filter(&w.store, "b", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_CURRENT);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2");
    assert_string_equal(s_list("SELECT DISTINCT who FROM seen"), "new"); /* only its own handlers */
    s_stands_at(2);
}

static void a_full_disk_is_waited_out_and_parks_nothing(void **state) {
    (void) state;
    char sql[64];
    s_on(">", NULL);
    s_exec("CREATE TABLE filler (x BLOB)");
    int64_t pages = s_sql("PRAGMA page_count");
    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%lld", (long long) pages);
    s_exec(sql);
    s_exec(
        "CREATE TRIGGER grow AFTER INSERT ON seen BEGIN INSERT INTO filler VALUES (zeroblob(20000)); END");
    BATCH(1, "a:s/1", "a:s/2");
    for (unsigned i = 0; i < 10; i++) { /* more often than any event is tried */
        assert_rc(s_run(), WEFT_E_AGAIN);
        assert_int_equal(w.again, w.now + 1000);
        w.now = w.again;
    }
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), 0);
    s_stands_at(0);
    s_exec("PRAGMA max_page_count=1000000");
    s_finish();
    s_stands_at(2);
    assert_int_equal(s_sql("SELECT count(*) FROM seen"), 2);
}

/* SQLite may end a transaction by itself when the disk fails; code that goes on regardless would write row
 * by row. COMMIT in a handler shows the same. */
static weft_err_t s_end_it(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    const char *how = arg;
    if (event->position.value == w.fails_at)
        (void) sqlite3_exec(weft_tx_db(tx), how, NULL, NULL, NULL);
    (void) s_note(tx, event, NULL);
    return WEFT_OK;
}

static void P2_nothing_is_written_once_the_transaction_is_gone(void **state) {
    static const char *const ways[] = {"ROLLBACK", "COMMIT"};
    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        s_close();
        s_open(3, WEFT_ON_ERROR_PARK);
        assert_rc(weft_applier_on(w.applier, ">", s_end_it, (void *) (uintptr_t) ways[i]), WEFT_OK);
        w.fails_at = 3 * i + 2;
        BATCH(3 * i + 1, "a:x", "a:y", "a:z");
        assert_rc(s_run(), WEFT_E_AGAIN);
        s_stands_at(3 * i);
        assert_int_equal(s_sql("SELECT count(*) FROM seen"), 3 * i);
        w.fails_at = 0;
        s_finish();
        s_stands_at(3 * i + 3);
        assert_int_equal(s_sql("SELECT count(*) FROM seen"), 3 * i + 3);
    }
}

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* failing handlers are what this is about */
    const struct CMUnitTest tests[] = {
        TEST(a_batch_and_its_position_are_one_transaction),
        TEST(S7_handlers_that_match_run_in_the_order_of_registration),
        TEST(filters_are_checked_and_end_at_their_limit),
        TEST(P2_what_fails_is_rolled_back_and_what_came_before_it_stays),
        TEST(pauses_between_attempts_grow_up_to_a_cap),
        TEST(S6_past_nothing_of_interest_the_position_is_written_lazily),
        TEST(S7_an_added_filter_catches_up_alone_and_ends_at_the_limit),
        TEST(a_full_disk_is_waited_out_and_parks_nothing),
        TEST(P2_nothing_is_written_once_the_transaction_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
