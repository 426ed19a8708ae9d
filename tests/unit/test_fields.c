/* What every decoder of a map refuses: fields that are unknown, doubled, missing or malformed, bytes
 * that are cut off at any length or go on, other versions, and what lies beyond a limit. Each golden
 * frame is taken apart into its pairs and put together again with one thing changed. */
#include "kit.h"

#include "weft_limits.h"

#define PAIRS_MAX 16

typedef struct {
    const char *frame; /* golden file */
    weft_err_t (*decode)(const void *bytes, size_t size);
    const char *optional; /* ' '-separated */
    const char *raw;      /* any value goes */
    bool versioned;
} s_kind_t;

static weft_record_t s_record;

static weft_err_t s_hello(const void *b, size_t n) {
    return weft_hello_decode(b, n, &(weft_hello_t){0});
}
static weft_err_t s_welcome(const void *b, size_t n) {
    return weft_welcome_decode(b, n, &(weft_welcome_t){0});
}
static weft_err_t s_fetch(const void *b, size_t n) {
    return weft_fetch_decode(b, n, &(weft_fetch_t){0});
}
static weft_err_t s_page(const void *b, size_t n) {
    return weft_page_decode(b, n, &(weft_page_t){0});
}
static weft_err_t s_report(const void *b, size_t n) {
    return weft_report_decode(b, n, &(weft_report_t){0});
}
static weft_err_t s_status(const void *b, size_t n) {
    return weft_status_decode(b, n, &(weft_status_t){0});
}
static weft_err_t s_state(const void *b, size_t n) {
    return weft_state_decode(b, n, &(weft_state_t){0});
}
static weft_err_t s_error(const void *b, size_t n) {
    return weft_error_decode(b, n, &(weft_error_t){0});
}
static weft_err_t s_effects(const void *b, size_t n) {
    return weft_effects_decode(b, n, &(weft_effects_t){0});
}
static weft_err_t s_trace(const void *b, size_t n) {
    return weft_trace_decode(b, n, &(weft_trace_t){0});
}
static weft_err_t s_found(const void *b, size_t n) {
    return weft_found_decode(b, n, &(weft_found_t){0});
}
static weft_err_t s_origin_state(const void *b, size_t n) {
    return weft_origin_state_decode(b, n, &(weft_origin_state_t){0});
}
static weft_err_t s_commit(const void *b, size_t n) {
    return weft_record_decode(b, n, &s_record);
}

static const s_kind_t s_kinds[] = {
    {"hello", s_hello, "position origin", "", true},
    {"hello_number", s_hello, "position origin", "", true},
    {"hello_bare", s_hello, "position origin", "", true},
    {"welcome", s_welcome, "origin", "limits origin", true},
    {"fetch", s_fetch, "", "filters", false},
    {"page", s_page, "", "", false},
    {"report", s_report, "", "filters", false},
    {"status", s_status, "", "", false},
    {"state", s_state, "", "counters services", false},
    {"error", s_error, "", "", true},
    {"origin_state", s_origin_state, "", "", false},
    {"record", s_commit, "", "types", false},
    {"record_heartbeat", s_commit, "", "types", false},
    {"effects", s_effects, "", "causes", false},
    {"trace", s_trace, "", "", false},
    {"found", s_found, "", "positions", false},
};
#define KINDS (sizeof s_kinds / sizeof *s_kinds)

/* ---- taking a frame apart */

typedef struct {
    char key[32];
    weft_bytes_t value;
} s_pair_t;

typedef struct {
    const s_kind_t *kind;
    uint8_t *bytes;
    size_t size;
    s_pair_t pairs[PAIRS_MAX];
    uint32_t count;
} s_frame_t;

static void s_open(s_frame_t *f, const s_kind_t *kind) {
    *f = (s_frame_t){.kind = kind};
    f->bytes = kit_golden(kind->frame, &f->size);
    weft_mp_t r = weft_mp_reader(f->bytes, f->size);
    assert_true(weft_mp_map(&r, &f->count));
    assert_true(f->count <= PAIRS_MAX);
    for (uint32_t i = 0; i < f->count; i++) {
        const char *key = NULL;
        size_t size = 0;
        assert_true(weft_mp_str(&r, &key, &size));
        memcpy(f->pairs[i].key, key, size);
        f->pairs[i].value.data = r.at;
        assert_true(weft_mp_skip(&r));
        f->pairs[i].value.size = (size_t) (r.at - f->pairs[i].value.data);
    }
}

