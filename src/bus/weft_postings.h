/* weft_postings: where the types lie within a block of positions, so that a filter that matches few
 * events need not read the others.
 *
 * Block b covers the positions b * 4096 + 1 … (b + 1) * 4096. A block that is full becomes one blob:
 *   for each type, by id: id, bytes of its list, list; the list holds the distances between the
 *   type's positions, the first from the start of the block. All are LEB128 numbers.
 *   Then 8 bytes, little-endian: XXH3 over the block's number (8 bytes, little-endian) and the rest.
 * Derived data: what has no blob, or a damaged one, is scanned. Pure. */
#ifndef WEFT_POSTINGS_H
#define WEFT_POSTINGS_H

#include "weft_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEFT_POSTINGS_BLOCK 4096u

typedef struct weft_postings weft_postings_t;

static inline uint64_t weft_postings_block(uint64_t position) {
    return (position - 1) / WEFT_POSTINGS_BLOCK;
}

static inline uint64_t weft_postings_last(uint64_t block) {
    return (block + 1) * WEFT_POSTINGS_BLOCK;
}

/* NULL: out of memory. */
weft_postings_t *weft_postings_new(void);
void weft_postings_destroy(weft_postings_t **self_p);

/* Note the type at a position; type 1..65,536. Noting a position again replaces what was noted, so a
 * batch that was taken back needs no undoing. Two blocks are kept: that of the highest position noted
 * and the one before it. */
void weft_postings_note(weft_postings_t *self, uint64_t position, int64_t type);
/* Of types with at most `few` positions in a block that is kept: these, type by type, at most max of them; a type
 * that does not fit as a whole is left out. out: room for max. Returns how many. */
size_t weft_postings_rare(weft_postings_t *self, uint64_t block, size_t few, uint64_t *out,
                          size_t max);
/* Append the blob of a block that is kept; positions never noted belong to no type. */
void weft_postings_encode(weft_postings_t *self, uint64_t block, weft_buf_t *w);

/* Positions in the block, ascending, of the types for which wanted says so.
 * out: room for max of them. count: max + 1 if there are more, they are not in out then.
 * False: the blob is damaged. */
bool weft_postings_find(uint64_t block, const void *blob, size_t size,
                        bool (*wanted)(void *arg, int64_t type), void *arg, uint64_t *out,
                        size_t max, size_t *count);

#endif
