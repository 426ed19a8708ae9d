/* weft_applier: runs handlers over batches, in transactions that also move the position.
 *
 * Many events go into one transaction. When a handler fails all of it is rolled back and gone through
 * again with a savepoint each; what was applied before the failing event is committed, that event is
 * tried again with growing pauses while all behind it wait, and in the end parked in the transaction
 * that moves the position past it. It parks its own subject: while a subject has a parked event, its
 * later events become rows, too. An event without subject parks only itself.
 *
 * Owns no socket and no loop; the caller feeds a batch, calls weft_applier_run until it is done, and
 * keeps the batch alive meanwhile. */
#ifndef WEFT_APPLIER_H
#define WEFT_APPLIER_H

#include "weft_histogram.h"
#include "weft_outbox.h"
#include "weft_service_store.h"

typedef struct weft_applier weft_applier_t;

/* What becomes of an event whose handler has failed park_after times: it is set aside with its
 * subject, or given up, or the service stops in front of it. */
typedef enum { WEFT_ON_ERROR_PARK, WEFT_ON_ERROR_SKIP, WEFT_ON_ERROR_STOP } weft_on_error_t;

/* Neither store nor outbox is owned. WEFT_OK, WEFT_E_NOMEM, WEFT_E_STORE. */
weft_err_t weft_applier_new(weft_applier_t **out, weft_service_store_t *store,
                            weft_outbox_t *outbox, unsigned park_after, weft_on_error_t on_error);
void weft_applier_destroy(weft_applier_t **self_p);

weft_err_t weft_applier_on(weft_applier_t *self, const char *filter, weft_handler_fn fn, void *arg);
/* Filters in the order of registration, each once. */
const char *const *weft_applier_filters(const weft_applier_t *self, size_t *count);

/* Begin a batch. filter NULL: the service's own stream; else only handlers of that filter run, its
 * progress is kept, and it ends as current once the batch reaches limit (S7). No batch may be open. */
void weft_applier_begin(weft_applier_t *self, const weft_batch_t *batch, const char *filter,
                        weft_position_t limit);
bool weft_applier_busy(const weft_applier_t *self);
/* Go on with the batch. WEFT_OK: all of it is applied. WEFT_E_AGAIN: waits until *again_ms.
 * WEFT_E_PARKED_FULL, WEFT_E_HANDLER (WEFT_ON_ERROR_STOP), WEFT_E_NOMEM: the service must stop. */
weft_err_t weft_applier_run(weft_applier_t *self, int64_t now_ms, int64_t *again_ms);
/* S6: write a position that moved past events of no interest a minute ago. */
void weft_applier_tick(weft_applier_t *self, int64_t now_ms);
/* The same, at once, if it has moved. */
weft_err_t weft_applier_flush(weft_applier_t *self);

/* Put the position somewhere else, because the user said so; no batch may be open. As
 * weft_service_store_adopt. */
weft_err_t weft_applier_adopt(weft_applier_t *self, const weft_resume_t *to);

/* See weft_service_transaction and weft_service_retry_parked. */
weft_err_t weft_applier_transaction(weft_applier_t *self, weft_transaction_fn fn, void *arg);
weft_err_t weft_applier_retry(weft_applier_t *self, const char *subject, uint64_t *done);
/* See weft_service_store_drop. */
weft_err_t weft_applier_drop(weft_applier_t *self, const char *subject, weft_position_t position,
                             uint64_t *dropped);

typedef struct {
    weft_position_t stored;
    uint64_t applied_catch_up, applied_live;
    uint64_t parked;
    int64_t parked_oldest_us; /* when the oldest of them was parked; 0: none */
    uint64_t skipped;
    uint64_t failures;  /* of handlers, each attempt */
    weft_err_t trouble; /* WEFT_OK, or why the last write did not come into the database */
} weft_applier_info_t;
void weft_applier_info(const weft_applier_t *self, weft_applier_info_t *info);
/* What its commits took, in µs. Owned by self. */
const weft_histogram_t *weft_applier_commits(const weft_applier_t *self);

#endif
