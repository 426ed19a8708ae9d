/* weft_event_json: an event as the one JSON object that all tools write (docs/cli.md). */
#ifndef WEFT_EVENT_JSON_H
#define WEFT_EVENT_JSON_H

#include "weft.h"

#include <jansson.h>

/* All of it, its place in the log first; the caller's. */
json_t *weft_event_json(const weft_event_t *event);
/* What its bytes say: from origin to data. Data without a JSON form is null, dataError says why. */
void weft_event_json_put(json_t *object, const weft_event_t *event);

#endif
