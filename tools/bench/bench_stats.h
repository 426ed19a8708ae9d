/* bench_stats: what many measurements come to: series with median and spread, histograms of times. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

int64_t bench_now_ns(void); /* monotonic */

#define BENCH_SERIES_MAX 512

/* Zeroed is empty. */
typedef struct {
    double values[BENCH_SERIES_MAX];
    size_t count;
} bench_series_t;

void bench_series_add(bench_series_t *self, double value); /* beyond the maximum: dropped */
double bench_series_median(const bench_series_t *self);    /* 0 if empty */
double bench_series_min(const bench_series_t *self);
double bench_series_max(const bench_series_t *self);

/* HDR-style: each power of two is cut into 64 buckets, so a value is known to 1.6 %. */
#define BENCH_HIST_SUB_BITS 6
#define BENCH_HIST_BUCKETS ((64 - BENCH_HIST_SUB_BITS + 1) << BENCH_HIST_SUB_BITS)

/* Zeroed is empty. */
typedef struct {
    uint64_t total;
    uint64_t counts[BENCH_HIST_BUCKETS];
} bench_hist_t;

void bench_hist_add(bench_hist_t *self, int64_t value); /* below 0 counts as 0 */
void bench_hist_merge(bench_hist_t *self, const bench_hist_t *other);
double bench_hist_quantile(const bench_hist_t *self, double share); /* share in 0..1 */
double bench_hist_value(size_t bucket);                             /* middle of a bucket */

#endif
