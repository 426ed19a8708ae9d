/* The grammar of types and filters, and matching against a matcher that splits into segments. */
#include "kit.h"

#include "weft_limits.h"
#include "weft_type.h"

static void types_match_the_grammar(void **state) {
    (void) state;
    static const char *const good[] = {"a", "a.b", "comment.created", "A-b_9.x", "0.1.2", "-._"};
    static const char *const bad[] = {
        "",  ".", "a.",  ".a",  "a..b",     "a b", "$commit", "a.$b",    "a/b", "a*",
        "*", ">", "a.*", "a.>", "\xc3\xa4", "a\n", "a\x7f",   "a.b\x01", "a,b", "a:b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_rc(weft_type_check(good[i], strlen(good[i])), WEFT_OK);
        assert_rc(weft_filter_check(good[i], strlen(good[i])), WEFT_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (weft_type_check(bad[i], strlen(bad[i])) != WEFT_E_BAD_TYPE) fail_msg("%s", bad[i]);
    assert_rc(weft_type_check("a\0b", 3), WEFT_E_BAD_TYPE);
}

static void filters_match_the_grammar(void **state) {
    (void) state;
    static const char *const good[] = {"*", ">", "a.*", "a.>", "a.b.*", "a-b.>"};
    static const char *const bad[] = {"",     "**",    ">>",    "*>",   ".*",  ".>",
                                      "*.a",  "a.*.b", ">.a",   "a*",   "a>",  "a..*",
                                      "a.**", "$>",    "a.$.>", "a. *", "*.*", "*.>"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_rc(weft_filter_check(good[i], strlen(good[i])), WEFT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (weft_filter_check(bad[i], strlen(bad[i])) != WEFT_E_BAD_FILTER) fail_msg("%s", bad[i]);
}

static void types_and_filters_end_at_their_limit(void **state) {
    (void) state;
    char text[WEFT_TYPE_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    assert_rc(weft_type_check(text, WEFT_TYPE_BYTES_MAX), WEFT_OK);
    assert_rc(weft_type_check(text, WEFT_TYPE_BYTES_MAX + 1), WEFT_E_TOO_BIG);
    assert_rc(weft_filter_check(text, WEFT_TYPE_BYTES_MAX), WEFT_OK);
    assert_rc(weft_filter_check(text, WEFT_TYPE_BYTES_MAX + 1), WEFT_E_TOO_BIG);
    memcpy(text + WEFT_TYPE_BYTES_MAX - 2, ".>", 2);
    assert_rc(weft_filter_check(text, WEFT_TYPE_BYTES_MAX), WEFT_OK);
}

/* By the words of the protocol: segment by segment. */
static bool s_oracle(const char *filter, const char *type) {
    char f[64], t[64], *fs = f, *ts = t;
    snprintf(f, sizeof f, "%s", filter);
    snprintf(t, sizeof t, "%s", type);
    for (;;) {
        char *fp = strsep(&fs, "."), *tp = strsep(&ts, ".");
        if (!fp || !tp) return !fp && !tp;
        if (strcmp(fp, ">") == 0) return true;
        if (strcmp(fp, "*") != 0 && strcmp(fp, tp) != 0) return false;
    }
}

static void matching_agrees_with_the_words_of_the_protocol(void **state) {
    (void) state;
    static const char *const segments[] = {"a", "b", "ab", "aa"};
    uint64_t seed = 3;
    unsigned matched = 0;
    for (unsigned n = 0; n < 50000; n++) {
        char type[64] = "", filter[64] = "";
        for (uint64_t i = 0, count = 1 + kit_below(&seed, 3); i < count; i++)
            snprintf(type + strlen(type), 8, "%s%s", i ? "." : "", segments[kit_below(&seed, 4)]);
        uint64_t count = kit_below(&seed, 4);
        for (uint64_t i = 0; i < count; i++)
            snprintf(filter + strlen(filter), 8, "%s%s", i ? "." : "",
                     segments[kit_below(&seed, 4)]);
        uint64_t wild = count ? kit_below(&seed, 3) : 1 + kit_below(&seed, 2);
        if (wild)
            snprintf(filter + strlen(filter), 8, "%s%s", count ? "." : "", wild == 1 ? "*" : ">");
        assert_rc(weft_filter_check(filter, strlen(filter)), WEFT_OK);
        bool wanted = s_oracle(filter, type);
        if (weft_filter_match(filter, strlen(filter), type, strlen(type)) != wanted)
            fail_msg("filter %s, type %s: want %d", filter, type, wanted);
        size_t topic = weft_filter_topic(filter, strlen(filter));
        if (wanted) assert_true(topic <= strlen(type) && memcmp(filter, type, topic) == 0);
        matched += wanted;
    }
    assert_in_range(matched, 1000, 49000);
}

static void prefixes_of_zeromq_match_more_than_filters(void **state) {
    (void) state;
    assert_false(weft_filter_match("order", 5, "orders.x", 8));
    assert_false(weft_filter_match("order", 5, "order.x", 7));
    assert_true(weft_filter_match("order", 5, "order", 5));
    assert_false(weft_filter_match("comment.>", 9, "comment", 7));
    assert_false(weft_filter_match("comment.*", 9, "comment.a.b", 11));
    assert_true(weft_filter_match("comment.>", 9, "comment.a.b", 11));
    assert_int_equal(weft_filter_topic("order", 5), 5);
    assert_int_equal(weft_filter_topic("order.*", 7), 6);
    assert_int_equal(weft_filter_topic(">", 1), 0);
    assert_int_equal(weft_filter_topic("*", 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_match_the_grammar),
        cmocka_unit_test(filters_match_the_grammar),
        cmocka_unit_test(types_and_filters_end_at_their_limit),
        cmocka_unit_test(matching_agrees_with_the_words_of_the_protocol),
        cmocka_unit_test(prefixes_of_zeromq_match_more_than_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
