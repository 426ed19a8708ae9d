/* weft_progress: how far something long has come, its rate and the time left, on one line of a
 * terminal's standard error; nothing elsewhere. */
#ifndef WEFT_PROGRESS_H
#define WEFT_PROGRESS_H

#include "weft.h"

typedef struct {
    const char *what; /* "events" */
    uint64_t total;   /* 0: not known */
    int64_t start_ms, told_ms;
    bool shown;
} weft_progress_t;

void weft_progress_begin(weft_progress_t *self, const char *what, uint64_t total);
void weft_progress_note(weft_progress_t *self, uint64_t done); /* call as often as you like */
void weft_progress_end(weft_progress_t *self);                 /* wipes the line */

#endif
