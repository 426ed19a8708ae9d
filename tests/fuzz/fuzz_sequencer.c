/* fuzz_sequencer: batches of good, doubled, missing and stale events, committed or taken back, against
 * a model that knows of each origin the last sequence alone. Checked after each batch: I2, I3, I6, the
 * books, the record, the chains and the groups (F1, F2). */
#include "fuzz.h"

#include "weft_checksum.h"
#include "weft_sequencer.h"

#define ORIGINS 4u
#define TYPES 6u
#define BODIES_MAX 256u

static const char *const s_types[TYPES] = {"a",       "a.b", "comment.created",
                                           "$commit", "",    "bad type"};
#define TYPES_LEGAL 3u

typedef struct {
    weft_sequencer_t *sequencer;
    int64_t now_us, stored_us;
    uint64_t position, chain;                 /* committed */
    uint64_t last[ORIGINS], pending[ORIGINS]; /* source sequence */
    uint64_t chains[ORIGINS], pending_chains[ORIGINS];
    uint64_t taken, stored, rows;
    weft_buf_t bodies[BODIES_MAX]; /* events of the batch */
    size_t bodies_count;
} s_world_t;

static s_world_t w;

static void s_begin(int64_t step) {
    w.now_us += step;
    weft_sequencer_begin(w.sequencer, w.now_us);
    w.rows = 0;
    for (size_t i = 0; i < w.bodies_count; i++) weft_buf_clear(&w.bodies[i]);
    w.bodies_count = 0;
    memcpy(w.pending, w.last, sizeof w.last);
    memcpy(w.pending_chains, w.chains, sizeof w.chains);
}

static weft_wire_event_t s_event(unsigned origin, uint64_t seq, size_t padding) {
    static uint8_t uuids[ORIGINS][16];
    static uint8_t data[5 + (70u << 10)] = {0xc6};
    weft_buf_t *body = &w.bodies[w.bodies_count++];
    weft_wire_event_t event = {.origin = uuids[origin],
                               .source_seq = seq,
                               .source = "fuzz",
                               .source_size = 4,
                               .data = data,
                               .data_size = 5 + padding};
    uuids[origin][0] = (uint8_t) (origin + 1);
    data[2] = (uint8_t) (padding >> 16);
    data[3] = (uint8_t) (padding >> 8);
    data[4] = (uint8_t) padding;
    weft_wire_event_put(body, &event);
    WEFT_ASSERT(weft_buf_ok(body));
    weft_mp_t r = weft_mp_reader(body->data, body->size);
    WEFT_ASSERT(weft_wire_event_take(&r, &event) == WEFT_OK);
    return event;
}

static void s_take(fuzz_t *in) {
    static const size_t paddings[] = {0, 10, 16u << 10, 32u << 10, 65u << 10};
    unsigned choice = fuzz_byte(in), origin = choice % ORIGINS, number = fuzz_below(in, TYPES);
    uint8_t how = fuzz_byte(in);
    weft_seq_type_t *type;
    weft_drop_t drop;
    if (weft_sequencer_full(w.sequencer) || w.bodies_count == BODIES_MAX) return;
    weft_err_t rc = weft_sequencer_type(w.sequencer, s_types[number], strlen(s_types[number]),
                                        &type);
    WEFT_ASSERT((rc == WEFT_OK) == (number < TYPES_LEGAL));
    w.taken++;
    if (rc != WEFT_OK) {
        weft_sequencer_drop(w.sequencer, WEFT_DROP_BAD_TYPE);
        return;
    }
    uint64_t wanted = w.pending[origin] + 1;
    uint64_t seq = how % 8 < 5    ? wanted
                   : how % 8 == 5 ? wanted - 1 /* a double; 0 is fire-and-forget */
                   : how % 8 == 6 ? wanted + 1
                                  : fuzz_u64(in) >> 1;
    weft_wire_event_t event = s_event(origin, seq, paddings[(how >> 3) % 5]);
    weft_seq_origin_t *known = NULL;
    if (seq) {
        known = weft_sequencer_origin(w.sequencer, event.origin);
        if (!known) known = weft_sequencer_load_origin(w.sequencer, event.origin, 0, 0, 0);
        WEFT_ASSERT(known && known->last == w.last[origin]);
    }
    bool taken = weft_sequencer_take(w.sequencer, type, known, &event, &drop);
    WEFT_ASSERT(taken == (seq == 0 || seq == wanted)); /* I2, I4 */
    if (!taken) WEFT_ASSERT(drop == (seq < wanted ? WEFT_DROP_DUPLICATE : WEFT_DROP_GAP));
    if (!taken) return;
    w.rows++;
    if (!seq) return;
    w.pending[origin] = seq;
    w.pending_chains[origin] = weft_checksum_origin(w.pending_chains[origin], type->hash,
                                                    weft_hash(event.bytes, event.size));
}

/* Rows follow one another, the chain runs over them, time does not go back. chain out: at the end. */
static uint64_t s_check_rows(void) {
    size_t count, types_count;
    const weft_row_t *rows = weft_sequencer_rows(w.sequencer, &count);
    const weft_batch_type_t *types = weft_sequencer_types(w.sequencer, &types_count);
    uint64_t chain = w.chain;
    WEFT_ASSERT(count == w.rows);
    for (size_t i = 0; i < count; i++) {
        WEFT_ASSERT(rows[i].type < types_count && rows[i].position == w.position + 1 + i);
        WEFT_ASSERT(rows[i].stored_us >= w.stored_us); /* I6 */
        uint64_t checksum = weft_checksum_row(rows[i].position, rows[i].stored_us,
                                              types[rows[i].type].type->hash,
                                              weft_hash(rows[i].event, rows[i].size));
        chain = weft_checksum_chain(chain, checksum);
        WEFT_ASSERT(rows[i].checksum == checksum && rows[i].chain == chain);
    }
    return chain;
}

