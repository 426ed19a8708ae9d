/* What the subscriber hands out of what its filters match, how much of it may wait, and what stops it for
 * good. */
#include "subscriber_fixture.h"

#include "weft_limits.h"

static void take_hands_out_what_several_records_covered(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 4);
    for (uint64_t p = 1; p <= 4; p++) {
        s_live(p);
        s_record(p - 1, p);
    }
    assert_int_equal(weft_subscriber_ready(w.s), 4);
    assert_int_equal(s_info().position.value, 0); /* not yet handed out */
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    assert_int_equal(batch.count, 4);
    assert_int_equal(batch.live_count, 4);
    assert_int_equal(s_info().position.value, 4);
    s_store("a.b", 1);
    s_live(5);
    s_record(4, 5);
    for (size_t i = 0; i < 4; i++) /* the batch stays valid meanwhile */
        assert_memory_equal(batch.events[i].raw, kit_log_row(&w.log, i + 1)->event.data,
                            batch.events[i].raw_size);
    TAKES(5, 5);
}

static void it_stops_reading_when_enough_is_ready(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    for (uint64_t p = 1; p <= WEFT_BATCH_READY_EVENTS_MAX; p++) {
        assert_true(weft_subscriber_wants_live(w.s));
        s_store("a.b", 1);
        s_live(p);
        s_record(p - 1, p);
    }
    assert_false(weft_subscriber_wants_live(w.s));
    w.now += 10 * WEFT_SILENCE_MS; /* nobody was heard because nobody was listened to */
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_true(weft_subscriber_deadline(w.s) == INT64_MAX);
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    assert_int_equal(batch.count, WEFT_BATCH_READY_EVENTS_MAX);
    assert_true(weft_subscriber_wants_live(w.s));
}

static void it_stops_pulling_when_enough_bytes_are_ready(void **state) {
    (void) state;
    const size_t size = 250000;
    for (unsigned i = 0; i < 8; i++) kit_log_add(&w.log, "a.b", 1, i + 1, size);
    s_new(s_all);
    s_welcome(s_hello().id);
    unsigned pages = 0;
    for (; s_next().kind == WEFT_SUBSCRIBER_FETCH; pages++) {
        weft_fetch_t fetch = s_fetch();
        s_page(&fetch, 1);
    }
    assert_int_equal(pages, WEFT_READY_BYTES_MAX / size + 1);
    assert_true(weft_subscriber_deadline(w.s) == INT64_MAX);
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    s_wants(WEFT_SUBSCRIBER_FETCH);
}

static void a_stop_is_for_good(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    weft_subscriber_stop(w.s, WEFT_E_NOMEM);
    weft_subscriber_stop(w.s, WEFT_E_FORKED);
    s_store("a.b", 1);
    s_live(1);
    s_record(0, 1);
    s_takes_nothing();
    s_stopped(WEFT_E_NOMEM);
}

static void several_filters_match_together(void **state) {
    (void) state;
    static const char *const two[] = {"a.*", "b.>"};
    weft_subscriber_destroy(&w.s);
    w.s = weft_subscriber_new(two, 2, WEFT_START_BEGINNING, &(weft_resume_t){0});
    w.filters = two, w.filters_count = 2;
    s_join();
    kit_log_add(&w.log, "a.x", 1, 1, 5);
    kit_log_add(&w.log, "c", 1, 2, 5);
    kit_log_add(&w.log, "b.x.y", 1, 3, 5);
    kit_log_add(&w.log, "a.x.y", 1, 4, 5);
    for (uint64_t p = 1; p <= 4; p++) s_live(p);
    s_record(0, 4);
    TAKES(4, 1, 3);
}

static void more_types_than_any_bus_has_stop_it(void **state) {
    (void) state;
    char name[16];
    s_new(s_a);
    s_join();
    for (uint32_t i = 0; i <= 2 * WEFT_TYPES_MAX; i++) {
        int size = snprintf(name, sizeof name, "t%u", i);
        weft_subscriber_events(w.s, name, (size_t) size, "", 0);
    }
    s_stopped(WEFT_E_PROTO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(take_hands_out_what_several_records_covered),
        TEST(it_stops_reading_when_enough_is_ready),
        TEST(it_stops_pulling_when_enough_bytes_are_ready),
        TEST(a_stop_is_for_good),
        TEST(several_filters_match_together),
        TEST(more_types_than_any_bus_has_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
