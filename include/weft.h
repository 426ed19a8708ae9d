/* weft: an event mesh for microservices.
 *
 * This header is all that a user of libweft may call. Three things live here:
 *   weft_pub_t      a bare publisher: events go out, acknowledgements come back
 *   weft_sub_t      a bare subscriber: history and live events as one ordered stream of batches
 *   weft_service_t  the way to write a service: one SQLite database, handlers by filter, an outbox
 *
 * Objects are owned by one thread: whoever calls weft_x_new calls everything else on it.
 * Strings that go in are copied. A function that returns weft_err_t changes nothing on error
 * unless its comment says so. Words are those of docs/protocol.md.
 */
#ifndef WEFT_H
#define WEFT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define WEFT_API
#define WEFT_PRINTF(text, first)
#endif

/* ------------------------------------------------------------------------------------------ */
/* Errors. Numbers are fixed for ever: they travel on the wire (docs/protocol.md, Error codes). */

#define WEFT_ERRORS(X)                                                                       \
    X(WEFT_OK, 0, "success")                                                                 \
    X(WEFT_E_NOMEM, 1, "out of memory")                                                      \
    X(WEFT_E_PROTO, 2, "peer broke the protocol")                                            \
    X(WEFT_E_STORE, 3, "database could not be read or written")                              \
    X(WEFT_E_FULL, 4, "a configured limit or the disk is full")                              \
    X(WEFT_E_AGAIN, 5, "nothing to do now, try again later")                                 \
    X(WEFT_E_TIMEOUT, 6, "time ran out")                                                     \
    X(WEFT_E_USAGE, 7, "wrong use of the command line")                                      \
    X(WEFT_E_HELP, 8, "help was asked for and printed")                                      \
    X(WEFT_E_ARG, 9, "argument out of range")                                                \
    X(WEFT_E_BAD_TYPE, 10, "event type does not match the grammar")                          \
    X(WEFT_E_BAD_FILTER, 11, "filter does not match the grammar")                            \
    X(WEFT_E_BAD_EVENT, 12, "event is malformed")                                            \
    X(WEFT_E_TOO_BIG, 13, "beyond a limit of the protocol")                                  \
    X(WEFT_E_VERSION, 14, "no protocol version in common")                                   \
    X(WEFT_E_OTHER_LOG, 15, "position belongs to another log")                               \
    X(WEFT_E_LOG_BEHIND, 16, "log is behind the position: restored from an old copy?")       \
    X(WEFT_E_FORKED, 17, "log has another history than the position: forked")                \
    X(WEFT_E_GONE, 18, "position is below what the log still keeps")                         \
    X(WEFT_E_CORRUPT, 19, "stored data is damaged")                                          \
    X(WEFT_E_SCHEMA, 20, "database has a newer schema than this program")                    \
    X(WEFT_E_LOCKED, 21, "in use by another process")                                        \
    X(WEFT_E_TWIN, 22, "log knows more of this origin: old copy or twin of this database")   \
    X(WEFT_E_BUS_LOST, 23, "log has lost acknowledged events that the outbox no longer has") \
    X(WEFT_E_UNREACHABLE, 24, "bus does not answer")                                         \
    X(WEFT_E_IO, 25, "operating system refused")                                             \
    X(WEFT_E_NEW_FILTER, 26, "filter is new on a database that has a position")              \
    X(WEFT_E_PARKED_FULL, 27, "too many parked events")                                      \
    X(WEFT_E_HANDLER, 28, "handler failed")                                                  \
    X(WEFT_E_JSON, 29, "JSON has no msgpack form, or the other way round")                   \
    X(WEFT_E_NOT_FOUND, 30, "not there")                                                     \
    X(WEFT_E_STATE, 31, "call is not allowed in this state")                                 \
    X(WEFT_E_INTERRUPTED, 32, "interrupted")                                                 \
    X(WEFT_E_NOT_ACCEPTING, 33, "bus accepts no events now")                                 \
    X(WEFT_E_BOOT, 34, "bus has been restarted: HELLO first")                                \
    X(WEFT_E_BAD_FIELD, 35, "message has an unknown, doubled, missing or malformed field")   \
    X(WEFT_E_BAD_COMMAND, 36, "unknown control command")