static bool s_listed(const char *list, const char *key) {
    const char *at = strstr(list, key);
    return at && (at == list || at[-1] == ' ') && (!at[strlen(key)] || at[strlen(key)] == ' ');
}

static void s_put(weft_buf_t *w, const s_pair_t *pair, const weft_bytes_t *instead) {
    const weft_bytes_t *value = instead ? instead : &pair->value;
    weft_mp_put_text(w, pair->key);
    weft_buf_append(w, value->data, value->size);
}

/* Decode what is in w from memory of exactly that size. */
static weft_err_t s_try(const s_frame_t *f, weft_buf_t *w) {
    uint8_t *exact = malloc(w->size ? w->size : 1);
    assert_non_null(exact);
    if (w->size) memcpy(exact, w->data, w->size);
    weft_err_t rc = f->kind->decode(exact, w->size);
    free(exact);
    weft_buf_free(w);
    return rc;
}

static void s_wants(const s_frame_t *f, const char *what, weft_err_t got, weft_err_t wanted) {
    if (got != wanted)
        fail_msg("%s, %s: got %s, want %s", f->kind->frame, what, weft_err_name(got),
                 weft_err_name(wanted));
}

static weft_err_t s_with(const s_frame_t *f, uint32_t changed, const weft_bytes_t *value) {
    weft_buf_t w = {0};
    weft_mp_put_map(&w, f->count);
    for (uint32_t i = 0; i < f->count; i++) s_put(&w, &f->pairs[i], i == changed ? value : NULL);
    return s_try(f, &w);
}

#define EACH_FRAME(f)                              \
    s_frame_t f;                                   \
    for (size_t kind_ = 0; kind_ < KINDS; kind_++) \
        for (bool once_ = (s_open(&f, &s_kinds[kind_]), true); once_; free(f.bytes), once_ = false)

/* ---- tests */

static void keys_may_come_in_any_order(void **state) {
    (void) state;
    EACH_FRAME(f) {
        weft_buf_t w = {0};
        weft_mp_put_map(&w, f.count);
        for (uint32_t i = f.count; i--;) s_put(&w, &f.pairs[i], NULL);
        s_wants(&f, "backwards", s_try(&f, &w), WEFT_OK);
    }
}

static void an_unknown_field_is_refused(void **state) {
    (void) state;
    EACH_FRAME(f) {
        weft_buf_t w = {0};
        weft_mp_put_map(&w, f.count + 1);
        for (uint32_t i = 0; i < f.count; i++) s_put(&w, &f.pairs[i], NULL);
        weft_mp_put_text(&w, "extra");
        weft_mp_put_nil(&w);
        s_wants(&f, "extra field", s_try(&f, &w), WEFT_E_BAD_FIELD);
    }
}

static void a_doubled_field_is_refused(void **state) {
    (void) state;
    EACH_FRAME(f) {
        for (uint32_t twice = 0; twice < f.count; twice++) {
            weft_buf_t w = {0};
            weft_mp_put_map(&w, f.count + 1);
            for (uint32_t i = 0; i < f.count; i++) s_put(&w, &f.pairs[i], NULL);
            s_put(&w, &f.pairs[twice], NULL);
            s_wants(&f, f.pairs[twice].key, s_try(&f, &w), WEFT_E_BAD_FIELD);
        }
    }
}

static void a_missing_field_is_refused_unless_optional(void **state) {
    (void) state;
    EACH_FRAME(f) {
        for (uint32_t gone = 0; gone < f.count; gone++) {
            weft_buf_t w = {0};
            weft_mp_put_map(&w, f.count - 1);
            for (uint32_t i = 0; i < f.count; i++)
                if (i != gone) s_put(&w, &f.pairs[i], NULL);
            bool optional = s_listed(f.kind->optional, f.pairs[gone].key);
            s_wants(&f, f.pairs[gone].key, s_try(&f, &w), optional ? WEFT_OK : WEFT_E_BAD_FIELD);
        }
    }
}

static void nil_stands_for_what_is_optional_alone(void **state) {
    (void) state;
    const weft_bytes_t nil = {(const uint8_t *) "\xc0", 1};
    EACH_FRAME(f) {
        for (uint32_t i = 0; i < f.count; i++) {
            bool fine = s_listed(f.kind->optional, f.pairs[i].key) ||
                        (s_listed(f.kind->raw, f.pairs[i].key) && f.kind->decode != s_commit);
            s_wants(&f, f.pairs[i].key, s_with(&f, i, &nil), fine ? WEFT_OK : WEFT_E_BAD_FIELD);
        }
    }
}

