/* The one mapping between msgpack and JSON: both ways, and what is refused by name. */
#include "kit.h"

#include "weft_json.h"
#include "weft_limits.h"

#include <math.h>

static char s_reason[128];

static weft_err_t s_to_msgpack(const char *json, weft_buf_t *out) {
    void *data = NULL;
    size_t size = 0;
    s_reason[0] = '\0';
    weft_err_t rc = weft_json_to_msgpack(json, strlen(json), &data, &size, s_reason,
                                         sizeof s_reason);
    weft_buf_clear(out);
    if (rc == WEFT_OK) weft_buf_append(out, data, size);
    free(data);
    return rc;
}

/* This JSON gives these bytes, and they give the JSON back. */
static void s_both(const char *json, const void *bytes, size_t size) {
    weft_buf_t w = {0};
    char *text = NULL;
    if (s_to_msgpack(json, &w) != WEFT_OK) fail_msg("%s: %s", json, s_reason);
    assert_int_equal(w.size, size);
    assert_memory_equal(w.data, bytes, size);
    assert_rc(weft_msgpack_to_json(bytes, size, &text, NULL, 0), WEFT_OK);
    assert_string_equal(text, json);
    free(text);
    weft_buf_free(&w);
}

#define BOTH(json, bytes) s_both(json, bytes, sizeof(bytes) - 1)

