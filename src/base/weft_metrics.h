/* weft_metrics: text in the exposition format of Prometheus, version 0.0.4.
 *
 * A family is begun once, and its samples follow. Numbers are whole multiples of a power of ten, so that
 * no locale and no rounding gets in between: 1500 with 6 decimals is 0.0015. Failures stick to the buffer. */
#ifndef WEFT_METRICS_H
#define WEFT_METRICS_H

#include "weft_buf.h"
#include "weft_histogram.h"

typedef struct {
    const char *name;
    const char *value; /* NUL-terminated; what is no UTF-8 is replaced */
} weft_label_t;

typedef enum {
    WEFT_METRICS_COUNTER,
    WEFT_METRICS_GAUGE,
    WEFT_METRICS_HISTOGRAM
} weft_metrics_kind_t;

/* name is that of the samples, too; help is one line. */
void weft_metrics_family(weft_buf_t *w, const char *name, weft_metrics_kind_t kind,
                         const char *help);
/* labels[0..count) may be NULL with count 0. */
void weft_metrics_sample(weft_buf_t *w, const char *name, const weft_label_t *labels, size_t count,
                         uint64_t value, unsigned decimals);
/* A family of one sample without labels but those given. */
void weft_metrics_one(weft_buf_t *w, const char *name, weft_metrics_kind_t kind, const char *help,
                      const weft_label_t *labels, size_t count, uint64_t value, unsigned decimals);
/* Family and samples; decimals turn the unit that was added into the one that is shown. */
void weft_metrics_histogram(weft_buf_t *w, const char *name, const char *help,
                            const weft_label_t *labels, size_t count,
                            const weft_histogram_t *histogram, unsigned decimals);
/* What every program of ours shows of itself: process_*, weft_sqlite_memory_bytes, weft_diag_lines_total. */
void weft_metrics_process(weft_buf_t *w);

#endif