#define X(name, number, text) name = number,
typedef enum { WEFT_ERRORS(X) } weft_err_t;
#undef X

/* Short name of a code, "FORKED" for WEFT_E_FORKED; "UNKNOWN" for a number outside the list. Static. */
WEFT_API const char *weft_err_name(weft_err_t code);
/* One sentence for a code. Static. */
WEFT_API const char *weft_err_text(weft_err_t code);
/* Exit status of a program that ends with this code: 0 for WEFT_OK and WEFT_E_HELP, 2 for
 * WEFT_E_USAGE, else 1. */
WEFT_API int weft_exit_code(weft_err_t code);
/* Version of the library, "0.1.0". Static. */
WEFT_API const char *weft_version(void);

/* ------------------------------------------------------------------------------------------ */
/* Words */

typedef struct {
    uint64_t value;
} weft_position_t; /* place in the log: 1, 2, 3 …; 0 is before the first event */

typedef struct {
    uint64_t value;
} weft_sequence_t; /* count within one origin: 1, 2, 3 …; 0 is fire-and-forget */

typedef struct {
    uint8_t bytes[16];
} weft_uuid_t;

/* Where a reader stands in the log, safe to store anywhere. position 0 means "from the start" and
 * then log and chain are all zero. */
typedef struct {
    weft_uuid_t log;
    weft_position_t position;
    uint64_t chain;
} weft_resume_t;

#define WEFT_TRACEPARENT_BYTES 25u /* trace-id 16, parent-id 8, flags 1 (W3C Trace Context) */
#define WEFT_TRACE_TEXT_BYTES 56u  /* the header "00-…-…-01" with its NUL */

/* An event by where it came from: what whoever wrote hands to whoever reads, so that the write is seen
 * (weft_service_wait). As text "ORIGIN:SEQUENCE": 32 lower-case hex digits, a colon, a number from 1. */
typedef struct {
    weft_uuid_t origin;
    weft_sequence_t sequence;
} weft_after_t;
#define WEFT_AFTER_BYTES 54u /* its text with NUL at most */

/* out: WEFT_AFTER_BYTES bytes. */
WEFT_API void weft_after_text(char *out, const weft_after_t *after);
/* text[0..size), nothing before or behind it. Dashes in the origin and upper case are taken, too.
 * Returns WEFT_OK, WEFT_E_ARG (malformed, an origin of zeros, sequence 0 or beyond 2^63 - 1). */
WEFT_API weft_err_t weft_after_parse(const char *text, size_t size, weft_after_t *out);

/* An event as a reader gets it. Pointers stay valid as long as the batch or call it came in. */
typedef struct {
    weft_position_t position;
    uint64_t chain;           /* of the log up to and with this event */
    int64_t stored_us;        /* Unix time in µs at which the bus stored it; never goes back */
    const char *type;         /* dotted name */
    weft_uuid_t origin;       /* the outbox or publisher that emitted it */
    weft_sequence_t sequence; /* place within origin; 0: fire-and-forget */
    int64_t time_us;          /* Unix time in µs at which it was emitted */
    const char *source;       /* name of the service, for people */
    const char *subject;      /* what it is about, "post/42"; "" if none */
    weft_position_t cause;    /* the event that was being handled; 0 if none */
    const uint8_t
        *traceparent; /* WEFT_TRACEPARENT_BYTES bytes, or NULL; parent-id is its own span */
    const void *data; /* exactly one msgpack value */
    size_t data_size; /* bytes */
    const void *raw;  /* the whole event as on the wire */
    size_t raw_size;  /* bytes */
} weft_event_t;

/* ------------------------------------------------------------------------------------------ */
/* Diagnostics: one line of key=value on stderr for each cause. */

typedef enum { WEFT_DIAG_DEBUG, WEFT_DIAG_INFO, WEFT_DIAG_WARN, WEFT_DIAG_ERROR } weft_diag_level_t;

/* Write one line "TIME LEVEL NAME key=value …", or the same as logfmt or JSON if WEFT_DIAG_FORMAT in the
 * environment says so. format gives the key=value part and is printf's, values with spaces in "quotes";
 * control bytes in the result are replaced. Lines below the level of WEFT_DIAG (debug, info, warn,
 * error, off; default info) in the environment are dropped. Any thread. */
