/* web: what the files of blog-web share. */
#ifndef WEB_H
#define WEB_H

#include <blog_app.h>
#include <http_client.h>

typedef struct web_mesh web_mesh_t;
typedef struct web_causes web_causes_t;

/* The services behind the one origin. */
typedef enum { WEB_POSTS, WEB_COMMENTS, WEB_QUERY, WEB_BACKENDS } web_backend_t;

typedef struct {
    const char *urls[WEB_BACKENDS]; /* "http://HOST:PORT" */
    http_client_t *client;
    web_mesh_t *mesh;
    web_causes_t *causes;
} web_t;

/* web_proxy.c: handlers that hand a request on, without its /api, and the answer back. arg is the
 * blog_app_t. */
void web_proxy_posts(http_request_t *request, void *arg);
void web_proxy_comments(http_request_t *request, void *arg);
void web_proxy_query(http_request_t *request, void *arg);

/* web_stream.c: the stream of what changes, handed on from query. arg is the blog_app_t. */
void web_stream_posts(http_request_t *request, void *arg);

#endif
