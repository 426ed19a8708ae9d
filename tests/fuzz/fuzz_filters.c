/* fuzz_filters: the list of filters in FETCH and REPORT. */
#include "fuzz.h"

#include "weft_control.h"
#include "weft_limits.h"
#include "weft_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static weft_text_t items[WEFT_FILTERS_MAX], items_again[WEFT_FILTERS_MAX];
    weft_filters_t filters = {.items = items}, again = {.items = items_again};
    weft_bytes_t raw = {.data = data, .size = size};
    weft_buf_t w;
    if (!size || weft_filters_decode(raw, &filters) != WEFT_OK) return 0;
    WEFT_ASSERT(filters.count <= WEFT_FILTERS_MAX);
    for (size_t i = 0; i < filters.count; i++)
        WEFT_ASSERT(weft_filter_check(items[i].data, items[i].size) == WEFT_OK);
    weft_buf_init(&w);
    weft_filters_encode(&w, &filters);
    WEFT_ASSERT(weft_buf_ok(&w) && w.size <= size);
    raw = (weft_bytes_t){.data = w.data, .size = w.size};
    WEFT_ASSERT(weft_filters_decode(raw, &again) == WEFT_OK && again.count == filters.count);
    for (size_t i = 0; i < filters.count; i++)
        WEFT_ASSERT(
            fuzz_same(items[i].data, items[i].size, items_again[i].data, items_again[i].size));
    weft_buf_free(&w);
    return 0;
}
