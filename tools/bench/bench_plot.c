/* bench_plot: see bench_plot.h. Data go with the commands, in gnuplot's here-documents. */
#include "bench_plot.h"

#include "bench_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void bench_curve_add(bench_curve_t *self, double x, double y) {
    if (self->count == BENCH_POINTS_MAX) return;
    self->x[self->count] = x;
    self->y[self->count++] = y;
}

static void s_data(FILE *out, const bench_curve_t *curve, size_t index) {
    fprintf(out, "$curve%zu << END\n", index);
    for (size_t i = 0; i < curve->count; i++) fprintf(out, "%.6g %.6g\n", curve->x[i], curve->y[i]);
    fprintf(out, "END\n");
}

void bench_plot(const char *dir, const bench_picture_t *picture,
                const bench_curve_t *const curves[], size_t count) {
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        bench_fail("cannot make %s: %s", dir, strerror(errno));
    FILE *out = popen("gnuplot", "w");
    if (!out) bench_fail("cannot run gnuplot: %s", strerror(errno));
    fprintf(out,
            "set terminal svg size 640,400 dynamic background rgb 'white'\nset output '%s/%s.svg'\n"
            "set title \"%s\"\nset xlabel \"%s\"\nset ylabel \"%s\"\nset grid\n"
            "set key outside below\n%s\n",
            dir, picture->name, picture->title, picture->x, picture->y, picture->axes);
    for (size_t i = 0; i < count; i++) s_data(out, curves[i], i);
    fprintf(out, "plot ");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s$curve%zu with %s lw 2 title \"%s\"", i ? ", " : "", i,
                curves[i]->count > 32 ? "lines" : "linespoints", curves[i]->title);
    fprintf(out, "\n");
    if (pclose(out) != 0) bench_fail("gnuplot could not draw %s", picture->name);
}
