/* weft_moved: see weft_moved.h. */
#include "weft_moved.h"

#include <stdlib.h>

bool weft_moved_put(weft_moved_t *self, uint64_t was, uint64_t is) {
    weft_moved_run_t *last = self->count ? &self->runs[self->count - 1] : NULL;
    if (last && was == last->was + last->count && is == last->is + last->count) {
        last->count++;
        return true;
    }
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        weft_moved_run_t *runs = realloc(self->runs, room * sizeof *runs);
        if (!runs) return false;
        self->runs = runs;
        self->room = room;
    }
    self->runs[self->count++] = (weft_moved_run_t){was, is, 1};
    return true;
}

uint64_t weft_moved_last(const weft_moved_t *self) {
    if (!self->count) return 0;
    const weft_moved_run_t *last = &self->runs[self->count - 1];
    return last->was + last->count - 1;
}

uint64_t weft_moved_get(const weft_moved_t *self, uint64_t was) {
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const weft_moved_run_t *run = &self->runs[middle];
        if (was < run->was)
            high = middle;
        else if (was - run->was >= run->count)
            low = middle + 1;
        else
            return run->is + (was - run->was);
    }
    return 0;
}

void weft_moved_free(weft_moved_t *self) {
    free(self->runs);
    *self = (weft_moved_t){0};
}
