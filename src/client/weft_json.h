/* weft_json: the one mapping between msgpack and JSON (docs/protocol.md, JSON).
 *   binary              {"$binary": base64}
 *   integers            JSON numbers, every digit kept; above 2^63-1 {"$uint": "digits"}
 *   map keys            text; a key that begins with "$" gets one more in JSON
 *   refused by name     extension types, keys that are not text, doubled keys, NaN, infinities, text
 *                       that is not UTF-8 or holds U+0000, nesting beyond WEFT_MSGPACK_DEPTH_MAX */
#ifndef WEFT_JSON_H
#define WEFT_JSON_H

#include "weft.h"
#include "weft_buf.h"

#include <jansson.h>

/* reason may be NULL. The caller owns *out. WEFT_OK, WEFT_E_JSON, WEFT_E_TOO_BIG, WEFT_E_NOMEM. */
weft_err_t weft_json_from_msgpack(json_t **out, const void *data, size_t size, char *reason,
                                  size_t reason_size);
/* Appends one value to w. */
weft_err_t weft_json_put(weft_buf_t *w, const json_t *json, char *reason, size_t reason_size);

#endif
