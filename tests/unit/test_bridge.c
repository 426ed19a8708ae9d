/* The pure parts of weft-bridge: names, texts, events as JSON, tokens. */
#include <kit.h>

#include <http_text.h>

#include "bridge_config.h"
#include "bridge_event.h"
#include "bridge_hook_parked.h"
#include "bridge_names.h"

static bridge_names_t *s_names(const char *rules) {
    bridge_names_t *names = NULL;
    char reason[200] = "";
    json_t *json = json_loads(rules, 0, NULL);
    assert_non_null(json);
    weft_err_t rc = bridge_names_new(&names, json, reason, sizeof reason);
    json_decref(json);
    if (rc != WEFT_OK) print_message("%s\n", reason);
    assert_rc(rc, WEFT_OK);
    return names;
}

static void s_refused(const char *rules, const char *wanted) {
    bridge_names_t *names = NULL;
    char reason[200] = "";
    json_t *json = json_loads(rules, 0, NULL);
    assert_rc(bridge_names_new(&names, json, reason, sizeof reason), WEFT_E_USAGE);
    json_decref(json);
    assert_null(names);
    if (!strstr(reason, wanted)) assert_string_equal(reason, wanted);
}

static void names_go_both_ways(void **state) {
    (void) state;
    bridge_names_t *names = s_names("[{\"weft\":\"post.created\",\"http\":\"PostCreated\"}]");
    assert_string_equal(bridge_names_out(names, "post.created"), "PostCreated");
    assert_string_equal(bridge_names_in(names, "PostCreated"), "post.created");
    assert_string_equal(bridge_names_in(names, "post.created"), "post.created");
    assert_string_equal(bridge_names_out(names, "other"), "other");
    bridge_names_destroy(&names);
    assert_rc(bridge_names_new(&names, NULL, NULL, 0), WEFT_OK);
    assert_string_equal(bridge_names_out(names, "post.created"), "post.created");
    bridge_names_destroy(&names);
}

static void rules_are_checked(void **state) {
    (void) state;
    s_refused("{}", "must be an array");
    s_refused("[1]", "rule 1 is no object");
    s_refused("[{\"weft\":\"a\"}]", "rule 1 needs the texts");
    s_refused("[{\"weft\":\"a\",\"http\":\"\"}]", "rule 1 needs the texts");
    s_refused("[{\"weft\":\"a\",\"http\":\"B\",\"http2\":\"C\"}]", "unknown field");
    s_refused("[{\"weft\":\"a\",\"http\":\"B\",\"subject\":1}]", "no text");
    s_refused("[{\"weft\":\"a\",\"http\":\"B\"},{\"weft\":\"a\",\"http\":\"C\"}]", "rule 2 names");
    s_refused("[{\"weft\":\"a\",\"http\":\"B\"},{\"weft\":\"b\",\"http\":\"B\"}]", "rule 2 names");
}

static void s_subject(const char *template, const char *data, const char *wanted) {
    char rules[300], out[BRIDGE_SUBJECT_BYTES];
    snprintf(rules, sizeof rules, "[{\"weft\":\"a\",\"http\":\"A\",\"subject\":\"%s\"}]", template);
    bridge_names_t *names = s_names(rules);
    json_t *json = json_loads(data, JSON_DECODE_ANY, NULL);
    bridge_names_subject(names, "a", json, out);
    assert_string_equal(out, wanted);
    bridge_names_subject(names, "b", json, out);
    assert_string_equal(out, "");
    json_decref(json);
    bridge_names_destroy(&names);
}

static void a_subject_is_made_of_fields(void **state) {
    char id[1100], data[1200], wanted[1100];
    (void) state;
    s_subject("post/{id}", "{\"id\":\"7\"}", "post/7");
    s_subject("{a}-{b}", "{\"a\":\"x\",\"b\":\"y\"}", "x-y");
    s_subject("plain", "{}", "plain");
    s_subject("half{", "{}", "half{");
    s_subject("post/{id}", "{\"id\":7}", "");
    s_subject("post/{id}", "{}", "");
    s_subject("post/{id}", "\"text\"", "");
    s_subject("post/{id}", "{\"id\":\"a\\nb\"}", "");
    memset(id, 'x', sizeof id);
    snprintf(data, sizeof data, "{\"id\":\"%.1019s\"}", id);
    snprintf(wanted, sizeof wanted, "post/%.1019s", id);
    s_subject("post/{id}", data, wanted); /* 1,024 bytes */
    snprintf(data, sizeof data, "{\"id\":\"%.1020s\"}", id);
    s_subject("post/{id}", data, "");
}

static const weft_uuid_t s_log = {.bytes = {0xCD}};

static weft_event_t s_event(void) {
    static const uint8_t data[] = {0x81, 0xA1, 'a', 0x01}; /* {"a":1} */
    weft_event_t event = {.position = {42},
                          .type = "post.created",
                          .sequence = {7},
                          .time_us = 1700000000123456,
                          .source = "blog posts",
                          .subject = "post/\"1\"",
                          .data = data,
                          .data_size = sizeof data};
    memset(event.origin.bytes, 0xAB, sizeof event.origin.bytes);
    return event;
}

