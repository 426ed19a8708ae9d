/* The traceparent header: what W3C Trace Context takes and what it tells to ignore. */
#include "kit.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static void a_header_becomes_25_bytes_and_the_same_header_again(void **state) {
    (void) state;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    char text[WEFT_TRACE_TEXT_BYTES];
    assert_true(weft_trace_parse("00-" TRACE "-" SPAN "-01", trace));
    static const uint8_t wanted[WEFT_TRACEPARENT_BYTES] = {
        0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c,
        0x80, 0x31, 0x9c, 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31, 0x01};
    assert_memory_equal(trace, wanted, sizeof wanted);
    weft_trace_text(trace, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-01");
    assert_true(weft_trace_parse("00-" TRACE "-" SPAN "-00", trace));
    weft_trace_text(trace, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-00");
}

static void a_later_version_is_read_as_far_as_it_is_known(void **state) {
    (void) state;
    static const char *const later[] = {"01-" TRACE "-" SPAN "-01", "cc-" TRACE "-" SPAN "-01-what",
                                        "fe-" TRACE "-" SPAN "-ff-", "00-" TRACE "-" SPAN "-ff"};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        uint8_t trace[WEFT_TRACEPARENT_BYTES];
        char text[WEFT_TRACE_TEXT_BYTES];
        if (!weft_trace_parse(later[i], trace)) fail_msg("%s", later[i]);
        weft_trace_text(trace, text);
        assert_string_equal(text, "00-" TRACE "-" SPAN "-01"); /* unknown flags are not passed on */
    }
}

static void what_is_malformed_is_no_trace(void **state) {
    (void) state;
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-01 ",
        " 00-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-01-more",
        "cc-" TRACE "-" SPAN "-01.what",
        "ff-" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-" SPAN "-01",
        "00-" TRACE "-b7ad6b716920333.-01",
        "00-" TRACE "-" SPAN "-.1",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t trace[WEFT_TRACEPARENT_BYTES], before[WEFT_TRACEPARENT_BYTES];
        memset(trace, 0x5a, sizeof trace);
        memcpy(before, trace, sizeof trace);
        if (weft_trace_parse(bad[i], trace)) fail_msg("taken: %s", bad[i]);
        assert_memory_equal(trace, before, sizeof trace);
    }
}

static void a_new_trace_is_valid_and_a_next_span_stays_in_it(void **state) {
    (void) state;
    uint8_t one[WEFT_TRACEPARENT_BYTES], other[WEFT_TRACEPARENT_BYTES],
        again[WEFT_TRACEPARENT_BYTES];
    char text[WEFT_TRACE_TEXT_BYTES];
    weft_trace_begin(one);
    weft_trace_begin(other);
    assert_memory_not_equal(one, other, 16);
    weft_trace_text(one, text);
    assert_true(weft_trace_parse(text, again));
    assert_memory_equal(one, again, sizeof one);
    weft_trace_next(again);
    assert_memory_equal(one, again, 16);
    assert_memory_not_equal(one + 16, again + 16, 8);
    assert_int_equal(again[24], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_becomes_25_bytes_and_the_same_header_again),
        cmocka_unit_test(a_later_version_is_read_as_far_as_it_is_known),
        cmocka_unit_test(what_is_malformed_is_no_trace),
        cmocka_unit_test(a_new_trace_is_valid_and_a_next_span_stays_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