WEFT_API void weft_diag(weft_diag_level_t level, const char *name, const char *format, ...)
    WEFT_PRINTF(3, 4);

/* ------------------------------------------------------------------------------------------ */
/* Publisher: bare end, keeps unacknowledged events in memory. */

typedef struct weft_pub weft_pub_t;

typedef struct {
    size_t size;        /* set by weft_pub_config_init */
    const char *bus;    /* control endpoint; default tcp://127.0.0.1:7600 */
    const char *source; /* name for people, 1..255 bytes of UTF-8; default "weft" */
    void *zmq_context;  /* a ZeroMQ context to share (needed for inproc), or NULL for an own one */
} weft_pub_config_t;

WEFT_API void weft_pub_config_init(weft_pub_config_t *config);

/* Make a publisher with a new origin. Does not wait for the bus: it may be down.
 * config  copied; NULL takes the defaults.
 * Returns WEFT_OK, WEFT_E_ARG (endpoint or source), WEFT_E_NOMEM, WEFT_E_IO. */
WEFT_API weft_err_t weft_pub_new(weft_pub_t **out, const weft_pub_config_t *config);
/* Drops what is not acknowledged: call weft_pub_flush first. NULL-safe, clears *self_p. */
WEFT_API void weft_pub_destroy(weft_pub_t **self_p);

/* Publish one event.
 * type      1..255 bytes of dotted segments [A-Za-z0-9_-]+, as "comment.created".
 * subject   0..1024 bytes of UTF-8 without control bytes; NULL means "".
 * data      exactly one msgpack value; NULL with size 0 means nil. Copied.
 * sequence  out: its place within the origin; untouched on error. May be NULL.
 * Returns   WEFT_OK (queued, not yet durable: see weft_pub_wait), WEFT_E_BAD_TYPE,
 *           WEFT_E_BAD_EVENT (subject, a cause beyond 2^63 - 1, or data is not one msgpack value),
 *           WEFT_E_TOO_BIG (encoded beyond 256 KiB), WEFT_E_FULL (8192 events wait for acknowledgement; nothing queued),
 *           or the code that stopped the publisher.
 * Never blocks. An event may wait for the next weft_pub_step, _wait or _flush to leave. */
WEFT_API weft_err_t weft_pub_send(weft_pub_t *self, const char *type, const char *subject,
                                  const void *data, size_t data_size, weft_sequence_t *sequence);
/* What is sent from now on has this cause: the position of an event that is in the log already.
 * 0: no cause, as at first. */
WEFT_API void weft_pub_cause(weft_pub_t *self, weft_position_t cause);
/* What is sent from now on belongs to this trace, each event as a new span.
 * trace  WEFT_TRACEPARENT_BYTES bytes, copied; NULL: to none, as at first. */
WEFT_API void weft_pub_trace(weft_pub_t *self, const uint8_t *trace);
/* Wait until the event with this sequence is on the bus' disk.
 * timeout_ms  -1 waits for ever, 0 only looks.
 * position    out: its place in the log, 0 if one acknowledgement covered several events. May be NULL.
 * Returns     WEFT_OK, WEFT_E_TIMEOUT, WEFT_E_ARG (never sent), or the code that stopped it. */
WEFT_API weft_err_t weft_pub_wait(weft_pub_t *self, weft_sequence_t sequence, int timeout_ms,
                                  weft_position_t *position);
/* Wait until all that was sent is acknowledged. Returns as weft_pub_wait. */
WEFT_API weft_err_t weft_pub_flush(weft_pub_t *self, int timeout_ms);
/* Highest sequence that is acknowledged; all below it are too. */
WEFT_API weft_sequence_t weft_pub_acked(const weft_pub_t *self);
/* Its origin: with a sequence from weft_pub_send it makes a weft_after_t. */
WEFT_API weft_uuid_t weft_pub_origin(const weft_pub_t *self);
/* A descriptor for poll, select or epoll that turns readable when weft_pub_step has work.
 * Owned by self. */
WEFT_API int weft_pub_fd(const weft_pub_t *self);
/* Do what is due, without blocking. Call when weft_pub_fd is readable.
 * Returns WEFT_OK or the code that stopped the publisher. */
