/* bridge_stream: the log over HTTP, read from the bus, never whole in memory.
 *
 *   GET /events         ?after=N &limit=N &type=FILTER  a JSON array, up to the log's end as it was
 *   GET /events/stream  the same words, or Last-Event-ID: server-sent events, on and on
 *
 * N is a position; with after=0 all that the log keeps. Without one GET /events gives all, the stream what comes from
 * now on. An id of the stream is a position: with Last-Event-ID it goes on without a gap. */
#ifndef BRIDGE_STREAM_H
#define BRIDGE_STREAM_H

#include "bridge_cursor.h"

/* Registers the routes. Returns WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t bridge_streams_new(bridge_streams_t **out, bridge_t *bridge);
/* After the server is gone. */
void bridge_streams_destroy(bridge_streams_t **self_p);

#endif
