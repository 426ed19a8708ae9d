/* fuzz_json: one msgpack value to JSON and back. Twice there and back is once there and back. */
#include "fuzz.h"

#include "weft.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *once = NULL, *twice = NULL, reason[128];
    void *packed = NULL;
    size_t packed_size;
    weft_err_t rc = weft_msgpack_to_json(data, size, &once, reason, sizeof reason);
    if (rc != WEFT_OK) {
        WEFT_ASSERT(rc == WEFT_E_JSON || rc == WEFT_E_TOO_BIG);
        WEFT_ASSERT(memchr(reason, '\0', sizeof reason));
        return 0;
    }
    for (const char *c = once; *c; c++) WEFT_ASSERT((unsigned char) *c >= 0x20); /* one line */
    rc = weft_json_to_msgpack(once, strlen(once), &packed, &packed_size, reason, sizeof reason);
    WEFT_ASSERT(rc == WEFT_OK);
    rc = weft_msgpack_to_json(packed, packed_size, &twice, NULL, 0);
    WEFT_ASSERT(rc == WEFT_OK);
    WEFT_ASSERT(strcmp(once, twice) == 0);
    free(once);
    free(twice);
    free(packed);
    return 0;
}
