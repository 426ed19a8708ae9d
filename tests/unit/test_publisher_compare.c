/* What the publisher makes of a bus whose state differs from its own: a twin, an earlier life of its own,
 * a bus that fell back, another log (O3). */
#include "publisher_fixture.h"

#include "weft_limits.h"

static void O3_a_bus_ahead_of_all_that_was_committed_is_a_twin(void **state) {
    (void) state;
    s_start(5, 6, 5, 9);
    s_stopped(WEFT_E_TWIN);
}

static void O3_an_ack_beyond_all_that_was_committed_is_a_twin(void **state) {
    (void) state;
    s_start(0, 1, 5, 0);
    s_work();
    s_ack(6);
    s_stopped(WEFT_E_TWIN);
}

static void O3_another_chain_at_last_is_a_twin(void **state) {
    (void) state;
    s_new(5, 6, 8);
    weft_origin_state_t bus = s_bus(5);
    bus.chain ^= 1;
    s_answer(s_hello(), &bus, &s_log, true);
    s_stopped(WEFT_E_TWIN);
}

static void O3_another_chain_in_an_ack_is_a_twin(void **state) {
    (void) state;
    s_start(0, 1, 5, 0);
    s_work();
    weft_ack_t ack = {.source_seq = 4, .position = 40, .origin_chain = s_chain(4) + 1};
    weft_publisher_ack(w.p, w.now, &ack);
    s_stopped(WEFT_E_TWIN);
}

static void O3_what_an_earlier_life_sent_is_proved_by_its_chain(void **state) {
    (void) state;
    s_new(5, 6, 20); /* the last acks were not written down */
    s_welcome(s_hello(), 17);
    s_state(WEFT_PUBLISHER_PROVING);
    assert_true(weft_publisher_deadline(w.p) <= w.now);
    s_ack(17); /* while it proves, acks wait */
    s_state(WEFT_PUBLISHER_PROVING);
    weft_publisher_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_PUBLISHER_PROVE);
    assert_int_equal(a.sequence, 6);
    assert_int_equal(s_work(), 3);
    s_state(WEFT_PUBLISHER_SENDING);
    assert_int_equal(weft_publisher_acked(w.p), 17);
    assert_int_equal(weft_publisher_acked_position(w.p), 170);
    assert_int_equal(weft_publisher_resent(w.p), 0);
    s_ack(20);
    assert_int_equal(weft_publisher_acked(w.p), 20);
}

static void O3_an_earlier_life_of_a_twin_is_found_out_by_its_chain(void **state) {
    (void) state;
    s_new(5, 6, 20);
    weft_origin_state_t bus = s_bus(17);
    bus.chain ^= 1;
    s_answer(s_hello(), &bus, &s_log, true);
    assert_int_equal(s_work(), 0);
    s_stopped(WEFT_E_TWIN);
}

static void O3_an_ack_for_what_an_earlier_life_sent_is_left_to_hello(void **state) {
    (void) state;
    s_new(5, 6, 20);
    s_ack(12);
    s_state(WEFT_PUBLISHER_GREETING);
    assert_int_equal(weft_publisher_acked(w.p), 5);
}

static void O3_a_bus_behind_gets_again_what_the_outbox_still_has(void **state) {
    (void) state;
    s_start(9, 4, 12, 5);
    s_state(WEFT_PUBLISHER_SENDING);
    assert_int_equal(weft_publisher_acked(w.p), 5);
    assert_true(weft_publisher_acked_chain(w.p) == s_chain(5));
    assert_int_equal(s_first_sent(), 6);
    assert_int_equal(s_work(), 7);
    s_ack(12);
    assert_int_equal(weft_publisher_acked(w.p), 12);
}

static void O3_a_bus_that_lost_what_the_outbox_no_longer_has_stops(void **state) {
    (void) state;
    s_start(9, 7, 12, 6);
    s_state(WEFT_PUBLISHER_SENDING); /* 7 is the next */
    s_start(9, 7, 12, 5);
    s_stopped(WEFT_E_BUS_LOST);
    s_start(9, 10, 9, 0); /* an empty log under the same name */
    s_stopped(WEFT_E_BUS_LOST);
}

static void O3_a_bus_behind_with_another_chain_is_a_twin(void **state) {
    (void) state;
    s_start(0, 1, 20, 0);
    s_work();
    s_ack(10);
    w.now += WEFT_RETRY_MS_MIN;
    weft_origin_state_t bus = s_bus(6); /* restored from an old copy, and a twin went on there */
    bus.chain ^= 1;
    s_answer(s_hello(), &bus, &s_log, true);
    s_stopped(WEFT_E_TWIN);
}

static void O3_what_is_compared_is_what_was_acked_when_hello_was_sent(void **state) {
    (void) state;
    s_start(0, 1, 10, 0);
    s_work();
    s_ack(2);
    w.now += WEFT_RETRY_MS_MIN;
    uint64_t id = s_hello();
    s_ack(9);         /* after the HELLO */
    s_welcome(id, 3); /* before it: no loss */
    s_state(WEFT_PUBLISHER_SENDING);
    assert_int_equal(weft_publisher_acked(w.p), 9);
}

static void O3_another_log_than_the_one_that_acked_stops(void **state) {
    (void) state;
    s_new(5, 6, 8);
    weft_origin_state_t bus = s_bus(5);
    s_answer(s_hello(), &bus, &s_other_log, true);
    s_stopped(WEFT_E_OTHER_LOG);
}

static void any_log_will_do_as_long_as_nothing_was_acked(void **state) {
    (void) state;
    s_start(0, 1, 3, 0);
    s_work();
    w.now += WEFT_RETRY_MS_MIN;
    weft_origin_state_t bus = s_bus(0);
    s_answer(s_hello(), &bus, &s_other_log, true);
    s_state(WEFT_PUBLISHER_SENDING);
    assert_int_equal(s_work(), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(O3_a_bus_ahead_of_all_that_was_committed_is_a_twin),
        TEST(O3_an_ack_beyond_all_that_was_committed_is_a_twin),
        TEST(O3_another_chain_at_last_is_a_twin),
        TEST(O3_another_chain_in_an_ack_is_a_twin),
        TEST(O3_what_an_earlier_life_sent_is_proved_by_its_chain),
        TEST(O3_an_earlier_life_of_a_twin_is_found_out_by_its_chain),
        TEST(O3_an_ack_for_what_an_earlier_life_sent_is_left_to_hello),
        TEST(O3_a_bus_behind_gets_again_what_the_outbox_still_has),
        TEST(O3_a_bus_that_lost_what_the_outbox_no_longer_has_stops),
        TEST(O3_a_bus_behind_with_another_chain_is_a_twin),
        TEST(O3_what_is_compared_is_what_was_acked_when_hello_was_sent),
        TEST(O3_another_log_than_the_one_that_acked_stops),
        TEST(any_log_will_do_as_long_as_nothing_was_acked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
