/* weft_ingest: takes messages from publishers and brings their events, one by one, to the sequencer.
 *
 * Every event, or unreadable rest of a message, ends either in the batch or in one drop counter.
 * Rules (docs/protocol.md, Ingest): I2 by the sequencer, I5 types and limits.
 * The bytes of a batch stay alive until weft_ingest_release: its rows point into them.
 * Owned by the bus thread; owns neither the socket nor the sequencer nor the store. */
#ifndef WEFT_INGEST_H
#define WEFT_INGEST_H

#include "weft.h"
#include "weft_refusals.h"
#include "weft_sequencer.h"
#include "weft_store.h"

typedef struct weft_ingest weft_ingest_t;

/* Told of each event of a known origin that will never be stored. */
typedef void (*weft_refuse_fn)(void *arg, const weft_refusal_t *refusal);

typedef struct {
    void *socket; /* XSUB */
    weft_sequencer_t *sequencer;
    weft_store_t *store;
    weft_refuse_fn refuse;
    void *refuse_arg;
} weft_ingest_config_t;

weft_err_t weft_ingest_new(weft_ingest_t **out, const weft_ingest_config_t *config);
void weft_ingest_destroy(weft_ingest_t **self_p);

/* Fill the batch until it is full, nothing more waits, or WEFT_BATCH_US_MAX have gone by. Never
 * blocks. receive false: only what is left of a message taken before. */
void weft_ingest_take(weft_ingest_t *self, bool receive);
/* Is there a message of which some events are still to be taken? */
bool weft_ingest_pending(const weft_ingest_t *self);
/* The batch has been published or given up. */
void weft_ingest_release(weft_ingest_t *self);

#endif
