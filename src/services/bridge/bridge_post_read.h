/* bridge_post_read: what a POST /events says: the events in it. Pure.
 *
 *   application/json              {"type", "data"}, as a course's services send it; "subject" may be there
 *   application/cloudevents+json  CloudEvents 1.0, structured
 *   application/cloudevents-batch+json   an array of those
 *   any, with ce-specversion      CloudEvents 1.0, binary: attributes in ce-* headers, data in the body
 *
 * A CloudEvent's type and subject become the event's, source and id tell doubles; other attributes are
 * not kept. Data that is no JSON (data_base64, or a body of another media type) becomes a binary
 * value, text/… a text. */
#ifndef BRIDGE_POST_READ_H
#define BRIDGE_POST_READ_H

#include <stddef.h>

#include <http_server.h>

#include "bridge_names.h"

#define BRIDGE_POST_EVENTS_MAX 1000u /* of one batch */
#define BRIDGE_POST_REASON_BYTES 200u

typedef struct {
    char *type;    /* weft's name; owned, as all of these */
    char *subject; /* "" if none */
    void *data;    /* one msgpack value */
    size_t data_size;
    char *scope, *key; /* of a CloudEvent: its source and id; else NULL */
} bridge_post_event_t;

typedef struct {
    bridge_post_event_t *events; /* owned */
    size_t count;
} bridge_post_t;

/* out     to be cleared, also after an error.
 * status  out: after an error, the answer's; reason: BRIDGE_POST_REASON_BYTES bytes, why; field: borrowed,
 *         NULL if it is the body.
 * Returns WEFT_OK, WEFT_E_ARG (400 or 415), WEFT_E_NOMEM (500). */
weft_err_t bridge_post_read(bridge_post_t *out, const http_request_t *request,
                            const bridge_names_t *names, unsigned *status, const char **field,
                            char *reason);
void bridge_post_clear(bridge_post_t *post);

#endif
