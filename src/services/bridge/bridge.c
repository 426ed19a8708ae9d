/* bridge: the frame of weft-bridge: options, schema, parts, HTTP, health, end. */
#include "bridge.h"
#include "bridge_hooks.h"

#include <assert.h>
#include <stddef.h>

#include <service_health.h>
#include <service_http.h>

void bridge_route(bridge_t *self, const char *method, const char *pattern, http_body_t body,
                  http_handler_fn fn, void *arg) {
    assert(self->routes_count < BRIDGE_ROUTES_MAX);
    self->routes[self->routes_count++] = (http_route_t){method, pattern, body, fn, arg};
}

static void s_healthz(http_request_t *request, void *arg) {
    (void) arg;
    service_health_alive(request);
}

static void s_readyz(http_request_t *request, void *arg) {
    bridge_t *self = arg;
    service_health_ready(request, self->service, self->http);
}

/* Only ever added to. */
static const char *const s_schema[] = {bridge_hook_schema};

static weft_err_t s_open(bridge_t *self, int argc, char **argv) {
    const char *last_hook; /* there may be several: bridge_hooks looks for itself */
    const weft_option_t options[] = {
        {"http", "HOST:PORT", "where to serve HTTP; port 0: any free", "127.0.0.1:4005",
         &self->listen},
        {"hook", "NAME=URL[=FILTER,…][;KEY=VALUE]…",
         "POST events there; may be given several times", NULL, &last_hook},
    };
    weft_err_t rc = weft_service_new_options(&self->service, "weft-bridge", argc, argv, options,
                                             sizeof options / sizeof *options);
    if (rc == WEFT_OK)
        rc = weft_service_schema(self->service, s_schema, sizeof s_schema / sizeof *s_schema);
    if (rc == WEFT_OK) self->db = weft_service_db(self->service);
    return rc;
}

static weft_err_t s_start(bridge_t *self, int argc, char **argv) {
    weft_err_t rc = service_health_watch(self->service);
    bridge_route(self, "GET", "/healthz", HTTP_BODY_NONE, s_healthz, self);
    bridge_route(self, "GET", "/readyz", HTTP_BODY_NONE, s_readyz, self);
    if (rc == WEFT_OK) rc = bridge_hooks_new(&self->hooks, self, argc, argv);
    if (rc == WEFT_OK)
        rc = service_http_new(&self->http, self->service, self->listen, self->routes,
                              self->routes_count);
    return rc;
}

/* In this order: answers under way may still need the database. */
static void s_stop(bridge_t *self) {
    if (self->http) http_server_stop(self->http);
    http_server_destroy(&self->http);
    bridge_hooks_destroy(&self->hooks);
    weft_service_destroy(&self->service);
}

int bridge_main(int argc, char **argv) {
    bridge_t self = {0};
    weft_err_t rc = s_open(&self, argc, argv);
    if (rc == WEFT_OK) rc = s_start(&self, argc, argv);
    if (rc == WEFT_OK) rc = weft_service_run(self.service);
    s_stop(&self);
    return weft_exit_code(rc);
}
