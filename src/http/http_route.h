/* http_route: which handler serves a method and a path. Pure. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_SEGMENTS_MAX 16u
#define HTTP_ALLOW_BYTES 64u

struct http_request;
typedef void (*http_handler_fn)(struct http_request *request, void *arg);

/* HTTP_BODY_ANY: bytes of any media type; the handler looks. */
typedef enum { HTTP_BODY_NONE, HTTP_BODY_JSON, HTTP_BODY_ANY } http_body_t;

/* pattern is "/posts/:id/comments": a segment that starts with ':' takes any value that is not
 * empty. GET serves HEAD, too. Routes are tried in order. */
typedef struct {
    const char *method;
    const char *pattern;
    http_body_t body; /* HTTP_BODY_JSON: the body must be a JSON object */
    http_handler_fn fn;
    void *arg;
} http_route_t;

/* A path cut at its slashes and decoded after that, so "%2F" stays inside a segment. */
typedef struct {
    char *storage; /* owned */
    const char *segments[HTTP_SEGMENTS_MAX];
    size_t count;
} http_path_t;

typedef enum { HTTP_PATH_OK, HTTP_PATH_BAD, HTTP_PATH_DEEP, HTTP_PATH_NOMEM } http_path_result_t;

/* Cut path[0..size); one slash at the end makes no difference.
 * BAD: doesn't start with '/', or an escape is malformed. DEEP: more segments than any route has.
 * out  to be cleared by http_path_clear, whatever was returned. */
http_path_result_t http_path_cut(http_path_t *out, const char *path, size_t size);
void http_path_clear(http_path_t *path);

bool http_pattern_match(const char *pattern, const http_path_t *path);
/* Value of ":name" in a path that matches pattern, NULL if the pattern has no such name. */
const char *http_pattern_param(const char *pattern, const http_path_t *path, const char *name);

typedef enum { HTTP_ROUTE_FOUND, HTTP_ROUTE_NO_PATH, HTTP_ROUTE_NO_METHOD } http_route_result_t;

/* allow  out: HTTP_ALLOW_BYTES bytes, the methods of the path as in the header Allow; "" for NO_PATH. */
http_route_result_t http_route_find(const http_route_t *routes, size_t count, const char *method,
                                    const http_path_t *path, const http_route_t **out, char *allow);

#endif
