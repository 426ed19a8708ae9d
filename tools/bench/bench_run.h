/* bench_run: one run of the bench: its options, its scratch directory, its end, its progress line.
 * A process has one run, so this is the program's own state. Whatever fails ends the run here:
 * children are stopped, the scratch directory is removed. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdbool.h>

typedef enum { BENCH_TINY, BENCH_QUICK, BENCH_NORMAL } bench_scale_t;

typedef struct {
    bench_scale_t scale; /* tiny: does it work at all; quick: under 2 minutes */
    int rounds;          /* 0: by scale */
    const char *only;    /* NULL: all */
    const char *json;    /* NULL: none */
    const char *docs;    /* NULL: none; file whose table between markers is replaced */
    const char *plots;   /* NULL: none; directory of the SVGs */
    const char *dir;     /* where the scratch directory is made */
} bench_options_t;

/* Take the options over, make the scratch directory, take SIGINT and SIGTERM. */
void bench_run_begin(const bench_options_t *options);
const bench_options_t *bench_run_options(void);
/* By scale: the middle one is for quick. */
double bench_run_by_scale(double tiny, double quick, double normal);
int bench_run_rounds(void);

const char *bench_run_dir(void); /* the scratch directory */
/* A fresh directory in it. Valid until the next call. */
const char *bench_run_fresh_dir(void);
/* Remove a directory with all that is in it. */
void bench_run_remove(const char *dir);
/* The directory that programs built with this one are in. */
const char *bench_run_bin(void);

/* Shown on stderr; on a terminal each replaces the one before. printf's format. */
void bench_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Say why, and end the run. In a child: end the child. */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Ends the run if a signal asked for that. Called by whoever waits. */
void bench_check_stop(void);
void bench_run_end(void);

#endif