WEFT_API weft_err_t weft_pub_step(weft_pub_t *self);

/* ------------------------------------------------------------------------------------------ */
/* Subscriber: bare end, the caller stores the position. */

typedef struct weft_sub weft_sub_t;

typedef enum {
    WEFT_START_BEGINNING, /* all that the log keeps */
    WEFT_START_NOW,       /* what is stored after the first WELCOME */
    WEFT_START_RESUME,    /* after config.resume, checked against the log */
    WEFT_START_POSITION   /* after config.resume.position, unchecked: for tools */
} weft_start_t;

typedef struct {
    size_t size;                /* set by weft_sub_config_init */
    const char *bus;            /* control endpoint; default tcp://127.0.0.1:7600 */
    const char *name;           /* name for people in the bus' list of peers; default "weft" */
    const char *const *filters; /* "comment.created", "comment.*", "comment.>", ">" */
    size_t filters_count;       /* 0..256; 0 means ">" */
    weft_start_t start;         /* default WEFT_START_BEGINNING */
    weft_resume_t resume;       /* for WEFT_START_RESUME and WEFT_START_POSITION */
    void *zmq_context;          /* a ZeroMQ context to share (needed for inproc), or NULL */
} weft_sub_config_t;

WEFT_API void weft_sub_config_init(weft_sub_config_t *config);

/* Events in log order. Between the last batch's next and this one's lies nothing else that
 * matches. count may be 0: the position moved past events of no interest. */
typedef struct {
    const weft_event_t *events;
    size_t count;
    weft_resume_t next; /* where to resume once all of these are applied */
    size_t live_count;  /* of count, those that came by the live stream and not by catch-up */
} weft_batch_t;

typedef struct {
    bool connected;           /* the bus answered, and was heard within the last 3 s */
    bool live;                /* joined to the live stream */
    weft_position_t position; /* handed out up to here */
    weft_position_t head;     /* of the log, as last heard; 0 before the first WELCOME */
    uint64_t from_catch_up;   /* events handed out that came by catch-up */
    uint64_t from_live;       /* events handed out that came live */
    uint64_t gaps;            /* times that something was missing in the live stream */
    uint64_t dropped;         /* messages refused: malformed, doubled or of another boot */
    weft_err_t stopped;       /* WEFT_OK, or why it stopped for good */
} weft_sub_info_t;

/* Make a subscriber. Does not wait for the bus.
 * Returns WEFT_OK, WEFT_E_ARG, WEFT_E_BAD_FILTER, WEFT_E_TOO_BIG (filters), WEFT_E_NOMEM, WEFT_E_IO. */
WEFT_API weft_err_t weft_sub_new(weft_sub_t **out, const weft_sub_config_t *config);
WEFT_API void weft_sub_destroy(weft_sub_t **self_p);
/* Take the next batch.
 * timeout_ms  -1 waits for ever, 0 only looks.
 * batch       out: valid until the next call on self.
 * Returns     WEFT_OK, WEFT_E_TIMEOUT, or the code that stopped the subscriber: WEFT_E_OTHER_LOG,
 *             WEFT_E_LOG_BEHIND, WEFT_E_FORKED, WEFT_E_GONE, WEFT_E_VERSION, WEFT_E_CORRUPT. */
WEFT_API weft_err_t weft_sub_recv(weft_sub_t *self, int timeout_ms, weft_batch_t *batch);
/* A descriptor for poll, select or epoll; when readable call weft_sub_recv with timeout 0 until it
 * returns WEFT_E_TIMEOUT. Owned by self. */
WEFT_API int weft_sub_fd(const weft_sub_t *self);
WEFT_API void weft_sub_info(const weft_sub_t *self, weft_sub_info_t *info);

/* True for a filter that a subscriber takes: "comment.created", "comment.*", "comment.>", ">". */
WEFT_API bool weft_filter_valid(const char *filter);
/* True if a valid filter lets this type through. */
WEFT_API bool weft_filter_matches(const char *filter, const char *type);

/* ------------------------------------------------------------------------------------------ */
/* Service */

typedef struct weft_service weft_service_t;
typedef struct weft_tx weft_tx_t;
struct sqlite3;

