/* fuzz_stamp: stamps as a subscriber reads them. */
#include "fuzz.h"

#include "weft_limits.h"
#include "weft_wire_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weft_mp_t r = weft_mp_reader(data, size);
    weft_stamp_t stamp, again;
    uint8_t bytes[WEFT_STAMP_BYTES_MAX];
    while (weft_stamp_take(&r, &stamp)) {
        WEFT_ASSERT(stamp.position > 0 && stamp.position <= INT64_MAX && stamp.stored_us >= 0);
        weft_stamp_write(bytes, &stamp);
        weft_mp_t back = weft_mp_reader(bytes, sizeof bytes);
        WEFT_ASSERT(weft_stamp_take(&back, &again) && !weft_mp_left(&back));
        WEFT_ASSERT(stamp.position == again.position && stamp.stored_us == again.stored_us);
        WEFT_ASSERT(stamp.chain == again.chain);
    }
    WEFT_ASSERT(r.at <= data + size);
    return 0;
}
