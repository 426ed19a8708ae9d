/* bench_rounds: how two things are compared: back to back in each round, in alternating order; the
 * figure is the median of the rounds' ratios. A round on a disk that is twice as slow as the run's
 * median is put off. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "bench_stats.h"

#include <stdbool.h>

#define BENCH_METRICS_MAX 5

/* What one measurement gave, by metric of the row. */
typedef struct {
    double values[BENCH_METRICS_MAX];
} bench_figures_t;

/* of weft, of the peer, and weft's divided by the peer's; by metric */
typedef struct {
    bench_series_t weft[BENCH_METRICS_MAX], peer[BENCH_METRICS_MAX], ratio[BENCH_METRICS_MAX];
} bench_comparison_t;

typedef void (*bench_measure_fn)(const void *arg, bench_figures_t *out);

/* label is for the progress line. */
void bench_compare(const char *label, unsigned metrics, bench_measure_fn weft, const void *weft_arg,
                   bench_measure_fn peer, const void *peer_arg, bench_comparison_t *out);
/* The same for a measurement that gives both at once, interleaved. */
typedef void (*bench_measure_both_fn)(const void *arg, bench_figures_t *weft,
                                      bench_figures_t *peer);
void bench_compare_interleaved(const char *label, unsigned metrics, bench_measure_both_fn both,
                               const void *arg, bench_comparison_t *out);

/* Rounds put off so far because of the disk, and the run's median of the yardstick in µs. */
unsigned bench_rounds_repeated(void);
double bench_rounds_yardstick_us(void);

#endif
