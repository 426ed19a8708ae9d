/* weft_turnstile: the read transactions of other threads and the checkpoints of the bus thread, not at
 * once. A checkpoint in whose way a read stands leaves the WAL as long as it is, and with readers
 * that page all the while one nearly always stands there: so the WAL would have no bound. */
#ifndef WEFT_TURNSTILE_H
#define WEFT_TURNSTILE_H

#include "weft.h"

typedef struct weft_turnstile weft_turnstile_t;

weft_turnstile_t *weft_turnstile_new(void); /* NULL: out of memory */
/* Nobody is inside any more. NULL-safe. */
void weft_turnstile_destroy(weft_turnstile_t **self_p);

/* Around a read transaction, on any thread. Enter waits while the turnstile is shut. Not within another. */
void weft_turnstile_enter(weft_turnstile_t *self);
void weft_turnstile_leave(weft_turnstile_t *self);

/* Keep reads out until weft_turnstile_open, on the one thread that writes.
 * wait   for the reads in hand; no new one overtakes.
 * False: there is one, and it was not waited for; nothing is shut. */
bool weft_turnstile_shut(weft_turnstile_t *self, bool wait);
void weft_turnstile_open(weft_turnstile_t *self);

#endif
