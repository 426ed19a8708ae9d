/* The three forms of a line, as they arrive on stderr, and the levels. */
#include "kit.h"

#include "weft_diag.h"

#include <fcntl.h>
#include <unistd.h>

/* What one call writes, without its newline; "" if nothing. */
static const char *s_said(weft_diag_level_t level, const char *text) {
    static char line[8192];
    int pipe_fds[2], keep = dup(STDERR_FILENO);
    assert_return_code(pipe(pipe_fds), 0);
    assert_return_code(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    weft_diag(level, "test.line", "%s", text);
    dup2(keep, STDERR_FILENO);
    ssize_t size = read(pipe_fds[0], line, sizeof line - 1);
    close(keep);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    if (size <= 0) return "";
    assert_int_equal(line[size - 1], '\n');
    line[size - 1] = '\0';
    assert_null(strchr(line, '\n'));
    return line;
}

/* What follows the time. */
static const char *s_after(const char *line, const char *head) {
    const char *at = strstr(line, head);
    return at ? at + strlen(head) : "(head is missing)";
}

static void a_line_is_the_same_in_every_form(void **state) {
    (void) state;
    static const struct {
        const char *value, *logfmt, *json;
    } cases[] = {
        {"a=1 b=two", "a=1 b=two", "\"a\":\"1\",\"b\":\"two\"}"},
        {"text=\"two words\" n=5", "text=\"two words\" n=5", "\"text\":\"two words\",\"n\":\"5\"}"},
        {"text=\"he said \"no\" twice\" n=5", "text=\"he said \\\"no\\\" twice\" n=5",
         "\"text\":\"he said \\\"no\\\" twice\",\"n\":\"5\"}"},
        {"path=\"C:\\x\"", "path=\"C:\\\\x\"", "\"path\":\"C:\\\\x\"}"},
        {"text=\"never ends", "text=\"never ends\"", "\"text\":\"never ends\"}"},
        {"a= b=\"\"", "a=\"\" b=\"\"", "\"a\":\"\",\"b\":\"\"}"},
        {"alone a=1", "text=alone a=1", "\"text\":\"alone\",\"a\":\"1\"}"},
        {"text=\"\xff\"", "text=\"?\"", "\"text\":\"?\"}"},
        {"text=\"line\nbreak\"", "text=line?break", "\"text\":\"line?break\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_diag_set_form(WEFT_DIAG_LOGFMT);
        assert_string_equal(
            s_after(s_said(WEFT_DIAG_WARN, cases[i].value), "Z level=warn event=test.line "),
            cases[i].logfmt);
        weft_diag_set_form(WEFT_DIAG_JSON);
        assert_string_equal(s_after(s_said(WEFT_DIAG_WARN, cases[i].value),
                                    "Z\",\"level\":\"warn\",\"event\":\"test.line\","),
                            cases[i].json);
    }
    weft_diag_set_form(WEFT_DIAG_TEXT);
    assert_string_equal(s_after(s_said(WEFT_DIAG_WARN, "a=\"b c\""), "Z warn test.line "),
                        "a=\"b c\"");
}

static void what_does_not_fit_is_left_out_and_the_line_stays_whole(void **state) {
    (void) state;
    char value[6000];
    memset(value, '"', sizeof value);
    memcpy(value, "b=1 a=\"", 7);
    value[sizeof value - 1] = '\0';
    weft_diag_set_form(WEFT_DIAG_JSON);
    const char *line = s_said(WEFT_DIAG_WARN, value);
    assert_int_equal(line[0], '{');
    assert_string_equal(s_after(line, "\"event\":\"test.line\","), "\"b\":\"1\"}");
    memset(value + 7, 'x', sizeof value - 8);
    line = s_said(WEFT_DIAG_WARN, value);
    assert_string_equal(line + strlen(line) - 3, "x\"}");
    weft_diag_set_form(WEFT_DIAG_TEXT);
    assert_true(strlen(s_said(WEFT_DIAG_WARN, value)) > 2000);
}

static void levels_are_lowered_step_by_step_and_go_back(void **state) {
    (void) state;
    uint64_t debug = weft_diag_lines(WEFT_DIAG_DEBUG), warn = weft_diag_lines(WEFT_DIAG_WARN);
    assert_string_equal(s_said(WEFT_DIAG_INFO, ""), "");
    assert_string_not_equal(s_said(WEFT_DIAG_WARN, ""), "");
    weft_diag_more();
    assert_string_not_equal(s_said(WEFT_DIAG_INFO, ""), "");
    assert_string_equal(s_said(WEFT_DIAG_DEBUG, ""), "");
    weft_diag_more();
    weft_diag_more(); /* there is nothing below debug */
    assert_string_not_equal(s_said(WEFT_DIAG_DEBUG, ""), "");
    weft_diag_back();
    assert_string_equal(s_said(WEFT_DIAG_INFO, ""), "");
    assert_true(weft_diag_lines(WEFT_DIAG_DEBUG) == debug + 1);
    assert_true(weft_diag_lines(WEFT_DIAG_WARN) == warn + 1);
}

static void only_known_forms_are_taken(void **state) {
    (void) state;
    weft_diag_form_t form;
    assert_true(weft_diag_form_parse("json", &form) && form == WEFT_DIAG_JSON);
    assert_true(weft_diag_form_parse("logfmt", &form) && form == WEFT_DIAG_LOGFMT);
    assert_true(weft_diag_form_parse("text", &form) && form == WEFT_DIAG_TEXT);
    assert_false(weft_diag_form_parse("xml", &form));
    assert_false(weft_diag_form_parse("", &form));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_the_same_in_every_form),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_the_line_stays_whole),
        cmocka_unit_test(levels_are_lowered_step_by_step_and_go_back),
        cmocka_unit_test(only_known_forms_are_taken),
    };
    setenv("WEFT_DIAG", "warn", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
