/* How the publisher greets: nothing goes out before a WELCOME, HELLO is repeated until it comes (C1, C3),
 * and what the bus refuses in it. */
#include "publisher_fixture.h"

#include "weft_limits.h"

/* ---- C1, C3 */

static void C1_nothing_is_sent_before_a_welcome(void **state) {
    (void) state;
    s_new(0, 1, 3);
    uint64_t id = s_hello();
    s_wants(WEFT_PUBLISHER_NOTHING);
    s_welcome(id, 0);
    assert_int_equal(s_first_sent(), 1);
    assert_int_equal(s_work(), 3);
    assert_memory_equal(weft_publisher_log(w.p), &s_log, sizeof s_log);
}

static void C3_replies_that_nobody_waits_for_are_ignored(void **state) {
    (void) state;
    s_new(0, 1, 3);
    s_welcome(0, 0); /* before any HELLO */
    s_state(WEFT_PUBLISHER_GREETING);
    uint64_t first = s_hello();
    s_welcome(first + 100, 0);
    s_state(WEFT_PUBLISHER_GREETING);
    w.now += WEFT_REQUEST_MS;
    uint64_t second = s_hello();
    assert_true(second != first);
    s_welcome(first, 0); /* of the try before */
    s_state(WEFT_PUBLISHER_GREETING);
    weft_error_t error = {.id = first, .code = WEFT_E_VERSION};
    weft_publisher_error(w.p, w.now, &error);
    s_state(WEFT_PUBLISHER_GREETING);
    s_welcome(second, 0);
    s_state(WEFT_PUBLISHER_SENDING);
    weft_origin_state_t twin = s_bus(3);
    s_answer(second, &twin, &s_other_log, true); /* once more, and wrong */
    s_state(WEFT_PUBLISHER_SENDING);
    error.id = second;
    weft_publisher_error(w.p, w.now, &error);
    s_state(WEFT_PUBLISHER_SENDING);
}

static void C3_hello_is_repeated_with_a_new_id(void **state) {
    (void) state;
    s_new(0, 1, 1);
    uint64_t first = s_hello();
    w.now += WEFT_REQUEST_MS - 1;
    s_wants(WEFT_PUBLISHER_NOTHING);
    assert_int_equal(weft_publisher_deadline(w.p), w.now + 1);
    w.now += 1;
    assert_true(s_hello() != first);
}

static void a_hello_that_could_not_be_sent_is_tried_again_soon(void **state) {
    (void) state;
    s_new(0, 1, 1);
    weft_publisher_action_t a = s_next();
    weft_publisher_hello_sent(w.p, w.now, a.id, false);
    s_wants(WEFT_PUBLISHER_NOTHING);
    s_welcome(a.id, 0); /* it cannot be an answer to what was not sent */
    s_state(WEFT_PUBLISHER_GREETING);
    assert_int_equal(weft_publisher_deadline(w.p), w.now + 2);
    w.now = weft_publisher_deadline(w.p);
    s_wants(WEFT_PUBLISHER_HELLO);
}

static int64_t s_pause_after_no_connection(void) {
    weft_publisher_hello_sent(w.p, w.now, s_next().id, false);
    int64_t pause = weft_publisher_deadline(w.p) - w.now;
    w.now += pause;
    return pause;
}

static void the_pause_while_there_is_no_connection_doubles_up_to_a_cap(void **state) {
    static const int64_t pauses[] = {2, 4, 8, 16, 32, 64, 100, 100};
    (void) state;
    s_new(0, 1, 1);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        assert_int_equal(s_pause_after_no_connection(), pauses[i]);
    s_hello(); /* it found one; no answer */
    w.now = weft_publisher_deadline(w.p);
    assert_int_equal(s_pause_after_no_connection(), 2);
}

static void a_welcome_without_word_of_the_origin_stops(void **state) {
    (void) state;
    s_new(0, 1, 1);
    weft_welcome_t welcome = {.id = s_hello(), .accepting = true};
    weft_publisher_welcome(w.p, w.now, &welcome);
    s_stopped(WEFT_E_PROTO);
}

static void another_version_stops_and_other_errors_wait(void **state) {
    (void) state;
    s_new(0, 1, 1);
    weft_error_t error = {.id = s_hello(), .code = WEFT_E_STORE};
    weft_publisher_error(w.p, w.now, &error);
    s_wants(WEFT_PUBLISHER_NOTHING);
    w.now = weft_publisher_deadline(w.p);
    error = (weft_error_t){.id = s_hello(), .code = WEFT_E_VERSION};
    weft_publisher_error(w.p, w.now, &error);
    s_stopped(WEFT_E_VERSION);
}

/* ---- refusals and closed doors */

static void an_event_that_is_refused_for_good_stops(void **state) {
    (void) state;
    static const weft_err_t codes[] = {WEFT_E_BAD_TYPE, WEFT_E_BAD_EVENT, WEFT_E_TOO_BIG,
                                       WEFT_E_VERSION};
    for (size_t i = 0; i < 4; i++) {
        s_new(0, 1, 8);
        weft_origin_state_t bus = s_bus(4);
        bus.refused_seq = 5;
        bus.refused_code = codes[i];
        s_answer(s_hello(), &bus, &s_log, true);
        s_stopped(codes[i]);
    }
}

static void a_refusal_that_is_past_or_may_pass_is_passed_over(void **state) {
    (void) state;
    s_new(0, 1, 8);
    weft_origin_state_t bus = s_bus(0);
    bus.refused_seq = 3; /* not the next one: it is a gap as long as 1 and 2 are missing */
    bus.refused_code = WEFT_E_BAD_TYPE;
    s_answer(s_hello(), &bus, &s_log, true);
    s_state(WEFT_PUBLISHER_SENDING);
    s_new(0, 1, 8);
    bus.refused_seq = 1;
    bus.refused_code = WEFT_E_FULL;
    s_answer(s_hello(), &bus, &s_log, true);
    s_state(WEFT_PUBLISHER_SENDING);
}

static void a_bus_that_accepts_nothing_is_asked_again_with_growing_pauses(void **state) {
    (void) state;
    int64_t pause = 0;
    s_new(0, 1, 3);
    weft_origin_state_t bus = s_bus(0);
    for (unsigned i = 0; i < 6; i++) {
        s_answer(s_hello(), &bus, &s_log, false);
        s_wants(WEFT_PUBLISHER_NOTHING);
        int64_t next = weft_publisher_deadline(w.p) - w.now;
        assert_true(next >= pause && next <= WEFT_RETRY_MS_MAX);
        pause = next;
        w.now += next;
    }
    assert_int_equal(pause, WEFT_RETRY_MS_MAX);
    s_answer(s_hello(), &bus, &s_log, true);
    assert_int_equal(s_work(), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(C1_nothing_is_sent_before_a_welcome),
        TEST(C3_replies_that_nobody_waits_for_are_ignored),
        TEST(C3_hello_is_repeated_with_a_new_id),
        TEST(a_hello_that_could_not_be_sent_is_tried_again_soon),
        TEST(the_pause_while_there_is_no_connection_doubles_up_to_a_cap),
        TEST(a_welcome_without_word_of_the_origin_stops),
        TEST(another_version_stops_and_other_errors_wait),
        TEST(an_event_that_is_refused_for_good_stops),
        TEST(a_refusal_that_is_past_or_may_pass_is_passed_over),
        TEST(a_bus_that_accepts_nothing_is_asked_again_with_growing_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
