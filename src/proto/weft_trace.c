/* weft_trace: the `traceparent` header of W3C Trace Context as text and as 25 bytes. */
#include "weft.h"

#include <string.h>

#define VERSION_AT 0
#define TRACE_AT 3
#define SPAN_AT 36
#define FLAGS_AT 53
#define FLAGS_KNOWN 0x01 /* sampled; what a later version may mean by the others is not passed on */

/* Lower-case hex alone, as the spec wants it. */
static bool s_hex(const char *text, size_t count, uint8_t *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 2 * count; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit) return false;
        out[i / 2] = (uint8_t) (out[i / 2] << 4 | (digit - digits));
    }
    return true;
}

static bool s_all_zero(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i]) return false;
    return true;
}

bool weft_trace_parse(const char *text, uint8_t *trace) {
    uint8_t out[WEFT_TRACEPARENT_BYTES] = {0}, version = 0;
    size_t size = strlen(text);
    if (size < WEFT_TRACE_TEXT_BYTES - 1 || !s_hex(text + VERSION_AT, 1, &version) ||
        version == 0xff || text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' ||
        text[FLAGS_AT - 1] != '-')
        return false;
    char after = text[WEFT_TRACE_TEXT_BYTES - 1];
    if (version == 0 ? after != '\0' : after != '\0' && after != '-') return false;
    if (!s_hex(text + TRACE_AT, 16, out) || !s_hex(text + SPAN_AT, 8, out + 16) ||
        !s_hex(text + FLAGS_AT, 1, out + 24) || s_all_zero(out, 16) || s_all_zero(out + 16, 8))
        return false;
    out[24] &= FLAGS_KNOWN;
    memcpy(trace, out, sizeof out);
    return true;
}

static char *s_put_hex(char *to, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

void weft_trace_text(const uint8_t *trace, char *text) {
    char *at = text;
    memcpy(at, "00-", 3);
    at = s_put_hex(at + 3, trace, 16);
    *at++ = '-';
    at = s_put_hex(at, trace + 16, 8);
    *at++ = '-';
    at = s_put_hex(at, trace + 24, 1);
    *at = '\0';
}
