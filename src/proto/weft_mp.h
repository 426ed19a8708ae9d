/* weft_mp: msgpack field by field, without allocation or recursion.
 *
 * Reader: a cursor over borrowed bytes. Each function takes one value of the kind it names and
 * returns true, or returns false and leaves the cursor where it was. What is out is 0 then. Any legal encoding of a value
 * is taken, also one longer than needed.
 * Writer: appends to a weft_buf_t in the shortest form, except weft_mp_put_u64, which is always
 * nine bytes so that sizes are known beforehand.
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef WEFT_MP_H
#define WEFT_MP_H

#include "weft_buf.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} weft_mp_t;

static inline weft_mp_t weft_mp_reader(const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    return (weft_mp_t){.at = at, .end = size ? at + size : at}; /* an absent field is NULL */
}

static inline size_t weft_mp_left(const weft_mp_t *r) {
    return (size_t) (r->end - r->at);
}

/* A big-endian number of 1, 2, 4 or 8 bytes. */
static inline uint64_t weft_be(const uint8_t *at, unsigned bytes) {
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (bytes) {
    case 1: return at[0];
    case 2: memcpy(&two, at, 2); return be16toh(two);
    case 4: memcpy(&four, at, 4); return be32toh(four);
    default: memcpy(&eight, at, 8); return be64toh(eight);
    }
}

/* The kinds that each event has are read inline: an event takes a dozen of them. */

static inline bool weft_mp_uint(weft_mp_t *r, uint64_t *out) {
    *out = 0;
    size_t left = weft_mp_left(r);
    if (!left) return false;
    uint8_t tag = r->at[0];
    if (tag <= 0x7f) {
        *out = tag;
        r->at += 1;
        return true;
    }
    if (tag < 0xcc || tag > 0xd3) return false;
    unsigned bytes = 1u << ((tag - 0xcc) & 3); /* cc..cf unsigned, d0..d3 signed */
    if (left < 1 + bytes || (tag >= 0xd0 && r->at[1] & 0x80)) return false;
    *out = weft_be(r->at + 1, bytes);
    r->at += 1 + bytes;
    return true;
}

static inline bool weft_mp_nil(weft_mp_t *r) {
    if (!weft_mp_left(r) || r->at[0] != 0xc0) return false;
    r->at += 1;
    return true;
}

static inline bool weft_mp_str(weft_mp_t *r, const char **out, size_t *size) {
    *out = NULL;
    *size = 0;
    size_t left = weft_mp_left(r), head = 1, body;
    if (!left) return false;
    uint8_t tag = r->at[0];
    if (tag >= 0xa0 && tag <= 0xbf) {
        body = tag & 0x1f;
    } else if (tag >= 0xd9 && tag <= 0xdb) {
        unsigned bytes = 1u << (tag - 0xd9);
        if (left < 1 + bytes) return false;
        head = 1 + bytes;
        body = (size_t) weft_be(r->at + 1, bytes);
    } else {
        return false;
    }
    if (left - head < body) return false;
    *out = (const char *) r->at + head;
    *size = body;
    r->at += head + body;
    return true;
}

static inline bool weft_mp_bin(weft_mp_t *r, const uint8_t **out, size_t *size) {
    *out = NULL;
    *size = 0;
    size_t left = weft_mp_left(r);
    if (!left) return false;
    uint8_t tag = r->at[0];
    if (tag < 0xc4 || tag > 0xc6) return false;
    unsigned bytes = 1u << (tag - 0xc4);
    if (left < 1 + bytes) return false;
    size_t body = (size_t) weft_be(r->at + 1, bytes);
    if (left - 1 - bytes < body) return false;
    *out = r->at + 1 + bytes;
    *size = body;
    r->at += 1 + bytes + body;
    return true;
}

bool weft_mp_int(weft_mp_t *r, int64_t *out);
bool weft_mp_bool(weft_mp_t *r, bool *out);
bool weft_mp_array(weft_mp_t *r, uint32_t *count);
bool weft_mp_map(weft_mp_t *r, uint32_t *count);
/* Pass over one whole value; false if it is cut off, illegal or nested beyond
 * WEFT_MSGPACK_DEPTH_MAX. Extension types are passed over like any other value. */
bool weft_mp_skip(weft_mp_t *r);

void weft_mp_put_uint(weft_buf_t *w, uint64_t value);
void weft_mp_put_u64(weft_buf_t *w, uint64_t value);
void weft_mp_put_int(weft_buf_t *w, int64_t value);
void weft_mp_put_double(weft_buf_t *w, double value);
void weft_mp_put_bool(weft_buf_t *w, bool value);
void weft_mp_put_nil(weft_buf_t *w);
void weft_mp_put_str(weft_buf_t *w, const char *text, size_t size);
void weft_mp_put_text(weft_buf_t *w, const char *text); /* NUL-terminated */
void weft_mp_put_bin(weft_buf_t *w, const void *bytes, size_t size);
void weft_mp_put_array(weft_buf_t *w, uint32_t count);
void weft_mp_put_map(weft_buf_t *w, uint32_t count);

/* True if the bytes are well-formed UTF-8 (RFC 3629) without control bytes (below 0x20, and 0x7f). */
bool weft_text_ok(const char *text, size_t size);

#endif