/* One more command-line option of a service: "--NAME VALUE", or a flag "--NAME". */
typedef struct {
    const char *name;   /* without the dashes */
    const char *value;  /* word for the value in --help, "HOST:PORT"; NULL: a flag */
    const char *help;   /* one line; the default is added to it */
    const char *preset; /* default value, may be NULL */
    const char **
        out; /* out: the value given or the default; lives as long as argv. A flag: not NULL if given */
} weft_option_t;

/* Make a service: parse argv, open (or create) and lock its database DIR/NAME.db.
 * Options every service has: --bus ENDPOINT (default $WEFT_BUS or tcp://127.0.0.1:7600), --data DIR
 * (default .), --filter-from start|now, --park-after N, --on-error park|skip|stop (what becomes of an
 * event whose handler has failed N times), --adopt-log now|start|POSITION, --new-origin, --diag-format
 * text|logfmt|json, --help, --version.
 * While it runs the service takes SIGINT and SIGTERM, SIGUSR1 (one level more of diagnostics) and SIGUSR2
 * (back to that of WEFT_DIAG).
 * Returns WEFT_OK, WEFT_E_HELP, WEFT_E_USAGE (reason on stderr), WEFT_E_LOCKED, WEFT_E_SCHEMA,
 *         WEFT_E_STORE, WEFT_E_IO, WEFT_E_NOMEM; the cause has been written by weft_diag. */
WEFT_API weft_err_t weft_service_new(weft_service_t **out, const char *name, int argc, char **argv);
/* The same with options of its own. */
WEFT_API weft_err_t weft_service_new_options(weft_service_t **out, const char *name, int argc,
                                             char **argv, const weft_option_t *options,
                                             size_t options_count);
WEFT_API void weft_service_destroy(weft_service_t **self_p);

/* Bring the database's schema up to date: steps[0..count) are SQL texts, each run once, in order,
 * in a transaction of its own. Append new steps, never change old ones. Tables that start with
 * "weft_" belong to the library. Call before weft_service_run.
 * Returns WEFT_OK, WEFT_E_STORE, WEFT_E_SCHEMA (the database has more steps than count). */
WEFT_API weft_err_t weft_service_schema(weft_service_t *self, const char *const *steps,
                                        size_t count);

/* Handle one event. Runs inside the transaction that also moves the position. Do not begin or end
 * transactions, do not block, and leave no deferred foreign key violated; a statement that it leaves
 * open is reset. Anything but WEFT_OK rolls back what it did; the event is tried again with growing
 * pauses and in the end parked together with its subject, or what --on-error says. */
typedef weft_err_t (*weft_handler_fn)(weft_tx_t *tx, const weft_event_t *event, void *arg);
/* Call before weft_service_run. Several handlers may match one event: they run in this order.
 * Returns WEFT_OK, WEFT_E_BAD_FILTER, WEFT_E_TOO_BIG (257th filter), WEFT_E_NOMEM. */
WEFT_API weft_err_t weft_service_on(weft_service_t *self, const char *filter, weft_handler_fn fn,
                                    void *arg);

/* Serve until SIGINT, SIGTERM or weft_service_stop. Prints one line "ready service=NAME …" on
 * stdout when it serves. Started by systemd (Type=notify) it tells READY=1 then, WATCHDOG=1 from its loop if
 * WatchdogSec= is set, and STOPPING=1. Works while the bus is down and goes on when it comes back.
 * Returns WEFT_OK after a clean stop, WEFT_E_NEW_FILTER, or the code that stopped it: that of weft_sub_recv,
 * WEFT_E_TWIN, WEFT_E_BUS_LOST; weft_diag has said what happened and how to go on. */
WEFT_API weft_err_t weft_service_run(weft_service_t *self);
/* End weft_service_run with rc after the work in hand. From a callback on the service's thread. */
WEFT_API void weft_service_stop(weft_service_t *self, weft_err_t rc);
/* Add key=value to the "ready" line. */
WEFT_API weft_err_t weft_service_announce(weft_service_t *self, const char *key, const char *value);

