/* fuzz_control: the body of one control message, FUZZ_BODY: hello, welcome, fetch, page, report,
 * status, state, error, trim, trimmed, effects, trace, found or origin_state. What is taken encodes to bytes that mean the same. */
#include "fuzz.h"

#include "weft_control.h"

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TYPE JOIN(weft_, FUZZ_BODY, _t)
#define DECODE JOIN(weft_, FUZZ_BODY, _decode)
#define ENCODE JOIN(weft_, FUZZ_BODY, _encode)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    TYPE body, again;
    weft_buf_t once, twice;
    (void) weft_command_parse(data, size);
    weft_err_t rc = DECODE(data, size, &body);
    if (rc != WEFT_OK) {
        WEFT_ASSERT(rc == WEFT_E_BAD_FIELD || rc == WEFT_E_VERSION);
        return 0;
    }
    weft_buf_init(&once);
    weft_buf_init(&twice);
    ENCODE(&once, &body);
    WEFT_ASSERT(weft_buf_ok(&once));
    WEFT_ASSERT(DECODE(once.data, once.size, &again) == WEFT_OK);
    ENCODE(&twice, &again);
    fuzz_assert_same(&once, &twice);
    weft_buf_free(&once);
    weft_buf_free(&twice);
    return 0;
}
