/* fuzz_subscriber: a subscriber between a log and a bad link. In an honest run (the first byte) messages
 * are lost, doubled, reordered and late, but true: what is handed out is the log's matching events, each
 * once and in order, and after healing all of them. Else the input may also change any field, and bring
 * bytes of its own: then nothing may break, and positions still rise. */
#include "fuzz.h"

#include "kit.h"
#include "weft_limits.h"
#include "weft_subscriber.h"

#define ROWS 48u
#define HELD 8u /* messages on the way */

typedef struct {
    weft_subscriber_t *s;
    bool honest;
    int64_t now;
    uint64_t ids, request_id;
    enum { ASKED_NOTHING, ASKED_HELLO, ASKED_FETCH } asked;
    uint64_t fetch_from;
    uint64_t head; /* rows of the log that are there by now */
    uint64_t boot;
    uint64_t record_prev; /* where the next record begins */
    uint64_t handed;
} s_world_t;

static s_world_t w;
static kit_log_t s_log;
static const char *const s_filters[] = {"a.*", "b"};
static const char *const s_types[] = {"a.x", "b", "a.y", "c", "ab"};
#define FILTERS (sizeof s_filters / sizeof *s_filters)

static bool s_matches(const char *type) {
    return strncmp(type, "a.", 2) == 0 || strcmp(type, "b") == 0;
}

static void s_make_log(void) {
    kit_log_init(&s_log);
    for (unsigned i = 0; i < ROWS; i++) kit_log_add(&s_log, s_types[i * i % 5], 1, i + 1, i % 7);
}

static void s_take(void) {
    weft_batch_t batch;
    if (!weft_subscriber_take(w.s, &batch)) return;
    for (size_t i = 0; i < batch.count; i++) {
        const weft_event_t *event = &batch.events[i];
        uint64_t position = event->position.value;
        WEFT_ASSERT(i == 0 || position > batch.events[i - 1].position.value);
        WEFT_ASSERT(position > w.handed && position <= batch.next.position.value);
        if (w.honest) {
            for (uint64_t p = w.handed + 1; p < position; p++) /* none is left out */
                WEFT_ASSERT(!s_matches(s_log.rows[p - 1].type));
            const kit_row_t *row = &s_log.rows[position - 1];
            WEFT_ASSERT(strcmp(row->type, event->type) == 0 && row->stamp.chain == event->chain);
            WEFT_ASSERT(fuzz_same(row->event.data, row->event.size, event->raw, event->raw_size));
        }
        w.handed = position;
    }
    if (w.honest) {
        uint64_t next = batch.next.position.value;
        for (uint64_t p = w.handed + 1; p <= next; p++)
            WEFT_ASSERT(!s_matches(s_log.rows[p - 1].type));
        WEFT_ASSERT(batch.next.chain == kit_log_chain(&s_log, next));
    }
    WEFT_ASSERT(batch.next.position.value >= w.handed);
    w.handed = batch.next.position.value;
}

static void s_act(bool works) {
    weft_subscriber_action_t action;
    int64_t deadline = weft_subscriber_deadline(w.s);
    weft_subscriber_next(w.s, w.now, ++w.ids, &action);
    if (action.kind == WEFT_SUBSCRIBER_NOTHING) return;
    WEFT_ASSERT(deadline <= w.now);
    w.asked = !works                                 ? ASKED_NOTHING
              : action.kind == WEFT_SUBSCRIBER_HELLO ? ASKED_HELLO
                                                     : ASKED_FETCH;
    w.request_id = w.ids;
    if (action.kind == WEFT_SUBSCRIBER_FETCH)
        w.fetch_from = action.fetch.position.at.position.value;
    weft_subscriber_sent(w.s, w.now, w.ids, works);
}

static void s_twist(fuzz_t *in, uint64_t *value) {
    uint8_t how = fuzz_byte(in);
    if (how < 200) return;
    *value = how < 230 ? *value + how - 215 : fuzz_u64(in);
}

