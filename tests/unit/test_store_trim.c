/* The store forgets its beginning: what is left is checked as before, positions and time go on, origins
 * stay, services are remembered. */
#include "store_fixture.h"

#include "weft_trimmer.h"

static int64_t s_rows(fixture_t *f) {
    return fixture_sql(f, "SELECT count(*) FROM events");
}

/* All rows after the anchor are served, and agree with the chain of the head. */
static void s_check_kept(fixture_t *f, uint64_t anchor, uint64_t head) {
    weft_buf_t w;
    weft_log_page_t page;
    char reason[256];
    uint64_t at = anchor, count = 0;
    weft_buf_init(&w);
    do {
        weft_buf_clear(&w);
        assert_rc(fixture_page(f, at, ">", 10000, 1 << 18, &w, &page, reason), WEFT_OK);
        at = page.next;
        count += page.count;
    } while (at < head);
    assert_int_equal(at, head);
    assert_int_equal(count, head - anchor);
    assert_true(page.chain == weft_sequencer_chain(f->sequencer));
    weft_buf_free(&w);
}

static void what_is_left_is_checked_against_the_anchor(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 1, 1, 100), WEFT_OK);
    assert_rc(weft_store_trim(f->store, 30), WEFT_OK);
    assert_int_equal(weft_store_anchor(f->store), 30);
    assert_int_equal(s_rows(f), 70);
    s_check_kept(f, 30, 100);
    assert_rc(weft_store_trim(f->store, 31), WEFT_OK);
    fixture_reopen(f);
    assert_int_equal(weft_store_head(f->store)->anchor, 31);
    s_check_kept(f, 31, 100);
    assert_rc(fixture_append(f, 1, 101, 110), WEFT_OK);
    s_check_kept(f, 31, 110);
    /* a flipped bit right behind the cut is noticed: the chain of the anchor is what it was */
    fixture_sql(f, "UPDATE events SET stored_us = stored_us + 1 WHERE position = 32");
    weft_buf_t w;
    weft_log_page_t page;
    char reason[256];
    weft_buf_init(&w);
    assert_rc(fixture_page(f, 31, ">", 100, 1 << 18, &w, &page, reason), WEFT_E_CORRUPT);
    assert_non_null(strstr(reason, "row 32"));
    weft_buf_free(&w);
}

static void a_log_that_forgot_everything_goes_on(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 1, 1, 20), WEFT_OK);
    int64_t stored_us = fixture_sql(f, "SELECT max(stored_us) FROM events");
    uint64_t chain = weft_sequencer_chain(f->sequencer);
    assert_rc(weft_store_trim(f->store, 20), WEFT_OK);
    assert_int_equal(s_rows(f), 0);
    fixture_reopen(f);
    const weft_log_head_t *head = weft_store_head(f->store);
    assert_int_equal(head->position, 20);
    assert_int_equal(head->anchor, 20);
    assert_true(head->chain == chain);
    assert_int_equal(head->stored_us, stored_us); /* I6 */
    s_check_kept(f, 20, 20);
    assert_rc(fixture_append(f, 1, 21, 22), WEFT_OK); /* I2, I4: the origin goes on where it was */
    assert_int_equal(fixture_sql(f, "SELECT min(position) FROM events"), 21);
    s_check_kept(f, 20, 22);
}

static void origins_are_never_forgotten(void **state) {
    fixture_t *f = *state;
    const uint8_t uuid[16] = {[15] = 1};
    uint64_t last, position, chain;
    assert_rc(fixture_append(f, 1, 1, 20), WEFT_OK);
    assert_rc(weft_store_trim(f->store, 20), WEFT_OK);
    fixture_reopen(f);
    assert_rc(weft_store_origin(f->store, uuid, &last, &position, &chain), WEFT_OK);
    assert_int_equal(last, 20);
    assert_int_equal(position, 20);
    fixture_begin(f);
    assert_false(fixture_take(f, "a.odd", 1, 19, 10)); /* still a double */
    assert_rc(fixture_end(f), WEFT_OK);
}

static void a_row_that_is_missing_is_no_anchor(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 1, 1, 20), WEFT_OK);
    fixture_sql(f, "DELETE FROM events WHERE position = 7");
    assert_rc(weft_store_trim(f->store, 7), WEFT_E_CORRUPT);
    assert_int_equal(weft_store_anchor(f->store), 0);
    assert_int_equal(s_rows(f), 19);
    assert_rc(weft_store_trouble(f->store), WEFT_OK); /* events are still taken */
    assert_rc(fixture_append(f, 1, 21, 22), WEFT_OK);
}

