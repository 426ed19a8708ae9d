/* weft_subscriber_inner: what the parts of the subscriber share: weft_subscriber (requests, answers, pages,
 * handing out), weft_subscriber_live (live events and their records). Nobody else includes it.
 * position, chain: all up to here has gone into filling (or was of no interest). filling is what the
 * next take hands out, out what the last one did; held are live events that no record covers yet. */
#ifndef WEFT_SUBSCRIBER_INNER_H
#define WEFT_SUBSCRIBER_INNER_H

#include "weft_counters.h"
#include "weft_entries.h"
#include "weft_map.h"
#include "weft_subscriber.h"

struct weft_subscriber {
    weft_subscriber_state_t state;
    weft_err_t stopped;
    char **filters;
    size_t filters_count;
    weft_start_t start;
    bool started; /* position holds (after the first WELCOME, or given) */
    bool checked; /* log and chain of the position are known */
    weft_uuid_t log;
    uint64_t position, chain;
    uint64_t handed_position;    /* by take */
    uint64_t began, began_chain; /* where the first WELCOME put it */
    bool begun, began_known;     /* after that; its chain is known */
    uint64_t boot, head;
    uint64_t target; /* CATCHUP ends here */
    uint64_t request_id;
    const weft_page_t *ahead; /* page in hand whose follower is asked for already */
    int64_t request_at;       /* next request is due */
    int64_t request_wait_ms;
    uint64_t page_bytes; /* asked for: fewer after a page that did not come (C3) */
    int64_t unsent_ms;   /* pause after a request that found no connection: grows */
    unsigned bad_pages;
    int64_t heard_ms; /* last record or WELCOME */
    bool heard;
    bool silent; /* greeting because of silence: the socket may be dead */
    bool renew;
    weft_map_t *types;
    uint64_t round;
    weft_entries_t held, filling, out;
    size_t filling_live;
    uint64_t from_catch_up, from_live, gaps, drops[WEFT_SUB_DROP_COUNT];
};

/* What is known of a type, from its first mention on. NULL: it cannot be kept, and self has stopped. */
weft_sub_type_t *weft_subscriber_type(weft_subscriber_t *self, const char *name, size_t size);

/* HELLO is due, or pages up to the target are. */
void weft_subscriber_greet(weft_subscriber_t *self, int64_t at_ms);
void weft_subscriber_catch_up(weft_subscriber_t *self, int64_t now_ms, uint64_t target);

#endif
