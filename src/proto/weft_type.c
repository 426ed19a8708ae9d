/* weft_type: checks and matching by hand; no pattern is ever compiled. */
#include "weft_type.h"

#include "weft_limits.h"

#include <string.h>

static bool s_segment_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool s_dotted(const char *text, size_t size) {
    size_t segment = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.') {
            if (!segment) return false;
            segment = 0;
        } else if (s_segment_byte(text[i])) {
            segment++;
        } else {
            return false;
        }
    }
    return segment > 0;
}

weft_err_t weft_type_check(const char *type, size_t size) {
    if (size > WEFT_TYPE_BYTES_MAX) return WEFT_E_TOO_BIG;
    return s_dotted(type, size) ? WEFT_OK : WEFT_E_BAD_TYPE;
}

/* Is the last segment a wildcard? */
static char s_wildcard(const char *filter, size_t size) {
    char last = size ? filter[size - 1] : '\0';
    if (last != '*' && last != '>') return '\0';
    return size == 1 || filter[size - 2] == '.' ? last : '\0';
}

weft_err_t weft_filter_check(const char *filter, size_t size) {
    if (size > WEFT_TYPE_BYTES_MAX) return WEFT_E_TOO_BIG;
    if (!s_wildcard(filter, size)) return s_dotted(filter, size) ? WEFT_OK : WEFT_E_BAD_FILTER;
    if (size == 1) return WEFT_OK;
    return s_dotted(filter, size - 2) ? WEFT_OK : WEFT_E_BAD_FILTER;
}

bool weft_filter_match(const char *filter, size_t filter_size, const char *type, size_t type_size) {
    char wildcard = s_wildcard(filter, filter_size);
    if (!wildcard) return filter_size == type_size && memcmp(filter, type, type_size) == 0;
    size_t prefix = filter_size - 1; /* up to and with the dot before the wildcard */
    if (type_size <= prefix || memcmp(filter, type, prefix) != 0) return false;
    return wildcard == '>' || !memchr(type + prefix, '.', type_size - prefix);
}

size_t weft_filter_topic(const char *filter, size_t filter_size) {
    return s_wildcard(filter, filter_size) ? filter_size - 1 : filter_size;
}
