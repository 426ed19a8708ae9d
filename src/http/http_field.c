/* http_field: checks of what a client sent in a JSON object. Pure. */
#include "http_field.h"

#include <stdio.h>
#include <string.h>

#include "http_text.h"

bool http_field_text(const json_t *object, const char *field, size_t max, const char **value,
                     char *reason) {
    const json_t *member = json_object_get(object, field);
    size_t count = 0;
    if (!member) {
        snprintf(reason, HTTP_REASON_BYTES, "%s is missing", field);
        return false;
    }
    const char *text = json_string_value(member);
    if (!text || !http_utf8_valid(text, strlen(text), &count)) {
        snprintf(reason, HTTP_REASON_BYTES, "%s must be a text", field);
        return false;
    }
    if (http_text_blank(text)) {
        snprintf(reason, HTTP_REASON_BYTES, "%s must not be blank", field);
        return false;
    }
    if (count > max) {
        snprintf(reason, HTTP_REASON_BYTES, "%s must have at most %zu characters, not %zu", field,
                 max, count);
        return false;
    }
    *value = text;
    return true;
}
