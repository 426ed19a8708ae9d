/* service_health: what a service says of itself over HTTP: /healthz (it lives), /readyz and /metrics.
 *
 * Ready means that the database is open. A bus that is away is told, and is no reason to send
 * nobody here: the service works on without it. */
#ifndef SERVICE_HEALTH_H
#define SERVICE_HEALTH_H

#include <jansson.h>

#include <http_server.h>
#include <weft.h>

/* A service without handlers has no reading end and would know nothing of the bus: register one
 * for a type that nobody emits, which costs the heartbeat alone. As weft_service_on. */
weft_err_t service_health_watch(weft_service_t *service);

/* Answer GET /healthz. */
void service_health_alive(http_request_t *request);
/* Answer GET /metrics, see weft_service_metrics. */
void service_health_metrics(http_request_t *request, weft_service_t *service);
/* Answer GET /readyz: {ready, database, bus: {reachable, live, position, head, behind}, applied:
 * {catchUp, live}, outbox, parked, held}, and trouble if the last write did not come into the
 * database; 503 if that is not open. */
void service_health_ready(http_request_t *request, weft_service_t *service, http_server_t *http);
/* The same, to add to: NULL without memory. status  out: 200 or 503. */
json_t *service_health_json(weft_service_t *service, http_server_t *http, unsigned *status);

#endif