/* Run fn inside one transaction of the service's database; commit if it returns WEFT_OK, else roll
 * back. What it emits is sent after the commit, and what it leaves open is reset. For writes that come
 * from outside (HTTP).
 * Returns what fn returned, WEFT_E_STORE or WEFT_E_FULL (disk). Not from within a transaction
 * (WEFT_E_STATE). */
typedef weft_err_t (*weft_transaction_fn)(weft_tx_t *tx, void *arg);
WEFT_API weft_err_t weft_service_transaction(weft_service_t *self, weft_transaction_fn fn,
                                             void *arg);
/* The service's database, for reads outside a transaction and for preparing statements. Reset what you
 * have read: a statement that stays open lets the WAL grow, and once another process has written, nothing
 * more is written here.
 * Owned by self; SQLite handle in WAL mode with synchronous=FULL. */
WEFT_API struct sqlite3 *weft_service_db(weft_service_t *self);

/* Endpoint of the bus (--bus), and the ZeroMQ context that the service uses: for weft_sub_new and
 * weft_pub_new, further ends of the service's own. Both owned by self; destroy those ends first. */
WEFT_API const char *weft_service_bus(const weft_service_t *self);
WEFT_API void *weft_service_zmq_context(const weft_service_t *self);

/* The database inside the transaction: write through it what belongs to the event. Nothing else may
 * commit in between: the library holds the database's commit hook and refuses. */
WEFT_API struct sqlite3 *weft_tx_db(weft_tx_t *tx);
/* Emit an event in this transaction: it exists if and only if the transaction commits, and no savepoint
 * around it was rolled back. The event
 * being handled becomes its cause, and it belongs to that one's trace, as a new span; see also the two
 * functions below. Arguments and errors as weft_pub_send, plus WEFT_E_STORE. */
WEFT_API weft_err_t weft_tx_emit(weft_tx_t *tx, const char *type, const char *subject,
                                 const void *data, size_t data_size);
/* What is emitted in this transaction from now on has this cause, and not the event being handled: for
 * a write from outside that builds on an event applied earlier. 0: no cause. */
WEFT_API void weft_tx_cause(weft_tx_t *tx, weft_position_t cause);
/* What is emitted in this transaction from now on belongs to this trace, each event as a new span.
 * trace  WEFT_TRACEPARENT_BYTES bytes, copied; NULL: to none. */
WEFT_API void weft_tx_trace(weft_tx_t *tx, const uint8_t *trace);
/* Keep the reason of a handler's failure, for the log and the parked row. printf's format. */
WEFT_API void weft_tx_reason(weft_tx_t *tx, const char *format, ...) WEFT_PRINTF(2, 3);

/* Let the service's loop serve a descriptor. events are poll(2)'s POLLIN and POLLOUT; a second call
 * for the same fd replaces the first. */
typedef void (*weft_fd_fn)(int fd, short revents, void *arg);
WEFT_API weft_err_t weft_service_fd(weft_service_t *self, int fd, short events, weft_fd_fn fn,
                                    void *arg);
WEFT_API void weft_service_fd_end(weft_service_t *self, int fd);
/* Call fn after delay_ms, times times (0: for ever). id out: for weft_service_timer_end. May be NULL. */
typedef void (*weft_timer_fn)(void *arg);
WEFT_API weft_err_t weft_service_timer(weft_service_t *self, unsigned delay_ms, unsigned times,
                                       weft_timer_fn fn, void *arg, int *id);
WEFT_API void weft_service_timer_end(weft_service_t *self, int id);
/* Call fn after each transaction that applied events, outside of it. */
WEFT_API weft_err_t weft_service_after_apply(weft_service_t *self, weft_timer_fn fn, void *arg);