static void an_event_has_the_form_of_the_course(void **state) {
    (void) state;
    bridge_names_t *names = s_names("[{\"weft\":\"post.created\",\"http\":\"PostCreated\"}]");
    bridge_text_t out = {0};
    weft_event_t event = s_event();
    bridge_event_course(names, &event, &s_log, &out);
    assert_string_equal(out.data,
                        "{\"type\":\"PostCreated\",\"data\":{\"a\":1},"
                        "\"id\":\"abababababababababababababababab-7\",\"position\":42,"
                        "\"time\":\"2023-11-14T22:13:20.123456Z\",\"source\":\"blog posts\","
                        "\"subject\":\"post/\\\"1\\\"\"}");
    bridge_text_clear(&out);
    event.sequence.value = 0;
    event.subject = "";
    event.data = "\xC7\x00\x05"; /* an extension type */
    event.data_size = 3;
    bridge_event_course(names, &event, &s_log, &out);
    assert_non_null(strstr(out.data, "\"data\":null,\"dataError\":\""));
    assert_non_null(strstr(out.data, "\"id\":\"cd000000000000000000000000000000-p42\""));
    assert_null(strstr(out.data, "subject"));
    json_t *json = json_loads(out.data, 0, NULL);
    assert_non_null(json);
    json_decref(json);
    bridge_text_free(&out);
    bridge_names_destroy(&names);
}

static void an_event_has_the_form_of_cloudevents(void **state) {
    (void) state;
    bridge_names_t *names = s_names("[]");
    bridge_text_t out = {0};
    weft_event_t event = s_event();
    bridge_event_cloud(names, &event, &s_log, &out);
    assert_string_equal(out.data,
                        "{\"specversion\":\"1.0\","
                        "\"id\":\"abababababababababababababababab-7\","
                        "\"source\":\"/blog%20posts\",\"type\":\"post.created\","
                        "\"time\":\"2023-11-14T22:13:20.123456Z\",\"subject\":\"post/\\\"1\\\"\","
                        "\"weftposition\":\"42\",\"datacontenttype\":\"application/json\","
                        "\"data\":{\"a\":1}}");
    bridge_text_free(&out);
    bridge_names_destroy(&names);
}

static void json_texts_are_escaped(void **state) {
    (void) state;
    bridge_text_t out = {0};
    bridge_text_json(&out, "a\"b\\c\n\x01é");
    assert_string_equal(out.data, "\"a\\\"b\\\\c\\u000a\\u0001é\"");
    bridge_text_free(&out);
}

static void tokens_are_compared_whole(void **state) {
    (void) state;
    assert_true(bridge_token_given("Bearer abc", "abc"));
    assert_true(bridge_token_given("bearer  abc", "abc"));
    assert_false(bridge_token_given("Bearer abcd", "abc"));
    assert_false(bridge_token_given("Bearer ab", "abc"));
    assert_false(bridge_token_given("Bearer abd", "abc"));
    assert_false(bridge_token_given("Basic abc", "abc"));
    assert_false(bridge_token_given(NULL, "abc"));
    assert_false(bridge_token_ok(""));
    assert_false(bridge_token_ok("a b"));
    assert_true(bridge_token_ok("a-b"));
}

static void loopback_is_told_from_the_world(void **state) {
    (void) state;
    assert_true(http_listen_loopback("127.0.0.1:4005"));
    assert_true(http_listen_loopback("[::1]:0"));
    assert_true(http_listen_loopback("localhost:1"));
    assert_false(http_listen_loopback("0.0.0.0:4005"));
    assert_false(http_listen_loopback("[::]:4005"));
    assert_false(http_listen_loopback("example.com:1"));
    assert_false(http_listen_loopback("127.example.com:1"));
}

static void what_became_of_a_request(void **state) {
    char error[BRIDGE_HOOK_REASON_BYTES] = "", name[2 * BRIDGE_HOOK_REASON_BYTES + 1];
    http_result_t result = {.end = HTTP_END_ANSWERED, .connected = true, .status = 204};
    (void) state;
    assert_int_equal(bridge_hook_outcome(&result, error), BRIDGE_TAKEN);
    result.status = 429;
    assert_int_equal(bridge_hook_outcome(&result, error), BRIDGE_AWAY);
    result.status = 500;
    assert_int_equal(bridge_hook_outcome(&result, error), BRIDGE_REFUSED);
    assert_string_equal(error, "status 500");
    result = (http_result_t){.end = HTTP_END_TIMEOUT, .connected = true, .reason = "late"};
    assert_int_equal(bridge_hook_outcome(&result, error), BRIDGE_REFUSED);
    result.connected = false;
    assert_int_equal(bridge_hook_outcome(&result, error), BRIDGE_AWAY);
    result.end = HTTP_END_CONNECT;
    for (size_t i = 0; i < 2; i++) { /* one of both is cut within a character */
        size_t size = i;
        memset(name, 'x', i);
        for (; size + 2 < sizeof name; size += 2) memcpy(name + size, "\xC3\xBC", 2);
        name[size] = 0;
        result.reason = name;
        assert_int_equal(bridge_hook_outcome(&result, error), BRIDGE_AWAY);
        assert_true(http_utf8_valid(error, strlen(error), NULL));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(rules_are_checked),
        cmocka_unit_test(a_subject_is_made_of_fields),
        cmocka_unit_test(an_event_has_the_form_of_the_course),
        cmocka_unit_test(an_event_has_the_form_of_cloudevents),
        cmocka_unit_test(json_texts_are_escaped),
        cmocka_unit_test(tokens_are_compared_whole),
        cmocka_unit_test(loopback_is_told_from_the_world),
        cmocka_unit_test(what_became_of_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
