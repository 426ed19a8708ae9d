/* weft_mp: see weft_mp.h. Every length is compared with what is left before it is used. */
#include "weft_mp.h"

#include "weft_limits.h"

#define NEED(r, n)                               \
    do {                                         \
        if (weft_mp_left(r) < (n)) return false; \
    } while (0)

bool weft_mp_int(weft_mp_t *r, int64_t *out) {
    uint64_t value;
    weft_mp_t copy = *r;
    if (weft_mp_uint(&copy, &value)) {
        if (value > INT64_MAX) return false;
        *out = (int64_t) value;
        *r = copy;
        return true;
    }
    NEED(r, 1);
    uint8_t tag = r->at[0];
    if (tag >= 0xe0) {
        *out = (int8_t) tag;
        r->at += 1;
        return true;
    }
    if (tag < 0xd0 || tag > 0xd3) return false;
    unsigned bytes = 1u << (tag - 0xd0);
    NEED(r, 1 + bytes);
    value = weft_be(r->at + 1, bytes);
    if (bytes < 8) value |= ~UINT64_C(0) << (8 * bytes); /* negative: positives went above */
    *out = (int64_t) value;
    r->at += 1 + bytes;
    return true;
}

bool weft_mp_bool(weft_mp_t *r, bool *out) {
    NEED(r, 1);
    if (r->at[0] != 0xc2 && r->at[0] != 0xc3) return false;
    *out = r->at[0] == 0xc3;
    r->at += 1;
    return true;
}

static bool s_count(weft_mp_t *r, uint8_t fix, uint8_t wide, uint32_t *count) {
    NEED(r, 1);
    uint8_t tag = r->at[0];
    if ((tag & 0xf0) == fix) {
        *count = tag & 0x0f;
        r->at += 1;
        return true;
    }
    if (tag != wide && tag != wide + 1) return false;
    unsigned bytes = tag == wide ? 2 : 4;
    NEED(r, 1 + bytes);
    *count = (uint32_t) weft_be(r->at + 1, bytes);
    r->at += 1 + bytes;
    return true;
}

bool weft_mp_array(weft_mp_t *r, uint32_t *count) {
    return s_count(r, 0x90, 0xdc, count);
}

bool weft_mp_map(weft_mp_t *r, uint32_t *count) {
    return s_count(r, 0x80, 0xde, count);
}

/* Bytes of the value at the cursor without its children, whether it is a map or an array, and how
 * many children follow. */
static bool s_shallow(const weft_mp_t *r, size_t *size, bool *nests, uint64_t *children) {
    static const uint8_t fixed[32] = {
        /* c0 */ 1, 0, 1, 1, 0, 0, 0, 0,  0,  0, 5, 9, 2, 3, 5, 9,
        /* d0 */ 2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0,
    };
    weft_mp_t copy = *r;
    uint32_t count;
    const char *text;
    const uint8_t *bytes;
    size_t body;
    NEED(r, 1);
    uint8_t tag = r->at[0];
    *nests = false;
    *children = 0;
    if (tag <= 0x7f || tag >= 0xe0) {
        *size = 1;
        return true;
    }
    if (weft_mp_map(&copy, &count)) {
        *nests = true;
        *children = (uint64_t) count * 2;
    } else if (weft_mp_array(&copy, &count)) {
        *nests = true;
        *children = count;
    } else if (weft_mp_str(&copy, &text, &body) || weft_mp_bin(&copy, &bytes, &body)) {
        /* the copy has moved past it */
    } else if (tag >= 0xc7 && tag <= 0xc9) { /* extension with a length */
        unsigned length = 1u << (tag - 0xc7);
        NEED(r, 2 + length);
        uint64_t whole = 2 + length + weft_be(r->at + 1, length);
        if (weft_mp_left(r) < whole) return false;
        copy.at += whole;
    } else if (tag >= 0xc0 && tag <= 0xdf && fixed[tag - 0xc0]) {
        NEED(r, fixed[tag - 0xc0]);
        copy.at += fixed[tag - 0xc0];
    } else {
        return false;
    }
    *size = (size_t) (copy.at - r->at);
    return true;
}

bool weft_mp_skip(weft_mp_t *r) {
    uint64_t open[WEFT_MSGPACK_DEPTH_MAX]; /* values still to come at each level */
    unsigned depth = 0;
    weft_mp_t copy = *r;
    do {
        size_t size;
        bool nests;
        uint64_t children;
        if (!s_shallow(&copy, &size, &nests, &children)) return false;
        copy.at += size;
        if (nests && depth == WEFT_MSGPACK_DEPTH_MAX) return false; /* an empty one counts, too */
        if (children) {
            open[depth++] = children;
            continue;
        }
        while (depth && --open[depth - 1] == 0) depth--;
    } while (depth);
    *r = copy;
    return true;
}

/* ---- writer */

static void s_put_be(weft_buf_t *w, uint8_t tag, uint64_t value, unsigned bytes) {
    uint8_t *to = weft_buf_reserve(w, 1 + bytes);
    if (!to) return;
    to[0] = tag;
    for (unsigned i = 0; i < bytes; i++) to[1 + i] = (uint8_t) (value >> (8 * (bytes - 1 - i)));
    w->size += 1 + bytes;
}