static void a_malformed_field_is_refused(void **state) {
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"\xff", 1},         /* -1 */
        {"\xca\0\0\0\0", 5}, /* a float */
        {"\xc4\x0f"
         "123456789012345",
         17}, /* 15 bytes are no UUID */
        {"\xc4\x11"
         "12345678901234567",
         19}, /* nor are 17 */
        {"\xa2"
         "a\n",
         3},                                        /* control byte */
        {"\xa1\xff", 2},                            /* not UTF-8 */
        {"\x80", 1},                                /* a map */
        {"\x93\xc0\xcf\x80\0\0\0\0\0\0\0\xc0", 12}, /* place beyond 2^63-1 */
        {"\x93\xc0\xff\xc0", 4},                    /* place below 0 */
        {"\x92\xc0\x01", 3},                        /* place of two */
        {"\x94\xc0\x01\xc0\xc0", 5},                /* place of four */
        {"\x93\xc0\x01\x01", 4},                    /* chain without log */
        {"\x93\xc4\x10"
         "1234567890123456\x01\xc0",
         21}, /* log without chain */
        {"\x93\xc4\x0f"
         "123456789012345\x01\x01",
         20},                    /* log of 15 bytes */
        {"\x93\xa0\x01\x01", 4}, /* log is text */
        {"\xc7\x01\x05\x00", 4}, /* an extension */
    };
    EACH_FRAME(f) {
        for (uint32_t i = 0; i < f.count; i++) {
            const weft_bytes_t illegal = {(const uint8_t *) "\xc1", 1};
            s_wants(&f, f.pairs[i].key, s_with(&f, i, &illegal), WEFT_E_BAD_FIELD);
            if (s_listed(f.kind->raw, f.pairs[i].key)) continue;
            for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
                const weft_bytes_t value = {(const uint8_t *) wrong[k].bytes, wrong[k].size};
                s_wants(&f, f.pairs[i].key, s_with(&f, i, &value), WEFT_E_BAD_FIELD);
            }
        }
    }
}

static void a_key_that_is_no_text_is_refused(void **state) {
    (void) state;
    EACH_FRAME(f) {
        weft_buf_t w = {0};
        weft_mp_put_map(&w, f.count);
        weft_mp_put_uint(&w, 1);
        weft_buf_append(&w, f.pairs[0].value.data, f.pairs[0].value.size);
        for (uint32_t i = 1; i < f.count; i++) s_put(&w, &f.pairs[i], NULL);
        s_wants(&f, "key 1", s_try(&f, &w), WEFT_E_BAD_FIELD);
    }
}

static void what_is_no_map_is_refused(void **state) {
    (void) state;
    EACH_FRAME(f) {
        weft_buf_t w = {0};
        weft_mp_put_array(&w, 0);
        s_wants(&f, "array", s_try(&f, &w), WEFT_E_BAD_FIELD);
        s_wants(&f, "nothing", s_try(&f, &w), WEFT_E_BAD_FIELD);
    }
}

static void bytes_after_the_map_are_refused(void **state) {
    (void) state;
    EACH_FRAME(f) {
        weft_buf_t w = {0};
        weft_buf_append(&w, f.bytes, f.size);
        weft_mp_put_nil(&w);
        s_wants(&f, "one byte more", s_try(&f, &w), WEFT_E_BAD_FIELD);
    }
}

static void a_frame_cut_off_at_any_length_is_refused(void **state) {
    (void) state;
    EACH_FRAME(f) {
        for (size_t size = 0; size < f.size; size++) {
            weft_buf_t w = {0};
            weft_buf_append(&w, f.bytes, size);
            s_wants(&f, "cut off", s_try(&f, &w), WEFT_E_BAD_FIELD);
        }
    }
}

