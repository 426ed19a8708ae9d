/* weft_span: new spans of a trace for who makes many: the kernel is asked for random numbers once in
 * so many spans, since each question costs about as much as encoding an event. */
#ifndef WEFT_SPAN_H
#define WEFT_SPAN_H

#include "weft.h"

#define WEFT_SPANS_AHEAD 32u

/* All zero at first. Its owner's thread alone. */
typedef struct {
    uint64_t ids[WEFT_SPANS_AHEAD];
    size_t left;
} weft_spans_t;

/* As weft_trace_next. */
void weft_spans_next(weft_spans_t *self, uint8_t *trace);

#endif
