/* bridge_reader: a few subscriptions that bring cursors up to date, each cursor for a turn at a time.
 *
 * R1 A cursor that has no room keeps its reader only while nobody waits for one. R2 A turn ends after
 * TURN_EVENTS when somebody waits. R3 What was read and not written is read again: the cursor's position says from
 * where. So thousands that are behind cost as many sockets as there are readers. */
#include "bridge_cursor.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define READERS 8u
#define TURN_EVENTS 20000u
#define TICK_MS 500u

typedef struct bridge_reader {
    bridge_readers_t *owner;
    bridge_cursor_t *cursor; /* NULL: free */
    weft_sub_t *sub;
    weft_batch_t batch;
    size_t at; /* in batch */
    bool has_batch, watched, working;
    uint64_t events; /* of this turn */
    int64_t heard_ms;
} reader_t;

struct bridge_readers {
    bridge_t *bridge;
    reader_t readers[READERS];
    bridge_cursor_t *first, **last; /* wait for a reader */
    int timer_id;
    bool timer;
};

static int64_t s_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void s_on_readable(int fd, short revents, void *arg);

static void s_watch(reader_t *self, bool on) {
    weft_service_t *service = self->owner->bridge->service;
    if (on == self->watched) return;
    if (on &&
        weft_service_fd(service, weft_sub_fd(self->sub), POLLIN, s_on_readable, self) != WEFT_OK)
        return; /* the tick looks after it */
    if (!on) weft_service_fd_end(service, weft_sub_fd(self->sub));
    self->watched = on;
}

static void s_enqueue(bridge_readers_t *self, bridge_cursor_t *cursor) {
    cursor->queued = true;
    cursor->next_queued = NULL;
    *self->last = cursor;
    self->last = &cursor->next_queued;
}

static void s_release(reader_t *self) {
    if (self->cursor) self->cursor->reader = NULL;
    self->cursor = NULL;
    self->has_batch = false;
    if (self->sub) s_watch(self, false);
    weft_sub_destroy(&self->sub);
}

/* ---------------------------------------------------------------------------------------------- */
/* A turn */

static weft_err_t s_begin(reader_t *self, bridge_cursor_t *cursor) {
    weft_sub_config_t config;
    const char *filter = cursor->filter;
    weft_sub_config_init(&config);
    config.bus = weft_service_bus(self->owner->bridge->service);
    config.name = "weft-bridge";
    config.zmq_context = weft_service_zmq_context(self->owner->bridge->service);
    config.filters = filter ? &filter : NULL;
    config.filters_count = filter ? 1 : 0;
    config.start = cursor->position ? WEFT_START_POSITION : WEFT_START_BEGINNING;
    config.resume.position.value = cursor->position;
    self->cursor = cursor;
    cursor->reader = self;
    self->events = 0;
    self->heard_ms = s_now_ms();
    weft_err_t rc = weft_sub_new(&self->sub, &config);
    if (rc == WEFT_OK) s_watch(self, true);
    return rc;
}

static void s_fail(reader_t *self, unsigned status, const char *reason) {
    bridge_cursor_t *cursor = self->cursor;
    s_release(self);
    bridge_cursor_fail(cursor, status, reason);
}

/* Write the batch at hand. False: the cursor takes no more now. */
static bool s_write(reader_t *self) {
    for (; self->at < self->batch.count; self->at++, self->events++) {
        const weft_event_t *event = &self->batch.events[self->at];
        if (!bridge_cursor_room(self->cursor)) return false;
        if (!bridge_cursor_event(self->cursor, event, &self->batch.next.log)) return false;
        self->cursor->position = event->position.value;
    }
    self->has_batch = false;
    return true;
}

static bool s_somebody_waits(const reader_t *self) {
    return self->owner->first != NULL;
}

/* The answer has begun, or it begins: the bus has said where the log ends. False: not now. */
static bool s_answer(reader_t *self) {
    weft_sub_info_t info;
    if (self->cursor->stream) return true;
    weft_sub_info(self->sub, &info);
    if (!info.connected) return false;
    bridge_cursor_t *cursor = self->cursor;
    if (info.head.value < cursor->position) {
        s_fail(self, 409, "position is beyond the log's end: is it another log's?");
        return false;
    }
    if (bridge_cursor_begin(cursor, info.head.value)) return true;
    s_release(self);
    return false;
}

static void s_stopped(reader_t *self, weft_err_t rc) {
    if (rc == WEFT_E_GONE)
        s_fail(self, 410, "position is below what the log still keeps");
    else if (rc == WEFT_E_LOG_BEHIND)
        s_fail(self, 409, "position is beyond the log's end: is it another log's?");
    else
        s_fail(self, 500, weft_err_text(rc));
}

