/* weft_presence: says once on stderr that the bus is away, and once that it is back. */
#ifndef WEFT_PRESENCE_H
#define WEFT_PRESENCE_H

#include "weft_verb.h"

typedef struct {
    const weft_args_t *args; /* NULL: says nothing */
    int64_t away_since_ms;   /* 0: it is there */
    bool told;
} weft_presence_t;

void weft_presence_note(weft_presence_t *self, bool there);
void weft_presence_told(void *presence, bool there); /* the same, for weft_ask_t.note */
/* How long it has been away, 0 if it is there. */
int64_t weft_presence_away_ms(const weft_presence_t *self);

#endif
