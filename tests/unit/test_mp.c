/* weft_mp against msgpack-c, both ways, and against bytes that are cut off or illegal. */
#include "kit.h"

#include "weft_limits.h"
#include "weft_mp.h"

#include <msgpack.h>

#define RANDOM_VALUES 3000

/* ---- random values, written by one and read by the other */

static void s_random_object(uint64_t *seed, msgpack_packer *p, unsigned depth) {
    static const int64_t edges[] = {
        0,  127, 128, 255,  256,  65535,  65536,  UINT32_MAX, 4294967296,  INT64_MAX,
        -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN,  -2147483649, INT64_MIN};
    static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    static char filler[65536];
    size_t size = sizes[kit_below(seed, depth ? 8 : 10)];
    switch (kit_below(seed, depth < 4 ? 10 : 8)) {
    case 0: msgpack_pack_nil(p); break;
    case 1: kit_below(seed, 2) ? msgpack_pack_true(p) : msgpack_pack_false(p); break;
    case 2: msgpack_pack_int64(p, edges[kit_below(seed, sizeof edges / sizeof *edges)]); break;
    case 3: msgpack_pack_uint64(p, kit_random(seed) >> kit_below(seed, 64)); break;
    case 4: msgpack_pack_double(p, (double) (int64_t) kit_random(seed) / 1024); break;
    case 5: msgpack_pack_str(p, size), msgpack_pack_str_body(p, filler, size); break;
    case 6: msgpack_pack_bin(p, size), msgpack_pack_bin_body(p, filler, size); break;
    case 7: msgpack_pack_ext(p, size, 5), msgpack_pack_ext_body(p, filler, size); break;
    case 8:
        size = kit_below(seed, 20);
        msgpack_pack_array(p, size);
        while (size--) s_random_object(seed, p, depth + 1);
        break;
    default:
        size = kit_below(seed, 20);
        msgpack_pack_map(p, size);
        while (size--) {
            msgpack_pack_uint64(p, size);
            s_random_object(seed, p, depth + 1);
        }
    }
}

