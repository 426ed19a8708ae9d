/* weft_fresh: the newest events of an outbox as they are sent, in memory, so that what was just committed
 * needs no look into the table. A run of consecutive sequences without gaps, bounded; what it does not have,
 * the table has. */
#ifndef WEFT_FRESH_H
#define WEFT_FRESH_H

#include "weft_relay.h"
#include "weft_wire_event.h"

#define WEFT_FRESH_EVENTS_MAX 512u
#define WEFT_FRESH_BYTES_MAX (256u << 10)
#define WEFT_FRESH_EVENT_BYTES_MAX (16u << 10) /* a larger one is no burden to read again */

typedef struct {
    weft_buf_t bytes; /* type and event, one after the other */
    size_t ends[WEFT_FRESH_EVENTS_MAX], type_sizes[WEFT_FRESH_EVENTS_MAX];
    uint64_t first; /* sequence of the first one */
    size_t count;
} weft_fresh_t; /* zeroed: empty */

/* event has its sequence; what lies before a gap, or has no room beside it, is forgotten. */
void weft_fresh_add(weft_fresh_t *self, const char *type, size_t type_size,
                    const weft_wire_event_t *event);
/* out: borrowed, until the next call. False: not here. */
bool weft_fresh_get(const weft_fresh_t *self, uint64_t sequence, weft_relay_event_t *out);
/* Forget those beyond last. */
void weft_fresh_cut(weft_fresh_t *self, uint64_t last);
void weft_fresh_free(weft_fresh_t *self);

#endif
