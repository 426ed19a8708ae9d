/* The small parts: buffers, maps, held events, error codes. */
#include "kit.h"

#include "weft_buf.h"
#include "weft_entries.h"
#include "weft_map.h"

/* ---- weft_buf */

static void a_buffer_grows_and_keeps_what_it_holds(void **state) {
    (void) state;
    weft_buf_t w;
    weft_buf_init(&w);
    for (uint32_t i = 0; i < 10000; i++) weft_buf_append(&w, &i, sizeof i);
    assert_true(weft_buf_ok(&w));
    assert_int_equal(w.size, 40000);
    for (uint32_t i = 0; i < 10000; i++) assert_memory_equal(w.data + 4 * i, &i, 4);
    weft_buf_append(&w, NULL, 0);
    assert_int_equal(w.size, 40000);
    size_t capacity = w.capacity;
    weft_buf_clear(&w);
    assert_int_equal(w.size, 0);
    assert_int_equal(w.capacity, capacity);
    weft_buf_free(&w);
    assert_null(w.data);
}

static void a_failed_allocation_sticks_until_cleared(void **state) {
    (void) state;
    weft_buf_t w;
    weft_buf_init(&w);
    weft_buf_append(&w, "ab", 2);
    assert_null(weft_buf_reserve(&w, SIZE_MAX - 1));
    assert_false(weft_buf_ok(&w));
    weft_buf_append(&w, "c", 1);
    assert_int_equal(w.size, 2);
    weft_buf_clear(&w);
    weft_buf_append(&w, "c", 1);
    assert_true(weft_buf_ok(&w));
    assert_int_equal(w.size, 1);
    weft_buf_free(&w);
}

/* ---- weft_map */

static void a_map_agrees_with_a_list(void **state) {
    (void) state;
    static uint64_t keys[5000];
    weft_map_t *map = weft_map_new();
    uint64_t seed = 4;
    size_t count = 0, cursor = 0, walked = 0;
    assert_non_null(map);
    assert_null(weft_map_next(map, &cursor));
    for (size_t i = 0; i < 5000; i++) {
        uint64_t key = kit_below(&seed, 8000);
        size_t size = 2 + key % 7; /* the same bytes at another length are another key */
        bool there = weft_map_get(map, &key, size) != NULL;
        bool listed = false;
        for (size_t k = 0; k < count; k++) listed = listed || keys[k] == key;
        assert_int_equal(there, listed);
        if (there) continue;
        keys[count] = key;
        assert_true(weft_map_put(map, &key, size, &keys[count]));
        count++;
        assert_int_equal(weft_map_count(map), count);
    }
    for (size_t k = 0; k < count; k++)
        assert_ptr_equal(weft_map_get(map, &keys[k], 2 + keys[k] % 7), &keys[k]);
    cursor = 0;
    while (weft_map_next(map, &cursor)) walked++;
    assert_int_equal(walked, count);
    weft_map_clear(map, NULL);
    assert_int_equal(weft_map_count(map), 0);
    assert_null(weft_map_get(map, &keys[0], 2 + keys[0] % 7));
    assert_true(weft_map_put(map, "", 0, &seed)); /* the empty key is one */
    assert_ptr_equal(weft_map_get(map, "", 0), &seed);
    weft_map_destroy(&map, NULL);
    assert_null(map);
    weft_map_destroy(&map, NULL);
}

static unsigned s_freed;

static void s_count_free(void *value) {
    free(value);
    s_freed++;
}

static void a_map_frees_its_values_if_asked(void **state) {
    (void) state;
    weft_map_t *map = weft_map_new();
    for (uint32_t i = 0; i < 100; i++) assert_true(weft_map_put(map, &i, sizeof i, malloc(1)));
    weft_map_destroy(&map, s_count_free);
    assert_int_equal(s_freed, 100);
}

/* ---- weft_entries */

static weft_sub_type_t s_type = {.name = (char *) (uintptr_t) "a.b", .size = 3};

static void s_add(weft_entries_t *entries, uint64_t position, size_t data_bytes) {
    weft_buf_t w = {0};
    weft_entry_t entry = {.stamp = {.position = position, .chain = position * 3, .stored_us = 9},
                          .type = &s_type};
    kit_event(&w, 7, position, position % 2 ? "odd" : NULL, data_bytes);
    weft_wire_event_t event = kit_decode_event(&w);
    assert_true(weft_entries_add(entries, &entry, &event));
    weft_buf_free(&w);
}

