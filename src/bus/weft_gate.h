/* weft_gate: bounds what connections cost the bus (P5).
 *
 * libzmq accepts whatever comes, and at the limit of open files its accepting spins. A thread follows the
 * monitors of the sockets, counts what each has accepted and shuts down what is beyond the cap. A
 * subscriber whose topics are too many is shut down as well. Who is shut down comes again: libzmq's
 * clients connect anew by themselves. */
#ifndef WEFT_GATE_H
#define WEFT_GATE_H

#include "weft.h"

#define WEFT_GATE_SOCKETS 3u

typedef struct weft_gate weft_gate_t;

/* The connections that each socket may have: wanted, or what the limit of open files leaves (wanted 0:
 * at most 4096). */
unsigned weft_gate_cap(unsigned wanted);

/* Call on the thread that made the sockets, before they are bound. WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t weft_gate_new(weft_gate_t **out, void *context, void *const sockets[WEFT_GATE_SOCKETS],
                         unsigned cap);
/* After the sockets were closed: it follows them to their end. NULL-safe. */
void weft_gate_destroy(weft_gate_t **self_p);

/* A connection has a topic of so many bytes more or less. Any thread. */
void weft_gate_topic(weft_gate_t *self, int fd, bool more, size_t bytes);

/* Any thread. */
unsigned weft_gate_connections(const weft_gate_t *self); /* open now, of all sockets */
uint64_t weft_gate_refused(const weft_gate_t *self);     /* shut down: beyond the cap */
uint64_t weft_gate_cut(const weft_gate_t *self);         /* shut down: too many topics */

#endif
