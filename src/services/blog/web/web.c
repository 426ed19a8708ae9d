/* blog-web: the page of the blog, and the one origin that their browser talks to. */
#include <blog_app.h>
#include <service_health.h>

#include "web_pages.h"

static weft_err_t s_start(blog_app_t *app) {
    return service_health_watch(app->service);
}

static void s_serving(blog_app_t *app) {
    http_server_one_origin(app->http);
}

int main(int argc, char **argv) {
    static const http_route_t routes[] = {
        {"GET", "/", HTTP_BODY_NONE, web_pages_blog, NULL},
        {"GET", "/assets/:version/:name", HTTP_BODY_NONE, web_pages_asset, NULL},
    };
    static const blog_config_t config = {
        .name = "blog-web",
        .listen = "127.0.0.1:3000",
        .routes = routes,
        .routes_count = sizeof routes / sizeof *routes,
        .start = s_start,
        .serving = s_serving,
    };
    return blog_main(&config, argc, argv);
}
