/* The index of types by position: what is noted is found, in order; damage is noticed. */
#include "kit.h"

#include "weft_postings.h"

typedef struct {
    int64_t types[8];
    size_t count;
} s_types_t;

static bool s_wanted(void *arg, int64_t type) {
    const s_types_t *types = arg;
    for (size_t i = 0; i < types->count; i++)
        if (types->types[i] == type) return true;
    return false;
}

static uint64_t s_found[WEFT_POSTINGS_BLOCK];

static size_t s_find(uint64_t block, const weft_buf_t *blob, s_types_t types) {
    size_t count = 0;
    assert_true(weft_postings_find(block, blob->data, blob->size, s_wanted, &types, s_found,
                                   WEFT_POSTINGS_BLOCK, &count));
    return count;
}

static void blocks_meet_without_gap(void **state) {
    (void) state;
    assert_int_equal(weft_postings_block(1), 0);
    assert_int_equal(weft_postings_block(WEFT_POSTINGS_BLOCK), 0);
    assert_int_equal(weft_postings_block(WEFT_POSTINGS_BLOCK + 1), 1);
    assert_int_equal(weft_postings_last(0), WEFT_POSTINGS_BLOCK);
    assert_int_equal(weft_postings_block(weft_postings_last(7)), 7);
}

/* Against the dullest model: an array of types. */
static void what_was_noted_is_found_in_order(void **state) {
    (void) state;
    uint64_t seed = 7;
    for (uint64_t block = 3; block < 9; block++) {
        weft_postings_t *postings = weft_postings_new();
        weft_buf_t blob = {0};
        int64_t types[WEFT_POSTINGS_BLOCK];
        uint64_t kinds = 1 + kit_below(&seed, block % 2 ? 5 : 60000);
        for (uint64_t i = 0; i < WEFT_POSTINGS_BLOCK; i++) {
            types[i] = 1 + (int64_t) kit_below(&seed, kinds);
            weft_postings_note(postings, block * WEFT_POSTINGS_BLOCK + 1 + i, types[i]);
        }
        weft_postings_note(postings, weft_postings_last(block) + 1,
                           65536); /* the next one begins */
        weft_postings_encode(postings, block, &blob);
        assert_true(weft_buf_ok(&blob));
        s_types_t wanted = {.types = {types[0], types[77], types[4095], 65535}, .count = 4};
        size_t count = s_find(block, &blob, wanted), at = 0;
        for (uint64_t i = 0; i < WEFT_POSTINGS_BLOCK; i++) {
            if (!s_wanted(&wanted, types[i])) continue;
            assert_true(at < count);
            assert_int_equal(s_found[at++], block * WEFT_POSTINGS_BLOCK + 1 + i);
        }
        assert_int_equal(at, count);
        weft_buf_free(&blob);
        weft_postings_destroy(&postings);
    }
}

/* A batch that was taken back is noted again with other types, also across the end of a block. */
static void noting_again_replaces(void **state) {
    (void) state;
    weft_postings_t *postings = weft_postings_new();
    weft_buf_t blob = {0};
    for (uint64_t at = 1; at <= WEFT_POSTINGS_BLOCK + 10; at++) weft_postings_note(postings, at, 1);
    for (uint64_t at = 4000; at <= WEFT_POSTINGS_BLOCK; at++) weft_postings_note(postings, at, 2);
    weft_postings_encode(postings, 0, &blob);
    assert_int_equal(s_find(0, &blob, (s_types_t){.types = {1}, .count = 1}), 3999);
    assert_int_equal(s_find(0, &blob, (s_types_t){.types = {2}, .count = 1}), 97);
    assert_int_equal(s_found[0], 4000);
    weft_buf_free(&blob);
    weft_postings_destroy(&postings);
}

static void more_than_asked_for_are_counted_once(void **state) {
    (void) state;
    weft_postings_t *postings = weft_postings_new();
    weft_buf_t blob = {0};
    s_types_t wanted = {.types = {1}, .count = 1};
    size_t count = 0;
    for (uint64_t at = 1; at <= 100; at++) weft_postings_note(postings, at, 1);
    weft_postings_encode(postings, 0, &blob);
    assert_true(
        weft_postings_find(0, blob.data, blob.size, s_wanted, &wanted, s_found, 100, &count));
    assert_int_equal(count, 100);
    assert_true(
        weft_postings_find(0, blob.data, blob.size, s_wanted, &wanted, s_found, 99, &count));
    assert_int_equal(count, 100);
    assert_true(weft_postings_find(0, blob.data, blob.size, s_wanted, &wanted, s_found, 3, &count));
    assert_int_equal(count, 4);
    weft_buf_free(&blob);
    weft_postings_destroy(&postings);
}

static void positions_never_noted_belong_to_no_type(void **state) {
    (void) state;
    weft_postings_t *postings = weft_postings_new();
    weft_buf_t blob = {0};
    weft_postings_note(postings, 10, 5);
    weft_postings_encode(postings, 0, &blob);
    assert_int_equal(s_find(0, &blob, (s_types_t){.types = {5}, .count = 1}), 1);
    assert_int_equal(s_found[0], 10);
    assert_int_equal(s_find(0, &blob, (s_types_t){.types = {1}, .count = 1}), 0);
    weft_buf_free(&blob);
    weft_postings_destroy(&postings);
}

static void each_flipped_bit_is_noticed(void **state) {
    (void) state;
    weft_postings_t *postings = weft_postings_new();
    weft_buf_t blob = {0};
    s_types_t wanted = {.types = {1, 2, 3}, .count = 3};
    size_t count;
    for (uint64_t at = 1; at <= 200; at++) weft_postings_note(postings, at, 1 + (int64_t) at % 3);
    weft_postings_encode(postings, 0, &blob);
    for (size_t bit = 0; bit < 8 * blob.size; bit++) {
        blob.data[bit / 8] ^= (uint8_t) (1u << bit % 8);
        assert_false(weft_postings_find(0, blob.data, blob.size, s_wanted, &wanted, s_found,
                                        WEFT_POSTINGS_BLOCK, &count));
        blob.data[bit / 8] ^= (uint8_t) (1u << bit % 8);
    }
    for (size_t size = 0; size < blob.size; size++)
        assert_false(weft_postings_find(0, blob.data, size, s_wanted, &wanted, s_found,
                                        WEFT_POSTINGS_BLOCK, &count));
    assert_false(weft_postings_find(1, blob.data, blob.size, s_wanted, &wanted, s_found,
                                    WEFT_POSTINGS_BLOCK, &count));
    assert_false(
        weft_postings_find(0, NULL, 0, s_wanted, &wanted, s_found, WEFT_POSTINGS_BLOCK, &count));
    assert_true(weft_postings_find(0, blob.data, blob.size, s_wanted, &wanted, s_found,
                                   WEFT_POSTINGS_BLOCK, &count));
    assert_int_equal(count, 200);
    weft_buf_free(&blob);
    weft_postings_destroy(&postings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_meet_without_gap),
        cmocka_unit_test(what_was_noted_is_found_in_order),
        cmocka_unit_test(noting_again_replaces),
        cmocka_unit_test(more_than_asked_for_are_counted_once),
        cmocka_unit_test(positions_never_noted_belong_to_no_type),
        cmocka_unit_test(each_flipped_bit_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