static void s_welcome(fuzz_t *in) {
    weft_welcome_t welcome = kit_log_welcome(&s_log, w.request_id);
    welcome.head = w.head;
    welcome.chain = kit_log_chain(&s_log, w.head);
    welcome.boot = w.boot;
    if (!w.honest) {
        s_twist(in, &welcome.head);
        s_twist(in, &welcome.chain);
        s_twist(in, &welcome.boot);
        s_twist(in, &welcome.first);
    }
    weft_subscriber_welcome(w.s, w.now, &welcome);
}

static void s_page(fuzz_t *in) {
    weft_page_t page;
    weft_buf_t body;
    size_t size;
    uint8_t how = fuzz_byte(in);
    if (w.fetch_from > w.head) return; /* such a place is refused by name */
    weft_buf_init(&body);
    size_t all = s_log.count;
    s_log.count = w.head;
    kit_log_page(&s_log, w.request_id, w.fetch_from, s_filters, FILTERS, 1 + how % 8, 1 + how / 8,
                 &page, &body);
    s_log.count = all;
    page.boot = w.boot;
    if (!w.honest) {
        uint64_t *const fields[] = {&page.from,  &page.next, &page.chain, &page.head,
                                    &page.count, &page.sum,  &page.boot};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) s_twist(in, fields[i]);
        if (fuzz_below(in, 4) == 0) {
            const uint8_t *bytes = fuzz_bytes(in, &size);
            weft_buf_append(&body, bytes, size);
        }
        uint8_t at = fuzz_byte(in);
        if (body.size && at) body.data[at % body.size] ^= fuzz_byte(in);
    }
    if (how & 0x80 && weft_subscriber_ahead(w.s, w.now, &page)) s_act(true);
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    weft_buf_free(&body);
}

static void s_answer(fuzz_t *in) {
    unsigned asked = w.asked;
    if (!w.honest && fuzz_below(in, 8) == 0) asked = fuzz_below(in, 3);
    if (fuzz_below(in, 8)) w.asked = ASKED_NOTHING; /* else it comes twice */
    if (asked == ASKED_HELLO) s_welcome(in);
    if (asked == ASKED_FETCH) s_page(in);
}

/* Live events (prev, last] that are not lost, of one type after the other or in any order. */
static void s_events(fuzz_t *in) {
    weft_buf_t body;
    size_t size;
    unsigned count = 1 + fuzz_below(in, 6);
    weft_buf_init(&body);
    for (unsigned i = 0; i < count && w.head; i++) {
        uint64_t position = w.head - fuzz_below(in, 16) % w.head;
        weft_buf_clear(&body);
        kit_log_put(&s_log, position, &body);
        uint8_t at = w.honest ? 0 : fuzz_byte(in);
        if (at > 128) body.data[at % body.size] ^= fuzz_byte(in);
        if (w.honest && !weft_subscriber_wants_live(w.s)) break;
        weft_subscriber_events(w.s, s_log.rows[position - 1].type,
                               strlen(s_log.rows[position - 1].type), body.data, body.size);
    }
    if (!w.honest && fuzz_below(in, 4) == 0) {
        const uint8_t *bytes = fuzz_bytes(in, &size);
        weft_subscriber_events(w.s, "a.x", 3, bytes, size);
    }
    weft_buf_free(&body);
}

