/* fuzz_publisher: a publisher whose shell keeps its contract and whose bus says what the input says. In
 * an honest run (the first byte) the bus is true and only loses and delays: then the publisher never
 * stops, and once the bus answers everything, all is acknowledged. */
#include "fuzz.h"

#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_publisher.h"

#define SEQUENCES_MAX 20000u
#define STEPS_MAX 70000u /* of one run at one moment: more is a loop without end */

typedef struct {
    weft_publisher_t *p;
    bool honest;
    int64_t now;
    uint64_t ids, hello_id, hello_acked;
    uint64_t oldest, highest;
    uint64_t stored; /* the bus has all up to here */
    bool open;
} s_world_t;

static s_world_t w;
static const weft_uuid_t s_logs[2] = {{{1}}, {{2}}};

static uint64_t s_type_hash(uint64_t seq) {
    return seq * 31;
}

static uint64_t s_event_hash(uint64_t seq) {
    return seq * 1000003;
}

static uint64_t s_chain(uint64_t seq) {
    static uint64_t chains[SEQUENCES_MAX + 1];
    static uint64_t known;
    WEFT_ASSERT(seq <= SEQUENCES_MAX);
    for (; known < seq; known++)
        chains[known + 1] = weft_checksum_origin(chains[known], s_type_hash(known + 1),
                                                 s_event_hash(known + 1));
    return chains[seq];
}

static void s_check(void) {
    uint64_t acked = weft_publisher_acked(w.p);
    WEFT_ASSERT(acked <= w.highest);
    if (weft_publisher_state(w.p) == WEFT_PUBLISHER_STOPPED) {
        WEFT_ASSERT(weft_publisher_stopped(w.p) != WEFT_OK);
        WEFT_ASSERT(weft_publisher_deadline(w.p) == INT64_MAX);
    } else {
        WEFT_ASSERT(weft_publisher_stopped(w.p) == WEFT_OK);
    }
    if (!w.honest) return;
    WEFT_ASSERT(weft_publisher_state(w.p) != WEFT_PUBLISHER_STOPPED);
    WEFT_ASSERT(acked <= w.stored && weft_publisher_acked_chain(w.p) == s_chain(acked));
}

/* Do one thing that it wants. reach: what is sent arrives. False: it wants nothing. */
static bool s_act(bool works, bool reach) {
    weft_publisher_action_t action;
    int64_t deadline = weft_publisher_deadline(w.p);
    weft_publisher_next(w.p, w.now, ++w.ids, &action);
    if (action.kind != WEFT_PUBLISHER_NOTHING) WEFT_ASSERT(deadline <= w.now);
    switch (action.kind) {
    case WEFT_PUBLISHER_NOTHING: return false;
    case WEFT_PUBLISHER_HELLO:
        WEFT_ASSERT(action.id == w.ids);
        weft_publisher_hello_sent(w.p, w.now, action.id, works);
        w.hello_id = works && reach ? action.id : 0;
        w.hello_acked = weft_publisher_acked(w.p);
        break;
    case WEFT_PUBLISHER_PROVE:
        WEFT_ASSERT(action.sequence >= w.oldest && action.sequence <= w.highest);
        weft_publisher_hashed(w.p, action.sequence, s_type_hash(action.sequence),
                              s_event_hash(action.sequence));
        break;
    case WEFT_PUBLISHER_SEND: {
        uint64_t seq = action.sequence, acked = weft_publisher_acked(w.p);
        WEFT_ASSERT(w.open && seq >= w.oldest && seq <= w.highest);
        WEFT_ASSERT(seq > acked && seq <= acked + WEFT_WINDOW_EVENTS_MAX); /* O2 */
        weft_publisher_sent(w.p, w.now, seq, s_type_hash(seq), s_event_hash(seq));
        if (!works)
            weft_publisher_blocked(w.p, w.now, seq);
        else if (reach && seq == w.stored + 1)
            w.stored = seq;
        break;
    }
    }
    s_check();
    return true;
}

static void s_run(bool works, bool reach) {
    unsigned steps = 0;
    while (works ? s_act(true, reach) : steps < 8 && s_act(false, reach))
        WEFT_ASSERT(++steps < STEPS_MAX);
}

/* A number near those that matter. */
static uint64_t s_number(fuzz_t *in) {
    uint8_t choice = fuzz_byte(in);
    uint64_t near = choice % 5 == 0   ? 0
                    : choice % 5 == 1 ? weft_publisher_acked(w.p)
                    : choice % 5 == 2 ? w.stored
                    : choice % 5 == 3 ? w.highest
                                      : fuzz_u64(in);
    return near + (choice >> 5) - 3;
}

