/* bridge: the frame of weft-bridge: options, configuration, schema, parts, HTTP, health, end. */
#include "bridge.h"
#include "bridge_hooks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http_text.h>
#include <idempotency.h>
#include <service_health.h>
#include <service_http.h>

#include "bridge_config.h"
#include "bridge_post.h"
#include "bridge_stream.h"

#define BODY_BYTES_MAX (1u << 20) /* an event of 256 KiB, however its text is escaped, or a batch */
#define CONNECTIONS_MAX 4096u
#define FILES_BESIDE 2048u /* a hook has six for its subscription, and one to its receiver */
#define KEEP_DAYS_MAX 36500u
#define DAY_US ((int64_t) 24 * 3600 * 1000000)

/* ---------------------------------------------------------------------------------------------- */
/* Routes */

static void s_guard(http_request_t *request, void *arg) {
    const bridge_route_t *route = arg;
    if (route->token &&
        !bridge_token_given(http_request_header(request, "Authorization"), route->token)) {
        http_answer_header(request, "WWW-Authenticate", "Bearer");
        http_answer_error(request, 401, "this route wants a token: Authorization: Bearer TOKEN",
                          "Authorization");
        return;
    }
    route->fn(request, route->arg);
}

void bridge_route(bridge_t *self, const char *method, const char *pattern, http_body_t body,
                  http_handler_fn fn, void *arg) {
    assert(self->routes_count < BRIDGE_ROUTES_MAX);
    bridge_route_t *guard = &self->guards[self->routes_count];
    *guard = (bridge_route_t){self, method, pattern, fn, arg, NULL};
    self->routes[self->routes_count++] = (http_route_t){method, pattern, body, s_guard, guard};
}

static bridge_route_t *s_find_route(bridge_t *self, const char *name) {
    char own[64];
    for (size_t i = 0; i < self->routes_count; i++) {
        snprintf(own, sizeof own, "%s %s", self->guards[i].method, self->guards[i].pattern);
        if (strcmp(own, name) == 0) return &self->guards[i];
    }
    return NULL;
}

static weft_err_t s_set_tokens(bridge_t *self) {
    json_t *tokens = json_object_get(self->config, "tokens"), *value;
    const char *name;
    if (tokens && !json_is_object(tokens)) {
        fprintf(stderr, "weft-bridge: --config: tokens must be an object\n");
        return WEFT_E_USAGE;
    }
    json_object_foreach(tokens, name, value) {
        bridge_route_t *route = s_find_route(self, name);
        const char *token = json_string_value(value);
        if (!route || !token || !bridge_token_ok(token)) {
            fprintf(stderr, "weft-bridge: --config: tokens: \"%s\": %s\n", name,
                    route ? "a token is 1 to 256 visible ASCII characters"
                          : "no such route; one is \"POST /events\"");
            return WEFT_E_USAGE;
        }
        route->token = token;
    }
    return WEFT_OK;
}

static void s_healthz(http_request_t *request, void *arg) {
    (void) arg;
    service_health_alive(request);
}

static void s_readyz(http_request_t *request, void *arg) {
    bridge_t *self = arg;
    service_health_ready(request, self->service, self->http);
}

static void s_metrics(http_request_t *request, void *arg) {
    bridge_t *self = arg;
    service_health_metrics(request, self->service);
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

/* Only ever added to. */
static const char *const s_schema[] = {bridge_hook_schema, IDEMPOTENCY_SCHEMA};

static weft_err_t s_open(bridge_t *self, int argc, char **argv) {
    const char *last_hook; /* there may be several: bridge_hooks looks for itself */
    const char *bind_any = NULL;
    const weft_option_t options[] = {
        {"http", "HOST:PORT", "where to serve HTTP; port 0: any free", "127.0.0.1:4005",
         &self->listen},
        {"bind-any", NULL, "let --http be an address that others than this machine can reach", NULL,
         &bind_any},
        {"config", "FILE", "names of types, and tokens of routes (JSON)", NULL, &self->config_path},
        {"keep-keys", "DAYS", "how long keys that tell doubles are kept; 0: for ever", "0",
         &self->keep_keys},
        {"hook", "NAME=URL[=FILTER,…][;KEY=VALUE]…",
         "POST events there; may be given several times", NULL, &last_hook},
    };
    weft_err_t rc = weft_service_new_options(&self->service, "weft-bridge", argc, argv, options,
                                             sizeof options / sizeof *options);
    if (rc == WEFT_OK)
        rc = weft_service_schema(self->service, s_schema, sizeof s_schema / sizeof *s_schema);
    if (rc != WEFT_OK) return rc;
    self->db = weft_service_db(self->service);
    if (!bind_any && !http_listen_loopback(self->listen)) {
        fprintf(
            stderr,
            "weft-bridge: --http '%s': not this machine alone; say --bind-any if that is meant\n",
            self->listen);
        return WEFT_E_USAGE;
    }
    if (!http_text_number(self->keep_keys, 0, KEEP_DAYS_MAX, &self->keep_days)) {
        fprintf(stderr, "weft-bridge: --keep-keys '%s': want a number from 0 to %u\n",
                self->keep_keys, KEEP_DAYS_MAX);
        return WEFT_E_USAGE;
    }
    return WEFT_OK;
}

static weft_err_t s_configure(bridge_t *self) {
    char reason[200];
    weft_err_t rc = bridge_config_load(self->config_path, &self->config);
    if (rc != WEFT_OK) return rc;
    rc = bridge_names_new(&self->names, json_object_get(self->config, "names"), reason,
                          sizeof reason);
    if (rc == WEFT_E_USAGE)
        fprintf(stderr, "weft-bridge: --config '%s': %s\n", self->config_path, reason);
    return rc;
}

static weft_err_t s_start(bridge_t *self, int argc, char **argv) {
    const http_limits_t limits = {.body_bytes_max = BODY_BYTES_MAX,
                                  .connections_max = CONNECTIONS_MAX,
                                  .files_beside = FILES_BESIDE};
    weft_err_t rc = s_configure(self);
    bridge_route(self, "GET", "/healthz", HTTP_BODY_NONE, s_healthz, self);
    bridge_route(self, "GET", "/metrics", HTTP_BODY_NONE, s_metrics, self);
    bridge_route(self, "GET", "/readyz", HTTP_BODY_NONE, s_readyz, self);
    if (rc == WEFT_OK) rc = service_health_watch(self->service);
    if (rc == WEFT_OK) rc = bridge_hooks_new(&self->hooks, self, argc, argv);
    if (rc == WEFT_OK)
        rc = bridge_posts_new(&self->posts, self,
                              self->keep_days ? (int64_t) self->keep_days * DAY_US
                                              : IDEMPOTENCY_FOR_EVER);
    if (rc == WEFT_OK) rc = bridge_streams_new(&self->streams, self);
    if (rc == WEFT_OK) rc = s_set_tokens(self);
    if (rc == WEFT_OK)
        rc = service_http_new_limits(&self->http, self->service, self->listen, self->routes,
                                     self->routes_count, &limits);
    if (rc == WEFT_OK) http_server_on_turn(self->http, bridge_posts_turn, self->posts);
    return rc;
}

/* In this order: answers under way may still need the database. */
static void s_stop(bridge_t *self) {
    if (self->http) http_server_stop(self->http);
    http_server_destroy(&self->http);
    bridge_streams_destroy(&self->streams);
    bridge_posts_destroy(&self->posts);
    bridge_hooks_destroy(&self->hooks);
    bridge_names_destroy(&self->names);
    json_decref(self->config);
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
