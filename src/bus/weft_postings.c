/* weft_postings: see weft_postings.h. */
#include "weft_postings.h"

#include "weft_assert.h"
#include "weft_checksum.h"

#include <stdlib.h>
#include <string.h>

#define SUM_BYTES 8u
#define TYPES_MAX 65536

struct weft_postings {
    /* types by place in the block, 0: none; block b is kept in half b % 2 */
    uint32_t types[2][WEFT_POSTINGS_BLOCK];
    uint64_t blocks[2];                 /* number + 1; 0: none */
    uint64_t keys[WEFT_POSTINGS_BLOCK]; /* type and place, sorted; of one block */
    size_t keys_count;
    uint64_t sorted; /* number + 1 of that block; 0: none */
};

weft_postings_t *weft_postings_new(void) {
    return calloc(1, sizeof(weft_postings_t));
}

void weft_postings_destroy(weft_postings_t **self_p) {
    free(*self_p);
    *self_p = NULL;
}

void weft_postings_note(weft_postings_t *self, uint64_t position, int64_t type) {
    WEFT_ASSERT(position > 0 && type > 0 && type <= TYPES_MAX);
    uint64_t block = weft_postings_block(position);
    uint32_t *types = self->types[block % 2];
    if (self->blocks[block % 2] != block + 1) {
        memset(types, 0, sizeof self->types[0]);
        self->blocks[block % 2] = block + 1;
    }
    types[(position - 1) % WEFT_POSTINGS_BLOCK] = (uint32_t) type;
    if (self->sorted == block + 1) self->sorted = 0;
}

static void s_le64(uint8_t *to, uint64_t value) {
    for (unsigned i = 0; i < SUM_BYTES; i++) to[i] = (uint8_t) (value >> (8 * i));
}

/* The hash of the content, bound to the block, so that a blob in another's place is found out. */
static void s_sum(uint64_t block, const void *bytes, size_t size, uint8_t *to) {
    s_le64(to, weft_checksum_chain(block, weft_hash(bytes, size)));
}

static size_t s_put_number(uint8_t *to, uint64_t value) {
    size_t size = 0;
    while (value >= 0x80) {
        to[size++] = (uint8_t) (value | 0x80);
        value >>= 7;
    }
    to[size++] = (uint8_t) value;
    return size;
}

static bool s_take_number(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 63 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static int s_by_key(const void *a, const void *b) {
    uint64_t ka = *(const uint64_t *) a, kb = *(const uint64_t *) b;
    return ka < kb ? -1 : ka > kb;
}

static void s_sort(weft_postings_t *self, uint64_t block) {
    const uint32_t *types = self->types[block % 2];
    WEFT_ASSERT(self->blocks[block % 2] == block + 1);
    if (self->sorted == block + 1) return;
    self->keys_count = 0;
    for (uint64_t place = 0; place < WEFT_POSTINGS_BLOCK; place++)
        if (types[place]) self->keys[self->keys_count++] = (uint64_t) types[place] << 32 | place;
    qsort(self->keys, self->keys_count, sizeof *self->keys, s_by_key);
    self->sorted = block + 1;
}

size_t weft_postings_rare(weft_postings_t *self, uint64_t block, size_t few, uint64_t *out,
                          size_t max) {
    size_t count = 0;
    s_sort(self, block);
    for (size_t i = 0, end; i < self->keys_count; i = end) {
        for (end = i; end < self->keys_count && self->keys[end] >> 32 == self->keys[i] >> 32;)
            end++;
        if (end - i > few || count + end - i > max) continue;
        for (size_t at = i; at < end; at++)
            out[count++] = block * WEFT_POSTINGS_BLOCK + (self->keys[at] & UINT32_MAX) + 1;
    }
    return count;
}

void weft_postings_encode(weft_postings_t *self, uint64_t block, weft_buf_t *w) {
    size_t start = w->size;
    uint8_t list[2 * WEFT_POSTINGS_BLOCK], head[16];
    s_sort(self, block);
    for (size_t i = 0, count = self->keys_count; i < count;) {
        uint64_t type = self->keys[i] >> 32, before = 0;
        size_t size = 0;
        for (; i < count && self->keys[i] >> 32 == type; i++) {
            uint64_t place = (self->keys[i] & UINT32_MAX) + 1; /* from 1, so no distance is 0 */
            size += s_put_number(list + size, place - before);
            before = place;
        }
        size_t head_size = s_put_number(head, type);
        head_size += s_put_number(head + head_size, size);
        weft_buf_append(w, head, head_size);
        weft_buf_append(w, list, size);
    }
    uint8_t sum[SUM_BYTES];
    if (!weft_buf_ok(w)) return;
    s_sum(block, w->data + start, w->size - start, sum);
    weft_buf_append(w, sum, sizeof sum);
}

bool weft_postings_find(uint64_t block, const void *blob, size_t size,
                        bool (*wanted)(void *arg, int64_t type), void *arg, uint64_t *out,
                        size_t max, size_t *count) {
    const uint8_t *at = blob;
    uint8_t sum[SUM_BYTES];
    unsigned lists = 0;
    *count = 0;
    if (!blob || size < SUM_BYTES) return false;
    const uint8_t *end = at + size - SUM_BYTES;
    s_sum(block, blob, size - SUM_BYTES, sum);
    if (memcmp(sum, end, sizeof sum) != 0) return false;
    while (at < end) {
        uint64_t type, bytes, place = 0, distance;
        if (!s_take_number(&at, end, &type) || !s_take_number(&at, end, &bytes) || !type ||
            type > TYPES_MAX || bytes > (uint64_t) (end - at))
            return false;
        const uint8_t *stop = at + bytes;
        if (!wanted(arg, (int64_t) type)) {
            at = stop;
            continue;
        }
        for (lists++; at < stop; out[(*count)++] = block * WEFT_POSTINGS_BLOCK + place) {
            if (!s_take_number(&at, stop, &distance) || !distance) return false;
            place += distance;
            if (place > WEFT_POSTINGS_BLOCK) return false;
            if (*count == max) {
                ++*count;
                return true;
            }
        }
    }
    if (lists > 1) qsort(out, *count, sizeof *out, s_by_key);
    return true;
}
