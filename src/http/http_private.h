/* http_private: what http_server.c (connections, loop) and http_request.c (one request) share. */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <microhttpd.h>

#include "http_server.h"
#include "http_stream.h"

#define HTTP_HEADERS_MAX 12u
#define HTTP_ADDRESS_BYTES 300u
/* What bodies beyond HTTP_BODY_BYTES_MAX may take, of all requests together. */
#define HTTP_LARGE_BYTES_MAX (64u << 20)
/* A body that is refused is still read up to here, so that its sender gets to see the answer. */
#define HTTP_DRAIN_BYTES_MAX (8u << 20)

struct http_server {
    http_loop_t loop;
    char address[HTTP_ADDRESS_BYTES];
    struct MHD_Daemon *daemon;
    const http_route_t *routes;
    size_t routes_count;
    http_gate_fn gate; /* may be NULL */
    void *gate_arg;
    int epoll_fd;
    int timer_id; /* valid while timer_due_ms >= 0 */
    int64_t timer_due_ms;
    int wake_fd; /* readable: have MHD look again */
    int beat_id; /* valid while beat_ms */
    unsigned beat_ms;
    http_turn_fn turn;
    void *turn_arg;
    http_request_t *held;   /* list */
    size_t asked;           /* of them: not suspended, so MHD asks for the answer at each run */
    size_t expected;        /* as many as that have lately shared a turn */
    http_stream_t *streams; /* list */
    size_t body_bytes_max;
    char body_refusal[64]; /* for what is larger */
    size_t large_bytes;    /* taken now, see HTTP_LARGE_BYTES_MAX */
    size_t begun;          /* requests, ever */
    size_t under_way;      /* requests that have begun and not ended */
    bool stopping, one_origin, running, resumed;
};

struct http_request {
    http_server_t *server;
    struct MHD_Connection *connection;
    char *uri;         /* owned: the path, cut off at its NUL from the query */
    const char *query; /* within uri, "" if none */
    const char *method;
    const http_route_t *route; /* NULL: nothing to call */
    http_path_t path;
    char *body;
    size_t body_size, body_room, taken; /* taken counts what was thrown away, too */
    json_t *json;
    char *mark;
    struct {
        const char *name;
        char *value;
    } headers[HTTP_HEADERS_MAX];
    size_t headers_count;
    unsigned refusal; /* status decided before the body came; 0: none */
    const char *refusal_text;
    bool begun, dispatched, held, suspended, queued, quiet;
    http_cancel_fn cancel;
    void *cancel_arg;
    http_request_t *next_held;
    struct MHD_Response *response; /* given and not yet queued */
    http_stream_t *stream;         /* owned; NULL: the answer is one piece */
    unsigned status;               /* of the answer; 0: none given */
    size_t answer_size;
    int64_t started_us;
    uint8_t trace[WEFT_TRACEPARENT_BYTES]; /* its own span in the caller's trace, or in a new one */
};

/* Monotonic. */
int64_t http_now_us(void);

/* A connection was resumed: have MHD look at it. */
void http_server_wake(http_server_t *self);
/* There is a stream that wants signs of life so often; 0: it does not. */
void http_server_beat(http_server_t *self, unsigned beat_ms);

/* uri is copied; NULL without memory. */
http_request_t *http_request_new(http_server_t *server, struct MHD_Connection *connection,
                                 const char *uri);
void http_request_destroy(http_request_t **self_p);
/* Headers are there: find the route, decide what can be refused now. */
void http_request_begin(http_request_t *self, const char *method);
/* True if the refusal cannot wait for the body. */
bool http_request_refuse_now(const http_request_t *self);
/* Take a piece of the body. False: enough, cut the connection. */
bool http_request_take(http_request_t *self, const char *data, size_t size);
/* All is there: answer or hold. */
void http_request_dispatch(http_request_t *self);
void http_request_refuse(http_request_t *self);
/* Hand the answer over to MHD, if it is there: else MHD asks again. */
enum MHD_Result http_request_deliver(http_request_t *self);
/* The answer is there: MHD gets it now, or as soon as it comes to the connection. response is taken
 * and may be NULL without memory. */
void http_request_answered(http_request_t *self, unsigned status, struct MHD_Response *response);
/* False without memory. */
bool http_request_add_headers(http_request_t *self, struct MHD_Response *response, bool body);
/* Have MHD leave the connection alone, and go on with it. */
void http_request_suspend(http_request_t *self);
/* Those that are held, from now on: nobody asks for their answers until they are given. */
void http_requests_suspend_held(http_server_t *server);
void http_request_resume(http_request_t *self);
/* The held request is answered by its owner's cancel and a 503. */
void http_request_cancel(http_request_t *self);

/* The stream's request has ended: tells the owner, frees the stream. */
void http_stream_finish(http_stream_t *self, enum MHD_RequestTerminationCode how);
/* Cut them all. */
void http_streams_stop(http_server_t *server);
/* Write signs of life where they are due. Returns the shortest beat_ms of all, 0: no stream wants any. */
unsigned http_streams_beat(http_server_t *server);

#endif