/* All events after the last record, then the record. lose: bits of events that do not arrive. */
static void s_commit(fuzz_t *in, unsigned lose) {
    static weft_record_t record;
    weft_buf_t body;
    uint8_t how = fuzz_byte(in);
    weft_buf_init(&body);
    uint64_t last = w.head;
    if (w.record_prev > last) w.record_prev = last;
    for (uint64_t p = w.record_prev + 1; p <= last; p++) {
        if (lose >> p % 8 & 1) continue;
        weft_buf_clear(&body);
        kit_log_put(&s_log, p, &body);
        if (weft_subscriber_wants_live(w.s))
            weft_subscriber_events(w.s, s_log.rows[p - 1].type, strlen(s_log.rows[p - 1].type),
                                   body.data, body.size);
    }
    weft_buf_free(&body);
    kit_log_record(&s_log, w.record_prev - (how % 4 == 0 ? w.record_prev / 2 : 0), last, &record);
    record.boot = w.boot;
    w.record_prev = last;
    if (!w.honest) {
        uint64_t *const fields[] = {&record.prev, &record.prev_chain, &record.last, &record.chain,
                                    &record.boot};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) s_twist(in, fields[i]);
        if (record.types_count) s_twist(in, &record.types[how % record.types_count].count);
        if (record.types_count) s_twist(in, &record.types[how % record.types_count].sum);
    }
    if (how % 8 == 7) return; /* the record is lost */
    if (weft_subscriber_wants_live(w.s)) weft_subscriber_record(w.s, w.now, &record);
}

static void s_error(fuzz_t *in) {
    weft_error_t error = {.id = w.request_id, .code = WEFT_E_STORE};
    if (!w.honest) error.code = fuzz_byte(in);
    weft_subscriber_error(w.s, w.now, &error);
}

static void s_step(fuzz_t *in) {
    uint8_t op = fuzz_byte(in);
    switch (op % 12) {
    case 0:
    case 1: s_act(op < 240); break;
    case 2:
    case 3: s_answer(in); break;
    case 4:
        w.head += 1 + op / 64;
        if (w.head > ROWS) w.head = ROWS;
        break;
    case 5: s_events(in); break;
    case 6: s_commit(in, 0); break;
    case 7: s_commit(in, op / 12); break;
    case 8: s_take(); break;
    case 9: w.now += op * (op & 0x80 ? 100 : 4); break;
    case 10:
        if (op & 0x80) w.boot++; /* the bus was started again */
        break;
    default: s_error(in); break;
    }
    if (weft_subscriber_wants_renewal(w.s)) WEFT_ASSERT(w.now >= WEFT_SILENCE_MS);
    if (w.honest) WEFT_ASSERT(weft_subscriber_state(w.s) != WEFT_SUBSCRIBER_STOPPED);
}

static void s_heal(void) {
    static const uint8_t once[] = {1}, whole[] = {255};
    for (unsigned turn = 0; w.handed < w.head || w.head < ROWS; turn++) {
        fuzz_t commit = fuzz_input(once, 1), yes = fuzz_input(whole, 1);
        WEFT_ASSERT(turn < 200);
        s_act(true);
        unsigned asked = w.asked;
        w.asked = ASKED_NOTHING;
        if (asked == ASKED_HELLO) s_welcome(&yes);
        if (asked == ASKED_FETCH) s_page(&yes);
        if (turn == 50) w.head = ROWS;
        s_commit(&commit, 0);
        s_take();
        w.now += 500;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_t in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in);
    weft_resume_t resume = {0};
    if (!s_log.count) s_make_log();
    w = (s_world_t){.honest = how & 1, .now = 10000, .boot = 5, .head = fuzz_below(&in, ROWS)};
    weft_start_t start = WEFT_START_BEGINNING;
    if (how & 2 && w.head) {
        start = how & 4 ? WEFT_START_RESUME : WEFT_START_POSITION;
        w.handed = 1 + fuzz_byte(&in) % w.head;
        resume = (weft_resume_t){
            .log = s_log.log, .position = {w.handed}, .chain = kit_log_chain(&s_log, w.handed)};
    }
    w.s = weft_subscriber_new(s_filters, FILTERS, start, &resume);
    WEFT_ASSERT(w.s);
    while (fuzz_left(&in)) s_step(&in);
    if (w.honest)
        s_heal();
    else
        s_take();
    weft_subscriber_destroy(&w.s);
    return 0;
}
