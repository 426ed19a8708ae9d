/* weft_checksum: XXH3 inlined, so that the fixed sizes below fold into a few instructions. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weft_checksum.h"

#include <endian.h>
#include <string.h>

static void s_le64(uint8_t *to, uint64_t value) {
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

uint64_t weft_hash(const void *bytes, size_t size) {
    return XXH3_64bits(bytes, size);
}

uint64_t weft_checksum_row(uint64_t position, int64_t stored_us, uint64_t type_hash,
                           uint64_t event_hash) {
    uint8_t words[32];
    s_le64(words, position);
    s_le64(words + 8, (uint64_t) stored_us);
    s_le64(words + 16, type_hash);
    s_le64(words + 24, event_hash);
    return XXH3_64bits(words, sizeof words);
}

uint64_t weft_checksum_chain(uint64_t previous_chain, uint64_t row_checksum) {
    uint8_t words[16];
    s_le64(words, previous_chain);
    s_le64(words + 8, row_checksum);
    return XXH3_64bits(words, sizeof words);
}

uint64_t weft_checksum_origin(uint64_t previous_chain, uint64_t type_hash, uint64_t event_hash) {
    uint8_t words[24];
    s_le64(words, previous_chain);
    s_le64(words + 8, type_hash);
    s_le64(words + 16, event_hash);
    return XXH3_64bits(words, sizeof words);
}
