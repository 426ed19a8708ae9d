/* weft_span: traces begin and go on; the random half of Trace Context, weft_trace.c is the other. */
#include "weft.h"

#include "weft_os.h"

#include <string.h>

#define SAMPLED 0x01 /* every event is kept */

void weft_trace_next(uint8_t *trace) {
    uint64_t span = weft_os_random();
    memcpy(trace + 16, &span, sizeof span);
}

void weft_trace_begin(uint8_t *trace) {
    uint64_t id[2] = {weft_os_random(), weft_os_random()};
    memcpy(trace, id, sizeof id);
    trace[24] = SAMPLED;
    weft_trace_next(trace);
}
