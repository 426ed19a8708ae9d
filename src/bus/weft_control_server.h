/* weft_control_server: answers the control socket on a thread of its own.
 *
 * Rules (docs/protocol.md, Control): C1 positions are checked by HELLO and by FETCH alike; C2 a page
 * is read in one transaction; C3 the reply carries the id of the request. Nothing here waits for a
 * peer: a reply that does not fit a peer's queue is dropped, the peer asks again.
 * The bus thread tells of refusals and of the end through a PAIR pipe, in bytes. */
#ifndef WEFT_CONTROL_SERVER_H
#define WEFT_CONTROL_SERVER_H

#include "weft.h"
#include "weft_buf.h"
#include "weft_bus_health.h"
#include "weft_indexer.h"
#include "weft_refusals.h"
#include "weft_retention.h"
#include "weft_turnstile.h"

typedef struct weft_control_server weft_control_server_t;

/* Messages that wait for one peer, each way. With pages of 768 KiB and requests of 128 KiB that is
 * what a stalled or hostile peer can hold: 12 and 2 MiB (P5). A reader asks for a page at a time. */
#define WEFT_CONTROL_HWM 16
#define WEFT_CONTROL_REQUEST_BYTES_MAX (128u << 10)

typedef struct {
    void *context; /* ZeroMQ's */
    void *router;  /* bound; the server owns it from now on, also if it cannot be made */
    const char *store_path;
    weft_turnstile_t *turnstile; /* of the store */
    uint64_t boot;
    weft_uuid_t log;
    int64_t started_us;
    const char *fanout, *ingest; /* endpoints, copied */
    weft_bus_stats_t *stats;     /* the control thread writes its own counters */
    weft_indexer_t *indexer;     /* not owned */
    weft_keep_t keep;
    uint64_t lately_us;
} weft_control_config_t;

/* Make it and start its thread. WEFT_OK: it serves. WEFT_E_NOMEM, WEFT_E_IO or as weft_db_open. */
weft_err_t weft_control_server_new(weft_control_server_t **out,
                                   const weft_control_config_t *config);
/* Stops the thread and waits for it. NULL-safe. */
void weft_control_server_destroy(weft_control_server_t **self_p);

/* From the bus thread. False: the pipe is full, nothing is kept. */
bool weft_control_server_refuse(weft_control_server_t *self, const weft_refusal_t *refusal);
/* What the control thread wants done. False: nothing. From the bus thread; the socket turns readable. */
bool weft_control_server_order(weft_control_server_t *self, weft_order_t *order);
void *weft_control_server_orders(weft_control_server_t *self);
/* Append the last report of each service, as weft_reports_encode. Any thread. */
void weft_control_server_reports(weft_control_server_t *self, weft_buf_t *w);

#endif
