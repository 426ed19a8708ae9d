/* What the tests of the publisher share: the clock and the bus are made of numbers. */
#ifndef PUBLISHER_FIXTURE_H
#define PUBLISHER_FIXTURE_H

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
static inline uint64_t s_type_hash(uint64_t seq) {
    return seq * 31;
}
static inline uint64_t s_event_hash(uint64_t seq) {
    return seq * 1000003;
}
static inline uint64_t s_chain(uint64_t seq) {
    static uint64_t chains[SEQUENCES_MAX + 1];
    static uint64_t known;
    assert_true(seq <= SEQUENCES_MAX);
    for (; known < seq; known++)
        chains[known + 1] = weft_checksum_origin(chains[known], s_type_hash(known + 1),
                                                 s_event_hash(known + 1));
    return chains[seq];
}

static inline void s_new(uint64_t acked, uint64_t oldest, uint64_t highest) {
    weft_publisher_destroy(&w.p);
    w = (s_world_t){.now = 1000};
    w.p = weft_publisher_new(acked, s_chain(acked), acked ? &s_log : &s_no_log, oldest, highest);
    assert_non_null(w.p);
    weft_publisher_path(w.p, w.now, true);
}

static inline weft_publisher_action_t s_next(void) {
    weft_publisher_action_t action;
    weft_publisher_next(w.p, w.now, ++w.ids, &action);
    return action;
}

static inline void s_wants(int kind) {
    assert_int_equal(s_next().kind, kind);
}

/* The HELLO that is due goes out; its id. */
static inline uint64_t s_hello(void) {
    weft_publisher_action_t action = s_next();
    assert_int_equal(action.kind, WEFT_PUBLISHER_HELLO);
    weft_publisher_hello_sent(w.p, w.now, action.id, true);
    return action.id;
}

static inline weft_origin_state_t s_bus(uint64_t last) {
    return (weft_origin_state_t){.last = last, .chain = s_chain(last), .position = last * 10};
}

static inline void s_answer(uint64_t id, const weft_origin_state_t *bus, const weft_uuid_t *log,
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

static inline void s_welcome(uint64_t id, uint64_t last) {
    weft_origin_state_t bus = s_bus(last);
    s_answer(id, &bus, &s_log, true);
}

/* Do what is due until nothing is: PROVE and SEND. Events sent. */
static inline uint64_t s_work(void) {
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

static inline uint64_t s_first_sent(void) {
    weft_publisher_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_PUBLISHER_SEND);
    return a.sequence;
}

static inline void s_ack(uint64_t seq) {
    weft_ack_t ack = {.source_seq = seq, .position = seq * 10, .origin_chain = s_chain(seq)};
    weft_publisher_ack(w.p, w.now, &ack);
}

static inline void s_state(weft_publisher_state_t state) {
    assert_int_equal(weft_publisher_state(w.p), state);
}

static inline void s_stopped(weft_err_t why) {
    assert_rc(weft_publisher_stopped(w.p), why);
    s_state(WEFT_PUBLISHER_STOPPED);
    s_wants(WEFT_PUBLISHER_NOTHING);
    assert_true(weft_publisher_deadline(w.p) == INT64_MAX);
}

/* Greeted, the bus has all up to last. */
static inline void s_start(uint64_t acked, uint64_t oldest, uint64_t highest, uint64_t last) {
    s_new(acked, oldest, highest);
    s_welcome(s_hello(), last);
}

static inline int s_tear_down(void **state) {
    (void) state;
    weft_publisher_destroy(&w.p);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, s_tear_down)

#endif
