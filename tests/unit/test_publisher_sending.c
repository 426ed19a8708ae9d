/* How the publisher sends: its window, acks and resending (O2), a path that is lost, its end, and runs at
 * random. */
#include "publisher_fixture.h"

#include "weft_limits.h"

/* ---- O2: window, acks, resending */

static void O2_no_more_than_the_window_lies_beyond_the_last_ack(void **state) {
    (void) state;
    s_start(0, 1, 20000, 0);
    assert_int_equal(s_work(), WEFT_WINDOW_EVENTS_MAX);
    s_ack(1); /* too little room for a commit that is worth it */
    assert_int_equal(s_work(), 0);
    s_ack(WEFT_WINDOW_EVENTS_MAX / 4 - 1);
    assert_int_equal(s_work(), 0);
    s_ack(WEFT_WINDOW_EVENTS_MAX / 4);
    assert_int_equal(s_work(), WEFT_WINDOW_EVENTS_MAX / 4);
    s_ack(WEFT_WINDOW_EVENTS_MAX + 1);
    assert_int_equal(s_work(), WEFT_WINDOW_EVENTS_MAX - WEFT_WINDOW_EVENTS_MAX / 4 + 1);
    s_ack(WEFT_WINDOW_EVENTS_MAX); /* an old one changes nothing */
    assert_int_equal(s_work(), 0);
    assert_int_equal(weft_publisher_acked(w.p), WEFT_WINDOW_EVENTS_MAX + 1);
}

static void acks_move_what_is_known(void **state) {
    (void) state;
    s_start(0, 1, 5, 0);
    s_work();
    s_ack(3);
    assert_int_equal(weft_publisher_acked(w.p), 3);
    assert_true(weft_publisher_acked_chain(w.p) == s_chain(3));
    assert_int_equal(weft_publisher_acked_position(w.p), 30);
    weft_ack_t again = {.source_seq = 3, .position = 31, .origin_chain = s_chain(3)};
    weft_publisher_ack(w.p, w.now, &again);
    assert_int_equal(weft_publisher_acked_position(w.p), 31);
    s_ack(5);
    assert_true(weft_publisher_deadline(w.p) == INT64_MAX); /* nothing is under way */
    weft_publisher_queued(w.p, 6);
    assert_int_equal(s_work(), 1);
    weft_publisher_queued(w.p, 4); /* never backwards */
    assert_int_equal(s_work(), 0);
}

static void O2_no_ack_in_time_says_hello_and_goes_on_from_last_plus_one(void **state) {
    (void) state;
    s_start(0, 1, 10, 0);
    s_work();
    s_ack(2);
    w.now += WEFT_RETRY_MS_MIN - 1;
    s_wants(WEFT_PUBLISHER_NOTHING);
    assert_int_equal(weft_publisher_deadline(w.p), w.now + 1);
    w.now += 1;
    uint64_t id = s_hello();
    s_wants(WEFT_PUBLISHER_NOTHING);
    s_welcome(id, 4);
    assert_int_equal(weft_publisher_acked(w.p), 4);
    assert_int_equal(s_first_sent(), 5);
    assert_int_equal(s_work(), 6);
    assert_int_equal(weft_publisher_resent(w.p), 6);
}

static void O2_the_wait_for_an_ack_doubles_up_to_a_cap_and_an_ack_resets_it(void **state) {
    (void) state;
    static const int64_t waits[] = {250, 500, 1000, 2000, 4000, 4000};
    s_start(0, 1, 2, 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(s_work(), 2);
        w.now += waits[i] - 1;
        s_wants(WEFT_PUBLISHER_NOTHING);
        w.now += 1;
        s_welcome(s_hello(), 0);
    }
    s_work();
    s_ack(1);
    assert_int_equal(weft_publisher_deadline(w.p), w.now + WEFT_RETRY_MS_MIN);
}

static void an_ack_while_greeting_counts_too(void **state) {
    (void) state;
    s_start(0, 1, 10, 0);
    s_work();
    w.now += WEFT_RETRY_MS_MIN;
    uint64_t id = s_hello();
    s_ack(8); /* it was only late */
    assert_int_equal(weft_publisher_acked(w.p), 8);
    s_welcome(id, 5); /* told before that */
    s_state(WEFT_PUBLISHER_SENDING);
    assert_int_equal(weft_publisher_acked(w.p), 8);
    assert_int_equal(s_first_sent(), 9);
}

static void a_blocked_group_is_sent_again_after_a_pause(void **state) {
    (void) state;
    s_start(0, 1, 10, 0);
    s_work();
    weft_publisher_blocked(w.p, w.now, 7);
    s_wants(WEFT_PUBLISHER_NOTHING);
    int64_t at = weft_publisher_deadline(w.p);
    assert_in_range(at, w.now + 1, w.now + 100);
    w.now = at;
    assert_int_equal(s_first_sent(), 7);
    assert_int_equal(s_work(), 4);
    s_ack(9);
    weft_publisher_blocked(w.p, w.now, 7); /* acknowledged meanwhile */
    w.now += 100;
    assert_int_equal(s_first_sent(), 10);
}

/* ---- the path */

static void nothing_is_sent_while_nobody_listens(void **state) {
    (void) state;
    s_start(0, 1, 3, 0);
    weft_publisher_path(w.p, w.now, false);
    s_wants(WEFT_PUBLISHER_NOTHING);
    weft_publisher_path(w.p, w.now, true);
    assert_int_equal(s_work(), 3);
}

