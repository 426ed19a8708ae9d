/* weft_bridge: one request to weft-bridge, one answer. */
#ifndef WEFT_BRIDGE_H
#define WEFT_BRIDGE_H

#include "weft_verb.h"

#include <jansson.h>

#define WEFT_DEFAULT_BRIDGE "http://127.0.0.1:4005"

typedef struct {
    const weft_verb_t *verb;
    const char *url;   /* of the bridge */
    const char *token; /* NULL: none */
    long timeout_ms;
} weft_bridge_t;

/* body is taken; NULL: none.
 * answer  out: owned by the caller; NULL if the answer has no body. May be NULL.
 * Returns WEFT_OK for a 2xx; else what is wrong has been told: WEFT_E_UNREACHABLE, WEFT_E_NOT_FOUND (404),
 *         WEFT_E_USAGE (400), WEFT_E_HANDLER (any other), WEFT_E_NOMEM. */
weft_err_t weft_bridge_ask(const weft_bridge_t *self, const char *method, const char *path,
                           json_t *body, json_t **answer);

#endif