/* Read one value field by field and compare it with what msgpack-c says it is. */
static void s_compare(weft_mp_t *r, const msgpack_object *o) {
    uint64_t u;
    int64_t i;
    uint32_t count;
    bool flag;
    const char *text;
    const uint8_t *bytes;
    size_t size;
    switch (o->type) {
    case MSGPACK_OBJECT_NIL: assert_true(weft_mp_nil(r)); break;
    case MSGPACK_OBJECT_BOOLEAN:
        assert_true(weft_mp_bool(r, &flag));
        assert_int_equal(flag, o->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (o->via.u64 <= INT64_MAX) {
            weft_mp_t copy = *r;
            assert_true(weft_mp_int(&copy, &i));
            assert_true((uint64_t) i == o->via.u64);
        } else {
            assert_false(weft_mp_int(r, &i));
        }
        assert_true(weft_mp_uint(r, &u));
        assert_true(u == o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        assert_false(weft_mp_uint(r, &u));
        assert_true(weft_mp_int(r, &i));
        assert_true(i == o->via.i64);
        break;
    case MSGPACK_OBJECT_STR:
        assert_true(weft_mp_str(r, &text, &size));
        assert_int_equal(size, o->via.str.size);
        break;
    case MSGPACK_OBJECT_BIN:
        assert_true(weft_mp_bin(r, &bytes, &size));
        assert_int_equal(size, o->via.bin.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        assert_true(weft_mp_array(r, &count));
        assert_int_equal(count, o->via.array.size);
        for (uint32_t n = 0; n < count; n++) s_compare(r, &o->via.array.ptr[n]);
        break;
    case MSGPACK_OBJECT_MAP:
        assert_true(weft_mp_map(r, &count));
        assert_int_equal(count, o->via.map.size);
        for (uint32_t n = 0; n < count; n++) {
            s_compare(r, &o->via.map.ptr[n].key);
            s_compare(r, &o->via.map.ptr[n].val);
        }
        break;
    default: assert_true(weft_mp_skip(r)); /* floats and extensions are passed over */
    }
}

static void what_msgpack_c_writes_is_read_the_same(void **state) {
    (void) state;
    uint64_t seed = 1;
    for (unsigned n = 0; n < RANDOM_VALUES; n++) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        msgpack_unpacked whole;
        size_t used = 0;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        s_random_object(&seed, &packer, 0);
        msgpack_unpacked_init(&whole);
        assert_int_equal(msgpack_unpack_next(&whole, buffer.data, buffer.size, &used),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(used, buffer.size);
        weft_mp_t r = weft_mp_reader(buffer.data, buffer.size), skipped = r;
        s_compare(&r, &whole.data);
        assert_int_equal(weft_mp_left(&r), 0);
        assert_true(weft_mp_skip(&skipped));
        assert_int_equal(weft_mp_left(&skipped), 0);
        msgpack_unpacked_destroy(&whole);
        msgpack_sbuffer_destroy(&buffer);
    }
}

/* Write the same value with weft_mp: both write the shortest form, so the bytes agree. */
static void s_write(weft_buf_t *w, const msgpack_object *o) {
    switch (o->type) {
    case MSGPACK_OBJECT_NIL: weft_mp_put_nil(w); break;
    case MSGPACK_OBJECT_BOOLEAN: weft_mp_put_bool(w, o->via.boolean); break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: weft_mp_put_uint(w, o->via.u64); break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: weft_mp_put_int(w, o->via.i64); break;
    case MSGPACK_OBJECT_FLOAT64: weft_mp_put_double(w, o->via.f64); break;
    case MSGPACK_OBJECT_STR: weft_mp_put_str(w, o->via.str.ptr, o->via.str.size); break;
    case MSGPACK_OBJECT_BIN: weft_mp_put_bin(w, o->via.bin.ptr, o->via.bin.size); break;
    case MSGPACK_OBJECT_ARRAY:
        weft_mp_put_array(w, o->via.array.size);
        for (uint32_t n = 0; n < o->via.array.size; n++) s_write(w, &o->via.array.ptr[n]);
        break;
    case MSGPACK_OBJECT_MAP:
        weft_mp_put_map(w, o->via.map.size);
        for (uint32_t n = 0; n < o->via.map.size; n++) {
            s_write(w, &o->via.map.ptr[n].key);
            s_write(w, &o->via.map.ptr[n].val);
        }
        break;
    case MSGPACK_OBJECT_EXT: { /* weft writes none: by hand, by msgpack-c */
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        msgpack_pack_object(&packer, *o);
        weft_buf_append(w, buffer.data, buffer.size);
        msgpack_sbuffer_destroy(&buffer);
        break;
    }
    default: fail_msg("kind %d", (int) o->type);
    }
}

static void what_is_written_has_the_bytes_that_msgpack_c_writes(void **state) {
    (void) state;
    uint64_t seed = 2;
    for (unsigned n = 0; n < RANDOM_VALUES; n++) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        msgpack_unpacked whole;
        size_t used = 0;
        weft_buf_t w;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        s_random_object(&seed, &packer, 0);
        msgpack_unpacked_init(&whole);
        (void) msgpack_unpack_next(&whole, buffer.data, buffer.size, &used);
        weft_buf_init(&w);
        s_write(&w, &whole.data);
        assert_int_equal(w.size, buffer.size);
        assert_memory_equal(w.data, buffer.data, w.size);
        weft_buf_free(&w);
        msgpack_unpacked_destroy(&whole);
        msgpack_sbuffer_destroy(&buffer);
    }
}

/* ---- by hand */

static void a_value_longer_than_needed_is_read(void **state) {
    (void) state;
    static const struct {
        uint8_t bytes[10];
        size_t size;
        uint64_t value;
    } longer[] = {
        {{0xcc, 1}, 2, 1},
        {{0xcd, 0, 1}, 3, 1},
        {{0xce, 0, 0, 0, 1}, 5, 1},
        {{0xcf, 0, 0, 0, 0, 0, 0, 0, 1}, 9, 1},
        {{0xd0, 1}, 2, 1}, /* the signed forms hold what is not negative, too */
        {{0xd1, 1, 0}, 3, 256},
        {{0xd2, 0, 1, 0, 0}, 5, 65536},
        {{0xd3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        uint64_t u;
        int64_t n;
        weft_mp_t r = weft_mp_reader(longer[i].bytes, longer[i].size), again = r;
        assert_true(weft_mp_uint(&r, &u));
        assert_true(u == longer[i].value);
        assert_true(weft_mp_int(&again, &n));
        assert_true((uint64_t) n == longer[i].value);
        assert_int_equal(weft_mp_left(&r), 0);
    }
    static const uint8_t minus_one[] = {0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    int64_t n;
    weft_mp_t r = weft_mp_reader(minus_one, sizeof minus_one);
    assert_true(weft_mp_int(&r, &n));
    assert_int_equal(n, -1);
    static const uint8_t text[] = {0xdb, 0, 0, 0, 1, 'a'}, bin[] = {0xc6, 0, 0, 0, 1, 'b'};
    static const uint8_t array[] = {0xdd, 0, 0, 0, 1}, map[] = {0xdf, 0, 0, 0, 1};
    const char *s;
    const uint8_t *b;
    size_t size;
    uint32_t count;
    r = weft_mp_reader(text, sizeof text);
    assert_true(weft_mp_str(&r, &s, &size) && size == 1 && *s == 'a');
    r = weft_mp_reader(bin, sizeof bin);
    assert_true(weft_mp_bin(&r, &b, &size) && size == 1 && *b == 'b');
    r = weft_mp_reader(array, sizeof array);
    assert_true(weft_mp_array(&r, &count) && count == 1);
    r = weft_mp_reader(map, sizeof map);
    assert_true(weft_mp_map(&r, &count) && count == 1);
}

/* Every reader on these bytes: false, and the cursor stays. */
static void s_nothing_takes(const uint8_t *bytes, size_t size) {
    uint64_t u;
    int64_t i;
    uint32_t count;
    bool flag;
    const char *text;
    const uint8_t *bin;
    size_t n;
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    if (size) memcpy(exact, bytes, size);
    weft_mp_t r = weft_mp_reader(exact, size);
    assert_false(weft_mp_uint(&r, &u));
    assert_false(weft_mp_int(&r, &i));
    assert_false(weft_mp_bool(&r, &flag));
    assert_false(weft_mp_nil(&r));
    assert_false(weft_mp_str(&r, &text, &n));
    assert_false(weft_mp_bin(&r, &bin, &n));
    assert_false(weft_mp_skip(&r));
    if (size && (bytes[0] & 0xf0) != 0x90 && (bytes[0] & 0xf0) != 0x80 && bytes[0] < 0xdc) {
        assert_false(weft_mp_array(&r, &count));
        assert_false(weft_mp_map(&r, &count));
    }
    assert_ptr_equal(r.at, exact);
    free(exact);
}

static void a_value_cut_off_at_any_length_is_refused(void **state) {
    (void) state;
    static const struct {
        uint8_t head[6];
        size_t head_size, size;
    } values[] = {
        {{0xcc}, 1, 2},    {{0xcd}, 1, 3},       {{0xce}, 1, 5},
        {{0xcf}, 1, 9},    {{0xd0}, 1, 2},       {{0xd1}, 1, 3},
        {{0xd2}, 1, 5},    {{0xd3}, 1, 9},       {{0xd3, 0x80}, 2, 9},
        {{0xca}, 1, 5},    {{0xcb}, 1, 9},       {{0xa3}, 1, 4},
        {{0xd9, 3}, 2, 5}, {{0xda, 0, 3}, 3, 6}, {{0xdb, 0, 0, 0, 3}, 5, 8},
        {{0xc4, 3}, 2, 5}, {{0xc5, 0, 3}, 3, 6}, {{0xc6, 0, 0, 0, 3}, 5, 8},
        {{0x93}, 1, 4},    {{0xdc, 0, 3}, 3, 6}, {{0xdd, 0, 0, 0, 3}, 5, 8},
        {{0x81}, 1, 3},    {{0xde, 0, 1}, 3, 5}, {{0xdf, 0, 0, 0, 1}, 5, 7},
        {{0xc7, 3}, 2, 6}, {{0xc8, 0, 3}, 3, 7}, {{0xc9, 0, 0, 0, 3}, 5, 9},
        {{0xd4}, 1, 3},    {{0xd5}, 1, 4},       {{0xd6}, 1, 6},
        {{0xd7}, 1, 10},   {{0xd8}, 1, 18},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[32] = {0};
        memcpy(bytes, values[i].head, values[i].head_size);
        weft_mp_t r = weft_mp_reader(bytes, values[i].size);
        assert_true(weft_mp_skip(&r));
        assert_int_equal(weft_mp_left(&r), 0);
        for (size_t size = 0; size < values[i].size; size++) s_nothing_takes(bytes, size);
    }
}

static void lengths_far_beyond_the_end_are_refused(void **state) {
    (void) state;
    static const uint8_t heads[] = {0xdb, 0xc6, 0xc9, 0xdd, 0xdf};
    for (size_t i = 0; i < sizeof heads; i++) {
        uint8_t bytes[8] = {heads[i], 0xff, 0xff, 0xff, 0xff, 1, 2, 3};
        s_nothing_takes(bytes, sizeof bytes);
    }
    s_nothing_takes((const uint8_t *) "\xc1", 1); /* the one byte that msgpack never uses */
}

/* depth containers in one another around nil, or around nothing. */
static bool s_skips_nested(unsigned depth, bool empty, uint8_t container) {
    uint8_t bytes[256];
    size_t size = 0;
    for (unsigned i = 0; i < depth; i++) {
        bool last = i + 1 == depth;
        bytes[size++] = (uint8_t) (container | (last && empty ? 0 : 1));
        if (container == 0x80 && !(last && empty)) bytes[size++] = 0xc0; /* the key */
    }
    if (!empty) bytes[size++] = 0xc0;
    weft_mp_t r = weft_mp_reader(bytes, size);
    bool ok = weft_mp_skip(&r);
    assert_int_equal(weft_mp_left(&r), ok ? 0 : size);
    return ok;
}

static void nesting_ends_at_the_limit(void **state) {
    (void) state;
    for (unsigned empty = 0; empty <= 1; empty++) {
        assert_true(s_skips_nested(WEFT_MSGPACK_DEPTH_MAX, empty, 0x90));
        assert_false(s_skips_nested(WEFT_MSGPACK_DEPTH_MAX + 1, empty, 0x90));
        assert_true(s_skips_nested(WEFT_MSGPACK_DEPTH_MAX, empty, 0x80));
        assert_false(s_skips_nested(WEFT_MSGPACK_DEPTH_MAX + 1, empty, 0x80));
    }
}

static void breadth_at_a_level_does_not_count_as_depth(void **state) {
    (void) state;
    weft_buf_t w;
    weft_buf_init(&w);
    weft_mp_put_array(&w, 100);
    for (unsigned i = 0; i < 100; i++) {
        weft_mp_put_array(&w, 1);
        weft_mp_put_map(&w, 0);
    }
    weft_mp_put_nil(&w);
    weft_mp_t r = weft_mp_reader(w.data, w.size);
    assert_true(weft_mp_skip(&r));
    assert_int_equal(weft_mp_left(&r), 1);
    weft_buf_free(&w);
}

static void u64_is_always_nine_bytes(void **state) {
    (void) state;
    weft_buf_t w;
    uint64_t value;
    weft_buf_init(&w);
    weft_mp_put_u64(&w, 1);
    weft_mp_put_u64(&w, UINT64_MAX);
    assert_int_equal(w.size, 18);
    weft_mp_t r = weft_mp_reader(w.data, w.size);
    assert_true(weft_mp_uint(&r, &value) && value == 1);
    assert_true(weft_mp_uint(&r, &value) && value == UINT64_MAX);
    weft_buf_free(&w);
}

/* ---- text */

static void text_is_utf8_without_controls(void **state) {
    (void) state;
    static const char *const good[] = {"",
                                       "plain",
                                       "Grüße",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       " ~"};
    static const char *const bad[] = {"\x01",
                                      "\x1f",
                                      "\x7f",
                                      "a\nb", /* controls */
                                      "\x80",
                                      "\xbf",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98", /* alone or cut off */
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x8f\xbf\xbf", /* overlong */
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf", /* surrogates */
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff", /* beyond U+10FFFF */
                                      "\xc3(",
                                      "\xe2(\xa1",
                                      "\xe2\x82(",
                                      "\xf0(\x8c\xbc"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!weft_text_ok(good[i], strlen(good[i]))) fail_msg("refused: good[%zu]", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (weft_text_ok(bad[i], strlen(bad[i]))) fail_msg("taken: bad[%zu]", i);
    assert_false(weft_text_ok("a\0b", 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_msgpack_c_writes_is_read_the_same),
        cmocka_unit_test(what_is_written_has_the_bytes_that_msgpack_c_writes),
        cmocka_unit_test(a_value_longer_than_needed_is_read),
        cmocka_unit_test(a_value_cut_off_at_any_length_is_refused),
        cmocka_unit_test(lengths_far_beyond_the_end_are_refused),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(breadth_at_a_level_does_not_count_as_depth),
        cmocka_unit_test(u64_is_always_nine_bytes),
        cmocka_unit_test(text_is_utf8_without_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