/* Of another version nothing but id and version is understood, whatever else is there. */
static void another_version_is_told_from_a_bad_message(void **state) {
    (void) state;
    EACH_FRAME(f) {
        if (!f.kind->versioned) continue;
        weft_buf_t w = {0};
        weft_mp_put_map(&w, 3);
        weft_mp_put_text(&w, "strange");
        weft_mp_put_array(&w, 0);
        weft_mp_put_text(&w, "version");
        weft_mp_put_uint(&w, 2);
        weft_mp_put_text(&w, "id");
        weft_mp_put_uint(&w, 77);
        if (f.kind->decode == s_hello) {
            weft_hello_t hello;
            assert_rc(weft_hello_decode(w.data, w.size, &hello), WEFT_E_VERSION);
            assert_int_equal(hello.id, 77);
            assert_int_equal(hello.version, 2);
        }
        s_wants(&f, "version 2", s_try(&f, &w), WEFT_E_VERSION);
        weft_mp_put_map(&w, 1);
        weft_mp_put_text(&w, "version");
        weft_mp_put_uint(&w, 2);
        s_wants(&f, "version 2 without id", s_try(&f, &w), WEFT_E_BAD_FIELD);
        weft_mp_put_map(&w, 2);
        weft_mp_put_text(&w, "id");
        weft_mp_put_uint(&w, 1);
        weft_mp_put_text(&w, "version");
        weft_mp_put_text(&w, "2");
        s_wants(&f, "version is text", s_try(&f, &w), WEFT_E_BAD_FIELD);
        weft_mp_put_map(&w, 2);
        weft_mp_put_uint(&w, 1);
        weft_mp_put_uint(&w, 1);
        s_wants(&f, "keys are numbers", s_try(&f, &w), WEFT_E_BAD_FIELD);
    }
}

