/* weft_service_metrics: the figures of a service as text for Prometheus. Pure but for the sizes of files. */
#ifndef WEFT_SERVICE_METRICS_H
#define WEFT_SERVICE_METRICS_H

#include "weft.h"
#include "weft_buf.h"
#include "weft_counters.h"
#include "weft_histogram.h"

typedef struct {
    const char *name;
    const char *database; /* its file */
    weft_service_info_t info;
    uint64_t gaps, drops[WEFT_SUB_DROP_COUNT]; /* since the start, of all subscribers it had */
    uint64_t failures, resent;
    int64_t outbox_oldest_us; /* when the oldest unacknowledged event was emitted; 0: none */
    int64_t now_us;
    const weft_histogram_t *commits; /* µs */
} weft_service_figures_t;

void weft_service_metrics_put(weft_buf_t *w, const weft_service_figures_t *figures);

#endif
