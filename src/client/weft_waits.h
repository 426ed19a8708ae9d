/* weft_waits: who waits until the service has applied an event that somebody else wrote.
 *
 * A wait names an event by origin and sequence; the log is ordered by position. W1 What was applied
 * tells by itself: an event of that origin with that sequence or a later one. W2 Else the bus is asked
 * for the last event of the origin (HELLO with an origin): once that is the one or a later one, its
 * position is the target. W3 An event that is not stored yet can only come with a commit: so it is
 * asked for again when the log's head is seen to move, and now and then in case that was lost.
 * W4 One question at a time for all waits together: a flood of waits costs the bus no flood.
 *
 * Pure but for memory: no socket, no clock. Owned by the service's thread. */
#ifndef WEFT_WAITS_H
#define WEFT_WAITS_H

#include "weft.h"

typedef struct weft_waits weft_waits_t;

typedef struct {
    /* Ask the bus about an origin (all zero: about its head alone). id out. False: nobody to ask. */
    bool (*ask)(void *arg, const weft_uuid_t *origin, uint64_t *id);
    /* Events set aside up to and with that position. */
    uint64_t (*parked)(void *arg, uint64_t upto);
    void *arg;
} weft_waits_config_t;

/* Where the service stands. */
typedef struct {
    uint64_t applied;   /* all that matches up to here; UINT64_MAX: it has no handlers */
    uint64_t head;      /* of the log, as last heard */
    weft_err_t stopped; /* why reading has ended for good, or WEFT_OK */
    weft_after_t own;   /* what it has committed itself */
} weft_waits_view_t;

/* NULL: out of memory. */
weft_waits_t *weft_waits_new(const weft_waits_config_t *config);
/* fn of those that still wait is not called. */
void weft_waits_destroy(weft_waits_t **self_p);

/* See weft_service_wait. fn may add and end waits. */
weft_err_t weft_waits_add(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view,
                          const weft_after_t *after, unsigned timeout_ms, weft_waited_fn fn,
                          void *arg, uint64_t *id);
void weft_waits_end(weft_waits_t *self, uint64_t id);

/* These events are applied, in this order, and all before them. */
void weft_waits_applied(weft_waits_t *self, const weft_event_t *events, size_t count);
/* The position went somewhere else: what is known of what was applied holds no more. */
void weft_waits_forget(weft_waits_t *self);
/* The answer to a question: the last sequence of the origin (0: none) and where it lies, and the log's
 * head. Answers to other questions are passed over. Then weft_waits_step. */
void weft_waits_answer(weft_waits_t *self, uint64_t id, uint64_t last, uint64_t position,
                       uint64_t head);
/* Something may have changed, or the deadline has come: end what has an end, ask what is to be asked. */
void weft_waits_step(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view);
/* When step may have something to do without an input; INT64_MAX: never. */
int64_t weft_waits_deadline(const weft_waits_t *self);

#endif
