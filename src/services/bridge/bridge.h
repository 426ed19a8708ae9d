/* bridge: the parts of weft-bridge, and what they share. Everything runs on the service's thread.
 *
 * A part is a file bridge_PART.c with _new (open, register routes) and _destroy; bridge.c calls them
 * in order. Tables of all parts are steps of one schema, in bridge.c. */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <jansson.h>
#include <sqlite3.h>

#include <http_server.h>
#include <weft.h>

#include "bridge_names.h"

#define BRIDGE_ROUTES_MAX 32u

typedef struct bridge bridge_t;

/* A route with what guards it. */
typedef struct {
    bridge_t *bridge;
    const char *method, *pattern;
    http_handler_fn fn;
    void *arg;
    const char *token; /* NULL: open to everyone; borrowed from the configuration */
} bridge_route_t;

struct bridge {
    weft_service_t *service;
    http_server_t *http; /* NULL until the parts are there */
    sqlite3 *db;
    struct bridge_hooks *hooks;
    struct bridge_posts *posts;
    struct bridge_streams *streams;
    const char *listen, *config_path, *keep_keys; /* of the command line */
    uint64_t keep_days;                           /* 0: for ever */
    json_t *config;
    bridge_names_t *names;
    bridge_route_t guards[BRIDGE_ROUTES_MAX];
    http_route_t routes[BRIDGE_ROUTES_MAX];
    size_t routes_count;
};

/* Serve a route; before the server starts. More than BRIDGE_ROUTES_MAX is a bug. */
void bridge_route(bridge_t *self, const char *method, const char *pattern, http_body_t body,
                  http_handler_fn fn, void *arg);

/* Parse the command line, open all parts, serve to the end. Returns the program's exit status. */
int bridge_main(int argc, char **argv);

#endif
