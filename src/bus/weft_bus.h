/* weft_bus: the forwarder and the event store as an object, so that it runs in a process of its own
 * (main.c) or in a thread of a test.
 *
 * The thread that calls weft_bus_run owns ingest, fan-out and the writing connection; control is
 * served by a second thread with a connection of its own. */
#ifndef WEFT_BUS_H
#define WEFT_BUS_H

#include "weft.h"
#include "weft_buf.h"
#include "weft_bus_stats.h"
#include "weft_keep.h"
#include "weft_turnstile.h"

typedef struct weft_bus weft_bus_t;

typedef struct {
    const char *endpoint; /* of control; fan-out and ingest follow from it */
    const char *store;    /* directory, made if it is not there */
    bool full;            /* each commit waits for the disk (P1) */
    bool bind_any;        /* other machines may reach it */
    weft_keep_t keep;     /* what the log keeps; nothing set: everything */
    uint64_t lately_us;   /* a service that was silent for longer holds no trim back */
    unsigned connections; /* cap of each socket; 0: see weft_gate_cap */
    void (*turn)(
        void *arg); /* called by the loop each time it goes round, once a second or more; NULL */
    void *turn_arg;
    void *zmq_context; /* to share (needed for inproc), or NULL for an own one */
} weft_bus_config_t;

/* tcp://127.0.0.1:7600, no store, full, everything is kept, 7 days. */
void weft_bus_config_init(weft_bus_config_t *config);

/* Open everything: when it returns WEFT_OK, clients can connect and HELLO is answered.
 * reason  out on error: one sentence that says what is wrong and what to do.
 * Returns WEFT_OK, WEFT_E_ARG (endpoint), WEFT_E_LOCKED (store or address in use), WEFT_E_SCHEMA,
 *         WEFT_E_CORRUPT, WEFT_E_STORE, WEFT_E_FULL, WEFT_E_IO, WEFT_E_NOMEM. */
weft_err_t weft_bus_new(weft_bus_t **out, const weft_bus_config_t *config, char *reason,
                        size_t reason_size);
/* Not while weft_bus_run runs. NULL-safe, clears *self_p. */
void weft_bus_destroy(weft_bus_t **self_p);

/* As bound: port 0 has become a number. Owned by self. */
const char *weft_bus_control(const weft_bus_t *self);
const char *weft_bus_fanout(const weft_bus_t *self);
const char *weft_bus_ingest(const weft_bus_t *self);
const weft_uuid_t *weft_bus_log(const weft_bus_t *self);
/* Last position that is committed. On the thread that runs the bus, or while it does not run. */
weft_position_t weft_bus_head(const weft_bus_t *self);

/* What other threads may look at until weft_bus_destroy. */
const weft_bus_stats_t *weft_bus_stats(const weft_bus_t *self);
const char *weft_bus_database(const weft_bus_t *self);        /* of the store: DIR/log.db */
weft_turnstile_t *weft_bus_turnstile(const weft_bus_t *self); /* for whoever reads it on */
uint64_t weft_bus_boot(const weft_bus_t *self);
/* Append the last report of each service, as weft_reports_encode. */
void weft_bus_reports(weft_bus_t *self, weft_buf_t *w);

/* Serve until weft_bus_stop. The batch in hand is finished. WEFT_OK or WEFT_E_IO. */
weft_err_t weft_bus_run(weft_bus_t *self);
/* From any thread or a signal handler, also before weft_bus_run. */
void weft_bus_stop(weft_bus_t *self);

#endif
