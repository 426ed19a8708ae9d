/* weft_applier_inner: what the parts of the applier share: weft_applier (transactions, batches),
 * weft_applier_parked (events that were set aside). Nobody else includes it. */
#ifndef WEFT_APPLIER_INNER_H
#define WEFT_APPLIER_INNER_H

#include "weft_applier.h"
#include "weft_limits.h"
#include "weft_map.h"
#include "weft_span.h"

#define WEFT_APPLIER_REASON_BYTES 512

typedef struct {
    char *filter;
    weft_handler_fn fn;
    void *arg;
} weft_handler_t;

struct weft_applier {
    weft_service_store_t *store;
    weft_outbox_t *outbox;
    weft_stmt_t begin, commit;
    weft_handler_t *handlers;
    size_t handlers_count;
    const char *filters[WEFT_FILTERS_MAX];
    size_t filters_count;
    unsigned park_after;
    weft_on_error_t on_error;
    bool in_transaction, committing;
    bool ended;           /* the transaction at hand, but not by us: by SQLite, or by a handler */
    bool read_before;     /* statements were open when it began: another's reads, not a handler's */
    weft_err_t trouble;   /* WEFT_OK, or why the last write did not come into the database */
    sqlite3_int64 before; /* rows changed on the connection before the transaction at hand */
    weft_map_t *parked_subjects;
    uint64_t parked;
    int64_t parked_oldest_us; /* 0: none */
    uint64_t skipped, failures;
    weft_histogram_t commit_us;
    uint64_t parked_now; /* in the transaction at hand */
    weft_spans_t spans;

    weft_batch_t batch; /* borrowed */
    bool busy;
    const char *filter; /* NULL: the service's own stream */
    weft_position_t limit;
    size_t at;         /* first event not applied yet */
    unsigned attempts; /* at it */
    unsigned pause_ms;
    int64_t again_ms;
    char reason[WEFT_APPLIER_REASON_BYTES];

    weft_resume_t stored; /* in the database */
    weft_resume_t lazy;   /* moved past, not written yet */
    int64_t lazy_since_ms;
    uint64_t applied_catch_up, applied_live;
};

/* None may be open. It ends by commit or rollback; a commit that fails has rolled back. */
weft_err_t weft_applier_tx_begin(weft_applier_t *self);
weft_err_t weft_applier_tx_commit(weft_applier_t *self);
void weft_applier_tx_rollback(weft_applier_t *self);

/* Run the handlers that match, those of one filter or (NULL) of all, inside a transaction. What the first
 * one that fails returns; self->reason tells why. */
weft_err_t weft_applier_handle(weft_applier_t *self, const weft_event_t *event, const char *filter);

/* Count what the database has parked, and note its subjects. */
weft_err_t weft_applier_load_parked(weft_applier_t *self);

#endif
