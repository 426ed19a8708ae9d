/* after_header: see after_header.h. */
#include "after_header.h"

#include <string.h>

#include <http_text.h>

#define BLANKS " \t"

bool after_header_tokens(const char *value, weft_after_t tokens[AFTER_TOKENS_MAX], size_t *count,
                         const char **reason) {
    *count = 0;
    for (const char *at = value;; at++) {
        size_t size = strcspn(at, ",");
        const char *end = at + size;
        at += strspn(at, BLANKS);
        const char *last = end;
        while (last > at && strchr(BLANKS, last[-1])) last--;
        *reason = "must be ORIGIN:SEQUENCE as a write's answer gave it, several parted by commas";
        if (at > end) return false;
        if (*count == AFTER_TOKENS_MAX) {
            *reason = "names more than 8 events";
            return false;
        }
        if (weft_after_parse(at, (size_t) (last - at), &tokens[*count]) != WEFT_OK) return false;
        (*count)++;
        at = end;
        if (!*at) return true;
    }
}

bool after_header_wait(const char *value, unsigned *ms, const char **reason) {
    uint64_t number = AFTER_WAIT_MS;
    if (value && !http_text_number(value, 0, AFTER_WAIT_MS_MAX, &number)) {
        *reason = "must be a number of milliseconds from 0 to 30000";
        return false;
    }
    *ms = (unsigned) number;
    return true;
}