static void values_map_both_ways(void **state) {
    (void) state;
    BOTH("null", "\xc0");
    BOTH("true", "\xc3");
    BOTH("false", "\xc2");
    BOTH("0", "\x00");
    BOTH("-1", "\xff");
    BOTH("-32769", "\xd2\xff\xff\x7f\xff");
    BOTH("9007199254740993", "\xcf\x00\x20\x00\x00\x00\x00\x00\x01"); /* beyond 2^53 */
    BOTH("9223372036854775807", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
    BOTH("-9223372036854775808", "\xd3\x80\0\0\0\0\0\0\0");
    BOTH("1.5", "\xcb\x3f\xf8\0\0\0\0\0\0");
    BOTH("-0.0", "\xcb\x80\0\0\0\0\0\0\0");
    BOTH("\"\"", "\xa0");
    BOTH("\"Grüße\"", "\xa7Gr\xc3\xbc\xc3\x9f"
                      "e");
    BOTH("\"a\\nb\"", "\xa3"
                      "a\nb");
    BOTH("[]", "\x90");
    BOTH("{}", "\x80");
    BOTH("[1,[2],{\"a\":[]}]", "\x93\x01\x91\x02\x81\xa1"
                               "a\x90");
    BOTH("{\"\":1}", "\x81\xa0\x01");
}

static void what_json_has_no_form_for_is_tagged(void **state) {
    (void) state;
    BOTH("{\"$uint\":\"9223372036854775808\"}", "\xcf\x80\0\0\0\0\0\0\0");
    BOTH("{\"$uint\":\"18446744073709551615\"}", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    BOTH("{\"$binary\":\"\"}", "\xc4\x00");
    BOTH("{\"$binary\":\"AA==\"}", "\xc4\x01\x00");
    BOTH("{\"$binary\":\"AP8=\"}", "\xc4\x02\x00\xff");
    BOTH("{\"$binary\":\"+/+/\"}", "\xc4\x03\xfb\xff\xbf");
    BOTH("[{\"$binary\":\"Zm9vYg==\"}]", "\x91\xc4\x04"
                                         "foob");
}

static void keys_that_begin_with_a_dollar_get_one_more(void **state) {
    (void) state;
    BOTH("{\"$$uint\":1}", "\x81\xa5$uint\x01");
    BOTH("{\"$$\":1}", "\x81\xa1$\x01");
    BOTH("{\"$$$x\":1}", "\x81\xa3$$x\x01");
    BOTH("{\"a$\":1}", "\x81\xa2"
                       "a$\x01");
}

static void a_small_uint_under_its_tag_is_taken(void **state) {
    (void) state;
    weft_buf_t w = {0};
    assert_rc(s_to_msgpack("{\"$uint\":\"5\"}", &w), WEFT_OK);
    assert_int_equal(w.size, 1);
    weft_buf_free(&w);
}

static void json_without_a_msgpack_form_is_refused_by_name(void **state) {
    (void) state;
    static const struct {
        const char *json, *reason;
    } wrong[] = {
        {"", "line"},
        {"{", "line"},
        {"[1,]", "line"},
        {"1 2", "line"},
        {"NaN", "line"},
        {"1e999", "line"},
        {"9223372036854775808", "line"}, /* too big for a number: it wants $uint */
        {"\"a\\u0000b\"", "line"},
        {"{\"a\":1,\"a\":2}", "line"}, /* doubled */
        {"\"\xff\"", "line"},
        {"{\"$x\":1}", "tag"},
        {"{\"$\":1}", "tag"},
        {"{\"$uint\":5}", "$uint"},
        {"{\"$uint\":\"\"}", "$uint"},
        {"{\"$uint\":\"-1\"}", "$uint"},
        {"{\"$uint\":\"01\"}", "$uint"},
        {"{\"$uint\":\"18446744073709551616\"}", "$uint"},
        {"{\"$uint\":\"99999999999999999999\"}", "$uint"},
        {"{\"$uint\":\"1\",\"b\":1}", "$uint"},
        {"{\"$binary\":1}", "$binary"},
        {"{\"$binary\":\"A\"}", "$binary"},
        {"{\"$binary\":\"A===\"}", "$binary"},
        {"{\"$binary\":\"AB==\"}", "$binary"}, /* stray bits */
        {"{\"$binary\":\"AAB=\"}", "$binary"},
        {"{\"$binary\":\"AA==AA==\"}", "$binary"},
        {"{\"$binary\":\"A-_=\"}", "$binary"},
        {"{\"$binary\":\"AA=A\"}", "$binary"},
        {"{\"$binary\":\"AA==\",\"b\":1}", "$binary"},
    };
    weft_buf_t w = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weft_err_t rc = s_to_msgpack(wrong[i].json, &w);
        if (rc != WEFT_E_JSON || !strstr(s_reason, wrong[i].reason))
            fail_msg("%s: %s \"%s\"", wrong[i].json, weft_err_name(rc), s_reason);
        rc = s_to_msgpack("[[{\"k\":0}],", &w); /* the reason is not needed */
        assert_rc(weft_json_to_msgpack(wrong[i].json, strlen(wrong[i].json), &(void *){0},
                                       &(size_t){0}, NULL, 0),
                  WEFT_E_JSON);
    }
    weft_buf_free(&w);
}

static void msgpack_without_a_json_form_is_refused_by_name(void **state) {
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
    } wrong[] = {
        {"", 0, "cut off"},
        {"\xc1", 1, "malformed"},
        {"\xcd\x01", 2, "cut off"},
        {"\xa2"
         "a",
         2, "cut off"},
        {"\x92\x01", 2, "cut off"},
        {"\x81\xa1"
         "a",
         3, "cut off"},
        {"\xca\0\0", 3, "cut off"},
        {"\xcb\0\0", 3, "cut off"},
        {"\xd4\x01\x01", 3, "extension"},
        {"\x91\xc7\x01\x01\x01", 5, "extension"},
        {"\xca\x7f\x80\0\0", 5, "finite"},
        {"\xcb\x7f\xf0\0\0\0\0\0\0", 9, "finite"},
        {"\xcb\xff\xf8\0\0\0\0\0\0", 9, "finite"},
        {"\xa1\xff", 2, "UTF-8"},
        {"\xa2"
         "a\0",
         3, "U+0000"},
        {"\x81\x01\x01", 3, "not text"},
        {"\x81\xc4\x01"
         "a\x01",
         5, "not text"},
        {"\x81\xa1\xff\x01", 4, "UTF-8"},
        {"\x81\xa2"
         "a\0\x01",
         5, "U+0000"},
        {"\x82\xa1"
         "a\x01\xa1"
         "a\x02",
         7, "doubled"},
        {"\xc0\xc0", 2, "more than one"},
        {"\x91\x91\xd4\x01\x01", 5, "extension"},
        {"\x81\xa1"
         "a\xd4\x01\x01",
         6, "extension"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *text = NULL;
        weft_err_t rc = weft_msgpack_to_json(wrong[i].bytes, wrong[i].size, &text, s_reason,
                                             sizeof s_reason);
        if (rc != WEFT_E_JSON || !strstr(s_reason, wrong[i].reason))
            fail_msg("wrong[%zu]: %s \"%s\"", i, weft_err_name(rc), s_reason);
        assert_null(text);
    }
}

static void a_float_of_32_bits_keeps_its_value(void **state) {
    (void) state;
    char *text = NULL;
    assert_rc(weft_msgpack_to_json("\xca\x3f\xc0\0\0", 5, &text, NULL, 0), WEFT_OK);
    assert_string_equal(text, "1.5");
    free(text);
}

static void doubles_come_back_bit_by_bit(void **state) {
    (void) state;
    uint64_t seed = 5;
    for (unsigned n = 0; n < 5000; n++) {
        uint64_t bits = kit_random(&seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        weft_buf_t w = {0}, back = {0};
        char *text = NULL;
        weft_mp_put_double(&w, value);
        assert_rc(weft_msgpack_to_json(w.data, w.size, &text, NULL, 0), WEFT_OK);
        assert_rc(s_to_msgpack(text, &back), WEFT_OK);
        if (back.size != w.size || memcmp(back.data, w.data, w.size) != 0) fail_msg("%s", text);
        free(text);
        weft_buf_free(&w);
        weft_buf_free(&back);
    }
}

/* depth containers in one another, the innermost empty or around a number. */
static void s_nest(unsigned depth, bool map, bool empty, weft_buf_t *w, char *json) {
    char *end = json;
    for (unsigned i = 0; i < depth; i++) {
        bool inner = i + 1 == depth && empty;
        if (map)
            weft_mp_put_map(w, !inner);
        else
            weft_mp_put_array(w, !inner);
        if (map && !inner) weft_mp_put_text(w, "k");
        end += sprintf(end, "%s", map ? inner ? "{" : "{\"k\":" : "[");
    }
    if (!empty) weft_mp_put_uint(w, 1), *end++ = '1';
    for (unsigned i = 0; i < depth; i++) *end++ = map ? '}' : ']';
    *end = '\0';
}

static void nesting_ends_at_the_same_limit_both_ways(void **state) {
    (void) state;
    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned more = 0; more <= 1; more++) {
            char json[512], *text = NULL;
            weft_buf_t w = {0}, bytes = {0};
            s_nest(WEFT_MSGPACK_DEPTH_MAX + more, kind & 1, kind & 2, &bytes, json);
            assert_rc(s_to_msgpack(json, &w), more ? WEFT_E_TOO_BIG : WEFT_OK);
            assert_rc(
                weft_msgpack_to_json(bytes.data, bytes.size, &text, s_reason, sizeof s_reason),
                more ? WEFT_E_TOO_BIG : WEFT_OK);
            if (!more) {
                assert_string_equal(text, json);
                assert_int_equal(w.size, bytes.size);
            }
            free(text);
            weft_buf_free(&w);
            weft_buf_free(&bytes);
        }
    }
}

