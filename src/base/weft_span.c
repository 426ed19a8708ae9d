/* weft_span: traces begin and go on; the random half of Trace Context, weft_trace.c is the other. */
#include "weft_span.h"

#include "weft_os.h"

#include <string.h>

#define SAMPLED 0x01 /* every event is kept */

static void s_put(uint8_t *trace, uint64_t span) {
    if (!span) span = weft_os_random(); /* zeros mean none (W3C) */
    memcpy(trace + 16, &span, sizeof span);
}

void weft_spans_next(weft_spans_t *self, uint8_t *trace) {
    if (!self->left) {
        weft_os_random_fill(self->ids, sizeof self->ids);
        self->left = WEFT_SPANS_AHEAD;
    }
    s_put(trace, self->ids[--self->left]);
}

void weft_trace_next(uint8_t *trace) {
    s_put(trace, weft_os_random());
}

void weft_trace_begin(uint8_t *trace) {
    uint64_t ids[3]; /* trace-id and span, at one question to the kernel */
    do {
        weft_os_random_fill(ids, sizeof ids);
    } while (!ids[0] || !ids[1]);
    memcpy(trace, ids, 16);
    trace[24] = SAMPLED;
    s_put(trace, ids[2]);
}
