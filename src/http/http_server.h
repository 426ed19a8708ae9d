/* http_server: HTTP/1.1 with JSON on a loop that is there already.
 *
 * One thread: the loop's. A handler answers at once, or holds its request and answers later
 * from any callback of the loop. Every answer carries the CORS headers; every error has the form
 * {"errors":[{"message":…,"field":…}]}; every request leaves a line "http.access" in the diag. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <weft.h>

#include "http_loop.h"
#include "http_route.h"
#include "http_text.h"

#define HTTP_BODY_BYTES_MAX (64u << 10)
#define HTTP_CONNECTIONS_MAX 512u
#define HTTP_FILES_BESIDE 128u
#define HTTP_IDLE_SECONDS 30u
#define HTTP_LEAVE_MS 2000 /* a stopping server waits this long for answers under way */

typedef struct http_server http_server_t;
typedef struct http_request http_request_t;

/* Serve routes on "HOST:PORT" (port 0 takes a free one).
 * loop    copied; what it points to outlives the server.
 * routes  borrowed until destroy.
 * Returns WEFT_OK, WEFT_E_USAGE (listen), WEFT_E_IO, WEFT_E_NOMEM; the cause is in the diag. */
weft_err_t http_server_new(http_server_t **out, const http_loop_t *loop, const char *listen,
                           const http_route_t *routes, size_t routes_count);
/* The same with limits of its own. The soft limit of open files is raised for the connections; where the
 * hard one does not allow it there are fewer, and a line in the diag. */
typedef struct {
    size_t body_bytes_max;    /* 0: HTTP_BODY_BYTES_MAX */
    unsigned connections_max; /* 0: HTTP_CONNECTIONS_MAX */
    unsigned files_beside;    /* that the process has open beside them; 0: HTTP_FILES_BESIDE */
} http_limits_t;
weft_err_t http_server_new_limits(http_server_t **out, const http_loop_t *loop, const char *listen,
                                  const http_route_t *routes, size_t routes_count,
                                  const http_limits_t *limits);
/* Call fn whenever the requests that had arrived have gone to their handlers: what they have in common is
 * done once for all of them. */
typedef void (*http_turn_fn)(void *arg);
void http_server_on_turn(http_server_t *self, http_turn_fn fn, void *arg);
/* Answer pages of this server's own origin alone: without CORS headers, by which a browser lets the pages
 * of others ask, too. */
void http_server_one_origin(http_server_t *self);
/* HOST:PORT with the real port. */
const char *http_server_address(const http_server_t *self);
/* Accept nothing more, refuse with 503 what has not been answered, and send what has, for at most
 * HTTP_LEAVE_MS. Call after the loop has run, while it is still there. */
void http_server_stop(http_server_t *self);
/* Whether a request goes on to its route's handler. False: it was answered, or is held and may be handed
 * over later by http_request_go_on. */
typedef bool (*http_gate_fn)(http_request_t *request, void *arg);
/* Every request that has a route passes fn first. Once, before the first request. */
void http_server_gate(http_server_t *self, http_gate_fn fn, void *arg);
/* Requests that are held now. */
size_t http_server_held(const http_server_t *self);
/* NULL-safe, clears *self_p. Stops first if that was not done. */
void http_server_destroy(http_server_t **self_p);

/* What was asked. All borrowed, valid until the request ends. */
const char *http_request_method(const http_request_t *request);
const char *http_request_path(const http_request_t *request); /* as sent, without the query */
/* Value of ":name" in the route's pattern; name must be in it. */
const char *http_request_param(const http_request_t *request, const char *name);
const char *http_request_query_text(const http_request_t *request); /* as sent, "" if none */
http_query_t http_request_query(const http_request_t *request, const char *name, char *value,
                                size_t value_size);
/* NULL if it was not sent; of several the first. */
const char *http_request_header(const http_request_t *request, const char *name);
/* How often it was sent. */
unsigned http_request_header_count(const http_request_t *request, const char *name);
/* The body as an object; NULL on a route without HTTP_BODY_JSON. */
json_t *http_request_json(const http_request_t *request);
const void *http_request_body(const http_request_t *request, size_t *size);

/* Its span, WEFT_TRACEPARENT_BYTES bytes: in the trace of its `traceparent` header, or else in a new one.
 * The answer carries it. */
const uint8_t *http_request_trace(const http_request_t *request);

/* Its line in the diag is of level debug: for what is asked for all the time. */
void http_request_quiet(http_request_t *request);

/* Answer later. cancel is called instead of a later answer if the server stops first: it forgets
 * the request, which is answered with 503. */
typedef void (*http_cancel_fn)(http_request_t *request, void *arg);
void http_request_hold(http_request_t *request, http_cancel_fn cancel, void *arg);
/* A request that a gate holds: now to its handler. */
void http_request_go_on(http_request_t *request);
/* Name a request, and ask whether another one with its name is held. mark is copied. */
weft_err_t http_request_mark(http_request_t *request, const char *mark);
bool http_request_mark_held(const http_request_t *request);

/* Add a header to the answer, in the place of the usual one of that name; before the answer is given.
 * Lost without memory or beyond 12. name is borrowed, value copied. */
void http_answer_header(http_request_t *request, const char *name, const char *value);
/* Exactly one of these for each request. */
void http_answer_empty(http_request_t *request, unsigned status);
/* text  one line of JSON from malloc; taken. NULL (no memory) makes it a 500. */
void http_answer_text(http_request_t *request, unsigned status, char *text);
/* data  borrowed for the life of the program. kind  its media type. */
void http_answer_data(http_request_t *request, unsigned status, const char *kind, const void *data,
                      size_t size);
/* json  taken. NULL (no memory) makes it a 500. */
void http_answer_json(http_request_t *request, unsigned status, json_t *json);
/* field  may be NULL. */
void http_answer_error(http_request_t *request, unsigned status, const char *message,
                       const char *field);

#endif
