/* weft_wire_event: the event and its stamp as bytes (docs/protocol.md, Event and Stamp).
 *   event  [v, origin, source_seq, time_us, source, subject, cause, traceparent, data]
 *   stamp  [position, stored_us, chain] */
#ifndef WEFT_WIRE_EVENT_H
#define WEFT_WIRE_EVENT_H

#include "weft.h"
#include "weft_mp.h"

/* An event's fields; everything points into the bytes it was decoded from. */
typedef struct {
    const uint8_t *origin; /* 16 bytes */
    uint64_t source_seq;
    int64_t time_us;
    const char *source;
    size_t source_size;
    const char *subject; /* NULL: none */
    size_t subject_size;
    uint64_t cause;             /* 0: none */
    const uint8_t *traceparent; /* 25 bytes, or NULL */
    const uint8_t *data;
    size_t data_size;
    const uint8_t *bytes; /* the whole event */
    size_t size;
} weft_wire_event_t;

/* Where the fields of a decoded event lie in its bytes, so that a copy of them need not be decoded. */
typedef struct {
    uint64_t source_seq, cause;
    int64_t time_us;
    uint32_t origin, source, source_size, subject, subject_size;
    uint32_t traceparent; /* 0: none */
    uint32_t data;        /* up to the end */
    uint32_t size;
} weft_wire_layout_t;

typedef struct {
    uint64_t position;
    int64_t stored_us;
    uint64_t chain;
} weft_stamp_t;

/* Take one event. Returns WEFT_OK, WEFT_E_BAD_EVENT, WEFT_E_VERSION (v is not ours),
 * WEFT_E_TOO_BIG. In the last two cases, and for a BAD_EVENT that is one whole msgpack value, the
 * cursor has passed it; otherwise it stays and the rest of the bytes cannot be read.
 * origin and source_seq are set, if they could be read, also on error; else origin is NULL. */
weft_err_t weft_wire_event_take(weft_mp_t *r, weft_wire_event_t *out);
/* event was taken by weft_wire_event_take with WEFT_OK. */
weft_wire_layout_t weft_wire_event_layout(const weft_wire_event_t *event);
/* Append an event; bytes and size are ignored. The fields must be legal (see weft_wire_event_check). */
void weft_wire_event_put(weft_buf_t *w, const weft_wire_event_t *event);
/* Are the fields of an event to be sent legal? WEFT_OK, WEFT_E_BAD_EVENT, WEFT_E_TOO_BIG. */
weft_err_t weft_wire_event_check(const weft_wire_event_t *event);

bool weft_stamp_take(weft_mp_t *r, weft_stamp_t *out);
/* Writes exactly WEFT_STAMP_BYTES_MAX bytes. */
void weft_stamp_write(uint8_t *to, const weft_stamp_t *stamp);

#endif
