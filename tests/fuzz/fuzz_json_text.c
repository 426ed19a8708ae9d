/* fuzz_json_text: one JSON text, as the command line and HTTP get it, to msgpack and back. */
#include "fuzz.h"

#include "weft.h"
#include "weft_mp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = NULL, reason[128];
    void *once = NULL, *twice = NULL;
    size_t once_size, twice_size;
    weft_err_t rc = weft_json_to_msgpack((const char *) data, size, &once, &once_size, reason,
                                         sizeof reason);
    if (rc != WEFT_OK) {
        WEFT_ASSERT(rc == WEFT_E_JSON || rc == WEFT_E_TOO_BIG);
        WEFT_ASSERT(memchr(reason, '\0', sizeof reason));
        return 0;
    }
    weft_mp_t r = weft_mp_reader(once, once_size);
    WEFT_ASSERT(weft_mp_skip(&r) && !weft_mp_left(&r)); /* exactly one value */
    rc = weft_msgpack_to_json(once, once_size, &text, NULL, 0);
    WEFT_ASSERT(rc == WEFT_OK);
    rc = weft_json_to_msgpack(text, strlen(text), &twice, &twice_size, NULL, 0);
    WEFT_ASSERT(rc == WEFT_OK);
    WEFT_ASSERT(fuzz_same(once, once_size, twice, twice_size));
    free(text);
    free(once);
    free(twice);
    return 0;
}
