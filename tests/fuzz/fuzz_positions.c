/* fuzz_positions: the list of positions in EFFECTS and FOUND. */
#include "fuzz.h"

#include "weft_control.h"
#include "weft_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t once[WEFT_CAUSES_MAX], twice[WEFT_CAUSES_MAX];
    size_t count, again;
    weft_bytes_t raw = {.data = data, .size = size};
    weft_buf_t w;
    if (!size || weft_positions_decode(raw, once, WEFT_CAUSES_MAX, &count) != WEFT_OK) return 0;
    WEFT_ASSERT(count <= WEFT_CAUSES_MAX);
    for (size_t i = 0; i < count; i++) WEFT_ASSERT(once[i] && once[i] <= INT64_MAX);
    weft_buf_init(&w);
    weft_positions_encode(&w, once, count);
    WEFT_ASSERT(weft_buf_ok(&w) && w.size <= size);
    raw = (weft_bytes_t){.data = w.data, .size = w.size};
    WEFT_ASSERT(weft_positions_decode(raw, twice, WEFT_CAUSES_MAX, &again) == WEFT_OK);
    WEFT_ASSERT(fuzz_same(once, count * sizeof *once, twice, again * sizeof *twice));
    weft_buf_free(&w);
    return 0;
}