static void s_holds(weft_entries_t *entries, const uint64_t *positions, size_t count) {
    assert_int_equal(entries->count, count);
    const weft_event_t *events = weft_entries_events(entries);
    assert_non_null(events);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].position.value, positions[i]);
        assert_int_equal(events[i].chain, positions[i] * 3);
        assert_int_equal(events[i].sequence.value, positions[i]);
        assert_int_equal(events[i].stored_us, 9);
        assert_string_equal(events[i].type, "a.b");
        assert_string_equal(events[i].source, "kit");
        assert_string_equal(events[i].subject, positions[i] % 2 ? "odd" : "");
        assert_int_equal(events[i].origin.bytes[15], 7);
    }
}

static void entries_sort_and_drop_by_position(void **state) {
    (void) state;
    static const uint64_t order[] = {5, 3, 4, 9, 1, 7}, sorted[] = {1, 3, 4, 5, 7, 9};
    weft_entries_t entries = {0};
    for (size_t i = 0; i < 6; i++) s_add(&entries, order[i], 10 + 100 * i);
    weft_entries_sort(&entries);
    s_holds(&entries, sorted, 6);
    weft_entries_drop(&entries, 0);
    s_holds(&entries, sorted, 6);
    weft_entries_drop(&entries, 3);
    s_holds(&entries, sorted + 2, 4);
    weft_entries_sort(&entries); /* in order already */
    s_holds(&entries, sorted + 2, 4);
    weft_entries_drop(&entries, 8);
    s_holds(&entries, sorted + 5, 1);
    weft_entries_drop(&entries, 9);
    s_holds(&entries, NULL, 0);
    assert_int_equal(entries.bytes.size, 0);
    weft_entries_free(&entries);
}

static void entries_are_cut_back_to_where_they_were(void **state) {
    (void) state;
    static const uint64_t left[] = {1, 2};
    weft_entries_t entries = {0};
    s_add(&entries, 1, 5);
    s_add(&entries, 2, 5);
    size_t count = entries.count, bytes = entries.bytes.size;
    for (uint64_t i = 3; i < 200; i++) s_add(&entries, i, 50);
    weft_entries_cut(&entries, count, bytes);
    s_holds(&entries, left, 2);
    weft_entries_clear(&entries);
    s_holds(&entries, NULL, 0);
    weft_entries_free(&entries);
}

/* ---- weft_err */

static void codes_have_names_texts_and_fixed_numbers(void **state) {
    (void) state;
    static const struct {
        weft_err_t code;
        int number;
        const char *name;
    } some[] = {{WEFT_OK, 0, "OK"},
                {WEFT_E_PROTO, 2, "PROTO"},
                {WEFT_E_BAD_TYPE, 10, "BAD_TYPE"},
                {WEFT_E_FORKED, 17, "FORKED"},
                {WEFT_E_TWIN, 22, "TWIN"},
                {WEFT_E_BAD_COMMAND, 36, "BAD_COMMAND"}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        assert_int_equal(some[i].code, some[i].number);
        assert_string_equal(weft_err_name(some[i].code), some[i].name);
    }
    for (int i = 0; i <= 36; i++) {
        assert_string_not_equal(weft_err_name((weft_err_t) i), "UNKNOWN");
        assert_true(strlen(weft_err_text((weft_err_t) i)) > 5);
        int wanted = i == WEFT_OK || i == WEFT_E_HELP ? 0 : i == WEFT_E_USAGE ? 2 : 1;
        assert_int_equal(weft_exit_code((weft_err_t) i), wanted);
    }
    assert_string_equal(weft_err_name((weft_err_t) 37), "UNKNOWN");
    assert_string_equal(weft_err_text((weft_err_t) 37), "unknown error");
    assert_string_equal(weft_version(), WEFT_VERSION_STRING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_and_keeps_what_it_holds),
        cmocka_unit_test(a_failed_allocation_sticks_until_cleared),
        cmocka_unit_test(a_map_agrees_with_a_list),
        cmocka_unit_test(a_map_frees_its_values_if_asked),
        cmocka_unit_test(entries_sort_and_drop_by_position),
        cmocka_unit_test(entries_are_cut_back_to_where_they_were),
        cmocka_unit_test(codes_have_names_texts_and_fixed_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
