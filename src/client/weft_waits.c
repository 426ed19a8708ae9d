/* weft_waits: see weft_waits.h. What was applied is kept in a small table, one origin a slot: a slot
 * that another origin has taken only costs a question. */
#include "weft_waits.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 100 /* asked again though the head was not seen to move */
#define LOST_MS 500  /* an answer that takes longer is given up */
#define SLOTS 512u   /* a power of two */

typedef struct weft_wait weft_wait_t;
struct weft_wait {
    uint64_t id;
    weft_after_t after; /* origin all zero: the head */
    bool placed;        /* target is known */
    uint64_t target;
    int64_t end_ms;
    uint64_t needs;      /* the head: the first question that was put after the wait began */
    bool answered;       /* the bus has said that it lacks the event */
    bool unknown_origin; /* and any other of that origin */
    int64_t asked_ms;
    uint64_t asked_head;
    weft_waited_fn fn;
    void *arg;
    weft_wait_t *next;
};

struct weft_waits {
    weft_waits_config_t config;
    weft_wait_t *first;
    size_t count;
    uint64_t last_id;
    uint64_t asked;      /* questions so far */
    uint64_t asking;     /* id of the one under way; 0: none */
    weft_uuid_t subject; /* its origin */
    int64_t asking_since_ms;
    weft_after_t slots[SLOTS]; /* sequence 0: free */
};

weft_waits_t *weft_waits_new(const weft_waits_config_t *config) {
    weft_waits_t *self = calloc(1, sizeof *self);
    if (self) self->config = *config;
    return self;
}

void weft_waits_destroy(weft_waits_t **self_p) {
    weft_waits_t *self = *self_p;
    if (!self) return;
    while (self->first) weft_waits_end(self, self->first->id);
    free(self);
    *self_p = NULL;
}

