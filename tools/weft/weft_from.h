/* weft_from: where a reading begins: start, now, a position, the last N, or a time. */
#ifndef WEFT_FROM_H
#define WEFT_FROM_H

#include "weft_online.h"

typedef struct {
    enum {
        WEFT_FROM_START,
        WEFT_FROM_NOW,
        WEFT_FROM_POSITION, /* number is the first event wanted */
        WEFT_FROM_LAST,     /* number of events that match */
        WEFT_FROM_TIME,     /* us: Unix time */
        WEFT_FROM_SPAN      /* us: so long ago, by the bus' clock */
    } kind;
    uint64_t number;
    int64_t us;
} weft_from_t;

/* False: it is none of them. */
bool weft_from_parse(weft_from_t *out, const char *text);
/* Has weft_from_find anything to ask? */
bool weft_from_wants_bus(const weft_from_t *self);
/* LAST, TIME and SPAN: the position to stand at, so that what follows is what is wanted. welcome is
 * the bus' (only numbers of it are read). Errors as those of weft_ask. */
weft_err_t weft_from_find(const weft_from_t *self, weft_ask_t *ask, int timeout_ms,
                          const weft_welcome_t *welcome, const weft_filters_t *filters,
                          weft_position_t *out);

#endif
