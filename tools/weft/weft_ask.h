/* weft_ask: one request to the bus, one reply. Owned by one thread.
 *
 * Every function waits at most timeout_ms (-1: for ever) and returns WEFT_OK, WEFT_E_UNREACHABLE,
 * WEFT_E_INTERRUPTED (weft_stop), or the code that the bus refused with; weft_ask_reason tells
 * more. What they hand out points into the reply and is valid until the next request. */
#ifndef WEFT_ASK_H
#define WEFT_ASK_H

#include "weft_link.h"
#include "weft_presence.h"
#include "weft_wire_event.h"

typedef struct {
    weft_link_t link;
    weft_presence_t presence; /* args may be set to have it say that the bus is away */
    weft_buf_t request;
    weft_buf_t texts; /* of the event handed out */
    zmq_msg_t frames[3];
    unsigned count;
    char reason[WEFT_ENDPOINT_BYTES + 256];
} weft_ask_t;

/* WEFT_OK, WEFT_E_ARG, WEFT_E_IO. On error it is closed. */
weft_err_t weft_ask_open(weft_ask_t *self, const char *bus);
/* The same for an online verb; what is wrong has been told. */
weft_err_t weft_ask_begin(weft_ask_t *self, const weft_args_t *args);
/* Tell why the last request failed. Returns rc. */
weft_err_t weft_ask_failed(const weft_ask_t *self, const weft_args_t *args, weft_err_t rc);
void weft_ask_close(weft_ask_t *self);
const char *weft_ask_reason(const weft_ask_t *self);

weft_err_t weft_ask_welcome(weft_ask_t *self, int timeout_ms, weft_welcome_t *out);
/* The same with what the bus knows of an origin (NULL: nothing is asked); zero if it knows nothing. */
weft_err_t weft_ask_origin(weft_ask_t *self, int timeout_ms, const weft_uuid_t *origin,
                           weft_welcome_t *welcome, weft_origin_state_t *out);
weft_err_t weft_ask_state(weft_ask_t *self, int timeout_ms, weft_state_t *out);

weft_err_t weft_ask_trim(weft_ask_t *self, int timeout_ms, const weft_trim_t *trim,
                         weft_trimmed_t *out);

/* The events after a position, as many as the bus puts into one page; taken with
 * weft_ask_page_next. */
weft_err_t weft_ask_page(weft_ask_t *self, int timeout_ms, uint64_t after,
                         const weft_filters_t *filters, uint64_t max_events, weft_page_t *page,
                         weft_mp_t *body);
typedef struct {
    weft_text_t type;
    weft_stamp_t stamp;
    weft_wire_event_t event;
} weft_ask_row_t;
/* False: no more, or the page is malformed. */
bool weft_ask_page_next(weft_mp_t *body, weft_ask_row_t *out);

/* A row as an event; valid until the next request or call of this. WEFT_OK, WEFT_E_NOMEM. */
weft_err_t weft_ask_row_event(weft_ask_t *self, const weft_ask_row_t *row, weft_event_t *out);

/* The event at a position within (first, head] of a WELCOME. */
weft_err_t weft_ask_event(weft_ask_t *self, int timeout_ms, weft_position_t position,
                          weft_event_t *out);

#endif