static void parts_of_a_json_tree_are_appended(void **state) {
    (void) state;
    weft_buf_t w = {0};
    json_t *json = json_pack("{s:i}", "a", 1), *bad = json_pack("{s:i}", "$a", 1), *back = NULL;
    weft_mp_put_nil(&w);
    assert_rc(weft_json_put(&w, json, NULL, 0), WEFT_OK);
    assert_int_equal(w.size, 1 + 4);
    assert_rc(weft_json_put(&w, bad, s_reason, sizeof s_reason), WEFT_E_JSON);
    assert_rc(weft_json_from_msgpack(&back, w.data + 1, 4, NULL, 0), WEFT_OK);
    assert_true(json_equal(json, back));
    json_decref(back);
    json_decref(json);
    json_decref(bad);
    weft_buf_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_map_both_ways),
        cmocka_unit_test(what_json_has_no_form_for_is_tagged),
        cmocka_unit_test(keys_that_begin_with_a_dollar_get_one_more),
        cmocka_unit_test(a_small_uint_under_its_tag_is_taken),
        cmocka_unit_test(json_without_a_msgpack_form_is_refused_by_name),
        cmocka_unit_test(msgpack_without_a_json_form_is_refused_by_name),
        cmocka_unit_test(a_float_of_32_bits_keeps_its_value),
        cmocka_unit_test(doubles_come_back_bit_by_bit),
        cmocka_unit_test(nesting_ends_at_the_same_limit_both_ways),
        cmocka_unit_test(parts_of_a_json_tree_are_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
