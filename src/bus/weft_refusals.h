/* weft_refusals: the last event refused for good of each origin, for WELCOME (C1). Bounded: the
 * origin that was refused longest ago makes room. */
#ifndef WEFT_REFUSALS_H
#define WEFT_REFUSALS_H

#include "weft.h"

#define WEFT_REFUSALS_MAX 1024u

/* Also what crosses from the bus thread to the control thread, as bytes. */
typedef struct {
    weft_uuid_t origin;
    uint64_t source_seq;
    uint64_t code; /* weft_err_t */
} weft_refusal_t;

typedef struct weft_refusals weft_refusals_t;

weft_refusals_t *weft_refusals_new(void); /* NULL: out of memory */
void weft_refusals_destroy(weft_refusals_t **self_p);
void weft_refusals_put(weft_refusals_t *self, const weft_refusal_t *refusal);
const weft_refusal_t *weft_refusals_get(const weft_refusals_t *self, const weft_uuid_t *origin);

#endif
