/* The rules of ingest that the sequencer keeps, one by one and under random batches, against a list. */
#include "kit.h"

#include "weft_checksum.h"
#include "weft_sequencer.h"

/* ---- feeding it */

#define KEPT_MAX 100000
static weft_buf_t s_kept[KEPT_MAX]; /* rows point into the events' bytes */
static size_t s_kept_count;

static void s_forget(void) {
    while (s_kept_count) weft_buf_free(&s_kept[--s_kept_count]);
}

static weft_wire_event_t s_make(uint8_t origin, uint64_t seq, size_t data_bytes) {
    assert_true(s_kept_count < KEPT_MAX);
    weft_buf_t *bytes = &s_kept[s_kept_count++];
    weft_buf_init(bytes);
    kit_event(bytes, origin, seq, NULL, data_bytes);
    return kit_decode_event(bytes);
}

static weft_seq_origin_t *s_origin(weft_sequencer_t *s, const weft_wire_event_t *event) {
    if (!event->source_seq) return NULL;
    weft_seq_origin_t *origin = weft_sequencer_origin(s, event->origin);
    return origin ? origin : weft_sequencer_load_origin(s, event->origin, 0, 0, 0);
}

/* "TAKEN", or why it was dropped. */
static const char *s_take(weft_sequencer_t *s, const char *name, const weft_wire_event_t *event) {
    static const char *const drops[] = {
#define X(n, text, help) text,
        WEFT_DROPS(X)
#undef X
    };
    weft_seq_type_t *type = NULL;
    weft_drop_t drop;
    assert_rc(weft_sequencer_type(s, name, strlen(name), &type), WEFT_OK);
    return weft_sequencer_take(s, type, s_origin(s, event), event, &drop) ? "TAKEN" : drops[drop];
}

static const char *s_send(weft_sequencer_t *s, const char *name, uint8_t origin, uint64_t seq) {
    weft_wire_event_t event = s_make(origin, seq, 10);
    return s_take(s, name, &event);
}

static void s_balance(const weft_sequencer_t *s) {
    const weft_books_t *books = weft_sequencer_books(s);
    uint64_t sum = books->stored;
    for (unsigned i = 0; i < WEFT_DROP_COUNT; i++) sum += books->drops[i];
    assert_int_equal(books->taken, sum);
}

static uint64_t s_rows(const weft_sequencer_t *s) {
    size_t count;
    (void) weft_sequencer_rows(s, &count);
    return count;
}

static int s_tear_down(void **state) {
    (void) state;
    s_forget();
    return 0;
}

/* ---- rules */

static void I2_of_an_origin_only_last_plus_one_is_taken(void **state) {
    (void) state;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1000);
    assert_string_equal(s_send(s, "a.b", 1, 2), "gap");
    assert_string_equal(s_send(s, "a.b", 1, 1), "TAKEN");
    assert_string_equal(s_send(s, "a.c", 1, 1), "duplicate"); /* whatever its type */
    assert_string_equal(s_send(s, "a.c", 1, 2), "TAKEN");
    assert_string_equal(s_send(s, "a.b", 1, 4), "gap");
    assert_string_equal(s_send(s, "a.b", 2, 1), "TAKEN"); /* others have their own count */
    assert_string_equal(s_send(s, "a.b", 1, 3), "TAKEN");
    weft_sequencer_commit(s);
    assert_int_equal(weft_sequencer_position(s), 4);
    weft_sequencer_begin(s, 1000);
    assert_string_equal(s_send(s, "a.b", 1, 3), "duplicate");
    assert_string_equal(s_send(s, "a.b", 1, 5), "gap");
    assert_string_equal(s_send(s, "a.b", 1, 4), "TAKEN");
    weft_sequencer_commit(s);
    s_balance(s);
    assert_int_equal(weft_sequencer_books(s)->drops[WEFT_DROP_DUPLICATE], 2);
    assert_int_equal(weft_sequencer_books(s)->drops[WEFT_DROP_GAP], 3);
    weft_sequencer_destroy(&s);
    assert_null(s);
}

