/* weft_bus_sockets: opens and binds the three sockets of the bus, or says why it cannot. */
#ifndef WEFT_BUS_SOCKETS_H
#define WEFT_BUS_SOCKETS_H

#include "weft.h"
#include "weft_gate.h"
#include "weft_net.h"

typedef struct {
    void *control;                          /* ROUTER */
    void *fanout;                           /* XPUB */
    void *ingest;                           /* XSUB, subscribed to everything (I1) */
    weft_gate_t *gate;                      /* follows all three */
    char endpoints[3][WEFT_ENDPOINT_BYTES]; /* as bound, by weft_port_t */
} weft_bus_sockets_t;

/* Is the endpoint one that a bus may bind? reason out on error. WEFT_OK, WEFT_E_ARG. */
weft_err_t weft_bus_endpoint_check(const char *endpoint, bool bind_any, char *reason,
                                   size_t reason_size);
/* cap: of weft_gate_cap. WEFT_OK, WEFT_E_LOCKED (a live process has the address), WEFT_E_IO; reason out on error. */
weft_err_t weft_bus_sockets_open(weft_bus_sockets_t *self, void *context, const char *endpoint,
                                 unsigned cap, char *reason, size_t reason_size);
void weft_bus_sockets_close(weft_bus_sockets_t *self);

#endif