typedef struct {
    weft_sub_info_t sub;       /* where the reading end stands; position: applied up to there */
    weft_position_t stored;    /* position in the database */
    uint64_t applied_catch_up; /* events applied since the start that came by catch-up */
    uint64_t applied_live;     /* events applied since the start that came live */
    uint64_t outbox;           /* events emitted and not yet acknowledged */
    uint64_t parked;           /* rows in weft_parked */
    int64_t parked_oldest_us; /* Unix time in µs at which the oldest of them was parked; 0: none */
    uint64_t skipped;         /* events given up since the start (--on-error skip) */
    weft_err_t publisher;     /* WEFT_OK, or why the publisher stopped */
    weft_err_t
        trouble; /* WEFT_OK, or why the last write did not come into the database: WEFT_E_FULL … */
} weft_service_info_t;
WEFT_API void weft_service_info(weft_service_t *self, weft_service_info_t *info);
/* All figures of the service as text for Prometheus (docs/operations.md has the table), for whoever serves
 * HTTP: the answer to GET /metrics, with WEFT_METRICS_TYPE as its Content-Type. Families of your own may
 * follow it; names that begin with "weft_" and "process_" are taken.
 * text  out: NUL-terminated, allocated with malloc: the caller frees.
 * Returns WEFT_OK, WEFT_E_NOMEM. Reads two rows and a few files of /proc. */
#define WEFT_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
WEFT_API weft_err_t weft_service_metrics(weft_service_t *self, char **text);

/* Read your writes. What this service emitted last and committed: the token that a write's answer
 * carries. sequence 0: it has never emitted anything. */
WEFT_API void weft_service_written(const weft_service_t *self, weft_after_t *out);

/* How a wait ended. */
typedef struct {
    weft_err_t
        rc; /* WEFT_OK: all up to the event is applied. WEFT_E_TIMEOUT: behind. WEFT_E_NOT_FOUND: the
                      log does not hold the event yet. WEFT_E_UNREACHABLE: the bus did not say where the event
                      lies. Else the code that stopped the reading end for good, as of weft_sub_recv. */
    weft_position_t target;  /* what was waited for; 0: not known, or nothing to wait for */
    weft_position_t applied; /* the service has applied all up to here */
    uint64_t parked; /* of the events up to there, those set aside: their effects are missing */
} weft_waited_t;
typedef void (*weft_waited_fn)(const weft_waited_t *waited, void *arg);
#define WEFT_WAITS_MAX 4096u

/* Call fn once this service has applied all up to an event, whether it subscribes to its type or not,
 * or when timeout_ms are over. What this service wrote itself it has applied. The bus knows the last
 * event of an origin alone: where an earlier one was not seen here, that last one is waited for.
 * after    NULL: all that the log holds at the time of this call.
 * fn       is called once, on the service's thread: before this returns if the answer is known already
 *          (id is 0 then), else from weft_service_run; never after that has returned.
 * id       out: for weft_service_wait_end. May be NULL.
 * Returns  WEFT_OK, WEFT_E_FULL (WEFT_WAITS_MAX wait), WEFT_E_NOMEM; then fn is not called. Never blocks. */
WEFT_API weft_err_t weft_service_wait(weft_service_t *self, const weft_after_t *after,
                                      unsigned timeout_ms, weft_waited_fn fn, void *arg,
                                      uint64_t *id);
/* Forget a wait; fn is not called. Unknown ids are passed over. */
WEFT_API void weft_service_wait_end(weft_service_t *self, uint64_t id);

/* Work off the parked events of a subject in order (NULL: of all subjects), each applied and deleted
 * in one transaction; a subject's first failure ends its turn. done out: rows worked off. May be NULL.
 * Returns WEFT_OK, WEFT_E_HANDLER (some remain), WEFT_E_STORE. */
WEFT_API weft_err_t weft_service_retry_parked(weft_service_t *self, const char *subject,
                                              uint64_t *done);

/* ------------------------------------------------------------------------------------------ */
/* Traces: W3C Trace Context in WEFT_TRACEPARENT_BYTES bytes. Any thread. */

/* The value of a `traceparent` header. A later version than 00 is read as far as it is known; only
 * the flag "sampled" is kept. False: it is none; trace is untouched, and a new trace is to be begun. */
WEFT_API bool weft_trace_parse(const char *text, uint8_t *trace);
/* text out: WEFT_TRACE_TEXT_BYTES bytes, ends with a NUL. */
WEFT_API void weft_trace_text(const uint8_t *trace, char *text);
/* A new trace with a first span, sampled. */
WEFT_API void weft_trace_begin(uint8_t *trace);
/* The same trace, a new span. */
WEFT_API void weft_trace_next(uint8_t *trace);

/* ------------------------------------------------------------------------------------------ */
/* Status */