static void I2_doubles_and_gaps_are_acked_once_a_batch_from_the_stored_state(void **state) {
    (void) state;
    size_t count;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1000);
    (void) s_send(s, "a.b", 1, 1);
    (void) s_send(s, "a.b", 1, 2);
    weft_sequencer_commit(s);
    weft_sequencer_begin(s, 1000);
    (void) s_send(s, "a.b", 1, 1);
    (void) s_send(s, "a.b", 1, 1);
    (void) s_send(s, "a.b", 1, 9);
    weft_seq_origin_t **touched = weft_sequencer_touched(s, &count);
    assert_int_equal(count, 1);
    assert_int_equal(touched[0]->last, 2);
    assert_int_equal(touched[0]->position, 2);
    assert_int_equal(s_rows(s), 0);
    weft_sequencer_destroy(&s);
}

static void I3_a_rollback_takes_back_positions_chain_origins_and_types(void **state) {
    (void) state;
    size_t count;
    weft_seq_type_t *type;
    static weft_record_t record;
    const weft_uuid_t log = {{9}};
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1000);
    (void) s_send(s, "a.old", 1, 1);
    weft_sequencer_types(s, &count)[0].type->store_id = 7; /* the store gives it one */
    weft_sequencer_commit(s);
    uint64_t chain = weft_sequencer_chain(s);
    const weft_seq_origin_t *origin = *weft_sequencer_touched(s, &count);
    weft_seq_origin_t before = *origin;

    weft_sequencer_begin(s, 2000);
    (void) s_send(s, "a.old", 1, 2);
    (void) s_send(s, "a.new", 1, 3);
    (void) s_send(s, "a.new", 2, 1);
    (void) s_send(s, "a.new", 1, 3); /* a double: its drop stays counted */
    weft_batch_type_t *types = weft_sequencer_types(s, &count);
    assert_int_equal(count, 2);
    assert_false(types[0].type->is_new);
    assert_true(types[1].type->is_new);
    types[1].type->store_id = 8;
    weft_sequencer_rollback(s, WEFT_DROP_STORE_FAILED);
    assert_int_equal(weft_sequencer_position(s), 1);
    assert_true(weft_sequencer_chain(s) == chain);
    assert_int_equal(origin->last, before.last);
    assert_true(origin->chain == before.chain);
    assert_int_equal(origin->pending_last, before.last);
    assert_true(origin->pending_chain == before.chain);
    assert_int_equal(origin->pending_position, before.position);
    assert_rc(weft_sequencer_type(s, "a.new", 5, &type), WEFT_OK);
    assert_int_equal(type->store_id, 0);
    assert_rc(weft_sequencer_type(s, "a.old", 5, &type), WEFT_OK);
    assert_int_equal(type->store_id, 7);
    (void) weft_sequencer_touched(s, &count);
    assert_int_equal(count, 2); /* they are acked from the old state */
    assert_int_equal(s_rows(s), 0);
    s_balance(s);
    assert_int_equal(weft_sequencer_books(s)->drops[WEFT_DROP_STORE_FAILED], 3);
    weft_sequencer_record(s, 1, &log, 5, &record); /* nothing to tell: a heartbeat */
    assert_int_equal(record.prev, 1);
    assert_int_equal(record.last, 1);
    assert_int_equal(record.types_count, 0);

    weft_sequencer_begin(s, 3000); /* the same events again, as if nothing had been */
    assert_string_equal(s_send(s, "a.old", 1, 2), "TAKEN");
    assert_string_equal(s_send(s, "a.new", 1, 3), "TAKEN");
    assert_string_equal(s_send(s, "a.new", 2, 1), "TAKEN");
    assert_true(weft_sequencer_types(s, &count)[1].type->is_new);
    weft_sequencer_commit(s);
    assert_int_equal(weft_sequencer_position(s), 4);
    weft_sequencer_destroy(&s);
}

static void I4_fire_and_forget_has_no_order_no_ack_and_no_double(void **state) {
    (void) state;
    size_t count;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1000);
    weft_wire_event_t event = s_make(1, 0, 10);
    for (unsigned i = 0; i < 3; i++) assert_string_equal(s_take(s, "a.b", &event), "TAKEN");
    (void) weft_sequencer_touched(s, &count);
    assert_int_equal(count, 0);
    weft_sequencer_commit(s);
    assert_int_equal(weft_sequencer_position(s), 3);
    weft_sequencer_destroy(&s);
}

