/* fuzz: what the fuzz targets share. A target is one fuzz_NAME.c with LLVMFuzzerTestOneInput; a property
 * that does not hold ends it by WEFT_ASSERT, like the asserts of the code under test. */
#ifndef FUZZ_H
#define FUZZ_H

#include "weft_assert.h"
#include "weft_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input read as a row of small choices; zeros once it is used up. */
typedef struct {
    const uint8_t *at, *end;
} fuzz_t;

static inline fuzz_t fuzz_input(const uint8_t *data, size_t size) {
    return (fuzz_t){.at = data, .end = data + size};
}

static inline size_t fuzz_left(const fuzz_t *in) {
    return (size_t) (in->end - in->at);
}

static inline uint8_t fuzz_byte(fuzz_t *in) {
    return in->at < in->end ? *in->at++ : 0;
}

/* 0..limit-1 from one byte. */
static inline unsigned fuzz_below(fuzz_t *in, unsigned limit) {
    return fuzz_byte(in) % limit;
}

static inline uint64_t fuzz_u64(fuzz_t *in) {
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) value = value << 8 | fuzz_byte(in);
    return value;
}

/* Up to 255 bytes, told by the byte before them; they lie in the input. */
static inline const uint8_t *fuzz_bytes(fuzz_t *in, size_t *size) {
    size_t wanted = fuzz_byte(in);
    const uint8_t *bytes = in->at;
    *size = wanted < fuzz_left(in) ? wanted : fuzz_left(in);
    in->at += *size;
    return bytes;
}

static inline bool fuzz_same(const void *a, size_t a_size, const void *b, size_t b_size) {
    return a_size == b_size && (!a_size || memcmp(a, b, a_size) == 0);
}

static inline void fuzz_assert_same(const weft_buf_t *a, const weft_buf_t *b) {
    WEFT_ASSERT(weft_buf_ok(a) && weft_buf_ok(b));
    WEFT_ASSERT(fuzz_same(a->data, a->size, b->data, b->size));
}

#endif
