/* weft_publisher: one origin's way to the bus: what to send, what to send again, when to stop.
 * Pure: the shell asks weft_publisher_next what to do, does it and says how it went.
 *
 * Rules (docs/protocol.md, Publisher): O2 a bounded window beyond the last ack; no ack in time:
 * HELLO, then on from last + 1, with a growing wait; O3 each ack and WELCOME is compared with what
 * this side knows, as of the moment that HELLO was sent; C1 nothing is sent before a WELCOME. */
#ifndef WEFT_PUBLISHER_H
#define WEFT_PUBLISHER_H

#include "weft.h"
#include "weft_control.h"
#include "weft_record.h"

typedef struct weft_publisher weft_publisher_t;

typedef enum {
    WEFT_PUBLISHER_GREETING, /* a HELLO is due or waits for its WELCOME */
    WEFT_PUBLISHER_PROVING, /* the bus knows more than was acknowledged: own events are hashed up to there */
    WEFT_PUBLISHER_SENDING,
    WEFT_PUBLISHER_STOPPED
} weft_publisher_state_t;

typedef struct {
    enum {
        WEFT_PUBLISHER_NOTHING, /* until weft_publisher_deadline or an input */
        WEFT_PUBLISHER_HELLO,   /* send hello, then weft_publisher_hello_sent */
        WEFT_PUBLISHER_PROVE,   /* read event sequence, then weft_publisher_hashed */
        WEFT_PUBLISHER_SEND     /* send event sequence, then weft_publisher_sent */
    } kind;
    uint64_t id; /* of the HELLO */
    uint64_t sequence;
} weft_publisher_action_t;

/* What this side knows from before: acked with its origin chain on that log (all zero for a new origin),
 * the highest sequence that is committed here, the lowest one that can still be read (highest + 1 if
 * none). NULL: out of memory. */
weft_publisher_t *weft_publisher_new(uint64_t acked, uint64_t acked_chain, const weft_uuid_t *log,
                                     uint64_t oldest, uint64_t highest);
void weft_publisher_destroy(weft_publisher_t **self_p);

/* More events are committed here, up to highest. */
void weft_publisher_queued(weft_publisher_t *self, uint64_t highest);
/* Events below oldest were deleted; only acknowledged ones may be. */
void weft_publisher_pruned(weft_publisher_t *self, uint64_t oldest);
/* The ingest socket has, or has lost, a bus that listens. */
void weft_publisher_path(weft_publisher_t *self, int64_t now_ms, bool open);

/* What to do now. random: any 64 random bits, used as a request id. */
void weft_publisher_next(weft_publisher_t *self, int64_t now_ms, uint64_t random,
                         weft_publisher_action_t *action);
void weft_publisher_hello_sent(weft_publisher_t *self, int64_t now_ms, uint64_t id, bool sent);
void weft_publisher_hashed(weft_publisher_t *self, uint64_t sequence, uint64_t type_hash,
                           uint64_t event_hash);
void weft_publisher_sent(weft_publisher_t *self, int64_t now_ms, uint64_t sequence,
                         uint64_t type_hash, uint64_t event_hash);
/* Those from first on could not be sent after all. */
void weft_publisher_blocked(weft_publisher_t *self, int64_t now_ms, uint64_t first);

/* Inputs from the bus. Replies to other requests than the last HELLO are ignored (C3). */
void weft_publisher_welcome(weft_publisher_t *self, int64_t now_ms, const weft_welcome_t *welcome);
void weft_publisher_error(weft_publisher_t *self, int64_t now_ms, const weft_error_t *error);
void weft_publisher_ack(weft_publisher_t *self, int64_t now_ms, const weft_ack_t *ack);
/* Something that cannot be mended by going on. */
void weft_publisher_stop(weft_publisher_t *self, weft_err_t why);

/* When next may have something new without an input; INT64_MAX: never. */
int64_t weft_publisher_deadline(const weft_publisher_t *self);
weft_publisher_state_t weft_publisher_state(const weft_publisher_t *self);
/* A bus listens, as weft_publisher_path said last. */
bool weft_publisher_open(const weft_publisher_t *self);
weft_err_t weft_publisher_stopped(const weft_publisher_t *self); /* WEFT_OK: it has not */
uint64_t weft_publisher_acked(const weft_publisher_t *self);
uint64_t weft_publisher_acked_chain(const weft_publisher_t *self);
/* Position of the event acked, 0 if it is not known. */
uint64_t weft_publisher_acked_position(const weft_publisher_t *self);
const weft_uuid_t *weft_publisher_log(const weft_publisher_t *self);
uint64_t weft_publisher_in_flight(const weft_publisher_t *self); /* sent and not acknowledged */
uint64_t weft_publisher_unsent(const weft_publisher_t *self);    /* queued and not sent */
uint64_t weft_publisher_resent(const weft_publisher_t *self);    /* events sent more than once */

#endif
