/* http_field: checks of what a client sent in a JSON object. Pure. */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_REASON_BYTES 128u

/* Take a text that is there, is not blank and has at most max characters.
 * value   out: borrowed from object.
 * reason  out: HTTP_REASON_BYTES bytes, why not, in words for the client. */
bool http_field_text(const json_t *object, const char *field, size_t max, const char **value,
                     char *reason);

#endif
