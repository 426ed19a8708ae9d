/* bench_report: the results of a run by name: as a table, as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench_rounds.h"

typedef enum { BENCH_AT_LEAST, BENCH_AT_MOST, BENCH_QUOTED } bench_bar_t;

/* name   as in JSON, "ack_vs_jetstream"; static
 * what   for people, static
 * unit   of weft and peer: "M/s", "µs"; values are multiplied by scale to reach it
 * Series are copied: peer may be NULL if there is none, then figure is what is compared with the bar. */
void bench_report_add(const char *name, const char *what, bench_bar_t bar, double limit,
                      const bench_series_t *figure, const bench_series_t *weft,
                      const bench_series_t *peer, const char *unit, double scale);
/* Metric of a comparison; the ratio is the figure. */
void bench_report_ratio(const char *name, const char *what, bench_bar_t bar, double limit,
                        const bench_comparison_t *from, unsigned metric, const char *unit,
                        double scale);
/* One value without rounds. */
void bench_report_value(const char *name, const char *what, bench_bar_t bar, double limit,
                        double value, const char *unit);
/* Something that could not be measured, and why; static texts. */
void bench_report_missing(const char *name, const char *why);

void bench_report_print(void);
void bench_report_json(const char *path);
/* Put the machine and the table between the markers of a file. */
void bench_report_docs(const char *path);

#endif