static void texts_end_at_their_limit(void **state) {
    (void) state;
    char text[WEFT_TEXT_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    s_frame_t f;
    s_open(&f, &s_kinds[0]);
    for (size_t more = 0; more <= 1; more++) {
        weft_buf_t value = {0};
        weft_mp_put_str(&value, text, WEFT_TEXT_BYTES_MAX + more);
        weft_bytes_t name = {value.data, value.size};
        assert_string_equal(f.pairs[2].key, "name");
        s_wants(&f, "name", s_with(&f, 2, &name), more ? WEFT_E_BAD_FIELD : WEFT_OK);
        weft_buf_free(&value);
    }
    free(f.bytes);
}

static void places_reach_up_to_the_largest_position(void **state) {
    (void) state;
    s_frame_t f;
    s_open(&f, &s_kinds[0]);
    const weft_bytes_t most = {(const uint8_t *) "\x93\xc0\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xc0",
                               12};
    s_wants(&f, "2^63-1", s_with(&f, 3, &most), WEFT_OK);
    free(f.bytes);
}

/* ---- positions */

static weft_err_t s_positions(size_t count, uint64_t position) {
    weft_buf_t w = {0};
    uint64_t out[WEFT_CAUSES_MAX];
    size_t got = 99;
    weft_mp_put_array(&w, (uint32_t) count);
    for (size_t i = 0; i < count; i++) weft_mp_put_uint(&w, position);
    weft_err_t rc = weft_positions_decode((weft_bytes_t){w.data, w.size}, out, WEFT_CAUSES_MAX,
                                          &got);
    assert_int_equal(got, rc == WEFT_OK ? count : 0);
    weft_buf_free(&w);
    return rc;
}

static void positions_end_at_their_limits(void **state) {
    (void) state;
    assert_rc(s_positions(0, 1), WEFT_OK);
    assert_rc(s_positions(WEFT_CAUSES_MAX, INT64_MAX), WEFT_OK);
    assert_rc(s_positions(WEFT_CAUSES_MAX + 1, 1), WEFT_E_TOO_BIG);
    assert_rc(s_positions(1, 0), WEFT_E_BAD_FIELD);
    assert_rc(s_positions(1, UINT64_C(1) << 63), WEFT_E_BAD_FIELD);
    uint64_t out[1];
    size_t count;
    assert_rc(
        weft_positions_decode((weft_bytes_t){(const uint8_t *) "\x91\xc0", 2}, out, 1, &count),
        WEFT_E_BAD_FIELD);
    assert_rc(weft_positions_decode((weft_bytes_t){(const uint8_t *) "\x91", 1}, out, 1, &count),
              WEFT_E_BAD_FIELD);
    assert_rc(weft_positions_decode((weft_bytes_t){(const uint8_t *) "\x01", 1}, out, 1, &count),
              WEFT_E_BAD_FIELD);
}

/* ---- filters */

static weft_err_t s_filters(size_t count, const char *filter) {
    weft_buf_t w = {0};
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters = {.items = items};
    weft_mp_put_array(&w, (uint32_t) count);
    for (size_t i = 0; i < count; i++) weft_mp_put_text(&w, filter);
    weft_err_t rc = weft_filters_decode((weft_bytes_t){w.data, w.size}, &filters);
    if (rc == WEFT_OK) assert_int_equal(filters.count, count);
    weft_buf_free(&w);
    return rc;
}

static void filters_end_at_their_limit(void **state) {
    (void) state;
    assert_rc(s_filters(0, "a"), WEFT_OK);
    assert_rc(s_filters(WEFT_FILTERS_MAX, "a.*"), WEFT_OK);
    assert_rc(s_filters(WEFT_FILTERS_MAX + 1, "a.*"), WEFT_E_TOO_BIG);
    assert_rc(s_filters(2, "a..b"), WEFT_E_BAD_FILTER);
    char filter[WEFT_TYPE_BYTES_MAX + 2] = {0};
    memset(filter, 'a', WEFT_TYPE_BYTES_MAX);
    assert_rc(s_filters(1, filter), WEFT_OK);
    filter[WEFT_TYPE_BYTES_MAX] = 'a';
    assert_rc(s_filters(1, filter), WEFT_E_TOO_BIG);
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t none = {.items = items};
    assert_rc(weft_filters_decode((weft_bytes_t){(const uint8_t *) "\x91\x01", 2}, &none),
              WEFT_E_BAD_FIELD);
    assert_rc(weft_filters_decode((weft_bytes_t){(const uint8_t *) "\xa1>", 2}, &none),
              WEFT_E_BAD_FIELD);
}

/* ---- records */

/* A record over (0, last] with these many types; each has one event, the first has first. */
static weft_err_t s_types_record(size_t types, uint64_t first, uint64_t last) {
    static weft_record_t record;
    char names[WEFT_BATCH_TYPES_MAX + 1][8];
    weft_buf_t w = {0};
    record = (weft_record_t){.last = last};
    record.types_count = types < WEFT_BATCH_TYPES_MAX ? types : WEFT_BATCH_TYPES_MAX;
    for (size_t i = 0; i < record.types_count; i++) {
        int size = snprintf(names[i], sizeof names[i], "t%zu", i);
        record.types[i] = (weft_record_type_t){
            .type = names[i], .type_size = (size_t) size, .count = i ? 1 : first, .sum = i};
    }
    weft_record_encode(&w, &record);
    if (types > WEFT_BATCH_TYPES_MAX) { /* de 01 00 becomes de 01 01, and one pair follows */
        static const uint8_t head[] = {0xde, 0x01, 0x00};
        uint8_t *at = memmem(w.data, w.size, head, sizeof head);
        assert_non_null(at);
        at[2] = 0x01;
        weft_mp_put_text(&w, "more");
        weft_mp_put_array(&w, 2);
        weft_mp_put_uint(&w, 1);
        weft_mp_put_uint(&w, 1);
    }
    weft_err_t rc = weft_record_decode(w.data, w.size, &s_record);
    weft_buf_free(&w);
    return rc;
}

static void record_types_end_at_their_limit(void **state) {
    (void) state;
    assert_rc(s_types_record(WEFT_BATCH_TYPES_MAX, 1, WEFT_BATCH_TYPES_MAX), WEFT_OK);
    assert_int_equal(s_record.types_count, WEFT_BATCH_TYPES_MAX);
    assert_rc(s_types_record(WEFT_BATCH_TYPES_MAX + 1, 1, WEFT_BATCH_TYPES_MAX + 1),
              WEFT_E_TOO_BIG);
}

static void record_counts_add_up_to_its_positions(void **state) {
    (void) state;
    assert_rc(s_types_record(2, 4, 5), WEFT_OK);
    assert_rc(s_types_record(2, 3, 5), WEFT_E_BAD_FIELD);
    assert_rc(s_types_record(2, 5, 5), WEFT_E_BAD_FIELD);
    assert_rc(s_types_record(2, UINT64_MAX, 0), WEFT_E_BAD_FIELD); /* no way around by overflow */
    assert_rc(s_types_record(2, UINT64_MAX, 5), WEFT_E_BAD_FIELD);
    assert_rc(s_types_record(0, 0, 0), WEFT_OK);
    assert_rc(s_types_record(0, 0, 1), WEFT_E_BAD_FIELD);
}

static weft_err_t s_record_with(void (*change)(weft_record_t *)) {
    static weft_record_t record;
    weft_buf_t w = {0};
    record = (weft_record_t){.prev = 3, .last = 4, .types_count = 1};
    record.types[0] = (weft_record_type_t){.type = "a.b", .type_size = 3, .count = 1};
    change(&record);
    weft_record_encode(&w, &record);
    weft_err_t rc = weft_record_decode(w.data, w.size, &s_record);
    weft_buf_free(&w);
    return rc;
}

static void s_keep(weft_record_t *r) {
    (void) r;
}
static void s_backwards(weft_record_t *r) {
    r->prev = 5;
}
static void s_beyond(weft_record_t *r) {
    r->last = (uint64_t) INT64_MAX + 1, r->prev = INT64_MAX;
}
static void s_last_one(weft_record_t *r) {
    r->last = INT64_MAX, r->prev = INT64_MAX - 1;
}
static void s_own_type(weft_record_t *r) {
    r->types[0].type = "$ab";
}

static void record_positions_and_types_are_checked(void **state) {
    (void) state;
    assert_rc(s_record_with(s_keep), WEFT_OK);
    assert_rc(s_record_with(s_backwards), WEFT_E_BAD_FIELD);
    assert_rc(s_record_with(s_last_one), WEFT_OK);
    assert_rc(s_record_with(s_beyond), WEFT_E_BAD_FIELD);
    assert_rc(s_record_with(s_own_type), WEFT_E_BAD_TYPE);
}

static void record_types_that_are_malformed_are_refused(void **state) {
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {{"\x93\1\2\3", 4},
                 {"\x81\1\x92\1\1", 5},
                 {"\x81\xa1"
                  "a\x93\1\1\1",
                  7},
                 {"\x81\xa1"
                  "a\x91\1",
                  5},
                 {"\x81\xa1"
                  "a\1",
                  4},
                 {"\x81\xa1"
                  "a\x92\xff\1",
                  6},
                 {"\x81\xa1"
                  "a\x92\1\xff",
                  6}};
    s_frame_t f;
    s_open(&f, &s_kinds[11]);
    assert_string_equal(f.pairs[7].key, "types");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const weft_bytes_t value = {(const uint8_t *) wrong[i].bytes, wrong[i].size};
        s_wants(&f, "types", s_with(&f, 7, &value), WEFT_E_BAD_FIELD);
    }
    free(f.bytes);
}

