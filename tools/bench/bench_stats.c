/* bench_stats: see bench_stats.h. */
#include "bench_stats.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t bench_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_series_add(bench_series_t *self, double value) {
    if (self->count < BENCH_SERIES_MAX) self->values[self->count++] = value;
}

static int s_compare(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

double bench_series_median(const bench_series_t *self) {
    double sorted[BENCH_SERIES_MAX];
    size_t n = self->count;
    if (n == 0) return 0;
    memcpy(sorted, self->values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, s_compare);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double bench_series_min(const bench_series_t *self) {
    double min = self->count ? self->values[0] : 0;
    for (size_t i = 1; i < self->count; i++)
        if (self->values[i] < min) min = self->values[i];
    return min;
}

double bench_series_max(const bench_series_t *self) {
    double max = self->count ? self->values[0] : 0;
    for (size_t i = 1; i < self->count; i++)
        if (self->values[i] > max) max = self->values[i];
    return max;
}

#define SUB (1u << BENCH_HIST_SUB_BITS)

static size_t s_bucket(uint64_t value) {
    if (value < SUB) return value;
    unsigned shift = 63u - (unsigned) __builtin_clzll(value) - BENCH_HIST_SUB_BITS;
    return ((size_t) (shift + 1) << BENCH_HIST_SUB_BITS) + ((value >> shift) & (SUB - 1));
}

double bench_hist_value(size_t bucket) {
    if (bucket < SUB) return (double) bucket;
    unsigned shift = (unsigned) (bucket >> BENCH_HIST_SUB_BITS) - 1;
    uint64_t low = (uint64_t) (SUB + (bucket & (SUB - 1))) << shift;
    return (double) low + (double) ((uint64_t) 1 << shift) / 2;
}

void bench_hist_add(bench_hist_t *self, int64_t value) {
    self->counts[s_bucket(value < 0 ? 0 : (uint64_t) value)]++;
    self->total++;
}

void bench_hist_merge(bench_hist_t *self, const bench_hist_t *other) {
    for (size_t i = 0; i < BENCH_HIST_BUCKETS; i++) self->counts[i] += other->counts[i];
    self->total += other->total;
}

double bench_hist_quantile(const bench_hist_t *self, double share) {
    uint64_t want = (uint64_t) (share * (double) self->total), seen = 0;
    if (want >= self->total) want = self->total ? self->total - 1 : 0;
    for (size_t i = 0; i < BENCH_HIST_BUCKETS; i++) {
        seen += self->counts[i];
        if (seen > want) return bench_hist_value(i);
    }
    return 0;
}
