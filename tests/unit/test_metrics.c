/* The exposition format: numbers, labels, histograms. */
#include "kit.h"

#include "weft_metrics.h"

#include <time.h>

static weft_buf_t s_text;

static void s_expect(const char *wanted) {
    weft_buf_append(&s_text, "", 1);
    assert_true(weft_buf_ok(&s_text));
    assert_string_equal((const char *) s_text.data, wanted);
    weft_buf_clear(&s_text);
}

static int s_teardown(void **state) {
    (void) state;
    weft_buf_free(&s_text);
    return 0;
}

static void numbers_keep_every_digit_and_no_zero_at_the_end(void **state) {
    (void) state;
    static const struct {
        uint64_t value;
        unsigned decimals;
        const char *text;
    } cases[] = {{0, 0, "a 0\n"},
                 {0, 6, "a 0\n"},
                 {1500, 6, "a 0.0015\n"},
                 {1500, 0, "a 1500\n"},
                 {2000000, 6, "a 2\n"},
                 {2000001, 6, "a 2.000001\n"},
                 {25, 1, "a 2.5\n"},
                 {UINT64_MAX, 0, "a 18446744073709551615\n"},
                 {UINT64_MAX, 6, "a 18446744073709.551615\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_metrics_sample(&s_text, "a", NULL, 0, cases[i].value, cases[i].decimals);
        s_expect(cases[i].text);
    }
}

static void whatever_a_peer_calls_itself_stays_within_its_quotes(void **state) {
    (void) state;
    static const struct {
        const char *value, *text;
    } cases[] = {{"plain", "a{n=\"plain\"} 1\n"},
                 {"", "a{n=\"\"} 1\n"},
                 {"a\"} 5\nb", "a{n=\"a\\\"} 5?b\"} 1\n"},
                 {"back\\slash", "a{n=\"back\\\\slash\"} 1\n"},
                 {"gr\xc3\xbc\xc3\x9f", "a{n=\"gr\xc3\xbc\xc3\x9f\"} 1\n"},
                 {"\xff half \xc3", "a{n=\"? half ?\"} 1\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_metrics_sample(&s_text, "a", &(weft_label_t){"n", cases[i].value}, 1, 1, 0);
        s_expect(cases[i].text);
    }
}

/* The line of a bucket; "" if it is not there. */
static const char *s_bucket(const char *bound) {
    static char line[128];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "t_bucket{le=\"%s\"} ", bound);
    weft_buf_append(&s_text, "", 1);
    const char *at = strstr((const char *) s_text.data, wanted);
    s_text.size--;
    if (!at) return "";
    snprintf(line, sizeof line, "%.*s", (int) strcspn(at + strlen(wanted), "\n"),
             at + strlen(wanted));
    return line;
}

static void a_histogram_counts_all_that_is_at_most_its_bound(void **state) {
    (void) state;
    weft_histogram_t histogram = {0};
    const uint64_t values[] = {0, 1, 2, 3, 1000, 1001, 2500, 2501, 5000000, 5000001};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        weft_histogram_add(&histogram, values[i]);
    weft_metrics_histogram(&s_text, "t", "Help.", NULL, 0, &histogram, 6);
    assert_string_equal(s_bucket("0.000001"), "2");
    assert_string_equal(s_bucket("0.0000025"), "3");
    assert_string_equal(s_bucket("0.000005"), "4");
    assert_string_equal(s_bucket("0.001"), "5");
    assert_string_equal(s_bucket("0.0025"), "7");
    assert_string_equal(s_bucket("0.005"), "8");
    assert_string_equal(s_bucket("5"), "9");
    assert_string_equal(s_bucket("+Inf"), "10");
    weft_buf_append(&s_text, "", 1);
    assert_non_null(strstr((const char *) s_text.data, "\nt_count 10\n"));
    assert_non_null(strstr((const char *) s_text.data, "\nt_sum 10.007009\n"));
    assert_non_null(strstr((const char *) s_text.data, "# TYPE t histogram\n"));
    weft_buf_clear(&s_text);
}

static void a_process_tells_of_its_memory_files_and_time(void **state) {
    (void) state;
    weft_metrics_process(&s_text);
    weft_buf_append(&s_text, "", 1);
    static const char *const names[] = {"process_cpu_seconds_total",
                                        "process_resident_memory_bytes", "process_open_fds",
                                        "process_start_time_seconds", "weft_sqlite_memory_bytes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr((const char *) s_text.data, names[i]));
    const char *at = strstr((const char *) s_text.data, "\nprocess_open_fds ");
    assert_in_range(strtoul(at + strlen("\nprocess_open_fds "), NULL, 10), 3, 100);
    at = strstr((const char *) s_text.data, "\nprocess_start_time_seconds ");
    long started = strtol(at + strlen("\nprocess_start_time_seconds "), NULL, 10);
    assert_in_range(started, time(NULL) - 60, time(NULL) + 1);
    weft_buf_clear(&s_text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_every_digit_and_no_zero_at_the_end),
        cmocka_unit_test(whatever_a_peer_calls_itself_stays_within_its_quotes),
        cmocka_unit_test(a_histogram_counts_all_that_is_at_most_its_bound),
        cmocka_unit_test(a_process_tells_of_its_memory_files_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, s_teardown);
}
