/* service_after: read-your-writes over HTTP.
 *
 * The answer to a write carries "Weft-After: ORIGIN:SEQUENCE". A GET with that header, on whatever
 * service, is held until that one has applied all up to the event, at most Weft-Wait ms; else it is
 * refused with 503, Retry-After and what is missing. Where events up to there have been set aside, the
 * answer says how many in Weft-Parked: they may be what it lacks. */
#ifndef SERVICE_AFTER_H
#define SERVICE_AFTER_H

#include <http_server.h>
#include <weft.h>

/* Have each GET of the server wait for what its Weft-After names. service outlives the server. */
void service_after_gate(http_server_t *server, weft_service_t *service);
/* Add Weft-After to the answer to a write. */
void service_after_answer(http_request_t *request, const weft_service_t *service);

#endif