void weft_mp_put_uint(weft_buf_t *w, uint64_t value) {
    if (value <= 0x7f)
        s_put_be(w, (uint8_t) value, 0, 0);
    else if (value <= UINT8_MAX)
        s_put_be(w, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        s_put_be(w, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        s_put_be(w, 0xce, value, 4);
    else
        s_put_be(w, 0xcf, value, 8);
}

void weft_mp_put_u64(weft_buf_t *w, uint64_t value) {
    s_put_be(w, 0xcf, value, 8);
}

void weft_mp_put_int(weft_buf_t *w, int64_t value) {
    if (value >= 0)
        weft_mp_put_uint(w, (uint64_t) value);
    else if (value >= -32)
        s_put_be(w, (uint8_t) value, 0, 0);
    else if (value >= INT8_MIN)
        s_put_be(w, 0xd0, (uint64_t) value, 1);
    else if (value >= INT16_MIN)
        s_put_be(w, 0xd1, (uint64_t) value, 2);
    else if (value >= INT32_MIN)
        s_put_be(w, 0xd2, (uint64_t) value, 4);
    else
        s_put_be(w, 0xd3, (uint64_t) value, 8);
}

void weft_mp_put_double(weft_buf_t *w, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    s_put_be(w, 0xcb, bits, 8);
}

void weft_mp_put_bool(weft_buf_t *w, bool value) {
    s_put_be(w, value ? 0xc3 : 0xc2, 0, 0);
}

void weft_mp_put_nil(weft_buf_t *w) {
    s_put_be(w, 0xc0, 0, 0);
}

void weft_mp_put_str(weft_buf_t *w, const char *text, size_t size) {
    if (size <= 31)
        s_put_be(w, (uint8_t) (0xa0 | size), 0, 0);
    else if (size <= UINT8_MAX)
        s_put_be(w, 0xd9, size, 1);
    else if (size <= UINT16_MAX)
        s_put_be(w, 0xda, size, 2);
    else
        s_put_be(w, 0xdb, size, 4);
    weft_buf_append(w, text, size);
}

void weft_mp_put_text(weft_buf_t *w, const char *text) {
    weft_mp_put_str(w, text, strlen(text));
}

void weft_mp_put_bin(weft_buf_t *w, const void *bytes, size_t size) {
    if (size <= UINT8_MAX)
        s_put_be(w, 0xc4, size, 1);
    else if (size <= UINT16_MAX)
        s_put_be(w, 0xc5, size, 2);
    else
        s_put_be(w, 0xc6, size, 4);
    weft_buf_append(w, bytes, size);
}

static void s_put_count(weft_buf_t *w, uint8_t fix, uint8_t wide, uint32_t count) {
    if (count <= 15)
        s_put_be(w, (uint8_t) (fix | count), 0, 0);
    else if (count <= UINT16_MAX)
        s_put_be(w, wide, count, 2);
    else
        s_put_be(w, (uint8_t) (wide + 1), count, 4);
}

void weft_mp_put_array(weft_buf_t *w, uint32_t count) {
    s_put_count(w, 0x90, 0xdc, count);
}

void weft_mp_put_map(weft_buf_t *w, uint32_t count) {
    s_put_count(w, 0x80, 0xde, count);
}

/* ---- text */

static size_t s_utf8_length(const uint8_t *at, size_t left) {
    uint8_t a = at[0];
    if (a < 0x80) return 1;
    if (a < 0xc2 || a > 0xf4) return 0;
    size_t length = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
    if (left < length) return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if (a == 0xe0 && at[1] < 0xa0) return 0; /* overlong */
    if (a == 0xed && at[1] > 0x9f) return 0; /* surrogates */
    if (a == 0xf0 && at[1] < 0x90) return 0; /* overlong */
    if (a == 0xf4 && at[1] > 0x8f) return 0; /* beyond U+10FFFF */
    return length;
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Eight bytes of printable ASCII? The sums are exact as a whole: some byte is below 0x20, is 0x7f, or
 * has its top bit set, or none (Warren, Hacker's Delight, 6-1). */
static bool s_plain(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t del = word ^ EACH_BYTE(0x7f);
    del = (del - EACH_BYTE(1)) & ~del;
    return !((word | control | del) & EACH_BYTE(0x80));
}

bool weft_text_ok(const char *text, size_t size) {
    const uint8_t *at = (const uint8_t *) text;
    while (size) {
        if (size >= 8 && s_plain(at)) {
            at += 8;
            size -= 8;
            continue;
        }
        /* the rest, by a word that begins in what was checked already */
        if (at - (const uint8_t *) text >= 8 && size < 8 && s_plain(at + size - 8)) return true;
        if (*at < 0x20 || *at == 0x7f) return false;
        size_t length = s_utf8_length(at, size);
        if (!length) return false;
        at += length;
        size -= length;
    }
    return true;
}
