/* service_http: an HTTP server on the loop of a weft service. */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include <http_server.h>
#include <weft.h>

/* Serve routes on "HOST:PORT", and add http=HOST:PORT, with the real port, to the service's "ready"
 * line. Arguments and errors as http_server_new. */
weft_err_t service_http_new(http_server_t **out, weft_service_t *service, const char *listen,
                            const http_route_t *routes, size_t routes_count);

#endif
