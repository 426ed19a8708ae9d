/* weft_histogram: how often a figure fell below each of a row of bounds. One thread adds, any reads.
 * Bounds are 1, 2.5 and 5 times the powers of ten, of the unit that is added. */
#ifndef WEFT_HISTOGRAM_H
#define WEFT_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define WEFT_HISTOGRAM_BOUNDS 21u /* 1 to 5,000,000 */

typedef struct {
    atomic_uint_least64_t counts[WEFT_HISTOGRAM_BOUNDS + 1]; /* the last: above all bounds */
    atomic_uint_least64_t sum;
} weft_histogram_t;

/* Bounds in tenths, since 2.5 is among them. */
static inline uint64_t weft_histogram_bound_tenths(unsigned at) {
    static const uint64_t steps[] = {10, 25, 50};
    uint64_t bound = steps[at % 3];
    for (unsigned i = 0; i < at / 3; i++) bound *= 10;
    return bound;
}

static inline void weft_histogram_add(weft_histogram_t *self, uint64_t value) {
    unsigned at = 0;
    uint64_t bound = 1;
    while (at + 3 <= WEFT_HISTOGRAM_BOUNDS && bound * 10 < value) {
        at += 3;
        bound *= 10;
    }
    while (at < WEFT_HISTOGRAM_BOUNDS && value * 10 > weft_histogram_bound_tenths(at)) at++;
    atomic_fetch_add_explicit(&self->counts[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->sum, value, memory_order_relaxed);
}

#endif
