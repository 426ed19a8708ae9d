/* weft_moved: where events went that have another position now. Kept as runs, so a log without gaps takes
 * one entry, however long it is. */
#ifndef WEFT_MOVED_H
#define WEFT_MOVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t was, is, count;
} weft_moved_run_t;

typedef struct {
    weft_moved_run_t *runs;
    size_t count, room;
} weft_moved_t;

/* was must rise from call to call, and so must is. False: out of memory. */
bool weft_moved_put(weft_moved_t *self, uint64_t was, uint64_t is);
uint64_t weft_moved_last(const weft_moved_t *self); /* the last one that was put, 0: none */
/* 0: it is not among them. */
uint64_t weft_moved_get(const weft_moved_t *self, uint64_t was);
void weft_moved_free(weft_moved_t *self);

#endif
