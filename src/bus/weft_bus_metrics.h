/* weft_bus_metrics: all figures of a running bus as text for Prometheus (docs/operations.md has the
 * table). It reads atomics, the last reports of services, and the store by a connection of its own, so
 * neither loop waits for it. Owned by one thread, any. */
#ifndef WEFT_BUS_METRICS_H
#define WEFT_BUS_METRICS_H

#include "weft_bus.h"

typedef struct weft_bus_metrics weft_bus_metrics_t;

/* bus outlives it. WEFT_OK, WEFT_E_NOMEM or as weft_log_reader_new. */
weft_err_t weft_bus_metrics_new(weft_bus_metrics_t **out, weft_bus_t *bus);
void weft_bus_metrics_destroy(weft_bus_metrics_t **self_p);
/* Append the text. A figure that cannot be read now is left out. */
void weft_bus_metrics_put(weft_bus_metrics_t *self, weft_buf_t *w);

#endif
