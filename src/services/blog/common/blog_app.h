/* blog_app: the frame of a service of the blog: options, schema, statements, HTTP, health, end.
 *
 * A service fills a blog_config_t and calls blog_main. Everything runs on one thread. */
#ifndef BLOG_APP_H
#define BLOG_APP_H

#include <sqlite3.h>

#include <http_server.h>
#include <weft.h>

#include "blog_idem.h"

#define BLOG_STATEMENTS_MAX 24u
#define BLOG_OPTIONS_MAX 8u
#define BLOG_ROUTES_MAX 24u

typedef struct blog_app blog_app_t;

typedef struct {
    const char *name;   /* of the service, its database and its events' source */
    const char *listen; /* default of --http */
    const weft_option_t *options;
    size_t options_count;
    const char *const *schema; /* steps; see weft_service_schema */
    size_t schema_count;
    const char *const *sql; /* statements, prepared at their first use */
    size_t sql_count;
    const http_route_t *routes; /* each gets the blog_app_t as its arg */
    size_t routes_count;
    bool forwards;    /* Weft-After is for those behind it: its own place in the log says nothing */
    bool idempotency; /* the schema has IDEMPOTENCY_SCHEMA */
    weft_err_t (*start)(blog_app_t *app); /* register handlers; NULL: only watch the bus */
    void (*serving)(blog_app_t *app);     /* app->http is there; may be NULL */
    void (*after_apply)(blog_app_t *app); /* after a transaction that applied events; may be NULL */
    void (*stop)(blog_app_t *app);        /* the loop has ended; may be NULL */
    void *state;                          /* the service's own */
} blog_config_t;

struct blog_app {
    const blog_config_t *config;
    weft_service_t *service;
    http_server_t *http;
    idempotency_t *idem; /* NULL without config->idempotency */
    sqlite3 *db;
    sqlite3_stmt *statements[BLOG_STATEMENTS_MAX];
    http_route_t routes[BLOG_ROUTES_MAX];
    const char *listen;
    void *state; /* config->state */
};

/* Run a service to its end. Returns the program's exit status. */
int blog_main(const blog_config_t *config, int argc, char **argv);

#endif
