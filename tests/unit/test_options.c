/* The command line of a service. */
#include "kit.h"

#include "weft_options.h"

static const char *s_bus, *s_data, *s_listen, *s_flag;

static weft_err_t s_parse(int argc, char **argv) {
    const weft_option_t own[] = {{"bus", "ENDPOINT", "where the bus is", "tcp://x:1", &s_bus},
                                 {"data", "DIR", "where data is", NULL, &s_data}};
    const weft_option_t more[] = {{"listen", "HOST:PORT", "where to serve", "", &s_listen},
                                  {"flag", NULL, "do it", NULL, &s_flag}};
    return weft_options_parse("prog", "About it.", argc, argv, own, 2, more, 2);
}

#define PARSE(...) \
    s_parse((int) (sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]){__VA_ARGS__})

static char a0[] = "prog", a_bus[] = "--bus", a_bus_is[] = "--bus=ipc:///b",
            a_bus_none[] = "--bus=", a_data[] = "--data", a_listen[] = "--listen=h:1", a_v[] = "v",
            a_unknown[] = "--nope", a_bu[] = "--bu", a_busx[] = "--busx=1", a_word[] = "word",
            a_help[] = "--help", a_h[] = "-h", a_version[] = "--version", a_dash[] = "-x",
            a_flag[] = "--flag", a_flag_is[] = "--flag=1";

static void options_have_presets(void **state) {
    (void) state;
    s_data = "before";
    assert_rc(PARSE(a0), WEFT_OK);
    assert_string_equal(s_bus, "tcp://x:1");
    assert_null(s_data);
    assert_string_equal(s_listen, "");
}

static void values_come_after_a_space_or_an_equals_sign(void **state) {
    (void) state;
    assert_rc(PARSE(a0, a_bus, a_v, a_listen), WEFT_OK);
    assert_string_equal(s_bus, "v");
    assert_string_equal(s_listen, "h:1");
    assert_rc(PARSE(a0, a_bus_is, a_data, a_bus), WEFT_OK);
    assert_string_equal(s_bus, "ipc:///b");
    assert_string_equal(s_data, "--bus"); /* a value may look like anything */
    assert_rc(PARSE(a0, a_bus_none), WEFT_OK);
    assert_string_equal(s_bus, "");
    assert_rc(PARSE(a0, a_bus_is, a_bus, a_v), WEFT_OK);
    assert_string_equal(s_bus, "v"); /* the last one counts */
}

static void a_flag_has_no_value(void **state) {
    (void) state;
    assert_rc(PARSE(a0), WEFT_OK);
    assert_null(s_flag);
    assert_rc(PARSE(a0, a_flag, a_bus, a_v), WEFT_OK);
    assert_non_null(s_flag);
    assert_string_equal(s_bus, "v");
    assert_rc(PARSE(a0, a_flag, a_v), WEFT_E_USAGE);
    assert_rc(PARSE(a0, a_flag_is), WEFT_E_USAGE);
}

static void mistakes_are_refused(void **state) {
    (void) state;
    assert_rc(PARSE(a0, a_unknown), WEFT_E_USAGE);
    assert_rc(PARSE(a0, a_bu, a_v), WEFT_E_USAGE); /* no shortening */
    assert_rc(PARSE(a0, a_busx), WEFT_E_USAGE);
    assert_rc(PARSE(a0, a_word), WEFT_E_USAGE);
    assert_rc(PARSE(a0, a_dash), WEFT_E_USAGE);
    assert_rc(PARSE(a0, a_bus), WEFT_E_USAGE); /* its value is missing */
}

static void help_and_version_are_printed(void **state) {
    (void) state;
    assert_rc(PARSE(a0, a_help), WEFT_E_HELP);
    assert_rc(PARSE(a0, a_h, a_unknown), WEFT_E_HELP);
    assert_rc(PARSE(a0, a_version), WEFT_E_HELP);
    assert_rc(weft_options_parse("p", "a", 1, (char *[]){a0}, NULL, 0, NULL, 0), WEFT_OK);
}

static void numbers_are_whole_and_within_bounds(void **state) {
    (void) state;
    uint64_t n;
    assert_true(weft_options_number("1", 1, 9, &n) && n == 1);
    assert_true(weft_options_number("9", 1, 9, &n) && n == 9);
    assert_true(weft_options_number("18446744073709551615", 0, UINT64_MAX, &n) && n == UINT64_MAX);
    static const char *const wrong[] = {
        "", "0", "10", "-1", "+1", " 1", "1 ", "1x", "0x1", "1.0", "18446744073709551616"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(weft_options_number(wrong[i], 1, 9, &n));
    assert_false(weft_options_number("18446744073709551616", 0, UINT64_MAX, &n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_presets),
        cmocka_unit_test(values_come_after_a_space_or_an_equals_sign),
        cmocka_unit_test(a_flag_has_no_value),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(help_and_version_are_printed),
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
