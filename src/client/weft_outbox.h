/* weft_outbox: events emitted in the service's own transactions, kept until the bus has them.
 *
 * Rules (docs/protocol.md, Publisher): O1 the sequence is the table's AUTOINCREMENT, taken inside the
 * transaction; only what COMMIT returned for is sent; O3 acked, its origin chain and the log are
 * kept beside it. acked is written lazily: what is lost of it, WELCOME tells again. */
#ifndef WEFT_OUTBOX_H
#define WEFT_OUTBOX_H

#include "weft_relay.h"
#include "weft_stmt.h"

typedef struct weft_outbox weft_outbox_t;

/* Tables must exist (weft_service_db). source: the service's name. WEFT_OK, WEFT_E_STORE, WEFT_E_NOMEM,
 * and those of weft_relay_new. */
weft_err_t weft_outbox_new(weft_outbox_t **out, sqlite3 *db, const char *source, const char *bus,
                           void *zmq_context);
void weft_outbox_destroy(weft_outbox_t **self_p);

/* Inside a transaction: add an event. traceparent: WEFT_TRACEPARENT_BYTES, or NULL. Errors as weft_tx_emit. */
weft_err_t weft_outbox_emit(weft_outbox_t *self, const char *type, const char *subject,
                            const void *data, size_t data_size, uint64_t cause,
                            const uint8_t *traceparent);
/* Highest sequence added in the transaction at hand, 0 if none; to be set back to what it was when the
 * transaction or a savepoint in it is rolled back. */
uint64_t weft_outbox_added(const weft_outbox_t *self);
void weft_outbox_rewind(weft_outbox_t *self, uint64_t added);
/* Before COMMIT: a transaction may have rolled back to a savepoint of its own, and what it had added in there
 * never was. */
weft_err_t weft_outbox_committing(weft_outbox_t *self);
/* After COMMIT returned: what was added may be sent. */
weft_err_t weft_outbox_committed(weft_outbox_t *self);
/* Carry on with sending and acknowledgements. WEFT_OK, or why the relay stopped. */
weft_err_t weft_outbox_step(weft_outbox_t *self);
void weft_outbox_report(weft_outbox_t *self, const weft_report_t *report);
/* As weft_relay_ask; fn gets the answer while weft_outbox_step or _committed runs. */
bool weft_outbox_ask(weft_outbox_t *self, const weft_uuid_t *origin, weft_relay_told_fn fn,
                     void *arg, uint64_t *id);
int weft_outbox_fd(const weft_outbox_t *self);
void weft_outbox_wait(weft_outbox_t *self, int timeout_ms);
bool weft_outbox_linked(const weft_outbox_t *self); /* the bus has been greeted */
bool weft_outbox_heard(const weft_outbox_t *self);  /* and its connection stands */
/* Write down what is acknowledged and delete it, some rows at a time; more out: call again soon.
 * Outside a transaction. */
weft_err_t weft_outbox_settle(weft_outbox_t *self, bool *more);
/* Go on as a new origin, because the user said so: events that no log has acknowledged get new
 * sequences from 1 on; those of them that the bus' log holds already, byte for byte, are dropped.
 * Reads the log and blocks meanwhile. The descriptor changes. sent out: events that will be sent.
 * WEFT_OK, or why not: nothing has changed then. */
weft_err_t weft_outbox_renew(weft_outbox_t *self, uint64_t *sent);
/* When the oldest event that is not acknowledged was emitted, Unix time in µs; 0: none, or not readable. */
int64_t weft_outbox_oldest_us(weft_outbox_t *self);
/* Events sent more than once. */
uint64_t weft_outbox_resent(const weft_outbox_t *self);
uint64_t weft_outbox_depth(const weft_outbox_t *self); /* not acknowledged */
const weft_uuid_t *weft_outbox_origin(const weft_outbox_t *self);
uint64_t weft_outbox_highest(const weft_outbox_t *self); /* last sequence committed, 0: none */
weft_err_t weft_outbox_stopped(const weft_outbox_t *self);

#endif