static void I6_stored_us_never_goes_back(void **state) {
    (void) state;
    static const int64_t clock[] = {500, 2000, 1500, -7, 2000, 2001};
    static const int64_t wanted[] = {1000, 2000, 2000, 2000, 2000, 2001};
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 1000); /* the store's last row */
    for (unsigned i = 0; i < 6; i++) {
        size_t count;
        weft_sequencer_begin(s, clock[i]);
        (void) s_send(s, "a.b", 1, i + 1);
        assert_int_equal(weft_sequencer_rows(s, &count)[0].stored_us, wanted[i]);
        weft_sequencer_commit(s);
    }
    weft_sequencer_begin(s, 9000); /* what was rolled back does not hold the time up */
    (void) s_send(s, "a.b", 1, 7);
    weft_sequencer_rollback(s, WEFT_DROP_STORE_FAILED);
    size_t count;
    weft_sequencer_begin(s, 3000);
    (void) s_send(s, "a.b", 1, 7);
    assert_int_equal(weft_sequencer_rows(s, &count)[0].stored_us, 3000);
    weft_sequencer_destroy(&s);
}

/* ---- bounds */

static void a_batch_is_full_by_what_was_taken_not_by_what_was_accepted(void **state) {
    (void) state;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    weft_wire_event_t event = s_make(1, 1, 10);
    for (unsigned i = 0; i < WEFT_BATCH_EVENTS_MAX; i++) {
        assert_false(weft_sequencer_full(s));
        if (i % 2)
            weft_sequencer_drop(s, WEFT_DROP_BAD_FRAME);
        else
            (void) s_take(s, "a.b", &event); /* one is taken, the others are doubles */
    }
    assert_true(weft_sequencer_full(s));
    assert_int_equal(s_rows(s), 1);
    weft_sequencer_commit(s);
    s_balance(s);
    weft_sequencer_begin(s, 1);
    assert_false(weft_sequencer_full(s));
    weft_sequencer_destroy(&s);
}

static void a_batch_is_full_by_bytes(void **state) {
    (void) state;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    weft_wire_event_t event = s_make(1, 0, WEFT_EVENT_BYTES_MAX - 200);
    uint64_t taken = 0;
    while (!weft_sequencer_full(s)) {
        assert_string_equal(s_take(s, "a.b", &event), "TAKEN");
        taken++;
    }
    assert_int_equal(taken, WEFT_BATCH_BYTES_MAX / event.size + 1);
    weft_sequencer_destroy(&s);
}

static void every_taken_event_may_touch_an_origin_of_its_own(void **state) {
    (void) state;
    size_t count;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    for (unsigned i = 0; i < WEFT_BATCH_EVENTS_MAX; i++) {
        weft_wire_event_t event = s_make(1, 1 + i % 2, 10);      /* half of them are gaps */
        memcpy((void *) (uintptr_t) event.origin, &i, sizeof i); /* in s_kept */
        (void) s_take(s, "a.b", &event);
    }
    (void) weft_sequencer_touched(s, &count);
    assert_int_equal(count, WEFT_BATCH_EVENTS_MAX);
    weft_sequencer_commit(s);
    s_balance(s);
    weft_sequencer_destroy(&s);
}

static void a_batch_ends_at_its_limit_of_types(void **state) {
    (void) state;
    char name[16];
    weft_seq_type_t *type;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    for (unsigned i = 0; i < WEFT_BATCH_TYPES_MAX; i++) {
        snprintf(name, sizeof name, "t%u", i);
        assert_string_equal(s_send(s, name, 1, i + 1), "TAKEN");
    }
    assert_rc(weft_sequencer_type(s, "t0", 2, &type), WEFT_OK); /* those in it go on */
    assert_rc(weft_sequencer_type(s, "other", 5, &type), WEFT_E_AGAIN);
    assert_rc(weft_sequencer_type(s, "$no", 3, &type), WEFT_E_BAD_TYPE);
    weft_sequencer_commit(s);
    weft_sequencer_begin(s, 1);
    assert_rc(weft_sequencer_type(s, "other", 5, &type), WEFT_OK);
    weft_sequencer_destroy(&s);
}

static void a_log_ends_at_its_limit_of_types(void **state) {
    (void) state;
    char name[16];
    weft_seq_type_t *type;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    for (unsigned i = 0; i < WEFT_TYPES_MAX; i++) {
        int size = snprintf(name, sizeof name, "t%u", i);
        assert_true(weft_sequencer_load_type(s, name, (size_t) size, i + 1));
    }
    weft_sequencer_begin(s, 1);
    assert_rc(weft_sequencer_type(s, "t77", 3, &type), WEFT_OK);
    assert_int_equal(type->store_id, 78);
    assert_rc(weft_sequencer_type(s, "one-more", 8, &type), WEFT_E_FULL);
    weft_sequencer_destroy(&s);
}