/* F1, F2: every event small enough travels once, in order, in a message that is not too big. */
static void s_check_groups(void) {
    static uint8_t body[WEFT_LIVE_MESSAGE_BYTES_MAX];
    size_t types_count, rows_count;
    const weft_row_t *rows = weft_sequencer_rows(w.sequencer, &rows_count);
    const weft_batch_type_t *types = weft_sequencer_types(w.sequencer, &types_count);
    uint64_t small = 0, seen = 0;
    for (size_t i = 0; i < rows_count; i++)
        small += rows[i].size + WEFT_STAMP_BYTES_MAX <= WEFT_LIVE_MESSAGE_BYTES_MAX;
    for (size_t i = 0; i < types_count; i++) {
        uint32_t cursor = types[i].first, row;
        uint64_t before = 0;
        size_t size;
        while (weft_sequencer_group(w.sequencer, &cursor, &row, &size)) {
            weft_stamp_t stamp;
            weft_wire_event_t event;
            WEFT_ASSERT(size && size <= sizeof body);
            weft_sequencer_body(w.sequencer, row, size, body);
            weft_mp_t r = weft_mp_reader(body, size);
            for (; weft_mp_left(&r); seen++) {
                WEFT_ASSERT(weft_stamp_take(&r, &stamp) && stamp.position > before);
                WEFT_ASSERT(weft_wire_event_take(&r, &event) == WEFT_OK);
                before = stamp.position;
                const weft_row_t *of = &rows[stamp.position - w.position - 1];
                WEFT_ASSERT(of->type == i && of->chain == stamp.chain);
                WEFT_ASSERT(fuzz_same(of->event, of->size, event.bytes, event.size));
            }
        }
    }
    WEFT_ASSERT(seen == small);
}

static void s_check_record(uint64_t prev, uint64_t prev_chain) {
    static const weft_uuid_t log = {{7}};
    static weft_record_t record, again;
    weft_buf_t bytes;
    weft_sequencer_record(w.sequencer, 1, &log, w.now_us < 0 ? 0 : w.now_us, &record);
    WEFT_ASSERT(record.prev == prev && record.prev_chain == prev_chain);
    WEFT_ASSERT(record.last == w.position && record.chain == w.chain);
    weft_buf_init(&bytes);
    weft_record_encode(&bytes, &record);
    WEFT_ASSERT(weft_record_decode(bytes.data, bytes.size, &again) == WEFT_OK); /* counts add up */
    weft_buf_free(&bytes);
}

static void s_check_origins(void) {
    size_t count;
    weft_seq_origin_t **touched = weft_sequencer_touched(w.sequencer, &count);
    WEFT_ASSERT(count <= ORIGINS);
    for (size_t i = 0; i < count; i++) {
        unsigned origin = touched[i]->uuid.bytes[0] - 1u;
        WEFT_ASSERT(touched[i]->last == w.last[origin]);
        WEFT_ASSERT(touched[i]->chain == w.chains[origin]);
        WEFT_ASSERT(touched[i]->position <= w.position); /* I3 */
    }
}

static void s_end(bool commit) {
    uint64_t chain = s_check_rows(), prev = w.position, prev_chain = w.chain;
    if (commit) {
        size_t count;
        const weft_row_t *rows = weft_sequencer_rows(w.sequencer, &count);
        weft_sequencer_commit(w.sequencer);
        s_check_groups();
        if (count) w.stored_us = rows[count - 1].stored_us;
        w.position += w.rows;
        w.chain = chain;
        w.stored += w.rows;
        memcpy(w.last, w.pending, sizeof w.last);
        memcpy(w.chains, w.pending_chains, sizeof w.chains);
    } else {
        weft_sequencer_rollback(w.sequencer, WEFT_DROP_STORE_FAILED);
    }
    WEFT_ASSERT(weft_sequencer_position(w.sequencer) == w.position);
    WEFT_ASSERT(weft_sequencer_chain(w.sequencer) == w.chain);
    s_check_record(prev, prev_chain);
    s_check_origins();
    const weft_books_t *books = weft_sequencer_books(w.sequencer);
    uint64_t sum = books->stored;
    for (unsigned i = 0; i < WEFT_DROP_COUNT; i++) sum += books->drops[i];
    WEFT_ASSERT(books->taken == w.taken && books->stored == w.stored && sum == w.taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_t in = fuzz_input(data, size);
    memset(&w, 0, offsetof(s_world_t, bodies));
    w.bodies_count = 0;
    w.position = fuzz_byte(&in);
    w.chain = w.position * 77;
    w.stored_us = w.now_us = 1000;
    w.sequencer = weft_sequencer_new(w.position, w.chain, w.stored_us);
    WEFT_ASSERT(w.sequencer);
    s_begin(0);
    while (fuzz_left(&in)) {
        uint8_t op = fuzz_byte(&in);
        if (op % 4 < 3) {
            s_take(&in);
            continue;
        }
        s_end((op >> 2) % 4 != 0);
        s_begin((int64_t) (op >> 4) - 4); /* the clock may go back */
    }
    s_end(true);
    weft_sequencer_destroy(&w.sequencer);
    for (size_t i = 0; i < BODIES_MAX; i++) weft_buf_free(&w.bodies[i]);
    return 0;
}
