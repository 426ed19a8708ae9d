/* weft_service_inner: what the parts of a service share: weft_service (its life and what it tells),
 * weft_service_stream (what it reads and applies), weft_service_waits (who waits for an event),
 * weft_service_upkeep (sending, reports, commands), weft_service_watch (the user's descriptors and
 * timers). Nobody else includes it. Everything runs on the thread that called weft_service_run. */
#ifndef WEFT_SERVICE_INNER_H
#define WEFT_SERVICE_INNER_H

#include "weft_applier.h"
#include "weft_counters.h"
#include "weft_diag.h"
#include "weft_options.h"
#include "weft_os.h"
#include "weft_outbox.h"
#include "weft_refusal.h"
#include "weft_service_store.h"
#include "weft_sub_end.h"
#include "weft_waits.h"

#include <czmq.h>

typedef struct weft_watch weft_watch_t;

struct weft_service {
    char *name;
    void *context;
    zloop_t *loop;
    weft_service_store_t store;
    weft_outbox_t *outbox;
    weft_applier_t *applier;
    weft_sub_t *sub;
    uint64_t past_gaps, past_drops[WEFT_SUB_DROP_COUNT]; /* of subscribers that have ended */
    weft_batch_t batch;                                  /* that the applier was given last */
    weft_waits_t *waits;
    int waits_timer; /* zloop's id; 0: none */
    int64_t waits_due_ms;
    const char *bus, *data, *filter_from, *park_after, *on_error, *diag_format;
    const char *adopt_log, *new_origin; /* NULL: not said, or done */
    bool adopting;                      /* the next place is the user's, not the database's */
    char *database;                     /* absolute path */
    int64_t commands_seen;              /* data version at which weft_commands was looked at */
    const char
        *backfill; /* filter that is brought up to date now; NULL: the service's own stream */
    weft_position_t limit; /* its end */
    bool sub_polled;
    int work_fd; /* readable: go on applying */
    int signal_fd;
    int again_timer; /* zloop's id; 0: none */
    int64_t report_at_ms;
    uint64_t reported;      /* position */
    uint64_t told_catch_up; /* applied_catch_up at the last diag line */
    weft_buf_t announced;
    weft_watch_t **watches;
    size_t watches_count;
    weft_timer_fn after_apply;
    void *after_apply_arg;
    bool running, stopping;
    weft_err_t result;
};

/* zloop ends when a handler returns -1. */
int weft_service_goes_on(const weft_service_t *self);
/* Have fn called with self while fd is readable. WEFT_E_NOMEM. */
weft_err_t weft_service_poll(weft_service_t *self, int fd, zloop_fn *fn);

/* Subscribe to what the filters want. WEFT_E_NEW_FILTER, WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t weft_service_stream_start(weft_service_t *self);
/* work_fd is readable. */
int weft_service_on_work(zloop_t *loop, zmq_pollitem_t *item, void *arg);
/* Have weft_service_on_work called from the loop. */
void weft_service_continue(weft_service_t *self);
/* All that matches the subscriber's filters is applied up to here. There is a subscriber. */
uint64_t weft_service_applied(const weft_service_t *self);

/* WEFT_E_NOMEM. */
weft_err_t weft_service_waits_open(weft_service_t *self);
/* Something may have changed that somebody waits for. */
void weft_service_waits_step(weft_service_t *self);

/* From here on the loop sends, settles, reports and looks for commands. WEFT_E_NOMEM. */
weft_err_t weft_service_upkeep_start(weft_service_t *self);

#endif
