/* fuzz_mp: every reader on every value of the input. A reader that takes a value ends where passing it
 * over ends, one that refuses leaves the cursor, and what is taken is written back to the same value. */
#include "fuzz.h"

#include "weft_limits.h"
#include "weft_mp.h"

static unsigned s_taken; /* readers that took the value */

static void s_took(const weft_mp_t *before, const weft_mp_t *after, const weft_mp_t *skipped,
                   bool taken) {
    WEFT_ASSERT(after->end == before->end);
    WEFT_ASSERT(after->at == (taken ? skipped->at : before->at));
    s_taken += taken;
}

static void s_numbers(weft_mp_t r, const weft_mp_t *skipped, weft_buf_t *w) {
    uint64_t u, u_again;
    int64_t i, i_again;
    weft_mp_t copy = r, back;
    bool is_uint = weft_mp_uint(&copy, &u);
    s_took(&r, &copy, skipped, is_uint);
    copy = r;
    bool is_int = weft_mp_int(&copy, &i);
    s_took(&r, &copy, skipped, is_int);
    if (is_uint && is_int) {
        s_taken--;
        WEFT_ASSERT(u == (uint64_t) i);
    }
    if (is_uint) WEFT_ASSERT(is_int == (u <= INT64_MAX));
    weft_buf_clear(w);
    if (is_uint) {
        weft_mp_put_uint(w, u);
        weft_mp_put_u64(w, u);
        back = weft_mp_reader(w->data, w->size);
        WEFT_ASSERT(weft_mp_uint(&back, &u_again) && u_again == u && weft_mp_left(&back) == 9);
        WEFT_ASSERT(weft_mp_uint(&back, &u_again) && u_again == u && !weft_mp_left(&back));
    }
    weft_buf_clear(w);
    if (is_int) {
        weft_mp_put_int(w, i);
        back = weft_mp_reader(w->data, w->size);
        WEFT_ASSERT(weft_mp_int(&back, &i_again) && i_again == i && !weft_mp_left(&back));
    }
}

static void s_simple(weft_mp_t r, const weft_mp_t *skipped, weft_buf_t *w) {
    bool value, again;
    weft_mp_t copy = r, back;
    bool taken = weft_mp_bool(&copy, &value);
    s_took(&r, &copy, skipped, taken);
    weft_buf_clear(w);
    if (taken) {
        weft_mp_put_bool(w, value);
        back = weft_mp_reader(w->data, w->size);
        WEFT_ASSERT(weft_mp_bool(&back, &again) && again == value);
    }
    copy = r;
    taken = weft_mp_nil(&copy);
    s_took(&r, &copy, skipped, taken);
}

static void s_strings(weft_mp_t r, const weft_mp_t *skipped, weft_buf_t *w) {
    const char *text, *text_again;
    const uint8_t *bytes, *bytes_again;
    size_t size, again;
    weft_mp_t copy = r, back;
    weft_buf_clear(w);
    bool taken = weft_mp_str(&copy, &text, &size);
    s_took(&r, &copy, skipped, taken);
    if (taken) {
        weft_mp_put_str(w, text, size);
        back = weft_mp_reader(w->data, w->size);
        WEFT_ASSERT(weft_mp_str(&back, &text_again, &again));
        WEFT_ASSERT(fuzz_same(text, size, text_again, again) && !weft_mp_left(&back));
        (void) weft_text_ok(text, size);
    }
    copy = r;
    weft_buf_clear(w);
    taken = weft_mp_bin(&copy, &bytes, &size);
    s_took(&r, &copy, skipped, taken);
    if (taken) {
        weft_mp_put_bin(w, bytes, size);
        back = weft_mp_reader(w->data, w->size);
        WEFT_ASSERT(weft_mp_bin(&back, &bytes_again, &again));
        WEFT_ASSERT(fuzz_same(bytes, size, bytes_again, again) && !weft_mp_left(&back));
    }
}

/* Heads of arrays and maps: passing over what they hold ends where passing over the whole does. */
static void s_nested(weft_mp_t r, const weft_mp_t *skipped) {
    uint32_t count;
    weft_mp_t array = r, map = r;
    bool is_array = weft_mp_array(&array, &count);
    uint64_t values = is_array ? count : 0;
    bool is_map = weft_mp_map(&map, &count);
    if (is_map) values = 2 * (uint64_t) count;
    WEFT_ASSERT(!(is_array && is_map));
    if (!is_array) WEFT_ASSERT(array.at == r.at);
    if (!is_map) WEFT_ASSERT(map.at == r.at);
    if (!is_array && !is_map) return;
    s_taken++;
    weft_mp_t inner = is_array ? array : map;
    while (values--) WEFT_ASSERT(weft_mp_skip(&inner));
    WEFT_ASSERT(inner.at == skipped->at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weft_mp_t r = weft_mp_reader(data, size), skipped = r;
    weft_buf_t w;
    weft_buf_init(&w);
    while (weft_mp_left(&r) && weft_mp_skip(&skipped)) {
        WEFT_ASSERT(skipped.at > r.at && skipped.at <= data + size);
        s_taken = 0;
        s_numbers(r, &skipped, &w);
        s_simple(r, &skipped, &w);
        s_strings(r, &skipped, &w);
        s_nested(r, &skipped);
        WEFT_ASSERT(s_taken <= 1); /* none: floats and extension types */
        WEFT_ASSERT(weft_buf_ok(&w));
        r = skipped;
    }
    WEFT_ASSERT(skipped.at == r.at);
    if (weft_mp_left(&r)) { /* cut off, illegal or too deep: whatever reads it stays within it */
        uint32_t count;
        uint64_t u;
        const char *text;
        size_t text_size;
        weft_mp_t copy = r;
        WEFT_ASSERT(!weft_mp_uint(&copy, &u) && !weft_mp_str(&copy, &text, &text_size));
        (void) weft_mp_array(&copy, &count);
        (void) weft_mp_map(&copy, &count);
        WEFT_ASSERT(copy.at <= copy.end);
    }
    weft_buf_free(&w);
    return 0;
}
