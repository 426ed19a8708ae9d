/* weft_ask: one request to the bus, one reply. Owned by one thread.
 *
 * Every function waits at most timeout_ms (-1: for ever) and returns WEFT_OK, WEFT_E_UNREACHABLE,
 * WEFT_E_INTERRUPTED (stop_fd), or the code that the bus refused with; weft_ask_reason tells
 * more. What they hand out points into the reply and is valid until the next request. */
#ifndef WEFT_ASK_H
#define WEFT_ASK_H

#include "weft_link.h"
#include "weft_wire_event.h"

typedef struct {
    weft_link_t link;
    int stop_fd; /* once readable, waits end; -1: none. The caller may set it */
    void (*note)(void *arg,
                 bool there); /* told again and again whether the bus is there; may be NULL */
    void *note_arg;
    weft_buf_t request;
    weft_buf_t texts; /* of the event handed out */
    zmq_msg_t frames[3];
    unsigned count;
    char reason[WEFT_ENDPOINT_BYTES + 256];
} weft_ask_t;

/* WEFT_OK, WEFT_E_ARG, WEFT_E_IO. On error it is closed. */
weft_err_t weft_ask_open(weft_ask_t *self, const char *bus);
void weft_ask_close(weft_ask_t *self);
const char *weft_ask_reason(const weft_ask_t *self);
bool weft_ask_stopped(const weft_ask_t *self); /* stop_fd is readable */

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

/* What the index of causes knows; positions in out, room for WEFT_FOUND_MAX, count of them. */
weft_err_t weft_ask_effects(weft_ask_t *self, int timeout_ms, const uint64_t *causes,
                            size_t causes_count, uint64_t after, weft_found_t *found, uint64_t *out,
                            size_t *count);
weft_err_t weft_ask_trace(weft_ask_t *self, int timeout_ms, const weft_uuid_t *trace,
                          uint64_t after, weft_found_t *found, uint64_t *out, size_t *count);

/* The event at a position within (first, head] of a WELCOME. */
weft_err_t weft_ask_event(weft_ask_t *self, int timeout_ms, weft_position_t position,
                          weft_event_t *out);

#endif