static void a_failed_trim_leaves_everything(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 1, 1, 20), WEFT_OK);
    fixture_sql(f, "CREATE TRIGGER no BEFORE DELETE ON events WHEN OLD.position = 9"
                   " BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_rc(weft_store_trim(f->store, 10), WEFT_E_STORE);
    assert_int_equal(weft_store_anchor(f->store), 0);
    assert_int_equal(s_rows(f), 20);
    assert_int_equal(fixture_sql(f, "SELECT value FROM meta WHERE key = 'anchor_position'"), 0);
}

static void commits_wait_for_the_disk_again_after_a_trim(void **state) {
    fixture_t *f = *state;
    sqlite3 *db;
    assert_rc(fixture_append(f, 1, 1, 20), WEFT_OK);
    assert_rc(weft_store_trim(f->store, 10), WEFT_OK);
    /* another program's lock makes the step fail in the middle */
    assert_int_equal(sqlite3_open(weft_store_path(f->store), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_rc(weft_store_trim(f->store, 12), WEFT_E_LOCKED);
    assert_rc(weft_store_trouble(f->store), WEFT_OK);
    assert_int_equal(weft_store_synchronous(f->store), 2);
    sqlite3_close(db);
    assert_rc(weft_store_trim(f->store, 12), WEFT_OK);
    assert_int_equal(weft_store_synchronous(f->store), 2);
    assert_int_equal(s_rows(f), 8);
}

static void the_trimmer_reaches_its_goal_in_steps(void **state) {
    fixture_t *f = *state;
    weft_trimmer_t trimmer;
    unsigned steps = 0;
    for (uint64_t i = 0; i < 5; i++)
        assert_rc(fixture_append(f, 1, i * 2000 + 1, i * 2000 + 2000), WEFT_OK);
    weft_trimmer_init(&trimmer, f->store);
    assert_int_equal(weft_trimmer_wait_ms(&trimmer), -1);
    weft_trimmer_order(&trimmer, 9000);
    weft_trimmer_order(&trimmer, 500); /* less: nothing new */
    uint64_t before = 0;
    for (int64_t wait; (wait = weft_trimmer_wait_ms(&trimmer)) >= 0; steps++) {
        if (wait) usleep((useconds_t) wait * 1000);
        weft_trimmer_step(&trimmer, 10000);
        assert_true(weft_store_anchor(f->store) - before <= 16384);
        before = weft_store_anchor(f->store);
    }
    assert_true(steps > 3);
    assert_int_equal(weft_store_anchor(f->store), 9000);
    s_check_kept(f, 9000, 10000);
    weft_trimmer_order(&trimmer, 8000); /* gone long since */
    assert_int_equal(weft_trimmer_wait_ms(&trimmer), -1);
}

static void the_trimmer_forgets_faster_than_events_come(void **state) {
    fixture_t *f = *state;
    weft_trimmer_t trimmer;
    for (uint64_t i = 0; i < 5; i++)
        assert_rc(fixture_append(f, 1, i * 2000 + 1, i * 2000 + 2000), WEFT_OK);
    weft_trimmer_init(&trimmer, f->store);
    weft_trimmer_order(&trimmer, 9000);
    weft_trimmer_step(&trimmer, 10000); /* how long the log is says nothing of the pace */
    uint64_t small = weft_store_anchor(f->store);
    assert_in_range(small, 1, 1000);
    trimmer.due_us = INT64_MAX; /* the pause is long */
    weft_trimmer_step(&trimmer, 10001);
    assert_int_equal(weft_store_anchor(f->store), small);
    weft_trimmer_step(&trimmer, 13000); /* 3,000 more: the pause is over */
    assert_int_equal(weft_store_anchor(f->store), small + 6000);
    trimmer.due_us = INT64_MAX;
    weft_trimmer_step(&trimmer, 13001);
    assert_int_equal(weft_store_anchor(f->store), small + 6000);
    weft_trimmer_step(&trimmer, 16000);
    assert_int_equal(weft_store_anchor(f->store), 9000);
}

static void space_is_used_again(void **state) {
    fixture_t *f = *state;
    int64_t pages = 0;
    uint64_t seq = 0;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned batch = 0; batch < 4; batch++, seq += 1000)
            assert_rc(fixture_append(f, 1, seq + 1, seq + 1000), WEFT_OK);
        if (round == 1) pages = fixture_sql(f, "PRAGMA page_count");
        if (round >= 1) assert_rc(weft_store_trim(f->store, seq - 4000), WEFT_OK);
    }
    int64_t more = fixture_sql(f, "PRAGMA page_count") - pages;
    assert_true(more <= 4); /* ten rounds take no more room than two */
    s_check_kept(f, seq - 4000, seq);
}