static void type_names_are_checked(void **state) {
    (void) state;
    char name[WEFT_TYPE_BYTES_MAX + 1];
    weft_seq_type_t *type;
    memset(name, 'a', sizeof name);
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    assert_rc(weft_sequencer_type(s, "a..b", 4, &type), WEFT_E_BAD_TYPE);
    assert_rc(weft_sequencer_type(s, "$commit", 7, &type), WEFT_E_BAD_TYPE);
    assert_rc(weft_sequencer_type(s, name, WEFT_TYPE_BYTES_MAX, &type), WEFT_OK);
    assert_rc(weft_sequencer_type(s, name, WEFT_TYPE_BYTES_MAX + 1, &type), WEFT_E_TOO_BIG);
    weft_sequencer_destroy(&s);
}

static void origins_that_the_cache_forgot_are_asked_for_again(void **state) {
    (void) state;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    for (uint32_t i = 0; i < 65537; i++) {
        uint8_t uuid[16] = {0};
        memcpy(uuid, &i, sizeof i);
        assert_non_null(weft_sequencer_load_origin(s, uuid, i, i, i));
    }
    const uint8_t first[16] = {0};
    assert_non_null(weft_sequencer_origin(s, first));
    weft_sequencer_begin(s, 1);
    assert_null(weft_sequencer_origin(s, first));
    weft_sequencer_destroy(&s);
}

static void a_source_name_lasts_as_long_as_its_batch(void **state) {
    (void) state;
    size_t count;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    (void) s_send(s, "a.b", 1, 1);
    weft_seq_origin_t *origin = *weft_sequencer_touched(s, &count);
    assert_memory_equal(origin->source, "kit", origin->source_size);
    assert_false(origin->stored);
    weft_sequencer_commit(s);
    assert_true(origin->stored);
    weft_sequencer_begin(s, 1);
    assert_null(origin->source); /* it pointed into the message */
    assert_false(origin->touched);
    weft_sequencer_destroy(&s);
}

/* ---- fan-out */

/* Fan out one type: sizes of its messages, positions that are in them. */
static void s_fan_out(const weft_sequencer_t *s, const weft_batch_type_t *type, size_t *messages,
                      size_t *largest, uint64_t *positions, size_t *count) {
    uint32_t cursor = type->first, row;
    size_t size;
    *messages = *largest = *count = 0;
    while (weft_sequencer_group(s, &cursor, &row, &size)) {
        uint8_t *body = malloc(size);
        assert_non_null(body);
        weft_sequencer_body(s, row, size, body);
        weft_mp_t r = weft_mp_reader(body, size);
        while (weft_mp_left(&r)) {
            weft_stamp_t stamp;
            weft_wire_event_t event;
            assert_true(weft_stamp_take(&r, &stamp));
            assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
            positions[(*count)++] = stamp.position;
        }
        if (size > *largest) *largest = size;
        ++*messages;
        free(body);
    }
}

static void F1_events_of_a_type_share_messages_up_to_the_target(void **state) {
    (void) state;
    static uint64_t positions[WEFT_BATCH_EVENTS_MAX];
    size_t messages, largest, count, types;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    for (uint64_t i = 0; i < 2000; i++)
        assert_string_equal(s_send(s, i % 2 ? "a" : "b", 1, i + 1), "TAKEN");
    weft_batch_type_t *t = weft_sequencer_types(s, &types);
    assert_int_equal(types, 2);
    for (size_t i = 0; i < 2; i++) {
        s_fan_out(s, &t[i], &messages, &largest, positions, &count);
        assert_int_equal(count, 1000);
        for (uint64_t k = 0; k < 1000; k++) assert_int_equal(positions[k], 1 + i + 2 * k);
        assert_in_range(largest, WEFT_GROUP_BYTES_TARGET - 200, WEFT_GROUP_BYTES_TARGET);
        assert_true(messages >= 2 && messages < 10);
    }
    weft_sequencer_destroy(&s);
}

