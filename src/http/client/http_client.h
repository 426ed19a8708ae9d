/* http_client: HTTP/1.1 requests to others, from a loop that is there already (libcurl's multi interface).
 *
 * One thread: the loop's. Nothing blocks. Callbacks come from the loop, never from within a call of this
 * header; in them everything may be called, http_call_cancel and http_client_call included.
 * Connections are kept and used again. Redirects are not followed, bodies are not decompressed, proxies of
 * the environment are not used: what is asked is what happens. If a kept connection turns out to have been
 * closed before a single byte of an answer came, the request is sent again on a new one, so a server may see
 * a request twice, also a POST. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft.h>

#include "http_loop.h"

#define HTTP_CLIENT_HEADERS_BYTES_MAX (64u << 10) /* of one answer */
#define HTTP_CLIENT_HEADERS_MAX 256u              /* lines of one answer */
#define HTTP_CLIENT_REASON_BYTES 256u

typedef struct http_client http_client_t;
typedef struct http_call http_call_t;

typedef struct {
    unsigned connections_max;          /* at once, in all; further calls wait. 0: no limit */
    unsigned connections_per_host_max; /* 0: no limit */
    unsigned kept_max;                 /* idle connections that are kept. 0: 64 */
    unsigned
        kept_seconds; /* an idle connection is used again for so long. 0: 4, as servers in Node close after 5 */
} http_client_config_t;

/* loop    copied; what it points to outlives the client.
 * config  NULL takes the defaults.
 * Returns WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t http_client_new(http_client_t **out, const http_loop_t *loop,
                           const http_client_config_t *config);
/* Cuts the calls under way; their callbacks are not called. Not from a callback. NULL-safe, clears *self_p. */
void http_client_destroy(http_client_t **self_p);
/* Wait for something to happen to the calls under way, at most that long, and do it: when the loop runs no more. */
void http_client_wait(http_client_t *self, int timeout_ms);
/* Calls under way. */
size_t http_client_calls(const http_client_t *self);

/* How a call ended. */
typedef enum {
    HTTP_END_ANSWERED, /* status, headers and the whole body are there */
    HTTP_END_CONNECT,  /* no connection: name unknown, refused, unreachable, TLS failed */
    HTTP_END_TIMEOUT,  /* connect_ms, timeout_ms or idle_ms ran out */
    HTTP_END_CUT,      /* the connection broke before the answer was whole */
    HTTP_END_BAD,      /* the answer is not HTTP */
    HTTP_END_TOO_BIG,  /* body beyond answer_max, or headers beyond the limits above */
    HTTP_END_STOPPED   /* on_head or on_part said so */
} http_end_t;

/* "answered", "connect", "timeout", "cut", "bad", "too_big", "stopped". Static. */
const char *http_end_name(http_end_t end);

typedef struct {
    http_end_t end;
    bool connected;  /* there was a connection, so the request may have arrived */
    unsigned status; /* 0 if no status line came */
    const char
        *body; /* ends with a NUL; what came of it if it is not whole; empty if on_part took it */
    size_t body_size;   /* bytes */
    const char *reason; /* for people: why it is not HTTP_END_ANSWERED; "" if it is */
} http_result_t;

typedef enum {
    HTTP_GO,    /* taken, more please */
    HTTP_PAUSE, /* on_part: not taken: the same bytes come again after http_call_resume */
    HTTP_STOP   /* end the call with HTTP_END_STOPPED */
} http_flow_t;

/* The last callback of a call; afterwards the call is gone. result and what http_call_header tells are
 * valid until it returns. */
typedef void (*http_done_fn)(http_call_t *call, const http_result_t *result, void *arg);
/* Status and headers are there, the body is to come. Not called for 1xx. HTTP_PAUSE is taken for HTTP_GO. */
typedef http_flow_t (*http_head_fn)(http_call_t *call, unsigned status, void *arg);
/* A piece of the body, without the chunks it came in. */
typedef http_flow_t (*http_part_fn)(http_call_t *call, const void *data, size_t size, void *arg);

typedef struct {
    const char *method;         /* NULL: GET */
    const char *url;            /* "http://HOST[:PORT]/…" or "https://…" */
    const char *const *headers; /* "Name: value" each; NULL if there are none */
    size_t headers_count;
    const void *body; /* borrowed until the call has ended; NULL: none */
    size_t body_size;
    unsigned connect_ms;  /* to get a connection. 0: 3,000 */
    unsigned timeout_ms;  /* for the whole call. 0: none, for streams */
    unsigned idle_ms;     /* without a byte of the answer, in whole seconds, at least 1. 0: none */
    size_t answer_max;    /* bytes of body. 0: 1 MiB, with on_part no limit */
    http_head_fn on_head; /* may be NULL */
    http_part_fn on_part; /* NULL: the body is gathered for on_done */
    http_done_fn on_done;
    void *arg;
} http_call_config_t;

/* True if url is one of http or https with a host, without user and password. */
bool http_url_valid(const char *url);

/* Begin a call. All but body is copied.
 * out      the call, valid until on_done has returned or it is cancelled. May be NULL.
 * Returns  WEFT_OK (on_done will be called), WEFT_E_ARG (not a URL of http or https, no on_done, a method or
 *          header with control bytes), WEFT_E_NOMEM. */
weft_err_t http_client_call(http_client_t *self, const http_call_config_t *config,
                            http_call_t **out);
/* Forget a call: nothing of it is called any more and its body is not needed any more. */
void http_call_cancel(http_call_t **call_p);
/* Go on after HTTP_PAUSE. */
void http_call_resume(http_call_t *call);

/* Value of a header of the last answer, NULL if it did not come. Borrowed. From on_head on. */
const char *http_call_header(const http_call_t *call, const char *name);
/* Go through the headers of the answer as they came: *at NULL to begin with, false at the end. */
bool http_call_header_next(const http_call_t *call, void **at, const char **name,
                           const char **value);

#endif
