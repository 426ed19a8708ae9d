/* weft_fanout: publishes what has been committed. Rules (docs/protocol.md, Ingest and Fan-out): I3
 * after the commit, in the order events, record, acks; F1 events of one type share messages; F2
 * events above the live limit are only counted. Nothing here waits: a subscriber whose queue is full
 * misses messages and pulls them.
 * Owned by the bus thread; owns neither the socket nor the sequencer. */
#ifndef WEFT_FANOUT_H
#define WEFT_FANOUT_H

#include "weft.h"
#include "weft_bus_stats.h"
#include "weft_gate.h"
#include "weft_sequencer.h"

typedef struct weft_fanout weft_fanout_t;

weft_err_t weft_fanout_new(weft_fanout_t **out, void *socket, uint64_t boot, const weft_uuid_t *log,
                           weft_bus_stats_t *stats);
void weft_fanout_destroy(weft_fanout_t **self_p);

/* The events of the batch that was just committed. */
void weft_fanout_events(weft_fanout_t *self, weft_sequencer_t *sequencer);
/* The record of that batch, or a heartbeat if it is empty. */
void weft_fanout_record(weft_fanout_t *self, weft_sequencer_t *sequencer, int64_t now_us);
/* One ack for each origin that the batch touched, from committed state (I2). */
void weft_fanout_acks(weft_fanout_t *self, weft_sequencer_t *sequencer);
/* Subscriptions of the peers concern nobody but the gate, which bounds them: read and drop them (I1). */
void weft_fanout_drain(weft_fanout_t *self, weft_gate_t *gate);

#endif
