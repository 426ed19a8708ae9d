/* The headers of read-your-writes, and the text of a token. */
#include "kit.h"

#include "after_header.h"

#define ORIGIN "00112233445566778899aabbccddeeff"
#define OTHER "a0000000-0000-4000-8000-000000000001"

static void a_token_and_its_text_are_the_same(void **state) {
    (void) state;
    static const uint64_t sequences[] = {1, 9, 10, UINT64_C(1) << 53, INT64_MAX};
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        char text[WEFT_AFTER_BYTES];
        weft_after_t in = {.origin = {{0, 1, 2, 0xff}}, .sequence = {sequences[i]}}, out;
        weft_after_text(text, &in);
        assert_rc(weft_after_parse(text, strlen(text), &out), WEFT_OK);
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void tokens_are_taken_with_blanks_and_commas(void **state) {
    (void) state;
    static const struct {
        const char *value;
        size_t count;
        uint64_t last;
    } good[] = {{ORIGIN ":1", 1, 1},
                {" \t" ORIGIN ":17 ", 1, 17},
                {ORIGIN ":1," OTHER ":2", 2, 2},
                {ORIGIN ":1 ,\t " OTHER ":9223372036854775807", 2, INT64_MAX},
                {ORIGIN ":1," ORIGIN ":2," ORIGIN ":3," ORIGIN ":4," ORIGIN ":5," ORIGIN
                        ":6," ORIGIN ":7," ORIGIN ":8",
                 8, 8}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft_after_t tokens[AFTER_TOKENS_MAX];
        size_t count;
        const char *reason;
        if (!after_header_tokens(good[i].value, tokens, &count, &reason))
            fail_msg("'%s': %s", good[i].value, reason);
        assert_int_equal(count, good[i].count);
        assert_true(tokens[count - 1].sequence.value == good[i].last);
    }
}

static void anything_else_is_refused_with_a_reason(void **state) {
    (void) state;
    static const struct {
        const char *value, *says;
    } bad[] = {{"", "ORIGIN"},
               {" ", "ORIGIN"},
               {",", "ORIGIN"},
               {":", "ORIGIN"},
               {"1", "ORIGIN"},
               {":1", "ORIGIN"},
               {ORIGIN, "ORIGIN"},
               {ORIGIN ":", "ORIGIN"},
               {ORIGIN ":0", "ORIGIN"},
               {ORIGIN ":01", "ORIGIN"},
               {ORIGIN ":-1", "ORIGIN"},
               {ORIGIN ":+1", "ORIGIN"},
               {ORIGIN ": 1", "ORIGIN"},
               {ORIGIN ":1.0", "ORIGIN"},
               {ORIGIN ":1x", "ORIGIN"},
               {ORIGIN ":9223372036854775808", "ORIGIN"},
               {ORIGIN ":18446744073709551617", "ORIGIN"},
               {ORIGIN ":1:2", "ORIGIN"},
               {ORIGIN "0:1", "ORIGIN"},
               {"0011223344556677889:1", "ORIGIN"},
               {"g0112233445566778899aabbccddeeff:1", "ORIGIN"},
               {"00000000000000000000000000000000:1", "ORIGIN"},
               {ORIGIN ":1,", "ORIGIN"},
               {"," ORIGIN ":1", "ORIGIN"},
               {ORIGIN ":1,," ORIGIN ":2", "ORIGIN"},
               {ORIGIN ":1 " ORIGIN ":2", "ORIGIN"},
               {ORIGIN ":1;" ORIGIN ":2", "ORIGIN"},
               {ORIGIN ":1," ORIGIN ":2," ORIGIN ":3," ORIGIN ":4," ORIGIN ":5," ORIGIN ":6," ORIGIN
                       ":7," ORIGIN ":8," ORIGIN ":9",
                "more than 8"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_after_t tokens[AFTER_TOKENS_MAX];
        size_t count;
        const char *reason = "";
        if (after_header_tokens(bad[i].value, tokens, &count, &reason))
            fail_msg("'%s' was taken", bad[i].value);
        if (!strstr(reason, bad[i].says)) fail_msg("'%s': %s", bad[i].value, reason);
    }
}

static void the_wait_is_a_bounded_number(void **state) {
    (void) state;
    static const char *const bad[] = {"", " ", "-1", "+1", "1.5", "30001", "1s", "99999999999999"};
    unsigned ms = 0;
    const char *reason;
    assert_true(after_header_wait(NULL, &ms, &reason));
    assert_int_equal(ms, AFTER_WAIT_MS);
    assert_true(after_header_wait("0", &ms, &reason));
    assert_int_equal(ms, 0);
    assert_true(after_header_wait("30000", &ms, &reason));
    assert_int_equal(ms, AFTER_WAIT_MS_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (after_header_wait(bad[i], &ms, &reason)) fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(reason, "30000"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_and_its_text_are_the_same),
        cmocka_unit_test(tokens_are_taken_with_blanks_and_commas),
        cmocka_unit_test(anything_else_is_refused_with_a_reason),
        cmocka_unit_test(the_wait_is_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
