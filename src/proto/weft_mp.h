/* weft_mp: msgpack field by field, without allocation or recursion.
 *
 * Reader: a cursor over borrowed bytes. Each function takes one value of the kind it names and
 * returns true, or returns false and leaves the cursor where it was. Any legal encoding of a value
 * is taken, also one longer than needed.
 * Writer: appends to a weft_buf_t in the shortest form, except weft_mp_put_u64, which is always
 * nine bytes so that sizes are known beforehand.
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef WEFT_MP_H
#define WEFT_MP_H

#include "weft_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} weft_mp_t;

static inline weft_mp_t weft_mp_reader(const void *bytes, size_t size) {
    return (weft_mp_t){.at = bytes, .end = (const uint8_t *) bytes + size};
}

static inline size_t weft_mp_left(const weft_mp_t *r) {
    return (size_t) (r->end - r->at);
}

static inline uint64_t weft_be(const uint8_t *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

bool weft_mp_uint(weft_mp_t *r, uint64_t *out);
bool weft_mp_int(weft_mp_t *r, int64_t *out);
bool weft_mp_bool(weft_mp_t *r, bool *out);
bool weft_mp_nil(weft_mp_t *r);
bool weft_mp_str(weft_mp_t *r, const char **out, size_t *size);
bool weft_mp_bin(weft_mp_t *r, const uint8_t **out, size_t *size);
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