static void a_path_that_stays_lost_asks_for_the_endpoints_again(void **state) {
    (void) state;
    s_start(0, 1, 3, 0);
    weft_publisher_path(w.p, w.now, false);
    assert_int_equal(weft_publisher_deadline(w.p), w.now + WEFT_SILENCE_MS);
    w.now += WEFT_SILENCE_MS - 1;
    s_wants(WEFT_PUBLISHER_NOTHING);
    w.now += 1;
    s_welcome(s_hello(), 0);
    s_state(WEFT_PUBLISHER_SENDING);
    s_wants(WEFT_PUBLISHER_NOTHING); /* still nobody */
    assert_int_equal(weft_publisher_deadline(w.p), w.now + WEFT_SILENCE_MS);
}

static void a_lost_path_is_no_matter_when_there_is_nothing_to_send(void **state) {
    (void) state;
    s_start(0, 1, 1, 0);
    s_work();
    s_ack(1);
    weft_publisher_path(w.p, w.now, false);
    assert_true(weft_publisher_deadline(w.p) == INT64_MAX);
    w.now += 10 * WEFT_SILENCE_MS;
    s_wants(WEFT_PUBLISHER_NOTHING);
    s_state(WEFT_PUBLISHER_SENDING);
}

/* ---- stopping */

static void the_first_stop_counts_and_nothing_moves_after_it(void **state) {
    (void) state;
    s_start(0, 1, 5, 0);
    s_work();
    weft_publisher_stop(w.p, WEFT_E_NOMEM);
    weft_publisher_stop(w.p, WEFT_E_STORE);
    s_ack(5);
    weft_publisher_sent(w.p, w.now, 6, 0, 0);
    weft_publisher_hashed(w.p, 6, 0, 0);
    weft_publisher_blocked(w.p, w.now, 1);
    weft_publisher_hello_sent(w.p, w.now, 1, true);
    assert_int_equal(weft_publisher_acked(w.p), 0);
    s_stopped(WEFT_E_NOMEM);
}

static void pruning_follows_the_acks(void **state) {
    (void) state;
    s_start(0, 1, 10, 0);
    s_work();
    s_ack(6);
    weft_publisher_pruned(w.p, 7);
    w.now += WEFT_RETRY_MS_MIN;
    s_welcome(s_hello(), 6);
    assert_int_equal(s_first_sent(), 7);
    w.now += WEFT_RETRY_MS_MAX;
    s_work();
    w.now += WEFT_RETRY_MS_MAX;
    s_welcome(s_hello(), 5);
    s_stopped(WEFT_E_BUS_LOST);
}

/* ---- random: a bus that loses messages and acks, restarts, and falls back to an older state */

static void any_run_ends_with_everything_on_the_bus_once_in_order(void **state) {
    (void) state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed, bus_last = 0, highest = 0, id = 0;
        s_new(0, 1, 0);
        for (unsigned step = 0; step < 400; step++) {
            if (highest < 300 && kit_below(&random, 3) == 0)
                weft_publisher_queued(w.p, highest += kit_below(&random, 20));
            bool quiet = step >= 300; /* in the end nothing is lost any more */
            if (step == 300) weft_publisher_queued(w.p, ++highest); /* shows a bus that fell back */
            for (unsigned n = 0; n < 40; n++) {
                weft_publisher_action_t a = s_next();
                if (a.kind == WEFT_PUBLISHER_NOTHING) break;
                if (a.kind == WEFT_PUBLISHER_HELLO) {
                    weft_publisher_hello_sent(w.p, w.now, id = a.id, true);
                    if (quiet || kit_below(&random, 3)) s_welcome(id, bus_last);
                    continue;
                }
                assert_int_equal(a.kind, WEFT_PUBLISHER_SEND);
                weft_publisher_sent(w.p, w.now, a.sequence, s_type_hash(a.sequence),
                                    s_event_hash(a.sequence));
                if ((quiet || kit_below(&random, 10)) && a.sequence == bus_last + 1) bus_last++;
            }
            if (quiet || kit_below(&random, 3)) s_ack(bus_last);
            if (!quiet && kit_below(&random, 30) == 0 && bus_last)
                bus_last -= kit_below(&random, bus_last); /* an older copy of the store */
            w.now += (int64_t) kit_below(&random, 400);
            if (quiet) w.now += WEFT_RETRY_MS_MAX;
            assert_rc(weft_publisher_stopped(w.p), WEFT_OK);
        }
        assert_int_equal(bus_last, highest);
        assert_int_equal(weft_publisher_acked(w.p), highest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(O2_no_more_than_the_window_lies_beyond_the_last_ack),
        TEST(acks_move_what_is_known),
        TEST(O2_no_ack_in_time_says_hello_and_goes_on_from_last_plus_one),
        TEST(O2_the_wait_for_an_ack_doubles_up_to_a_cap_and_an_ack_resets_it),
        TEST(an_ack_while_greeting_counts_too),
        TEST(a_blocked_group_is_sent_again_after_a_pause),
        TEST(nothing_is_sent_while_nobody_listens),
        TEST(a_path_that_stays_lost_asks_for_the_endpoints_again),
        TEST(a_lost_path_is_no_matter_when_there_is_nothing_to_send),
        TEST(the_first_stop_counts_and_nothing_moves_after_it),
        TEST(pruning_follows_the_acks),
        TEST(any_run_ends_with_everything_on_the_bus_once_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
