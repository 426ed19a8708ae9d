/* fuzz_fields: a table with a field of every kind, required and optional. */
#include "fuzz.h"

#include "weft_fields.h"
#include "weft_limits.h"

typedef struct {
    uint64_t n;
    int64_t t;
    bool b;
    weft_uuid_t u, v;
    weft_text_t x, y;
    weft_place_t p;
    weft_bytes_t r, s;
} s_all_t;

static const weft_field_t s_table[] = {
    WEFT_FIELD(s_all_t, n, U64, false),  WEFT_FIELD(s_all_t, t, TIME, false),
    WEFT_FIELD(s_all_t, b, BOOL, false), WEFT_FIELD(s_all_t, u, UUID, false),
    WEFT_FIELD(s_all_t, v, UUID, true),  WEFT_FIELD(s_all_t, x, TEXT, false),
    WEFT_FIELD(s_all_t, y, TEXT, true),  WEFT_FIELD(s_all_t, p, PLACE, true),
    WEFT_FIELD(s_all_t, r, RAW, false),  WEFT_FIELD(s_all_t, s, RAW, true),
};
#define FIELDS (sizeof s_table / sizeof *s_table)

static void s_check_text(const weft_text_t *text) {
    WEFT_ASSERT(text->size <= WEFT_TEXT_BYTES_MAX);
    WEFT_ASSERT(!text->data || weft_text_ok(text->data, text->size));
}

static void s_check_raw(const weft_bytes_t *raw) {
    weft_mp_t r = weft_mp_reader(raw->data, raw->size);
    WEFT_ASSERT(!raw->data || (weft_mp_skip(&r) && !weft_mp_left(&r)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    s_all_t all = {0}, again = {0};
    weft_buf_t once, twice;
    if (weft_fields_decode(data, size, s_table, FIELDS, &all) != WEFT_OK) return 0;
    WEFT_ASSERT(all.t >= 0 && all.p.at.position.value <= INT64_MAX);
    s_check_text(&all.x);
    s_check_text(&all.y);
    s_check_raw(&all.r);
    s_check_raw(&all.s);
    weft_buf_init(&once);
    weft_buf_init(&twice);
    weft_fields_encode(&once, s_table, FIELDS, &all);
    WEFT_ASSERT(weft_buf_ok(&once));
    WEFT_ASSERT(weft_fields_decode(once.data, once.size, s_table, FIELDS, &again) == WEFT_OK);
    weft_fields_encode(&twice, s_table, FIELDS, &again);
    fuzz_assert_same(&once, &twice);
    weft_buf_free(&once);
    weft_buf_free(&twice);
    return 0;
}
