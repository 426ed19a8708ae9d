/* bridge_event: an event of the log as JSON, in the words of HTTP clients. Its id is that of bridge_hook_id:
 * the same over all ways that an event can take. */
#ifndef BRIDGE_EVENT_H
#define BRIDGE_EVENT_H

#include <weft.h>

#include "bridge_names.h"
#include "bridge_text.h"

/* Add one line of JSON without its end. The course's envelope with what lets a receiver order and
 * deduplicate: {"type","data","id","position","time","source","subject"} (subject: if there is one).
 * Data that JSON cannot express becomes null, and dataError says why. */
void bridge_event_course(const bridge_names_t *names, const weft_event_t *event,
                         const weft_uuid_t *log, bridge_text_t *out);
/* CloudEvents 1.0, structured: specversion id source type time subject datacontenttype
 * traceparent data, and weftposition as an extension. Errors as above, in the extension dataerror. */
void bridge_event_cloud(const bridge_names_t *names, const weft_event_t *event,
                        const weft_uuid_t *log, bridge_text_t *out);

#endif