static uint64_t s_chain_told(fuzz_t *in, uint64_t seq) {
    return seq <= SEQUENCES_MAX && fuzz_below(in, 8) ? s_chain(seq) : fuzz_u64(in);
}

static void s_welcome(fuzz_t *in) {
    weft_origin_state_t state = {.last = w.stored, .position = w.stored};
    weft_welcome_t welcome = {.id = w.hello_id, .log = s_logs[0], .accepting = true};
    weft_buf_t raw;
    uint8_t how = fuzz_byte(in);
    state.chain = s_chain(w.stored);
    if (how % 4 == 0) welcome.accepting = false;
    if (!w.honest) {
        state.last = s_number(in);
        state.chain = s_chain_told(in, state.last);
        if (how & 0x10) welcome.log = s_logs[1];
        if (how & 0x20) state.refused_seq = s_number(in);
        if (how & 0x20) state.refused_code = fuzz_byte(in);
        if (how & 0x40) welcome.id = s_number(in);
    }
    weft_buf_init(&raw);
    weft_origin_state_encode(&raw, &state);
    welcome.origin = (weft_bytes_t){.data = raw.data, .size = raw.size};
    if (!w.honest && how == 0xff) welcome.origin.size--;
    weft_publisher_welcome(w.p, w.now, &welcome);
    weft_buf_free(&raw);
    w.hello_id = 0;
}

static void s_ack(fuzz_t *in) {
    uint64_t seq = w.honest ? w.stored - fuzz_below(in, 4) : s_number(in);
    if (w.honest && seq > w.stored) seq = 0;
    weft_ack_t ack = {.source_seq = seq, .position = seq};
    ack.origin_chain = w.honest ? s_chain(seq) : s_chain_told(in, seq);
    if (w.honest && !seq) return; /* a bus that has nothing sends no ack */
    weft_publisher_ack(w.p, w.now, &ack);
}

static void s_error(fuzz_t *in) {
    weft_error_t error = {.id = w.hello_id, .code = fuzz_byte(in)};
    if (w.honest) error.code = WEFT_E_STORE;
    weft_publisher_error(w.p, w.now, &error);
}

static void s_step(fuzz_t *in) {
    uint8_t op = fuzz_byte(in);
    switch (op % 12) {
    case 0:
    case 1: s_run(true, true); break;
    case 2: s_run(true, false); break; /* what is sent is lost */
    case 3: s_run(false, true); break;
    case 4: w.now += op; break;
    case 5: w.now += op * 32; break;
    case 6: s_welcome(in); break;
    case 7: s_ack(in); break;
    case 8: s_error(in); break;
    case 9:
        w.open = op & 0x80;
        weft_publisher_path(w.p, w.now, w.open);
        break;
    case 10:
        w.highest += op >= 0xf0 ? 3000 : op / 12;
        if (w.highest > SEQUENCES_MAX) w.highest = SEQUENCES_MAX;
        weft_publisher_queued(w.p, w.highest);
        break;
    default: /* what is acknowledged may be deleted */
        if (weft_publisher_acked(w.p) + 1 < w.oldest) break;
        w.oldest = weft_publisher_acked(w.p) + 1;
        weft_publisher_pruned(w.p, w.oldest);
        break;
    }
    s_check();
}

/* Liveness: all links whole, all answers given, everything is acknowledged in bounded time. */
static void s_heal(void) {
    weft_publisher_path(w.p, w.now, w.open = true);
    for (unsigned turn = 0; weft_publisher_acked(w.p) < w.highest; turn++) {
        static const uint8_t accepting[] = {1};
        WEFT_ASSERT(turn < 100);
        s_run(true, true);
        fuzz_t yes = fuzz_input(accepting, 1), none = fuzz_input(accepting, 0);
        if (w.hello_id) s_welcome(&yes);
        s_run(true, true);
        s_ack(&none);
        w.now += 1000;
        s_check();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const weft_uuid_t none;
    fuzz_t in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in);
    w = (s_world_t){.honest = how & 1, .now = 1000, .oldest = 1};
    uint64_t acked = how & 2 ? fuzz_byte(&in) : 0;
    w.stored = acked + (how & 4 ? fuzz_byte(&in) : 0); /* acks that this side has not heard of */
    w.highest = w.stored + (how & 8 ? fuzz_byte(&in) : 0);
    if (acked && how & 16) w.oldest = acked + 1;
    w.p = weft_publisher_new(acked, s_chain(acked), acked ? &s_logs[0] : &none, w.oldest,
                             w.highest);
    WEFT_ASSERT(w.p);
    while (fuzz_left(&in)) s_step(&in);
    if (w.honest) s_heal();
    weft_publisher_destroy(&w.p);
    return 0;
}
