/* The rules of the publisher, one by one, by a clock and a bus that are made of numbers. */
#include "kit.h"

#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_publisher.h"

#define SEQUENCES_MAX 40000

typedef struct {
    weft_publisher_t *p;
    int64_t now;
    uint64_t ids; /* the last request id given out */
} s_world_t;

static s_world_t w;
static const weft_uuid_t s_log = {{0x10}}, s_other_log = {{0x20}}, s_no_log;

/* Hashes of the event with that sequence, and the origin chain at it. */
static uint64_t s_type_hash(uint64_t seq) {
    return seq * 31;
}
static uint64_t s_event_hash(uint64_t seq) {
    return seq * 1000003;
}
static uint64_t s_chain(uint64_t seq) {
    static uint64_t chains[SEQUENCES_MAX + 1];
    static uint64_t known;
    assert_true(seq <= SEQUENCES_MAX);
    for (; known < seq; known++)
        chains[known + 1] = weft_checksum_origin(chains[known], s_type_hash(known + 1),
                                                 s_event_hash(known + 1));
    return chains[seq];
}

static void s_new(uint64_t acked, uint64_t oldest, uint64_t highest) {
    weft_publisher_destroy(&w.p);
    w = (s_world_t){.now = 1000};
    w.p = weft_publisher_new(acked, s_chain(acked), acked ? &s_log : &s_no_log, oldest, highest);
    assert_non_null(w.p);
    weft_publisher_path(w.p, w.now, true);
}

static weft_publisher_action_t s_next(void) {
    weft_publisher_action_t action;
    weft_publisher_next(w.p, w.now, ++w.ids, &action);
    return action;
}

static void s_wants(int kind) {
    assert_int_equal(s_next().kind, kind);
}

/* The HELLO that is due goes out; its id. */
static uint64_t s_hello(void) {
    weft_publisher_action_t action = s_next();
    assert_int_equal(action.kind, WEFT_PUBLISHER_HELLO);
    weft_publisher_hello_sent(w.p, w.now, action.id, true);
    return action.id;
}

static weft_origin_state_t s_bus(uint64_t last) {
    return (weft_origin_state_t){.last = last, .chain = s_chain(last), .position = last * 10};
}

static void s_answer(uint64_t id, const weft_origin_state_t *bus, const weft_uuid_t *log,
                     bool accepting) {
    weft_buf_t raw = {0};
    weft_origin_state_encode(&raw, bus);
    weft_welcome_t welcome = {.id = id,
                              .version = WEFT_PROTOCOL_VERSION,
                              .log = *log,
                              .accepting = accepting,
                              .origin = {.data = raw.data, .size = raw.size}};
    weft_publisher_welcome(w.p, w.now, &welcome);
    weft_buf_free(&raw);
}

static void s_welcome(uint64_t id, uint64_t last) {
    weft_origin_state_t bus = s_bus(last);
    s_answer(id, &bus, &s_log, true);
}

/* Do what is due until nothing is: PROVE and SEND. Events sent. */
static uint64_t s_work(void) {
    for (uint64_t sent = 0;;) {
        weft_publisher_action_t a = s_next();
        if (a.kind == WEFT_PUBLISHER_PROVE) {
            weft_publisher_hashed(w.p, a.sequence, s_type_hash(a.sequence),
                                  s_event_hash(a.sequence));
        } else if (a.kind == WEFT_PUBLISHER_SEND) {
            weft_publisher_sent(w.p, w.now, a.sequence, s_type_hash(a.sequence),
                                s_event_hash(a.sequence));
            sent++;
        } else {
            return sent;
        }
    }
}

static uint64_t s_first_sent(void) {
    weft_publisher_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_PUBLISHER_SEND);
    return a.sequence;
}

static void s_ack(uint64_t seq) {
    weft_ack_t ack = {.source_seq = seq, .position = seq * 10, .origin_chain = s_chain(seq)};
    weft_publisher_ack(w.p, w.now, &ack);
}

static void s_state(weft_publisher_state_t state) {
    assert_int_equal(weft_publisher_state(w.p), state);
}

static void s_stopped(weft_err_t why) {
    assert_rc(weft_publisher_stopped(w.p), why);
    s_state(WEFT_PUBLISHER_STOPPED);
    s_wants(WEFT_PUBLISHER_NOTHING);
    assert_true(weft_publisher_deadline(w.p) == INT64_MAX);
}

/* Greeted, the bus has all up to last. */
static void s_start(uint64_t acked, uint64_t oldest, uint64_t highest, uint64_t last) {
    s_new(acked, oldest, highest);
    s_welcome(s_hello(), last);
}

static int s_tear_down(void **state) {
    (void) state;
    weft_publisher_destroy(&w.p);
    return 0;
}

/* ---- C1, C3: greeting */

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

/* ---- O3: comparing */

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

#define TEST(name) cmocka_unit_test_teardown(name, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(C1_nothing_is_sent_before_a_welcome),
        TEST(C3_replies_that_nobody_waits_for_are_ignored),
        TEST(C3_hello_is_repeated_with_a_new_id),
        TEST(a_hello_that_could_not_be_sent_is_tried_again_soon),
        TEST(the_pause_while_there_is_no_connection_doubles_up_to_a_cap),
        TEST(a_welcome_without_word_of_the_origin_stops),
        TEST(another_version_stops_and_other_errors_wait),
        TEST(O2_no_more_than_the_window_lies_beyond_the_last_ack),
        TEST(acks_move_what_is_known),
        TEST(O2_no_ack_in_time_says_hello_and_goes_on_from_last_plus_one),
        TEST(O2_the_wait_for_an_ack_doubles_up_to_a_cap_and_an_ack_resets_it),
        TEST(an_ack_while_greeting_counts_too),
        TEST(a_blocked_group_is_sent_again_after_a_pause),
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
        TEST(an_event_that_is_refused_for_good_stops),
        TEST(a_refusal_that_is_past_or_may_pass_is_passed_over),
        TEST(a_bus_that_accepts_nothing_is_asked_again_with_growing_pauses),
        TEST(nothing_is_sent_while_nobody_listens),
        TEST(a_path_that_stays_lost_asks_for_the_endpoints_again),
        TEST(a_lost_path_is_no_matter_when_there_is_nothing_to_send),
        TEST(the_first_stop_counts_and_nothing_moves_after_it),
        TEST(pruning_follows_the_acks),
        TEST(any_run_ends_with_everything_on_the_bus_once_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