/* Ask a bus how it is: one JSON object with log, boot, head, chain, accepting, reason, software, started,
 * fanout, ingest, counters and services, as STATE in docs/protocol.md; log, boot and chain in hex.
 * bus         control endpoint.
 * timeout_ms  how long to wait for the answer.
 * json        out: NUL-terminated, allocated with malloc: the caller frees.
 * Returns     WEFT_OK, WEFT_E_ARG, WEFT_E_UNREACHABLE, WEFT_E_PROTO, WEFT_E_VERSION, WEFT_E_NOMEM, WEFT_E_IO.
 * Any thread; blocks up to timeout_ms. */
WEFT_API weft_err_t weft_bus_status(const char *bus, int timeout_ms, char **json);

/* ------------------------------------------------------------------------------------------ */
/* Causes: why an event happened, and what followed */

typedef struct {
    size_t size;     /* set by weft_explain_config_init */
    const char *bus; /* control endpoint; default tcp://127.0.0.1:7600 */
    int timeout_ms;  /* of each request; default 5000, -1 waits for ever */
    unsigned events; /* in the answer at most, 1..10000; default 1000 */
    /* Called while the part of the log that the bus' index does not cover is read through, first with
     * done 0: how many events of how many. False ends it. May be NULL. */
    bool (*progress)(void *arg, uint64_t done, uint64_t total);
    void *arg;
    int stop_fd; /* a descriptor that ends it when it is readable; default -1: none */
} weft_explain_config_t;

WEFT_API void weft_explain_config_init(weft_explain_config_t *config);
/* The events that led to the one at a position, and those that it led to, as one JSON object:
 *   position or trace  what was asked for
 *   log first head     of the bus; ids in hex
 *   indexed scanned    position up to which the index was used, events read through beyond it
 *   complete           false: there are more than config.events
 *   events             array, by position: position type subject source origin sequence time stored cause
 *                      trace span handlers. time and stored are Unix time in µs; cause is a position or null,
 *                      and not among the events if it is gone or led elsewhere; trace and span are hex or null.
 *                      handlers: array, one for each service that reports to the bus and consumes that type:
 *                      service, handled (bool: its position has passed the event), at (µs, or null: when
 *                      it emitted something while handling the event), effects (positions), silent (bool: not heard
 *                      for 10 s), parked (events that it has set aside, of whatever type)
 * config  NULL: all defaults.
 * json    out: NUL-terminated, from malloc: the caller frees.
 * reason  out on error: one sentence, reason_size bytes. May be NULL.
 * Returns WEFT_OK, WEFT_E_ARG, WEFT_E_NOT_FOUND, WEFT_E_GONE (the log has forgotten it), WEFT_E_UNREACHABLE,
 *         WEFT_E_INTERRUPTED, WEFT_E_CORRUPT, WEFT_E_PROTO, WEFT_E_VERSION, WEFT_E_NOMEM, WEFT_E_IO.
 * Any thread; blocks. */
WEFT_API weft_err_t weft_explain(const weft_explain_config_t *config, weft_position_t position,
                                 char **json, char *reason, size_t reason_size);
/* The same for all events of a trace. trace_id: 16 bytes, the first ones of a traceparent. */
WEFT_API weft_err_t weft_explain_trace(const weft_explain_config_t *config, const uint8_t *trace_id,
                                       char **json, char *reason, size_t reason_size);

/* ------------------------------------------------------------------------------------------ */
/* JSON at the edges (docs/protocol.md, JSON). Both allocate *out with malloc: the caller frees. */

/* One JSON value (any kind) to one msgpack value.
 * reason  out: why not, reason_size bytes. May be NULL.
 * Returns WEFT_OK, WEFT_E_JSON, WEFT_E_TOO_BIG (nested beyond 32), WEFT_E_NOMEM. */
WEFT_API weft_err_t weft_json_to_msgpack(const char *json, size_t json_size, void **out,
                                         size_t *out_size, char *reason, size_t reason_size);
/* One msgpack value to one line of JSON, terminated by NUL. Errors as above. */
WEFT_API weft_err_t weft_msgpack_to_json(const void *data, size_t data_size, char **out,
                                         char *reason, size_t reason_size);

#ifdef __cplusplus
}
#endif
#endif