/* ---- services */

static bool s_take_reader(void *arg, const weft_reader_t *reader) {
    weft_readers_load(arg, reader);
    return true;
}

static weft_report_t s_report(uint8_t instance, const char *name, uint64_t resume) {
    return (weft_report_t){.instance = {.bytes = {[0] = instance}},
                           .name = weft_text(name),
                           .position = resume,
                           .resume = resume};
}

static void services_are_remembered_over_a_restart(void **state) {
    fixture_t *f = *state;
    weft_readers_t *readers = weft_readers_new();
    weft_report_t one = s_report(1, "one", 500), two = s_report(2, "two", 300);
    weft_readers_report(readers, &one, 1000);
    weft_readers_report(readers, &two, 2000);
    assert_string_equal(weft_readers_slowest(readers, 0)->name, "two");
    for (const weft_reader_t *reader; (reader = weft_readers_unsaved(readers)) != NULL;)
        assert_rc(weft_store_put_readers(f->store, reader, 1), WEFT_OK);
    weft_readers_destroy(&readers);
    fixture_reopen(f);
    readers = weft_readers_new();
    weft_log_reader_t *reader;
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    assert_rc(weft_log_reader_readers(reader, s_take_reader, readers), WEFT_OK);
    weft_log_reader_destroy(&reader);
    assert_int_equal(weft_readers_slowest(readers, 0)->resume, 300);
    assert_null(weft_readers_unsaved(readers)); /* the store has them */
    assert_string_equal(weft_readers_slowest(readers, 2000)->name, "two");
    assert_null(weft_readers_slowest(readers, 2001)); /* lately */
    weft_readers_destroy(&readers);
}

static void only_what_has_changed_is_written_again(void **state) {
    (void) state;
    weft_readers_t *readers = weft_readers_new();
    weft_report_t one = s_report(1, "one", 500);
    weft_readers_report(readers, &one, 1000);
    assert_int_equal(weft_readers_unsaved(readers)->resume, 500);
    assert_null(weft_readers_unsaved(readers));
    weft_readers_report(readers, &one, 2000);
    assert_null(weft_readers_unsaved(readers));
    weft_readers_report(readers, &one, 1000 + 60000000); /* still there, a minute later */
    assert_non_null(weft_readers_unsaved(readers));
    one.resume = 501;
    weft_readers_report(readers, &one, 1000 + 60000001);
    assert_int_equal(weft_readers_unsaved(readers)->resume, 501);
    one.resume = 2; /* a database restored from a copy: it counts, too */
    weft_readers_report(readers, &one, 1000 + 60000002);
    assert_int_equal(weft_readers_slowest(readers, 0)->resume, 2);
    weft_readers_destroy(&readers);
}

static void services_are_bounded(void **state) {
    fixture_t *f = *state;
    weft_readers_t *readers = weft_readers_new();
    for (unsigned i = 0; i < WEFT_REPORTS_MAX + 10; i++) {
        weft_report_t report = s_report(0, "s", i);
        memcpy(report.instance.bytes, &i, sizeof i);
        weft_readers_report(readers, &report, 1000 + i);
    }
    assert_int_equal(weft_readers_slowest(readers, 0)->resume, 10); /* the oldest made room */
    weft_reader_t all[WEFT_REPORTS_MAX + 10];
    for (unsigned i = 0; i < WEFT_REPORTS_MAX + 10; i++) {
        all[i] = (weft_reader_t){.name = "s", .resume = i, .seen_us = 1000 + i};
        memcpy(all[i].instance.bytes, &i, sizeof i);
    }
    assert_rc(weft_store_put_readers(f->store, all, WEFT_REPORTS_MAX + 10), WEFT_OK);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM readers"), WEFT_REPORTS_MAX);
    assert_int_equal(fixture_sql(f, "SELECT min(resume) FROM readers"), 10);
    weft_readers_destroy(&readers);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_is_left_is_checked_against_the_anchor),
        T(a_log_that_forgot_everything_goes_on),
        T(origins_are_never_forgotten),
        T(a_row_that_is_missing_is_no_anchor),
        T(a_failed_trim_leaves_everything),
        T(commits_wait_for_the_disk_again_after_a_trim),
        T(the_trimmer_reaches_its_goal_in_steps),
        T(the_trimmer_forgets_faster_than_events_come),
        T(space_is_used_again),
        T(services_are_remembered_over_a_restart),
        T(only_what_has_changed_is_written_again),
        T(services_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
