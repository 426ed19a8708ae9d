/* blog_app: the frame of a service of the blog: options, schema, statements, HTTP, health, end. */
#include "blog_app.h"

#include <string.h>

#include <service_after.h>
#include <service_health.h>
#include <service_http.h>

#include "blog_db.h"

/* ---------------------------------------------------------------------------------------------- */
/* Health */

static void s_healthz(http_request_t *request, void *arg) {
    (void) arg;
    service_health_alive(request);
}

static void s_readyz(http_request_t *request, void *arg) {
    blog_app_t *app = arg;
    service_health_ready(request, app->service, app->http);
}

static void s_metrics(http_request_t *request, void *arg) {
    blog_app_t *app = arg;
    service_health_metrics(request, app->service);
}

static size_t s_routes(blog_app_t *app) {
    const blog_config_t *config = app->config;
    size_t count = config->routes_count;
    for (size_t i = 0; i < count; i++) {
        app->routes[i] = config->routes[i];
        app->routes[i].arg = app;
    }
    app->routes[count++] = (http_route_t){"GET", "/healthz", HTTP_BODY_NONE, s_healthz, app};
    app->routes[count++] = (http_route_t){"GET", "/metrics", HTTP_BODY_NONE, s_metrics, app};
    app->routes[count++] = (http_route_t){"GET", "/readyz", HTTP_BODY_NONE, s_readyz, app};
    return count;
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

static void s_after_apply(void *arg) {
    blog_app_t *app = arg;
    app->config->after_apply(app);
}

static weft_err_t s_open(blog_app_t *app, int argc, char **argv) {
    const blog_config_t *config = app->config;
    weft_option_t options[BLOG_OPTIONS_MAX];
    size_t count = 0;
    options[count++] = (weft_option_t){"http", "HOST:PORT", "where to serve HTTP; port 0: any free",
                                       config->listen, &app->listen};
    for (size_t i = 0; i < config->options_count; i++) options[count++] = config->options[i];
    return weft_service_new_options(&app->service, config->name, argc, argv, options, count);
}

static weft_err_t s_start(blog_app_t *app) {
    const blog_config_t *config = app->config;
    weft_err_t rc = weft_service_schema(app->service, config->schema, config->schema_count);
    app->db = weft_service_db(app->service);
    if (rc == WEFT_OK && config->idempotency)
        rc = idempotency_new(&app->idem, app->service, BLOG_IDEM_KEEP_US);
    if (rc == WEFT_OK) rc = config->start ? config->start(app) : service_health_watch(app->service);
    if (rc == WEFT_OK && config->after_apply)
        rc = weft_service_after_apply(app->service, s_after_apply, app);
    if (rc == WEFT_OK)
        rc = service_http_new(&app->http, app->service, app->listen, app->routes, s_routes(app));
    if (rc == WEFT_OK && !config->forwards) service_after_gate(app->http, app->service);
    if (rc == WEFT_OK && config->serving) config->serving(app);
    return rc;
}

/* In this order: answers under way may still need the database, and what ends a request late needs the parts. */
static void s_stop(blog_app_t *app) {
    if (app->http) http_server_stop(app->http);
    http_server_destroy(&app->http);
    if (app->service && app->db && app->config->stop) app->config->stop(app);
    idempotency_destroy(&app->idem);
    for (size_t i = 0; i < BLOG_STATEMENTS_MAX; i++) sqlite3_finalize(app->statements[i]);
    weft_service_destroy(&app->service);
}

int blog_main(const blog_config_t *config, int argc, char **argv) {
    blog_app_t app = {.config = config, .state = config->state};
    weft_err_t rc = s_open(&app, argc, argv);
    if (rc == WEFT_OK) rc = s_start(&app);
    if (rc == WEFT_OK) rc = weft_service_run(app.service);
    s_stop(&app);
    return weft_exit_code(rc);
}
