/* bridge_feed: the newest events of the log in memory, as text: one live subscription for all streams.
 *
 * It holds every event in (from, to], bounded by count and bytes; a stream that is further behind reads
 * from the bus until it has caught up with from. While nobody listens nothing is kept. */
#ifndef BRIDGE_FEED_H
#define BRIDGE_FEED_H

#include "bridge.h"

/* A bus that gives nothing for so long counts as away; who has asked and has no answer yet is refused. */
#define BRIDGE_SILENT_MS 5000

typedef struct bridge_feed bridge_feed_t;

/* One event: its type in weft's words, and as server-sent event. Borrowed until the next turn. */
typedef struct {
    const char *type, *text;
    size_t text_size;
} bridge_feed_event_t;

typedef struct {
    void (*fed)(void *arg);    /* there is more, or bridge_feed_state is another */
    void (*broken)(void *arg); /* the log is another one than it was: all places are void */
    bool (*wanted)(void *arg); /* somebody listens */
    void *arg;
} bridge_feed_config_t;

/* Returns WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t bridge_feed_new(bridge_feed_t **out, bridge_t *bridge,
                           const bridge_feed_config_t *config);
void bridge_feed_destroy(bridge_feed_t **self_p);

typedef enum {
    BRIDGE_FEED_BEGINS, /* asked the bus a moment ago, no answer yet */
    BRIDGE_FEED_READY,  /* the bus was heard lately, and from and to are known */
    BRIDGE_FEED_AWAY    /* the bus does not answer */
} bridge_feed_state_t;

bridge_feed_state_t bridge_feed_state(const bridge_feed_t *self);
uint64_t bridge_feed_from(const bridge_feed_t *self);
uint64_t bridge_feed_to(const bridge_feed_t *self);
/* position in (from, to]. */
bridge_feed_event_t bridge_feed_at(const bridge_feed_t *self, uint64_t position);

#endif
