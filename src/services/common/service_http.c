/* service_http: HTTP on the loop of a weft service. */
#include "service_http.h"

#include <poll.h>

static weft_err_t s_fd(void *loop, int fd, weft_fd_fn fn, void *arg) {
    return weft_service_fd(loop, fd, POLLIN, fn, arg);
}

static void s_fd_end(void *loop, int fd) {
    weft_service_fd_end(loop, fd);
}

static weft_err_t s_timer(void *loop, unsigned delay_ms, weft_timer_fn fn, void *arg, int *id) {
    return weft_service_timer(loop, delay_ms, 1, fn, arg, id);
}

static void s_timer_end(void *loop, int id) {
    weft_service_timer_end(loop, id);
}

http_loop_t service_http_loop(weft_service_t *service) {
    return (http_loop_t){s_fd, s_fd_end, s_timer, s_timer_end, service};
}

weft_err_t service_http_new(http_server_t **out, weft_service_t *service, const char *listen,
                            const http_route_t *routes, size_t routes_count) {
    const http_limits_t usual = {0};
    return service_http_new_limits(out, service, listen, routes, routes_count, &usual);
}

weft_err_t service_http_new_limits(http_server_t **out, weft_service_t *service, const char *listen,
                                   const http_route_t *routes, size_t routes_count,
                                   const http_limits_t *limits) {
    const http_loop_t loop = service_http_loop(service);
    weft_err_t rc = http_server_new_limits(out, &loop, listen, routes, routes_count, limits);
    if (rc == WEFT_OK) rc = weft_service_announce(service, "http", http_server_address(*out));
    if (rc != WEFT_OK) http_server_destroy(out);
    return rc;
}

typedef struct {
    const http_request_t *request;
    weft_transaction_fn fn;
    void *arg;
} s_traced_t;

static weft_err_t s_traced(weft_tx_t *tx, void *arg) {
    const s_traced_t *traced = arg;
    weft_tx_trace(tx, http_request_trace(traced->request));
    return traced->fn(tx, traced->arg);
}

weft_err_t service_http_transaction(weft_service_t *service, const http_request_t *request,
                                    weft_transaction_fn fn, void *arg) {
    s_traced_t traced = {.request = request, .fn = fn, .arg = arg};
    return weft_service_transaction(service, s_traced, &traced);
}
