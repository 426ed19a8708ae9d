/* blog-web: the pages of the blog and of the mesh, and the one origin that their browser talks to.
 *
 * It has no data of its own. What the browser asks below /api goes to the service that owns it: reads
 * to query, writes to posts and comments. It knows them by their addresses alone. */
#include "web.h"

#include <service_health.h>
#include <service_http.h>

#include "web_causes.h"
#include "web_mesh.h"
#include "web_pages.h"

static weft_err_t s_start(blog_app_t *app) {
    web_t *web = app->state;
    const http_loop_t loop = service_http_loop(app->service);
    for (size_t i = 0; i < WEB_BACKENDS; i++) {
        if (http_url_valid(web->urls[i])) continue;
        weft_diag(WEFT_DIAG_ERROR, "web.backend", "wanted=http://HOST:PORT got=\"%s\"",
                  web->urls[i]);
        return WEFT_E_USAGE;
    }
    weft_err_t rc = http_client_new(&web->client, &loop, NULL);
    if (rc == WEFT_OK) rc = web_mesh_new(&web->mesh, app->service);
    if (rc == WEFT_OK) rc = web_causes_new(&web->causes, app->service);
    return rc == WEFT_OK ? service_health_watch(app->service) : rc;
}

static void s_serving(blog_app_t *app) {
    http_server_one_origin(app->http);
    http_server_gate(app->http, NULL,
                     NULL); /* what Weft-After names the services behind it wait for */
}

static void s_stop(blog_app_t *app) {
    web_t *web = app->state;
    http_client_destroy(&web->client);
    web_mesh_destroy(&web->mesh);
    web_causes_destroy(&web->causes);
}

int main(int argc, char **argv) {
    static web_t web;
    static const weft_option_t options[] = {
        {"posts", "URL", "where blog-posts serves", "http://127.0.0.1:4000", &web.urls[WEB_POSTS]},
        {"comments", "URL", "where blog-comments serves", "http://127.0.0.1:4001",
         &web.urls[WEB_COMMENTS]},
        {"query", "URL", "where blog-query serves", "http://127.0.0.1:4002", &web.urls[WEB_QUERY]},
    };
    static const http_route_t routes[] = {
        {"GET", "/", HTTP_BODY_NONE, web_pages_blog, NULL},
        {"GET", "/mesh", HTTP_BODY_NONE, web_pages_mesh, NULL},
        {"GET", "/assets/:version/:name", HTTP_BODY_NONE, web_pages_asset, NULL},
        {"GET", "/api/posts", HTTP_BODY_NONE, web_proxy_query, NULL},
        {"POST", "/api/posts", HTTP_BODY_JSON, web_proxy_posts, NULL},
        {"GET", "/api/posts/stream", HTTP_BODY_NONE, web_stream_posts, NULL},
        {"GET", "/api/posts/:id", HTTP_BODY_NONE, web_proxy_query, NULL},
        {"PUT", "/api/posts/:id", HTTP_BODY_JSON, web_proxy_posts, NULL},
        {"DELETE", "/api/posts/:id", HTTP_BODY_NONE, web_proxy_posts, NULL},
        {"POST", "/api/posts/:id/comments", HTTP_BODY_JSON, web_proxy_comments, NULL},
        {"PUT", "/api/posts/:id/comments/:cid", HTTP_BODY_JSON, web_proxy_comments, NULL},
        {"DELETE", "/api/posts/:id/comments/:cid", HTTP_BODY_NONE, web_proxy_comments, NULL},
        {"GET", "/api/mesh/stream", HTTP_BODY_NONE, web_mesh_stream, NULL},
        {"GET", "/api/mesh/causes/:position", HTTP_BODY_NONE, web_causes_show, NULL},
    };
    static const blog_config_t config = {
        .name = "blog-web",
        .listen = "127.0.0.1:3000",
        .options = options,
        .options_count = sizeof options / sizeof *options,
        .routes = routes,
        .routes_count = sizeof routes / sizeof *routes,
        .start = s_start,
        .serving = s_serving,
        .stop = s_stop,
        .forwards = true,
        .state = &web,
    };
    return blog_main(&config, argc, argv);
}
