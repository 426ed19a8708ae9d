/* weft_bus_http: /metrics, /healthz and /readyz of a running bus, on a thread of their own that gives way
 * to the others: whoever asks, and however often, no commit waits. */
#ifndef WEFT_BUS_HTTP_H
#define WEFT_BUS_HTTP_H

#include "weft_bus.h"

typedef struct weft_bus_http weft_bus_http_t;

/* Is it HOST:PORT, and may this bus listen there? reason out on error. WEFT_OK, WEFT_E_ARG. */
weft_err_t weft_bus_http_check(const char *listen, bool bind_any, char *reason, size_t reason_size);
/* bus outlives it. WEFT_OK, WEFT_E_IO (address in use …), WEFT_E_NOMEM or as weft_bus_metrics_new; the
 * cause is in the diag. */
weft_err_t weft_bus_http_new(weft_bus_http_t **out, weft_bus_t *bus, const char *listen);
/* HOST:PORT with the real port. */
const char *weft_bus_http_address(const weft_bus_http_t *self);
void weft_bus_http_destroy(weft_bus_http_t **self_p);

#endif
