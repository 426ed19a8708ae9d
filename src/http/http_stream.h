/* http_stream: an answer that is made piece by piece, for as long as its client stays.
 *
 * The owner writes whenever it has something; what the connection cannot take yet waits, up to a
 * bound. An owner with much to tell writes when it is asked for more, so that a slow client slows
 * down the reading and fills no memory. A client that takes nothing for a while is cut, and so is
 * one for which more would wait than the bound allows. Thread: the server's. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "http_server.h"

#define HTTP_STREAM_WAITING_BYTES_MAX (256u << 10)
#define HTTP_STREAM_STALLED_SECONDS 30u
/* What the kernel keeps for one client: else it would grow to megabytes behind a stalled one. */
#define HTTP_STREAM_SOCKET_BYTES (64 << 10)
#define HTTP_SSE_BEAT_MS 15000u

typedef struct http_stream http_stream_t;

typedef enum {
    HTTP_STREAM_SENT, /* http_stream_end was called, and all has been sent */
    HTTP_STREAM_GONE, /* the client has left */
    HTTP_STREAM_SLOW, /* cut: beyond the bound, or nothing taken for too long */
    HTTP_STREAM_CUT,  /* http_stream_cut was called */
    HTTP_STREAM_STOP  /* the server stops */
} http_stream_over_t;

typedef struct {
    const char *kind;   /* media type; borrowed */
    size_t waiting_max; /* bytes; 0: HTTP_STREAM_WAITING_BYTES_MAX */
    unsigned stalled_s; /* 0: HTTP_STREAM_STALLED_SECONDS */
    /* When nothing else was written for so long, an empty comment of server-sent events is: so a client
     * that has left is noticed, and proxies keep the connection. 0: never. */
    unsigned beat_ms;
    /* All that was written is with the connection: write more, or later. May be NULL. */
    void (*more)(http_stream_t *stream, void *arg);
    /* Exactly once, from the loop, never from within a call of the owner: forget the stream. May be
     * NULL. */
    void (*over)(http_stream_t *stream, http_stream_over_t why, void *arg);
    void *arg;
} http_stream_config_t;

/* Begin the answer of a request, held or not. Add headers before, by http_answer_header.
 * Returns NULL without memory: the request is answered with 500 and over is not called. */
http_stream_t *http_stream_begin(http_request_t *request, unsigned status,
                                 const http_stream_config_t *config);
/* Write a piece; copied. False: it does not fit or there is no memory, the stream is cut, over
 * follows. A stream that ends or is cut takes nothing and says false, too. */
bool http_stream_write(http_stream_t *self, const void *data, size_t size);
/* Bytes that wait, and those that would still fit. */
size_t http_stream_waiting(const http_stream_t *self);
size_t http_stream_room(const http_stream_t *self);
/* The answer is complete once what waits is sent. */
void http_stream_end(http_stream_t *self);
/* Break the connection off: the client sees that the answer is not whole. */
void http_stream_cut(http_stream_t *self);

/* Server-sent events: begin with kind and beat_ms (if 0) set, and a header that asks proxies not to keep
 * pieces back. */
http_stream_t *http_sse_begin(http_request_t *request, const http_stream_config_t *config);
/* Write one event. id and event may be NULL, and hold no line breaks; those of data are kept.
 * As http_stream_write. */
bool http_sse_send(http_stream_t *self, const char *id, const char *event, const char *data);

#endif
