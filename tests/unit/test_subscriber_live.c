/* Live events: held until a record covers them, pulled where one is missing, and a new greeting after
 * a restart of the bus or a silence (S1, S2, S3, S5). */
#include "subscriber_fixture.h"

#include "weft_limits.h"

/* ---- S1, S2, S5 */

static void S1_live_events_are_held_until_a_record_covers_them(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    s_live(1);
    s_live(2);
    s_takes_nothing();
    s_record(0, 2);
    TAKES(2, 1, 2);
    s_live(3);
    s_record(2, 3);
    TAKES(3, 3);
    assert_int_equal(s_info().from_live, 3);
    assert_int_equal(s_info().gaps, 0);
}

static void S1_order_is_by_position_whatever_the_order_of_arrival(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    for (unsigned i = 0; i < 3; i++) s_store("a.b", 1), s_store("c", 1);
    static const uint64_t arrival[] = {2, 4, 6, 1, 3, 5};
    for (size_t i = 0; i < 6; i++) s_live(arrival[i]);
    s_record(0, 6);
    TAKES(6, 1, 2, 3, 4, 5, 6);
}

static void S1_doubles_vanish(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    static const uint64_t arrival[] = {1, 1, 2, 3, 2, 3, 1};
    for (size_t i = 0; i < 7; i++) s_live(arrival[i]);
    s_record(0, 3);
    TAKES(3, 1, 2, 3);
    s_live(2); /* a late one, long behind */
    s_store("a.b", 1);
    s_live(4);
    s_record(3, 4);
    TAKES(4, 4);
    assert_int_equal(s_info().gaps, 0);
}

static void S1_types_are_matched_exactly(void **state) {
    (void) state;
    static const char *const order[] = {"order"};
    s_new(order);
    s_join();
    kit_log_add(&w.log, "order", 1, 1, 5);
    kit_log_add(&w.log, "orders.x", 1, 2, 5); /* ZeroMQ's prefix lets it through */
    kit_log_add(&w.log, "order", 1, 3, 5);
    for (uint64_t p = 1; p <= 3; p++) s_live(p);
    s_record(0, 3);
    TAKES(3, 1, 3);
    assert_int_equal(s_info().dropped, 0);
}

static void S1_what_is_held_is_bounded_and_beyond_it_pulled(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    const size_t size = 200000;
    uint64_t count = WEFT_HOLD_BYTES_MAX / size + 2;
    for (uint64_t i = 1; i <= count; i++) {
        kit_log_add(&w.log, "a.b", 1, i, size);
        s_live(i);
    }
    s_dropped(WEFT_SUB_DROP_HELD_TOO_MUCH, 1);
    s_record(0, count);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    assert_int_equal(s_info().gaps, 1);
}

static void S2_a_record_that_was_seen_is_passed_over(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    s_live(1);
    s_live(2);
    s_record(0, 2);
    s_record(0, 2);
    s_record(1, 2);
    s_record(2, 2); /* a heartbeat */
    TAKES(2, 1, 2);
    s_takes_nothing();
    assert_int_equal(s_info().gaps, 0);
}

static void S2_a_record_may_begin_before_the_position(void **state) {
    (void) state;
    s_store("a.b", 2);
    s_new(s_all);
    s_join();
    TAKES(2, 1, 2);
    s_store("a.b", 2);
    for (uint64_t p = 1; p <= 4; p++)
        s_live(p); /* those at or below the position count for the sums */
    s_record(0, 4);
    TAKES(4, 3, 4);
    assert_int_equal(s_info().gaps, 0);
}

static void S2_a_record_that_begins_before_the_position_needs_all_of_its_events(void **state) {
    (void) state;
    s_store("a.b", 2);
    s_new(s_all);
    s_join();
    TAKES(2, 1, 2);
    s_store("a.b", 2);
    s_live(3);
    s_live(4);
    s_record(1, 4); /* 2 was applied, but is not held: the sums cannot agree */
    assert_int_equal(s_info().gaps, 1);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(4, 3, 4);
}

