/* weft_control: the messages of the control socket (docs/protocol.md, Control).
 *
 * A message is a text frame with the command and a frame with the body; PAGE has a third frame, a
 * run of [type stamp event] values. Decoded bodies point into the bytes they came from. */
#ifndef WEFT_CONTROL_H
#define WEFT_CONTROL_H

#include "weft.h"
#include "weft_fields.h"

#define WEFT_COMMANDS(X) \
    X(HELLO)             \
    X(WELCOME)           \
    X(FETCH)             \
    X(PAGE)              \
    X(REPORT)            \
    X(STATUS)            \
    X(STATE)             \
    X(ERROR)             \
    X(TRIM)              \
    X(TRIMMED)           \
    X(EFFECTS)           \
    X(TRACE)             \
    X(FOUND)

#define X(name) WEFT_COMMAND_##name,
typedef enum { WEFT_COMMAND_NONE, WEFT_COMMANDS(X) } weft_command_t;
#undef X

weft_command_t weft_command_parse(const void *frame, size_t size); /* NONE: unknown */
const char *weft_command_name(weft_command_t command);

/* client → bus. First of all; answered by WELCOME or ERROR. */
typedef struct {
    uint64_t id;      /* random; the reply carries it */
    uint64_t version; /* of the protocol */
    weft_text_t name; /* for people */
    weft_place_t position;
    weft_uuid_t origin; /* zero: none asked about */
} weft_hello_t;

/* The bus' word about one origin. */
typedef struct {
    uint64_t last;         /* highest sequence stored; 0: none */
    uint64_t chain;        /* origin chain there */
    uint64_t position;     /* in the log of that event */
    uint64_t refused_seq;  /* last event refused for good since the bus started; 0: none */
    uint64_t refused_code; /* weft_err_t */
} weft_origin_state_t;

typedef struct {
    uint64_t id;
    uint64_t version;
    uint64_t boot;
    weft_uuid_t log;
    uint64_t first;       /* lowest position that a reader may resume at */
    uint64_t first_chain; /* at first */
    uint64_t head;
    uint64_t chain;     /* at head */
    int64_t at;         /* Unix time in µs by the bus' clock */
    weft_text_t fanout; /* endpoints */
    weft_text_t ingest;
    weft_text_t software;
    bool accepting;
    weft_text_t reason;  /* why not; "" if accepting */
    weft_bytes_t limits; /* map: name → number, as in weft_limits.h */
    weft_bytes_t origin; /* nil, or weft_origin_state_t as a map */
} weft_welcome_t;

typedef struct {
    uint64_t id;
    weft_place_t position;
    weft_bytes_t filters; /* array of str, 1..WEFT_FILTERS_MAX */
    uint64_t max_events;
    uint64_t max_bytes;
} weft_fetch_t;

typedef struct {
    uint64_t id;
    uint64_t boot;
    weft_uuid_t log;
    uint64_t from;
    uint64_t next;  /* the reader stands here after this page */
    uint64_t chain; /* at next */
    uint64_t head;
    uint64_t count; /* events in the third frame */
    uint64_t sum;   /* of their row checksums, mod 2^64 */
} weft_page_t;

/* client → bus, never answered: how a service is doing. */
typedef struct {
    weft_text_t name;
    weft_uuid_t instance; /* origin of its outbox */
    weft_text_t software;
    uint64_t position; /* applied up to here */
    uint64_t resume;   /* the lowest position that it may still ask for; at most position */
    uint64_t outbox;
    uint64_t parked;
    int64_t parked_oldest; /* Unix time in µs at which the oldest of them was parked; 0: none */
    uint64_t skipped;      /* since its start */
    uint64_t applied_catch_up;
    uint64_t applied_live;
    bool live;
    weft_text_t on_error; /* "park", "skip" or "stop" */
    weft_text_t database; /* its file, on its own machine */
    weft_bytes_t filters; /* array of str */
} weft_report_t;

typedef struct {
    uint64_t id;
} weft_status_t;

/* The answer to STATUS. */
typedef struct {
    uint64_t id;
    uint64_t boot;
    weft_uuid_t log;
    uint64_t first;
    uint64_t head;
    uint64_t chain;
    int64_t at;
    int64_t started; /* Unix time in µs */
    weft_text_t software;
    weft_text_t fanout;
    weft_text_t ingest;
    bool accepting;
    weft_text_t reason;
    weft_bytes_t counters; /* map: name → number */
    weft_bytes_t services; /* array of {seen: µs, report: REPORT body} */
} weft_state_t;

typedef struct {
    uint64_t id;
    uint64_t code; /* weft_err_t */
    weft_text_t text;
    uint64_t version; /* of the bus' protocol */
} weft_error_t;

/* client → bus: forget old events. A bound that is 0 is none; without any, the bus' own --keep. */
typedef struct {
    uint64_t id;
    uint64_t to;     /* forget the events up to here … */
    uint64_t age_us; /* … or those that were stored longer ago than this … */
    uint64_t bytes;  /* … or as many as the store is larger than this */
    bool force;      /* also those that a service has not applied yet */
    bool dry_run;    /* only say what would happen */
} weft_trim_t;

