/* How much to keep, as people write it. */
#include "kit.h"

#include "weft_keep.h"

#define DAY UINT64_C(86400000000)

static void ages_and_sizes_are_understood(void **state) {
    (void) state;
    static const struct {
        const char *text;
        uint64_t age_us, bytes;
    } good[] = {{"1s", 1000000, 0},
                {"90m", 5400000000, 0},
                {"12h", DAY / 2, 0},
                {"30d", 30 * DAY, 0},
                {"36500d", 36500 * DAY, 0},
                {"1MB", 0, 1000000},
                {"20GB", 0, UINT64_C(20000000000)},
                {"1TB", 0, UINT64_C(1000000000000)},
                {"1MiB", 0, 1 << 20},
                {"3GiB", 0, UINT64_C(3) << 30},
                {"2TiB", 0, UINT64_C(2) << 40},
                {"30d,20GB", 30 * DAY, UINT64_C(20000000000)},
                {"20GB,30d", 30 * DAY, UINT64_C(20000000000)}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft_keep_t keep;
        const char *reason;
        assert_rc(weft_keep_parse(&keep, good[i].text, &reason), WEFT_OK);
        assert_true(keep.age_us == good[i].age_us);
        assert_true(keep.bytes == good[i].bytes);
    }
}

static void anything_else_is_refused_with_a_reason(void **state) {
    (void) state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"", "number"},
               {"d", "number"},
               {"-1d", "number"},
               {" 1d", "number"},
               {"1", "unit"},
               {"1w", "unit"},
               {"1gb", "unit"},
               {"1d ", "unit"},
               {"1.5d", "unit"},
               {"0d", "1s to"},
               {"36501d", "36500d"},
               {"0MB", "1MB"},
               {"2000000TB", "1MB"},
               {"1d,2h", "one age"},
               {"1GB,1MB", "one age"},
               {"1d,", "number"},
               {",1d", "number"},
               {"1d,1GB,1d", "one age"},
               {"99999999999999999999999d", "number"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_keep_t keep;
        const char *reason;
        assert_rc(weft_keep_parse(&keep, bad[i].text, &reason), WEFT_E_ARG);
        if (!strstr(reason, bad[i].says)) fail_msg("'%s': %s", bad[i].text, reason);
    }
    uint64_t age;
    const char *reason;
    assert_rc(weft_keep_parse_age(&age, "7d", &reason), WEFT_OK);
    assert_true(age == 7 * DAY);
    assert_rc(weft_keep_parse_age(&age, "1GB", &reason), WEFT_E_ARG);
    assert_rc(weft_keep_parse_age(&age, "7d,1d", &reason), WEFT_E_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages_and_sizes_are_understood),
        cmocka_unit_test(anything_else_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