static void S2_record_with_a_hole_before_it_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 4);
    s_live(3);
    s_live(4);
    s_record(2, 4); /* the record over (0, 2] was lost, and its events */
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    assert_int_equal(s_info().gaps, 1);
    weft_fetch_t fetch = s_fetch();
    assert_int_equal(fetch.position.at.position.value, 0);
    s_page(&fetch, 10);
    s_state(WEFT_SUBSCRIBER_LIVE);
    TAKES(4, 1, 2, 3, 4);
}

static void S2_a_missing_event_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    s_live(1);
    s_live(3);
    s_record(0, 3);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(3, 1, 2, 3);
}

static void S2_an_event_too_many_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 1);
    s_store("b.b", 1);
    s_live(1);
    s_live(2);
    kit_log_record(&w.log, 0, 2, &s_last_record);
    s_last_record.types_count = 1; /* of this type there is said to be none */
    s_last_record.types[0].count = 2;
    weft_subscriber_record(w.s, w.now, &s_last_record);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
}

static void S2_a_sum_that_does_not_agree_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    s_live(1);
    weft_buf_t body = {0};
    kit_log_put(&w.log, 2, &body);
    body.data[body.size - 1] ^= 1; /* garbled on the way */
    weft_subscriber_events(w.s, "a.b", 3, body.data, body.size);
    weft_buf_free(&body);
    s_record(0, 2);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    assert_int_equal(s_info().gaps, 1);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(2, 1, 2);
}

static void S2_types_of_no_interest_are_not_missed(void **state) {
    (void) state;
    s_new(s_a);
    s_join();
    s_store("b.x", 3);
    s_store("a.x", 1);
    s_live(4);
    s_record(0, 4);
    TAKES(4, 4);
    s_store("b.x", 2);
    s_record(4, 6);
    s_takes(NULL, 0, 6);
    assert_int_equal(s_info().gaps, 0);
}

static void S2_another_chain_before_a_record_is_a_forked_log(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    s_live(1);
    s_record(0, 1);
    TAKES(1, 1);
    s_live(2);
    kit_log_record(&w.log, 1, 2, &s_last_record);
    s_last_record.prev_chain ^= 1;
    weft_subscriber_record(w.s, w.now, &s_last_record);
    s_takes_nothing();
    s_stopped(WEFT_E_FORKED);
}

static void S2_another_chain_in_a_heartbeat_is_a_forked_log(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    s_join();
    s_record(3, 3);
    s_state(WEFT_SUBSCRIBER_LIVE);
    kit_log_record(&w.log, 3, 3, &s_last_record);
    s_last_record.chain ^= 1;
    weft_subscriber_record(w.s, w.now, &s_last_record);
    s_stopped(WEFT_E_FORKED);
    TAKES(3, 1, 2, 3); /* what came before is still handed out */
}

static void S5_what_waits_in_the_live_queue_joins_on(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    s_welcome(s_hello().id);
    s_live(2); /* came in while it caught up, or should not have been read: nothing is made of it */
    s_record(0, 3);
    weft_fetch_t fetch = s_fetch();
    s_store("a.b", 2); /* stored after the WELCOME */
    s_page(&fetch, 3);
    s_state(WEFT_SUBSCRIBER_LIVE); /* the target is reached, the rest comes live */
    s_live(3);
    s_live(4);
    s_record(2, 4);
    s_live(5);
    s_record(4, 5);
    TAKES(5, 1, 2, 3, 4, 5);
    assert_int_equal(s_info().from_catch_up, 3);
    assert_int_equal(s_info().from_live, 2);
    assert_int_equal(s_info().gaps, 0);
}

static void a_gap_is_pulled_up_to_the_end_of_its_record(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 4);
    s_record(0, 2);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 1);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    fetch = s_fetch();
    s_page(&fetch, 1);
    s_state(WEFT_SUBSCRIBER_LIVE);
    TAKES(2, 1, 2);
}

static void messages_that_cannot_be_read_are_counted_and_pulled(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    weft_buf_t body = {0};
    kit_log_put(&w.log, 1, &body);
    weft_subscriber_events(w.s, "a.b", 3, body.data, body.size - 1); /* cut off */
    weft_subscriber_events(w.s, "$x", 2, body.data, body.size);
    weft_subscriber_events(w.s, "a..b", 4, body.data, body.size);
    weft_subscriber_events(w.s, "a.b", 3, "\xc0", 1); /* no stamp */
    weft_subscriber_bad(w.s);
    weft_buf_free(&body);
    s_dropped(WEFT_SUB_DROP_MALFORMED, 5);
    s_record(0, 2);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(2, 1, 2);
}

