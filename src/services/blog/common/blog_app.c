/* blog_app: the frame of a service of the blog: options, schema, statements, HTTP, health, end.
 *
 * Ready means that the database is open. A bus that is away is told, and is no reason to send
 * nobody here: the service works on without it. */
#include "blog_app.h"

#include <string.h>

#include <service_http.h>

#include "blog_db.h"

/* A service without handlers has no reading end and would know nothing of the bus. This filter
 * matches no event that anybody emits, so all it costs is the heartbeat. */
#define WATCH_FILTER "weft.none"

static weft_err_t s_ignore(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    (void) tx;
    (void) event;
    (void) arg;
    return WEFT_OK;
}

weft_err_t blog_app_watch_bus(blog_app_t *app) {
    return weft_service_on(app->service, WATCH_FILTER, s_ignore, NULL);
}

/* ---------------------------------------------------------------------------------------------- */
/* Health */

static void s_healthz(http_request_t *request, void *arg) {
    (void) arg;
    http_answer_json(request, 200, json_pack("{s:b}", "alive", 1));
}

static bool s_database_open(blog_app_t *app) {
    return sqlite3_exec(app->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) ==
           SQLITE_OK;
}

static json_t *s_bus(const weft_service_info_t *info) {
    uint64_t position = info->sub.position.value, head = info->sub.head.value;
    json_t *bus = json_pack("{s:b,s:b,s:I,s:I,s:I}", "reachable", info->sub.connected, "live",
                            info->sub.connected && info->sub.live, "position",
                            (json_int_t) position, "head", (json_int_t) head, "behind",
                            (json_int_t) (head > position ? head - position : 0));
    weft_err_t stopped = info->sub.stopped != WEFT_OK ? info->sub.stopped : info->publisher;
    if (bus && stopped != WEFT_OK)
        json_object_set_new(bus, "stopped", json_string(weft_err_name(stopped)));
    return bus;
}

static void s_readyz(http_request_t *request, void *arg) {
    blog_app_t *app = arg;
    weft_service_info_t info;
    bool open = s_database_open(app);
    weft_service_info(app->service, &info);
    http_answer_json(request, open ? 200 : 503,
                     json_pack("{s:b,s:s,s:o,s:{s:I,s:I},s:I,s:I,s:I}", "ready", open, "database",
                               open ? "open" : "failed", "bus", s_bus(&info), "applied", "catchUp",
                               (json_int_t) info.applied_catch_up, "live",
                               (json_int_t) info.applied_live, "outbox", (json_int_t) info.outbox,
                               "parked", (json_int_t) info.parked, "held",
                               (json_int_t) http_server_held(app->http)));
}

static size_t s_routes(blog_app_t *app) {
    const blog_config_t *config = app->config;
    size_t count = config->routes_count;
    for (size_t i = 0; i < count; i++) {
        app->routes[i] = config->routes[i];
        app->routes[i].arg = app;
    }
    app->routes[count++] = (http_route_t){"GET", "/healthz", HTTP_BODY_NONE, s_healthz, app};
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
    if (rc == WEFT_OK && config->idempotency) rc = blog_idem_new(&app->idem, app->service);
    if (rc == WEFT_OK) rc = config->start ? config->start(app) : blog_app_watch_bus(app);
    if (rc == WEFT_OK && config->after_apply)
        rc = weft_service_after_apply(app->service, s_after_apply, app);
    if (rc == WEFT_OK)
        rc = service_http_new(&app->http, app->service, app->listen, app->routes, s_routes(app));
    if (rc == WEFT_OK && config->serving) config->serving(app);
    return rc;
}

/* In this order: answers under way may still need the database. */
static void s_stop(blog_app_t *app) {
    if (app->http) http_server_stop(app->http);
    if (app->service && app->db && app->config->stop) app->config->stop(app);
    http_server_destroy(&app->http);
    blog_idem_destroy(&app->idem);
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