/* Until the cursor or the bus has no more. */
static void s_work(reader_t *self) {
    while (self->cursor) {
        if (!self->has_batch) {
            weft_err_t rc = weft_sub_recv(self->sub, 0, &self->batch);
            if (rc != WEFT_OK && rc != WEFT_E_TIMEOUT) {
                s_stopped(self, rc);
                return;
            }
            self->has_batch = rc == WEFT_OK;
            self->at = 0;
            if (self->has_batch) self->heard_ms = s_now_ms();
        }
        if (!s_answer(self)) return;
        bool wrote = !self->has_batch || s_write(self), waits = !self->has_batch;
        weft_sub_info_t info;
        weft_sub_info(self->sub, &info);
        if (wrote && bridge_cursor_moved(self->cursor, info.position.value)) {
            s_release(self);
            return;
        }
        if (!wrote && !bridge_cursor_room(self->cursor)) {
            s_watch(self, false);
            if (s_somebody_waits(self)) s_release(self); /* R1 */
            return;
        }
        if (!wrote) { /* it has all that it wants, or is being cut */
            s_release(self);
            return;
        }
        if (waits && !self->has_batch) {
            s_watch(self, true);
            return;
        }
        if (self->events >= TURN_EVENTS && s_somebody_waits(self)) { /* R2 */
            bridge_cursor_t *cursor = self->cursor;
            s_release(self);
            s_enqueue(self->owner, cursor);
            return;
        }
    }
}

static void s_give_turns(bridge_readers_t *self);

static void s_run(reader_t *self) {
    if (self->working) return;
    self->working = true;
    s_work(self);
    self->working = false;
    s_give_turns(self->owner);
}

static void s_on_readable(int fd, short revents, void *arg) {
    (void) fd;
    (void) revents;
    s_run(arg);
}

/* ---------------------------------------------------------------------------------------------- */
/* The queue */

static reader_t *s_free_reader(bridge_readers_t *self) {
    for (size_t i = 0; i < READERS; i++)
        if (!self->readers[i].cursor) return &self->readers[i];
    for (size_t i = 0; i < READERS; i++) { /* R1 */
        reader_t *reader = &self->readers[i];
        if (reader->working || bridge_cursor_room(reader->cursor)) continue;
        s_release(reader);
        return reader;
    }
    return NULL;
}

static void s_unqueue(bridge_readers_t *self, bridge_cursor_t *cursor) {
    bridge_cursor_t **at = &self->first;
    while (*at && *at != cursor) at = &(*at)->next_queued;
    if (*at) *at = cursor->next_queued;
    self->last = &self->first;
    while (*self->last) self->last = &(*self->last)->next_queued;
    cursor->queued = false;
}

static void s_give_turns(bridge_readers_t *self) {
    reader_t *reader;
    while (self->first && (reader = s_free_reader(self))) {
        bridge_cursor_t *cursor = self->first;
        s_unqueue(self, cursor);
        if (s_begin(reader, cursor) == WEFT_OK) continue;
        s_release(reader); /* no memory, no descriptors: the tick tries again */
        s_enqueue(self, cursor);
        return;
    }
}

void bridge_readers_add(bridge_readers_t *self, bridge_cursor_t *cursor) {
    if (cursor->queued || cursor->reader) return;
    s_enqueue(self, cursor);
    s_give_turns(self);
}

void bridge_readers_more(bridge_readers_t *self, bridge_cursor_t *cursor) {
    if (cursor->reader)
        s_run(cursor->reader);
    else
        bridge_readers_add(self, cursor);
}

void bridge_readers_remove(bridge_readers_t *self, bridge_cursor_t *cursor) {
    if (cursor->queued) s_unqueue(self, cursor);
    if (cursor->reader) s_release(cursor->reader);
}

/* Who waits for a bus that is silent is told so. A stream that has begun waits on. */
static void s_on_tick(void *arg) {
    bridge_readers_t *self = arg;
    int64_t now_ms = s_now_ms();
    for (size_t i = 0; i < READERS; i++) {
        reader_t *reader = &self->readers[i];
        if (!reader->cursor) continue;
        if (!bridge_cursor_room(reader->cursor)) {
            reader->heard_ms = now_ms; /* nothing is asked of the bus while its client pauses */
            continue;
        }
        if (!reader->working) s_run(reader);
        if (!reader->cursor || now_ms - reader->heard_ms < BRIDGE_SILENT_MS) continue;
        if (reader->cursor->stream && reader->cursor->form == BRIDGE_AS_SSE) continue;
        s_fail(reader, 503, "bus does not answer: what it has stored cannot be read now");
    }
    s_give_turns(self);
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

weft_err_t bridge_readers_new(bridge_readers_t **out, bridge_t *bridge) {
    bridge_readers_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->bridge = bridge;
    self->last = &self->first;
    for (size_t i = 0; i < READERS; i++) self->readers[i].owner = self;
    weft_err_t rc = weft_service_timer(bridge->service, TICK_MS, 0, s_on_tick, self,
                                       &self->timer_id);
    self->timer = rc == WEFT_OK;
    if (rc == WEFT_OK)
        *out = self;
    else
        bridge_readers_destroy(&self);
    return rc;
}

void bridge_readers_destroy(bridge_readers_t **self_p) {
    bridge_readers_t *self = *self_p;
    if (!self) return;
    if (self->timer) weft_service_timer_end(self->bridge->service, self->timer_id);
    for (size_t i = 0; i < READERS; i++) s_release(&self->readers[i]);
    free(self);
    *self_p = NULL;
}
