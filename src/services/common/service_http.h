/* service_http: HTTP on the loop of a weft service. */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include <http_server.h>
#include <weft.h>

/* The service's loop, for http_client_new. */
http_loop_t service_http_loop(weft_service_t *service);

/* Serve routes on "HOST:PORT", and add http=HOST:PORT, with the real port, to the service's "ready"
 * line. Arguments and errors as http_server_new. */
weft_err_t service_http_new(http_server_t **out, weft_service_t *service, const char *listen,
                            const http_route_t *routes, size_t routes_count);

/* The same with limits of its own. */
weft_err_t service_http_new_limits(http_server_t **out, weft_service_t *service, const char *listen,
                                   const http_route_t *routes, size_t routes_count,
                                   const http_limits_t *limits);
/* weft_service_transaction for a request: what fn emits belongs to the request's trace. */
weft_err_t service_http_transaction(weft_service_t *service, const http_request_t *request,
                                    weft_transaction_fn fn, void *arg);

#endif
