/* The newest events of an outbox in memory: always those that the table would give, or none. */
#include "kit.h"

#include "weft_fresh.h"

static weft_fresh_t s_fresh;
static const uint8_t s_origin[16] = {1, 2, 3};

static int s_end(void **state) {
    (void) state;
    weft_fresh_free(&s_fresh);
    s_fresh = (weft_fresh_t){0};
    return 0;
}

/* version tells two events of one sequence apart, one of which was rolled back. */
static weft_wire_event_t s_event(uint64_t sequence, uint8_t version, const uint8_t *data,
                                 size_t size) {
    return (weft_wire_event_t){.origin = s_origin,
                               .source_seq = sequence,
                               .time_us = 1000 + version,
                               .source = "me",
                               .source_size = 2,
                               .data = data,
                               .data_size = size};
}

static void s_add(uint64_t sequence, uint8_t version) {
    static const char *const types[] = {"a.made", "long.name.of.a.type"};
    const char *type = types[sequence % 2];
    const uint8_t data[2] = {0x91, version};
    weft_wire_event_t event = s_event(sequence, version, data, sizeof data);
    weft_fresh_add(&s_fresh, type, strlen(type), &event);
}

static bool s_has(uint64_t sequence, uint8_t version) {
    static const char *const types[] = {"a.made", "long.name.of.a.type"};
    const char *type = types[sequence % 2];
    const uint8_t data[2] = {0x91, version};
    weft_wire_event_t event = s_event(sequence, version, data, sizeof data);
    weft_buf_t wanted = {0};
    weft_relay_event_t got;
    if (!weft_fresh_get(&s_fresh, sequence, &got)) return false;
    weft_wire_event_put(&wanted, &event);
    assert_int_equal(got.type_size, strlen(type));
    assert_memory_equal(got.type, type, got.type_size);
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.event, wanted.data, wanted.size);
    weft_buf_free(&wanted);
    return true;
}

static void what_was_added_is_there_as_it_is_sent(void **state) {
    (void) state;
    assert_false(s_has(0, 0));
    for (uint64_t i = 5; i < 15; i++) s_add(i, 0);
    for (uint64_t i = 5; i < 15; i++) assert_true(s_has(i, 0));
    assert_false(s_has(4, 0));
    assert_false(s_has(15, 0));
    assert_false(s_has(UINT64_MAX, 0));
}

static void what_is_rolled_back_is_gone_and_its_sequence_comes_again(void **state) {
    (void) state;
    for (uint64_t i = 1; i <= 9; i++) s_add(i, 0);
    weft_fresh_cut(&s_fresh, 6);
    assert_true(s_has(6, 0));
    assert_false(s_has(7, 0));
    s_add(7, 1);
    assert_true(s_has(7, 1));
    assert_true(s_has(6, 0));
    weft_fresh_cut(&s_fresh, 0);
    for (uint64_t i = 0; i <= 9; i++) assert_false(s_has(i, 0));
    s_add(1, 2);
    assert_true(s_has(1, 2));
}

static void a_gap_forgets_what_lies_before_it(void **state) {
    (void) state;
    s_add(1, 0);
    s_add(2, 0);
    s_add(4, 0);
    assert_false(s_has(2, 0));
    assert_false(s_has(3, 0));
    assert_true(s_has(4, 0));
    s_add(4, 1); /* not the next one either */
    assert_true(s_has(4, 1));
}

static void memory_is_bounded(void **state) {
    static const uint8_t large[WEFT_FRESH_EVENT_BYTES_MAX + 1] = {0xc0};
    (void) state;
    for (uint64_t i = 1; i <= 3 * WEFT_FRESH_EVENTS_MAX; i++) {
        s_add(i, 0);
        assert_true(s_has(i, 0));
        assert_in_range(s_fresh.count, 1, WEFT_FRESH_EVENTS_MAX);
    }
    uint64_t next = 3 * WEFT_FRESH_EVENTS_MAX + 1;
    for (uint64_t i = next; i < next + 100; i++) {
        weft_wire_event_t event = s_event(i, 0, large, WEFT_FRESH_EVENT_BYTES_MAX);
        weft_fresh_add(&s_fresh, "a.made", 6, &event);
        assert_in_range(s_fresh.bytes.size, 1,
                        WEFT_FRESH_BYTES_MAX + WEFT_FRESH_EVENT_BYTES_MAX + 1024);
    }
    weft_wire_event_t event = s_event(next + 100, 0, large, sizeof large);
    weft_fresh_add(&s_fresh, "a.made", 6, &event);
    assert_int_equal(s_fresh.count, 0); /* read from the table */
    s_add(next + 101, 0);
    assert_true(s_has(next + 101, 0));
}

#define TEST(fn) cmocka_unit_test_teardown(fn, s_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_added_is_there_as_it_is_sent),
        TEST(what_is_rolled_back_is_gone_and_its_sequence_comes_again),
        TEST(a_gap_forgets_what_lies_before_it),
        TEST(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
