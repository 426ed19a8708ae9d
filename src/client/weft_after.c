/* weft_after: the text of a weft_after_t. */
#include "weft_record.h"

#include <stdio.h>
#include <string.h>

#define SEQUENCE_DIGITS_MAX 19u /* of 2^63 - 1 */
#define UUID_TEXT_MAX 36u       /* with dashes */

void weft_after_text(char *out, const weft_after_t *after) {
    weft_uuid_text(out, after->origin.bytes);
    snprintf(out + 32, WEFT_AFTER_BYTES - 32, ":%llu", (unsigned long long) after->sequence.value);
}

static bool s_number(const char *text, size_t size, uint64_t *out) {
    uint64_t value = 0;
    if (!size || size > SEQUENCE_DIGITS_MAX || *text == '0') return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (uint64_t) (text[i] - '0');
    }
    *out = value;
    return value <= INT64_MAX;
}

weft_err_t weft_after_parse(const char *text, size_t size, weft_after_t *out) {
    static const weft_uuid_t none;
    char origin[UUID_TEXT_MAX + 1];
    weft_after_t after;
    const char *colon = memchr(text, ':', size);
    size_t origin_size = colon ? (size_t) (colon - text) : 0;
    if (!origin_size || origin_size > UUID_TEXT_MAX) return WEFT_E_ARG;
    memcpy(origin, text, origin_size);
    origin[origin_size] = '\0';
    if (strlen(origin) != origin_size || !weft_uuid_parse(&after.origin, origin) ||
        memcmp(&after.origin, &none, sizeof none) == 0 ||
        !s_number(colon + 1, size - origin_size - 1, &after.sequence.value))
        return WEFT_E_ARG;
    *out = after;
    return WEFT_OK;
}
