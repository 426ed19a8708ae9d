/* bridge_hook_body: what a hook POSTs for an event: body and headers. Pure. */
#ifndef BRIDGE_HOOK_BODY_H
#define BRIDGE_HOOK_BODY_H

#include <stddef.h>

#include <weft.h>

#include "bridge_hook_spec.h"
#include "bridge_names.h"

#define BRIDGE_HOOK_HEADERS_MAX 16u
#define BRIDGE_HOOK_ID_BYTES 96u

typedef struct {
    char *text; /* owned */
    size_t size;
    char *headers[BRIDGE_HOOK_HEADERS_MAX]; /* owned, "Name: value" */
    size_t headers_count;
} bridge_hook_body_t;

/* What stays the same for an event however often it is sent: its origin and sequence, or for one that has no
 * sequence its log and position. id: BRIDGE_HOOK_ID_BYTES bytes. */
void bridge_hook_id(const weft_event_t *event, const weft_uuid_t *log, char *id);

/* names  what the receiver calls a type.
 * out    to be cleared, also after an error.
 * Returns WEFT_OK, WEFT_E_NOMEM, or that of weft_msgpack_to_json. */
weft_err_t bridge_hook_body_make(bridge_hook_body_t *out, bridge_format_t format,
                                 const bridge_names_t *names, const weft_event_t *event,
                                 const weft_uuid_t *log, const char *hook);
void bridge_hook_body_clear(bridge_hook_body_t *body);

#endif