static bool s_same(const weft_uuid_t *a, const weft_uuid_t *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

/* ---- what was applied */

/* Origins are random, and a forged one can only push another out of its slot. */
static weft_after_t *s_slot(weft_waits_t *self, const weft_uuid_t *origin) {
    uint64_t high, low;
    memcpy(&high, origin->bytes, 8);
    memcpy(&low, origin->bytes + 8, 8);
    return &self->slots[((high ^ low) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (SLOTS - 1)];
}

static void s_note(weft_waits_t *self, const weft_uuid_t *origin, uint64_t sequence) {
    weft_after_t *slot = s_slot(self, origin);
    if (s_same(&slot->origin, origin) && slot->sequence.value >= sequence) return;
    *slot = (weft_after_t){.origin = *origin, .sequence = {sequence}};
}

/* Of a run of one origin the last event says all: runs are long, and looked at from behind. */
void weft_waits_applied(weft_waits_t *self, const weft_event_t *events, size_t count) {
    for (size_t i = count; i > 0; i--) {
        const weft_event_t *event = &events[i - 1];
        if (i < count && s_same(&event->origin, &events[i].origin)) continue;
        if (event->sequence.value) s_note(self, &event->origin, event->sequence.value);
    }
}

void weft_waits_forget(weft_waits_t *self) {
    memset(self->slots, 0, sizeof self->slots);
    for (weft_wait_t *at = self->first; at; at = at->next) at->placed = false;
}

/* ---- the end of a wait */

static bool s_is_head(const weft_wait_t *wait) {
    return !wait->after.sequence.value;
}

/* Is it known to be applied? */
static bool s_done(weft_waits_t *self, const weft_waits_view_t *view, const weft_wait_t *wait) {
    if (view->applied == UINT64_MAX) return true;
    if (wait->placed && wait->target <= view->applied) return true;
    if (s_is_head(wait)) return false;
    const weft_after_t *after = &wait->after, *slot = s_slot(self, &after->origin);
    if (s_same(&after->origin, &view->own.origin) &&
        after->sequence.value <= view->own.sequence.value)
        return true;
    return s_same(&slot->origin, &after->origin) &&
           slot->sequence.value >= after->sequence.value; /* W1 */
}

static weft_err_t s_why(const weft_waits_view_t *view, const weft_wait_t *wait) {
    if (view->stopped != WEFT_OK) return view->stopped;
    if (wait->placed) return WEFT_E_TIMEOUT;
    return wait->answered ? WEFT_E_NOT_FOUND : WEFT_E_UNREACHABLE;
}

/* False: it goes on. */
static bool s_judge(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view,
                    const weft_wait_t *wait, weft_waited_t *out) {
    bool done = s_done(self, view, wait);
    if (!done && view->stopped == WEFT_OK && now_ms < wait->end_ms) return false;
    bool all = view->applied == UINT64_MAX;
    bool own = s_same(&wait->after.origin, &view->own.origin);
    *out = (weft_waited_t){.rc = done ? WEFT_OK : s_why(view, wait),
                           .target = {wait->target},
                           .applied = {all ? 0 : view->applied}};
    if (done && wait->placed && !s_is_head(wait))
        s_note(self, &wait->after.origin, wait->after.sequence.value);
    uint64_t upto = wait->placed && done ? wait->target : out->applied.value;
    if (!all && !own) out->parked = self->config.parked(self->config.arg, upto);
    return true;
}

/* ---- questions */

static bool s_due(int64_t now_ms, const weft_waits_view_t *view, const weft_wait_t *wait) {
    if (wait->placed) return false;
    if (now_ms - wait->asked_ms >= AGAIN_MS) return true;
    return wait->asked_head != view->head && !wait->unknown_origin; /* W3 */
}

/* Of all that are due the one that was asked about longest ago. */
static const weft_wait_t *s_next(const weft_waits_t *self, int64_t now_ms,
                                 const weft_waits_view_t *view) {
    const weft_wait_t *next = NULL;
    for (const weft_wait_t *at = self->first; at; at = at->next)
        if (s_due(now_ms, view, at) && (!next || at->asked_ms < next->asked_ms)) next = at;
    return next;
}

static void s_ask(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view) {
    if (self->asking && now_ms - self->asking_since_ms < LOST_MS) return; /* W4 */
    self->asking = 0;
    const weft_wait_t *next = s_next(self, now_ms, view);
    if (!next) return;
    uint64_t id = 0;
    self->subject = next->after.origin;
    if (self->config.ask(self->config.arg, &self->subject, &id)) {
        self->asking = id;
        self->asking_since_ms = now_ms;
    }
    self->asked++;
    for (weft_wait_t *at = self->first; at; at = at->next) {
        if (!s_same(&at->after.origin, &self->subject)) continue;
        at->asked_ms = now_ms;
        at->asked_head = view->head;
    }
}

void weft_waits_answer(weft_waits_t *self, uint64_t id, uint64_t last, uint64_t position,
                       uint64_t head) {
    if (!id || id != self->asking) return;
    self->asking = 0;
    for (weft_wait_t *at = self->first; at; at = at->next) {
        if (at->placed || !s_same(&at->after.origin, &self->subject)) continue;
        if (s_is_head(at)) {
            at->placed = at->needs <= self->asked;
            at->target = at->placed ? head : 0;
        } else {
            at->placed = last >= at->after.sequence.value; /* W2 */
            at->target = at->placed ? position : 0;
        }
        at->answered = true;
        at->unknown_origin = !last;
    }
}

/* ---- the outside */

weft_err_t weft_waits_add(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view,
                          const weft_after_t *after, unsigned timeout_ms, weft_waited_fn fn,
                          void *arg, uint64_t *id) {
    weft_waited_t waited;
    weft_wait_t wait = {.end_ms = now_ms + timeout_ms,
                        .needs = self->asked + 1,
                        .asked_ms = INT64_MIN / 2,
                        .fn = fn,
                        .arg = arg};
    if (after) wait.after = *after;
    if (id) *id = 0;
    if (s_judge(self, now_ms, view, &wait, &waited)) {
        fn(&waited, arg);
        return WEFT_OK;
    }
    if (self->count == WEFT_WAITS_MAX) return WEFT_E_FULL;
    weft_wait_t *copy = malloc(sizeof *copy);
    if (!copy) return WEFT_E_NOMEM;
    wait.id = ++self->last_id;
    wait.next = self->first;
    *copy = wait;
    self->first = copy;
    self->count++;
    if (id) *id = wait.id;
    s_ask(self, now_ms, view);
    return WEFT_OK;
}

static weft_wait_t *s_take(weft_waits_t *self, uint64_t id) {
    weft_wait_t **at = &self->first;
    while (*at && (*at)->id != id) at = &(*at)->next;
    weft_wait_t *wait = *at;
    if (!wait) return NULL;
    *at = wait->next;
    self->count--;
    return wait;
}

void weft_waits_end(weft_waits_t *self, uint64_t id) {
    free(s_take(self, id));
}

/* One that has come to its end, and out of the list: fn may change the list. */
static weft_wait_t *s_take_ended(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view,
                                 weft_waited_t *waited) {
    for (weft_wait_t *at = self->first; at; at = at->next)
        if (s_judge(self, now_ms, view, at, waited)) return s_take(self, at->id);
    return NULL;
}

void weft_waits_step(weft_waits_t *self, int64_t now_ms, const weft_waits_view_t *view) {
    weft_waited_t waited;
    weft_wait_t *wait;
    while ((wait = s_take_ended(self, now_ms, view, &waited))) {
        wait->fn(&waited, wait->arg);
        free(wait);
    }
    s_ask(self, now_ms, view);
}

int64_t weft_waits_deadline(const weft_waits_t *self) {
    int64_t first = INT64_MAX;
    for (const weft_wait_t *at = self->first; at; at = at->next) {
        if (at->end_ms < first) first = at->end_ms;
        if (at->placed) continue;
        int64_t again = at->asked_ms + AGAIN_MS;
        int64_t lost = self->asking ? self->asking_since_ms + LOST_MS : again;
        if (again < lost) again = lost;
        if (again < first) first = again;
    }
    return first;
}
