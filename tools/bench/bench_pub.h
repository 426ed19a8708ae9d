/* bench_pub: weft's publisher as the bench uses it. Its events are those of a service that handles what is
 * in the log, one after the other, and emits one for each: in a full envelope, BENCH_EVENT_BYTES with
 * the usual data once its numbers pass 65,535 (231 at first). */
#ifndef BENCH_PUB_H
#define BENCH_PUB_H

#include "bench_system.h"

#include <weft.h>

#define BENCH_SOURCE "orders"
#define BENCH_WAIT_MS 60000

typedef struct {
    weft_pub_t *pub;
    uint64_t first; /* position of its first event */
    uint64_t cause; /* of the event sent last; never beyond what was acknowledged */
    uint64_t sent;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
} bench_pub_t;

/* Sends its first event, which has no cause and is due at no time, and waits until it is acknowledged: the
 * connection is not what is measured. */
void bench_pub_open(bench_pub_t *self, const char *bus, const bench_data_t *data);
void bench_pub_close(bench_pub_t *self);
/* Waits for room in the window. sequence may be NULL. */
void bench_pub_send(bench_pub_t *self, const char *type, const bench_data_t *data,
                    weft_sequence_t *sequence);
/* Wait until all is acknowledged; returns how many events that are, with the first one. */
uint64_t bench_pub_flush(bench_pub_t *self);

/* A new trace every few events. True: trace has changed. */
bool bench_trace_at(uint64_t event, uint8_t *trace);
/* Where the time at which an event is due lies in its data: behind the head of any msgpack bin. */
#define BENCH_DUE_AT 5

#endif
