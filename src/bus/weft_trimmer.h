/* weft_trimmer: deletes old events on the bus thread, in steps so small that no commit waits long for
 * one, and with pauses that leave most of the time to commits. But always faster than new ones come: what
 * is stored meanwhile makes the next step larger, and due at once. Else a log under full load would grow
 * whatever its bound. */
#ifndef WEFT_TRIMMER_H
#define WEFT_TRIMMER_H

#include "weft.h"
#include "weft_store.h"

typedef struct {
    weft_store_t *store; /* not owned */
    uint64_t goal;       /* 0: nothing to do */
    uint64_t rows;       /* in the next step */
    uint64_t head;       /* of the log at the last step; 0: none yet on the way to the goal */
    int64_t due_us;      /* monotonic */
} weft_trimmer_t;

void weft_trimmer_init(weft_trimmer_t *self, weft_store_t *store);
/* Forget the events up to there; an order that asks for less than the last one changes nothing. */
void weft_trimmer_order(weft_trimmer_t *self, uint64_t to);
/* ms until a step is due, -1: nothing to do. */
int64_t weft_trimmer_wait_ms(const weft_trimmer_t *self);
/* Do a step if one is due. head: last position of the log. */
void weft_trimmer_step(weft_trimmer_t *self, uint64_t head);

#endif