static void F2_an_event_above_the_live_limit_is_counted_but_not_fanned_out(void **state) {
    (void) state;
    uint64_t positions[8];
    size_t messages, largest, count, types;
    static weft_record_t record;
    const weft_uuid_t log = {{9}};
    size_t around; /* what an event has around its data, and the stamp before it */
    weft_wire_event_t probe = s_make(1, 1, 60000);
    around = probe.size - 60000 + WEFT_STAMP_BYTES_MAX;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    static const size_t more[] = {1, 0, 1000, 1, 0};
    for (uint64_t i = 0; i < 5; i++) {
        weft_wire_event_t event = s_make(1, i + 1, WEFT_LIVE_MESSAGE_BYTES_MAX - around + more[i]);
        assert_string_equal(s_take(s, "a.b", &event), "TAKEN");
    }
    s_fan_out(s, weft_sequencer_types(s, &types), &messages, &largest, positions, &count);
    assert_int_equal(count, 2); /* those at the limit to the byte */
    assert_int_equal(positions[0], 2);
    assert_int_equal(positions[1], 5);
    assert_int_equal(messages, 2);
    assert_int_equal(largest, WEFT_LIVE_MESSAGE_BYTES_MAX);
    weft_sequencer_commit(s);
    weft_sequencer_record(s, 1, &log, 5, &record);
    assert_int_equal(record.types[0].count, 5);
    weft_sequencer_destroy(&s);
}

static void F2_small_ones_around_a_big_one_still_travel(void **state) {
    (void) state;
    uint64_t positions[8];
    size_t messages, largest, count, types;
    weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
    weft_sequencer_begin(s, 1);
    static const size_t sizes[] = {10, 10, WEFT_LIVE_MESSAGE_BYTES_MAX, WEFT_LIVE_MESSAGE_BYTES_MAX,
                                   10};
    for (uint64_t i = 0; i < 5; i++) {
        weft_wire_event_t event = s_make(1, i + 1, sizes[i]);
        (void) s_take(s, "a.b", &event);
    }
    s_fan_out(s, weft_sequencer_types(s, &types), &messages, &largest, positions, &count);
    assert_int_equal(count, 3);
    assert_int_equal(positions[2], 5);
    assert_int_equal(messages, 2);
    weft_sequencer_destroy(&s);
}

static void a_heartbeat_has_no_types_and_stands_still(void **state) {
    (void) state;
    static weft_record_t record;
    const weft_uuid_t log = {{9}};
    weft_sequencer_t *s = weft_sequencer_new(70, 71, 72);
    weft_sequencer_begin(s, 1000);
    weft_sequencer_record(s, 5, &log, 6, &record);
    assert_int_equal(record.boot, 5);
    assert_memory_equal(&record.log, &log, sizeof log);
    assert_int_equal(record.at, 6);
    assert_int_equal(record.prev, 70);
    assert_int_equal(record.last, 70);
    assert_int_equal(record.prev_chain, 71);
    assert_int_equal(record.chain, 71);
    assert_int_equal(record.types_count, 0);
    weft_sequencer_destroy(&s);
}

/* ---- against a list */

typedef struct {
    uint64_t last, chain;
} s_list_origin_t;

/* Random batches, some of them rolled back: rows, chain, origins and records are those that the list
 * of events gives when it is counted by hand. */
