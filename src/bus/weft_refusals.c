/* weft_refusals: a plain table with linear search: both put and get are rare. */
#include "weft_refusals.h"

#include <stdlib.h>
#include <string.h>

struct weft_refusals {
    weft_refusal_t items[WEFT_REFUSALS_MAX];
    uint64_t stamps[WEFT_REFUSALS_MAX]; /* order of the last change */
    uint64_t clock;
    size_t count;
};

weft_refusals_t *weft_refusals_new(void) {
    return calloc(1, sizeof(weft_refusals_t));
}

void weft_refusals_destroy(weft_refusals_t **self_p) {
    free(*self_p);
    *self_p = NULL;
}

static size_t s_find(const weft_refusals_t *self, const weft_uuid_t *origin) {
    size_t i = 0;
    while (i < self->count && memcmp(&self->items[i].origin, origin, sizeof *origin) != 0) i++;
    return i;
}

static size_t s_oldest(const weft_refusals_t *self) {
    size_t oldest = 0;
    for (size_t i = 1; i < self->count; i++)
        if (self->stamps[i] < self->stamps[oldest]) oldest = i;
    return oldest;
}

void weft_refusals_put(weft_refusals_t *self, const weft_refusal_t *refusal) {
    size_t at = s_find(self, &refusal->origin);
    if (at == WEFT_REFUSALS_MAX)
        at = s_oldest(self);
    else if (at == self->count)
        self->count++;
    self->items[at] = *refusal;
    self->stamps[at] = ++self->clock;
}

const weft_refusal_t *weft_refusals_get(const weft_refusals_t *self, const weft_uuid_t *origin) {
    size_t at = s_find(self, origin);
    return at < self->count ? &self->items[at] : NULL;
}
