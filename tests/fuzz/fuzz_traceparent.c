/* fuzz_traceparent: any text as a traceparent header; what is taken reads the same after it was written. */
#include "fuzz.h"

#include "weft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[128], again[WEFT_TRACE_TEXT_BYTES];
    uint8_t once[WEFT_TRACEPARENT_BYTES], twice[WEFT_TRACEPARENT_BYTES];
    if (size >= sizeof text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    if (!weft_trace_parse(text, once)) return 0;
    weft_trace_text(once, again);
    WEFT_ASSERT(strlen(again) + 1 == WEFT_TRACE_TEXT_BYTES);
    WEFT_ASSERT(memcmp(text + 2, again + 2, WEFT_TRACE_TEXT_BYTES - 5) == 0); /* all but the ends */
    WEFT_ASSERT(weft_trace_parse(again, twice));
    WEFT_ASSERT(memcmp(once, twice, sizeof once) == 0);
    return 0;
}
