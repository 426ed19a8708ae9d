/* fuzz_record: commit records; what is taken holds the relations that a subscriber builds on. */
#include "fuzz.h"

#include "weft_record.h"
#include "weft_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static weft_record_t record, again;
    weft_buf_t once, twice;
    if (weft_record_decode(data, size, &record) != WEFT_OK) return 0;
    uint64_t total = 0;
    WEFT_ASSERT(record.prev <= record.last && record.last <= INT64_MAX && record.at >= 0);
    WEFT_ASSERT(record.types_count <= WEFT_BATCH_TYPES_MAX);
    for (size_t i = 0; i < record.types_count; i++) {
        WEFT_ASSERT(weft_type_check(record.types[i].type, record.types[i].type_size) == WEFT_OK);
        total += record.types[i].count;
    }
    WEFT_ASSERT(total == record.last - record.prev);
    weft_buf_init(&once);
    weft_buf_init(&twice);
    weft_record_encode(&once, &record);
    WEFT_ASSERT(weft_buf_ok(&once) && once.size <= size);
    WEFT_ASSERT(weft_record_decode(once.data, once.size, &again) == WEFT_OK);
    weft_record_encode(&twice, &again);
    fuzz_assert_same(&once, &twice);
    weft_buf_free(&once);
    weft_buf_free(&twice);
    return 0;
}
