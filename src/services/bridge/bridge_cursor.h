/* bridge_cursor: one client that reads events, and how far it has come. Shared by bridge_stream.c (HTTP, and
 * those that are up to date) and bridge_reader.c (those that are behind). */
#ifndef BRIDGE_CURSOR_H
#define BRIDGE_CURSOR_H

#include <http_stream.h>

#include "bridge_feed.h"

/* A cursor writes while less than this waits: so that bounds what a client costs, with one event more. */
#define BRIDGE_CURSOR_SOFT_BYTES (16u << 10)
/* An event of 256 KiB with each byte escaped, on top of that: never reached by a cursor that keeps to it. */
#define BRIDGE_CURSOR_HARD_BYTES (4u << 20)

typedef struct bridge_streams bridge_streams_t;
typedef struct bridge_readers bridge_readers_t;
typedef struct bridge_cursor bridge_cursor_t;

typedef enum { BRIDGE_AS_ARRAY, BRIDGE_AS_CLOUD_ARRAY, BRIDGE_AS_SSE } bridge_form_t;

struct bridge_cursor {
    bridge_streams_t *owner;
    http_request_t *request; /* held; NULL once answered */
    http_stream_t *stream;   /* NULL before */
    bridge_form_t form;
    char *filter;                 /* NULL: all types */
    uint64_t position;            /* has all up to here */
    uint64_t left;                /* events that it still wants */
    uint64_t target;              /* arrays: the log's end when they began; 0: not known yet */
    bool begun;                   /* arrays: the first event is written, a comma is due */
    bool given;                   /* the client has named a position */
    bool held;                    /* until the feed has heard the bus */
    bool live;                    /* reads from the feed */
    struct bridge_reader *reader; /* NULL: none */
    bool queued;                  /* waits for a reader */
    bridge_cursor_t *next_queued;
    bridge_cursor_t *next, *previous; /* of all */
};

/* ---- in bridge_stream.c, for the readers */

/* Begin the answer. head: of the log. False: it is over with this cursor. */
bool bridge_cursor_begin(bridge_cursor_t *self, uint64_t head);
/* Write one event that matches. False: no more now, or ever. */
bool bridge_cursor_event(bridge_cursor_t *self, const weft_event_t *event, const weft_uuid_t *log);
/* True while it has room. */
bool bridge_cursor_room(const bridge_cursor_t *self);
/* It has moved on. True: no reader is needed any more (an array is whole, a stream has joined the feed). */
bool bridge_cursor_moved(bridge_cursor_t *self, uint64_t position);
/* It cannot go on: an error if it has not begun, else the connection is broken off. */
void bridge_cursor_fail(bridge_cursor_t *self, unsigned status, const char *reason);

/* ---- in bridge_reader.c */

weft_err_t bridge_readers_new(bridge_readers_t **out, bridge_t *bridge);
void bridge_readers_destroy(bridge_readers_t **self_p);
/* Have a reader bring it up to date as soon as one is free. */
void bridge_readers_add(bridge_readers_t *self, bridge_cursor_t *cursor);
/* It has room again. */
void bridge_readers_more(bridge_readers_t *self, bridge_cursor_t *cursor);
/* Forget it. */
void bridge_readers_remove(bridge_readers_t *self, bridge_cursor_t *cursor);

#endif
