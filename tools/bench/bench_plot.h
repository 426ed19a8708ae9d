/* bench_plot: curves as SVG, by gnuplot. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stddef.h>

#define BENCH_POINTS_MAX 4096

typedef struct {
    const char *title;
    size_t count;
    double x[BENCH_POINTS_MAX], y[BENCH_POINTS_MAX];
} bench_curve_t;

/* What a picture shows besides its curves. axes: gnuplot's own lines, as "set logscale x 2". */
typedef struct {
    const char *name; /* file without .svg */
    const char *title, *x, *y, *axes;
} bench_picture_t;

void bench_curve_add(bench_curve_t *self, double x, double y); /* beyond the maximum: dropped */
/* Writes NAME.svg into a directory, which is made if it is not there. */
void bench_plot(const char *dir, const bench_picture_t *picture,
                const bench_curve_t *const curves[], size_t count);

#endif