/* The answer to TRIM: what will happen, soon and in small steps. */
typedef struct {
    uint64_t id;
    uint64_t first;  /* as it is now */
    uint64_t to;     /* first becomes this; equal to first: nothing to do */
    uint64_t wanted; /* where to would lie if no service needed the events after it */
    uint64_t head;
    uint64_t bytes;     /* that will be free, about */
    weft_text_t holder; /* service that holds it back; "" if none does */
    uint64_t holder_resume;
} weft_trimmed_t;

/* client → bus: which events have these causes? */
typedef struct {
    uint64_t id;
    weft_bytes_t causes; /* array of uint, 1..WEFT_CAUSES_MAX */
    uint64_t after;      /* of the first one, the effects up to here are known */
} weft_effects_t;

/* client → bus: which events belong to this trace? */
typedef struct {
    uint64_t id;
    weft_uuid_t trace; /* trace-id */
    uint64_t after;    /* events up to here are known */
} weft_trace_t;

/* The answer to EFFECTS and TRACE, from the index of causes. */
typedef struct {
    uint64_t id;
    uint64_t boot;
    weft_uuid_t log;
    uint64_t first;
    uint64_t head;
    uint64_t indexed;       /* the index knows the events in (first, indexed] */
    weft_bytes_t positions; /* array of uint: EFFECTS: cause and effect in turn; TRACE: positions */
    bool more;              /* WEFT_FOUND_MAX was reached: ask on behind the last one */
} weft_found_t;

/* Body of one kind. out is zeroed first. WEFT_OK, WEFT_E_BAD_FIELD, WEFT_E_VERSION (HELLO,
 * WELCOME and ERROR of another version: id and version are set, nothing else), WEFT_E_BAD_FILTER, WEFT_E_TOO_BIG. */
weft_err_t weft_hello_decode(const void *bytes, size_t size, weft_hello_t *out);
weft_err_t weft_welcome_decode(const void *bytes, size_t size, weft_welcome_t *out);
weft_err_t weft_fetch_decode(const void *bytes, size_t size, weft_fetch_t *out);
weft_err_t weft_page_decode(const void *bytes, size_t size, weft_page_t *out);
weft_err_t weft_report_decode(const void *bytes, size_t size, weft_report_t *out);
weft_err_t weft_status_decode(const void *bytes, size_t size, weft_status_t *out);
weft_err_t weft_state_decode(const void *bytes, size_t size, weft_state_t *out);
weft_err_t weft_error_decode(const void *bytes, size_t size, weft_error_t *out);
weft_err_t weft_trim_decode(const void *bytes, size_t size, weft_trim_t *out);
weft_err_t weft_trimmed_decode(const void *bytes, size_t size, weft_trimmed_t *out);
weft_err_t weft_effects_decode(const void *bytes, size_t size, weft_effects_t *out);
weft_err_t weft_trace_decode(const void *bytes, size_t size, weft_trace_t *out);
weft_err_t weft_found_decode(const void *bytes, size_t size, weft_found_t *out);
weft_err_t weft_origin_state_decode(const void *bytes, size_t size, weft_origin_state_t *out);

void weft_hello_encode(weft_buf_t *w, const weft_hello_t *in);
void weft_welcome_encode(weft_buf_t *w, const weft_welcome_t *in);
void weft_fetch_encode(weft_buf_t *w, const weft_fetch_t *in);
void weft_page_encode(weft_buf_t *w, const weft_page_t *in);
void weft_report_encode(weft_buf_t *w, const weft_report_t *in);
void weft_status_encode(weft_buf_t *w, const weft_status_t *in);
void weft_state_encode(weft_buf_t *w, const weft_state_t *in);
void weft_error_encode(weft_buf_t *w, const weft_error_t *in);
void weft_trim_encode(weft_buf_t *w, const weft_trim_t *in);
void weft_trimmed_encode(weft_buf_t *w, const weft_trimmed_t *in);
void weft_effects_encode(weft_buf_t *w, const weft_effects_t *in);
void weft_trace_encode(weft_buf_t *w, const weft_trace_t *in);
void weft_found_encode(weft_buf_t *w, const weft_found_t *in);
void weft_origin_state_encode(weft_buf_t *w, const weft_origin_state_t *in);

/* The limits a client may rely on, for WELCOME. */
void weft_limits_encode(weft_buf_t *w);

/* Positions as an array of uint, each 1..2^63 - 1. out: room for max. WEFT_OK, WEFT_E_BAD_FIELD,
 * WEFT_E_TOO_BIG (more than max). */
weft_err_t weft_positions_decode(weft_bytes_t raw, uint64_t *out, size_t max, size_t *count);
void weft_positions_encode(weft_buf_t *w, const uint64_t *in, size_t count);

/* Filters as an array of str. Each is checked. */
typedef struct {
    size_t count;
    weft_text_t *items; /* array of WEFT_FILTERS_MAX, the caller's */
} weft_filters_t;
weft_err_t weft_filters_decode(weft_bytes_t raw, weft_filters_t *out);
void weft_filters_encode(weft_buf_t *w, const weft_filters_t *in);

weft_text_t weft_text(const char *text); /* borrowed, NUL-terminated */

#endif