/* ---- S3 */

static void S3_a_record_of_another_boot_or_log_is_not_applied(void **state) {
    (void) state;
    for (unsigned log = 0; log <= 1; log++) {
        s_new(s_all);
        s_join();
        s_store("a.b", 1);
        s_live(w.log.count);
        kit_log_record(&w.log, w.log.count - 1, w.log.count, &s_last_record);
        if (log)
            s_last_record.log.bytes[0]++;
        else
            s_last_record.boot++;
        weft_subscriber_record(w.s, w.now, &s_last_record);
        weft_batch_t batch;
        if (weft_subscriber_take(w.s, &batch)) /* what it had caught up with before */
            assert_true(batch.next.position.value < w.log.count);
        s_wants(WEFT_SUBSCRIBER_HELLO);
        assert_false(weft_subscriber_wants_live(w.s));
        s_dropped(WEFT_SUB_DROP_OTHER_BOOT, 1);
    }
}

static void S3_after_a_restart_it_goes_on_from_where_it_stands(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    s_live(1);
    s_record(0, 1);
    s_live(2); /* held, and forgotten with the boot */
    w.log.boot++;
    s_store("a.b", 1);
    s_record(2, 3);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.at.position.value, 1);
    assert_true(hello.position.at.chain == kit_log_chain(&w.log, 1));
    s_welcome(hello.id);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(3, 1, 2, 3);
    s_store("a.b", 1);
    s_live(4);
    s_record(3, 4);
    TAKES(4, 4);
    assert_false(weft_subscriber_wants_renewal(w.s)); /* the live socket spoke */
}

static void S3_silence_says_hello_and_asks_for_a_new_socket(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    assert_true(s_info().connected);
    assert_false(weft_subscriber_wants_renewal(w.s));
    w.now += WEFT_SILENCE_MS - 1;
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_int_equal(weft_subscriber_deadline(w.s), w.now + 1);
    s_record(0, 0); /* heard again */
    w.now += WEFT_SILENCE_MS - 1;
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    w.now += 1;
    assert_false(s_info().connected);
    s_welcome(s_hello().id);
    s_state(WEFT_SUBSCRIBER_LIVE);
    assert_true(weft_subscriber_wants_renewal(w.s));
    assert_false(weft_subscriber_wants_renewal(w.s)); /* once */
}

static void S3_events_alone_do_not_end_a_silence(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 1);
    w.now += WEFT_SILENCE_MS;
    s_live(1);
    s_wants(WEFT_SUBSCRIBER_HELLO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(S1_live_events_are_held_until_a_record_covers_them),
        TEST(S1_order_is_by_position_whatever_the_order_of_arrival),
        TEST(S1_doubles_vanish),
        TEST(S1_types_are_matched_exactly),
        TEST(S1_what_is_held_is_bounded_and_beyond_it_pulled),
        TEST(S2_a_record_that_was_seen_is_passed_over),
        TEST(S2_a_record_may_begin_before_the_position),
        TEST(S2_a_record_that_begins_before_the_position_needs_all_of_its_events),
        TEST(S2_record_with_a_hole_before_it_is_a_gap),
        TEST(S2_a_missing_event_is_a_gap),
        TEST(S2_an_event_too_many_is_a_gap),
        TEST(S2_a_sum_that_does_not_agree_is_a_gap),
        TEST(S2_types_of_no_interest_are_not_missed),
        TEST(S2_another_chain_before_a_record_is_a_forked_log),
        TEST(S2_another_chain_in_a_heartbeat_is_a_forked_log),
        TEST(S5_what_waits_in_the_live_queue_joins_on),
        TEST(a_gap_is_pulled_up_to_the_end_of_its_record),
        TEST(messages_that_cannot_be_read_are_counted_and_pulled),
        TEST(S3_a_record_of_another_boot_or_log_is_not_applied),
        TEST(S3_after_a_restart_it_goes_on_from_where_it_stands),
        TEST(S3_silence_says_hello_and_asks_for_a_new_socket),
        TEST(S3_events_alone_do_not_end_a_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
