/* web_state: from the bus' status to what the page of the mesh shows. Pure. */
#ifndef WEB_STATE_H
#define WEB_STATE_H

#include <jansson.h>
#include <stdint.h>

#define WEB_STATE_SERVICES_MAX 200u /* are shown; all are counted */
#define WEB_STATE_SILENT_MS 1500    /* services report each second */

/* status  the answer of weft_bus_status.
 * out     {bus: "here", head, first, accepting, reason, software, started, total, services: [{name,
 *         software, state, position, lag, outbox, parked, skipped, silentMs, filters}…]} as one line of
 *         JSON from malloc; state is "silent", "live" or "catching up". NULL without memory or if status
 *         is of another shape.
 * head, first  out: of the log. */
char *web_state_text(const char *status, uint64_t *first, uint64_t *head);

#endif
