/* weft_subscriber: from lossy live messages and pulled pages to one stream without gap or double.
 * Pure: the shell asks weft_subscriber_next what to do, feeds what arrives, takes what is ready.
 *
 * Rules (docs/protocol.md, Subscriber): S1 live events are held until a record covers them; S2 a
 * record is passed over, applied, or a gap; S3 another boot or silence: HELLO first; S5 the live
 * queue stays unread while it catches up; C1, C3. */
#ifndef WEFT_SUBSCRIBER_H
#define WEFT_SUBSCRIBER_H

#include "weft.h"
#include "weft_control.h"
#include "weft_record.h"

typedef struct weft_subscriber weft_subscriber_t;

typedef enum {
    WEFT_SUBSCRIBER_GREETING, /* a HELLO is due or waits for its WELCOME */
    WEFT_SUBSCRIBER_CATCHUP,  /* pages are pulled up to the target */
    WEFT_SUBSCRIBER_LIVE,
    WEFT_SUBSCRIBER_STOPPED
} weft_subscriber_state_t;

typedef struct {
    enum {
        WEFT_SUBSCRIBER_NOTHING, /* until weft_subscriber_deadline or an input */
        WEFT_SUBSCRIBER_HELLO,   /* send hello */
        WEFT_SUBSCRIBER_FETCH    /* send fetch; filters are those given to weft_subscriber_new */
    } kind;                      /* then, for both, weft_subscriber_sent */
    weft_hello_t hello;          /* name and origin are the shell's to fill */
    weft_fetch_t fetch;
} weft_subscriber_action_t;

/* Filters are copied, have been checked, 1..WEFT_FILTERS_MAX. NULL: out of memory. */
weft_subscriber_t *weft_subscriber_new(const char *const *filters, size_t filters_count,
                                       weft_start_t start, const weft_resume_t *resume);
void weft_subscriber_destroy(weft_subscriber_t **self_p);

/* What to do now. random: any 64 random bits, used as a request id. */
void weft_subscriber_next(weft_subscriber_t *self, int64_t now_ms, uint64_t random,
                          weft_subscriber_action_t *action);
void weft_subscriber_sent(weft_subscriber_t *self, int64_t now_ms, uint64_t id, bool sent);
/* True once after each WELCOME that wants the live socket made anew (S3). */
bool weft_subscriber_wants_renewal(weft_subscriber_t *self);
/* Messages from the live socket may be fed now (S5, and what is ready is bounded). */
bool weft_subscriber_wants_live(const weft_subscriber_t *self);

void weft_subscriber_welcome(weft_subscriber_t *self, int64_t now_ms,
                             const weft_welcome_t *welcome);
void weft_subscriber_error(weft_subscriber_t *self, int64_t now_ms, const weft_error_t *error);
/* A page has come. True: ask weft_subscriber_next for the FETCH of the page behind it before the events
 * are decoded by weft_subscriber_page, so that the bus reads while this end decodes. */
bool weft_subscriber_ahead(weft_subscriber_t *self, int64_t now_ms, const weft_page_t *page);
void weft_subscriber_page(weft_subscriber_t *self, int64_t now_ms, const weft_page_t *page,
                          const void *body, size_t size);
void weft_subscriber_events(weft_subscriber_t *self, const char *type, size_t type_size,
                            const void *body, size_t size);
void weft_subscriber_record(weft_subscriber_t *self, int64_t now_ms, const weft_record_t *record);
/* A message that could not be decoded. */
void weft_subscriber_bad(weft_subscriber_t *self);
void weft_subscriber_stop(weft_subscriber_t *self, weft_err_t why);

/* Hand out what is ready: events in order, with the place after them. False: nothing is ready and
 * the position has not moved. Memory: *batch is valid until the next call of this function. */
bool weft_subscriber_take(weft_subscriber_t *self, weft_batch_t *batch);
/* All that matches up to here has been handed out by weft_subscriber_take. */
uint64_t weft_subscriber_passed(const weft_subscriber_t *self);
size_t weft_subscriber_ready(const weft_subscriber_t *self); /* events */

/* When next may have something new without an input; INT64_MAX: never. */
int64_t weft_subscriber_deadline(const weft_subscriber_t *self);
weft_subscriber_state_t weft_subscriber_state(const weft_subscriber_t *self);
/* The place that the first WELCOME put it to, if its chain is known. False: it is not, or not yet. */
bool weft_subscriber_began(const weft_subscriber_t *self, weft_resume_t *out);
/* position is that of the last event handed out or passed over by weft_subscriber_take. */
void weft_subscriber_info(const weft_subscriber_t *self, int64_t now_ms, weft_sub_info_t *info);
/* What info.dropped consists of: WEFT_SUB_DROP_COUNT counters. */
const uint64_t *weft_subscriber_drops(const weft_subscriber_t *self);

#endif