static void random_batches_agree_with_a_list_of_events(void **state) {
    (void) state;
    static const char *const names[] = {"a", "b.c", "b.d", "e"};
    static weft_record_t record, by_hand;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed, taken = 0;
        s_list_origin_t origins[4] = {{0}};
        kit_log_t log;
        kit_log_init(&log);
        weft_sequencer_t *s = weft_sequencer_new(0, 0, 0);
        for (unsigned batch = 0; batch < 30; batch++) {
            s_list_origin_t before[4];
            uint64_t start = log.count;
            size_t count;
            memcpy(before, origins, sizeof before);
            weft_sequencer_begin(s, (int64_t) kit_below(&random, 1000)); /* the clock jumps */
            for (uint64_t n = kit_below(&random, 60); n; n--) {
                uint8_t o = (uint8_t) kit_below(&random, 4);
                uint64_t seq = origins[o].last + kit_below(&random, 3); /* double, next, gap */
                bool wanted = o == 0 || seq == origins[o].last + 1;
                const char *name = names[kit_below(&random, 4)];
                weft_wire_event_t event = s_make(o, o ? seq : 0, kit_below(&random, 300));
                if (o && seq == 0) continue;
                taken++;
                assert_int_equal(strcmp(s_take(s, name, &event), "TAKEN") == 0, wanted);
                if (!wanted) continue;
                const weft_row_t *rows = weft_sequencer_rows(s, &count), *row = &rows[count - 1];
                kit_log_add(&log, name, o, o ? seq : 0, 0); /* its own bytes and time come next */
                kit_row_t *mine = &log.rows[log.count - 1];
                weft_buf_clear(&mine->event);
                weft_buf_append(&mine->event, event.bytes, event.size);
                mine->stamp.stored_us = row->stored_us;
                mine->checksum = weft_checksum_row(log.count, row->stored_us,
                                                   weft_hash(name, strlen(name)),
                                                   weft_hash(event.bytes, event.size));
                mine->stamp.chain = weft_checksum_chain(kit_log_chain(&log, log.count - 1),
                                                        mine->checksum);
                assert_int_equal(row->position, log.count);
                assert_true(row->checksum == mine->checksum && row->chain == mine->stamp.chain);
                if (log.count > 1)
                    assert_true(row->stored_us >=
                                kit_log_row(&log, log.count - 1)->stamp.stored_us);
                if (!o) continue;
                origins[o].last = seq;
                origins[o].chain = weft_checksum_origin(origins[o].chain,
                                                        weft_hash(name, strlen(name)),
                                                        weft_hash(event.bytes, event.size));
            }
            if (kit_below(&random, 4) == 0) {
                weft_sequencer_rollback(s, WEFT_DROP_STORE_FAILED);
                kit_log_cut(&log, start);
                memcpy(origins, before, sizeof before);
            } else {
                weft_sequencer_commit(s);
                weft_sequencer_record(s, log.boot, &log.log, by_hand.at, &record);
                kit_log_record(&log, start, log.count, &by_hand);
                assert_int_equal(record.prev, by_hand.prev);
                assert_int_equal(record.last, by_hand.last);
                assert_true(record.prev_chain == by_hand.prev_chain &&
                            record.chain == by_hand.chain);
                assert_int_equal(record.types_count, by_hand.types_count);
                for (size_t i = 0; i < by_hand.types_count; i++) { /* both in order of appearance */
                    assert_string_equal(record.types[i].type, by_hand.types[i].type);
                    assert_int_equal(record.types[i].count, by_hand.types[i].count);
                    assert_true(record.types[i].sum == by_hand.types[i].sum);
                }
            }
            assert_int_equal(weft_sequencer_position(s), log.count);
            assert_true(weft_sequencer_chain(s) == kit_log_chain(&log, log.count));
            s_balance(s);
        }
        for (uint8_t o = 1; o < 4; o++) {
            uint8_t uuid[16] = {[0] = 0xee, [15] = o};
            const weft_seq_origin_t *origin = weft_sequencer_origin(s, uuid);
            assert_int_equal(origin ? origin->last : 0, origins[o].last);
            assert_true((origin ? origin->chain : 0) == origins[o].chain);
        }
        assert_int_equal(weft_sequencer_books(s)->taken, taken);
        assert_int_equal(weft_sequencer_books(s)->stored, log.count);
        weft_sequencer_destroy(&s);
        kit_log_free(&log);
        s_forget();
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(I2_of_an_origin_only_last_plus_one_is_taken),
        TEST(I2_doubles_and_gaps_are_acked_once_a_batch_from_the_stored_state),
        TEST(I3_a_rollback_takes_back_positions_chain_origins_and_types),
        TEST(I4_fire_and_forget_has_no_order_no_ack_and_no_double),
        TEST(I6_stored_us_never_goes_back),
        TEST(a_batch_is_full_by_what_was_taken_not_by_what_was_accepted),
        TEST(a_batch_is_full_by_bytes),
        TEST(every_taken_event_may_touch_an_origin_of_its_own),
        TEST(a_batch_ends_at_its_limit_of_types),
        TEST(a_log_ends_at_its_limit_of_types),
        TEST(type_names_are_checked),
        TEST(origins_that_the_cache_forgot_are_asked_for_again),
        TEST(a_source_name_lasts_as_long_as_its_batch),
        TEST(F1_events_of_a_type_share_messages_up_to_the_target),
        TEST(F2_an_event_above_the_live_limit_is_counted_but_not_fanned_out),
        TEST(F2_small_ones_around_a_big_one_still_travel),
        TEST(a_heartbeat_has_no_types_and_stands_still),
        TEST(random_batches_agree_with_a_list_of_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
