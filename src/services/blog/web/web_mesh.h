/* web_mesh: what the page of the mesh is told: GET /api/mesh/stream.
 *
 * Server-sent events, each of a bounded size, a few a second, however much flows through the mesh:
 *   known   {events, pairs, last}: once, what is known already
 *   state   the bus and its services, as in web_state.h, or {bus: "away", reason}
 *   flow    {events, pairs: [[emitter, type, count]…], last: [event…]}: what came since the last one
 * A browser that does not keep up misses some. Nothing is asked of the bus while nobody looks. */
#ifndef WEB_MESH_H
#define WEB_MESH_H

#include "web.h"

weft_err_t web_mesh_new(web_mesh_t **out, weft_service_t *service);
/* After the server has stopped. NULL-safe, clears *self_p. */
void web_mesh_destroy(web_mesh_t **self_p);

/* A handler. arg is the blog_app_t. */
void web_mesh_stream(http_request_t *request, void *arg);

#endif