/* ---- names of origins */

static void uuids_have_a_text_form(void **state) {
    (void) state;
    weft_uuid_t uuid;
    char text[33], topic[WEFT_TOPIC_ACK_BYTES + 1];
    assert_true(weft_uuid_parse(&uuid, "00112233-4455-6677-8899-aabbccddeeff"));
    weft_uuid_text(text, uuid.bytes);
    assert_string_equal(text, "00112233445566778899aabbccddeeff");
    weft_ack_topic(topic, uuid.bytes);
    assert_memory_equal(topic, "$ack/00112233445566778899aabbccddeeff", WEFT_TOPIC_ACK_BYTES);
    assert_false(weft_uuid_parse(&uuid, ""));
    assert_false(weft_uuid_parse(&uuid, "00112233445566778899aabbccddeef"));
    assert_false(weft_uuid_parse(&uuid, "00112233445566778899aabbccddeeff0"));
    assert_false(weft_uuid_parse(&uuid, "0011223344556677889 aabbccddeeff"));
    assert_false(weft_uuid_parse(&uuid, "00112233445566778899AABBCCDDEEFF"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_may_come_in_any_order),
        cmocka_unit_test(an_unknown_field_is_refused),
        cmocka_unit_test(a_doubled_field_is_refused),
        cmocka_unit_test(a_missing_field_is_refused_unless_optional),
        cmocka_unit_test(nil_stands_for_what_is_optional_alone),
        cmocka_unit_test(a_malformed_field_is_refused),
        cmocka_unit_test(a_key_that_is_no_text_is_refused),
        cmocka_unit_test(what_is_no_map_is_refused),
        cmocka_unit_test(bytes_after_the_map_are_refused),
        cmocka_unit_test(a_frame_cut_off_at_any_length_is_refused),
        cmocka_unit_test(another_version_is_told_from_a_bad_message),
        cmocka_unit_test(texts_end_at_their_limit),
        cmocka_unit_test(places_reach_up_to_the_largest_position),
        cmocka_unit_test(positions_end_at_their_limits),
        cmocka_unit_test(filters_end_at_their_limit),
        cmocka_unit_test(record_types_end_at_their_limit),
        cmocka_unit_test(record_counts_add_up_to_its_positions),
        cmocka_unit_test(record_positions_and_types_are_checked),
        cmocka_unit_test(record_types_that_are_malformed_are_refused),
        cmocka_unit_test(uuids_have_a_text_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
