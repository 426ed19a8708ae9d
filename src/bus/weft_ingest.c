/* weft_ingest: see weft_ingest.h. One message is in hand at a time; the batch may end within it. */
#include "weft_ingest.h"

#include "weft_assert.h"
#include "weft_limits.h"
#include "weft_net.h"
#include "weft_os.h"
#include "weft_type.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES 2u /* type, run of events */
/* Each message counts at least one item, so a batch cannot hold more of them. */
#define KEPT_MAX WEFT_BATCH_EVENTS_MAX
/* Junk around few good events must not pile up. */
#define KEPT_BYTES_MAX (4u * WEFT_BATCH_BYTES_MAX)

struct weft_ingest {
    weft_ingest_config_t config;
    /* the message in hand */
    bool in_hand;
    zmq_msg_t type_frame;
    /* its slot in kept: rows point into it, and a small message holds its bytes itself */
    zmq_msg_t *body;
    weft_mp_t cursor;
    weft_seq_type_t *type; /* NULL: not looked up in this batch */
    weft_err_t type_error; /* the message's type is refused */
    bool used;             /* rows of the batch point into the message */
    unsigned malformed;    /* events of it so far */
    /* bodies of the batch, finished, and behind them the one in hand */
    zmq_msg_t kept[KEPT_MAX + 1];
    size_t kept_count, kept_bytes;
};

weft_err_t weft_ingest_new(weft_ingest_t **out, const weft_ingest_config_t *config) {
    weft_ingest_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->config = *config;
    *out = self;
    return WEFT_OK;
}

void weft_ingest_destroy(weft_ingest_t **self_p) {
    weft_ingest_t *self = *self_p;
    if (!self) return;
    weft_ingest_release(self);
    if (self->in_hand) {
        zmq_msg_close(&self->type_frame);
        zmq_msg_close(self->body);
    }
    free(self);
    *self_p = NULL;
}

bool weft_ingest_pending(const weft_ingest_t *self) {
    return self->in_hand;
}

static void s_take_over(zmq_msg_t *to, zmq_msg_t *from) {
    zmq_msg_init(to);
    zmq_msg_move(to, from);
    zmq_msg_close(from);
}

static void s_move_body(weft_ingest_t *self, zmq_msg_t *to) {
    size_t read = (size_t) (self->cursor.at - (const uint8_t *) zmq_msg_data(self->body));
    if (to == self->body) return;
    s_take_over(to, self->body);
    self->body = to;
    self->cursor = weft_mp_reader(zmq_msg_data(to), zmq_msg_size(to));
    self->cursor.at += read;
}

void weft_ingest_release(weft_ingest_t *self) {
    for (size_t i = 0; i < self->kept_count; i++) zmq_msg_close(&self->kept[i]);
    self->kept_count = self->kept_bytes = 0;
    if (self->in_hand) s_move_body(self, &self->kept[0]); /* no row points into it any more */
    self->type = NULL; /* the next batch looks it up again: its room for types starts anew */
    self->used = false;
}

/* ---- refusing */

static void s_drop(weft_ingest_t *self, weft_drop_t why) {
    weft_sequencer_drop(self->config.sequencer, why);
}

/* Drop an event for good: its origin is told when it asks. */
static void s_refuse(weft_ingest_t *self, weft_drop_t why, weft_err_t code,
                     const weft_wire_event_t *event) {
    s_drop(self, why);
    if (!event->origin || !event->source_seq) return;
    weft_refusal_t refusal = {.source_seq = event->source_seq, .code = (uint64_t) code};
    memcpy(refusal.origin.bytes, event->origin, sizeof refusal.origin.bytes);
    self->config.refuse(self->config.refuse_arg, &refusal);
}

static void s_refuse_malformed(weft_ingest_t *self, weft_err_t code,
                               const weft_wire_event_t *event) {
    const char *type = zmq_msg_data(&self->type_frame);
    weft_drop_t why = code == WEFT_E_VERSION   ? WEFT_DROP_BAD_VERSION
                      : code == WEFT_E_TOO_BIG ? WEFT_DROP_TOO_BIG
                                               : WEFT_DROP_BAD_EVENT;
    if (weft_type_check(type, zmq_msg_size(&self->type_frame)) != WEFT_OK) {
        why = WEFT_DROP_BAD_TYPE; /* I5: nothing in such a message counts as anything else */
        code = WEFT_E_BAD_TYPE;
    }
    s_refuse(self, why, code, event);
}

static void s_refuse_type(weft_ingest_t *self, const weft_wire_event_t *event) {
    switch (self->type_error) {
    case WEFT_E_FULL: s_refuse(self, WEFT_DROP_TYPES_FULL, WEFT_E_FULL, event); break;
    case WEFT_E_NOMEM: s_drop(self, WEFT_DROP_STORE_FAILED); break; /* may go well next time */
    default: s_refuse(self, WEFT_DROP_BAD_TYPE, WEFT_E_BAD_TYPE, event); break;
    }
}

/* ---- one event */

/* origin out: NULL for fire-and-forget (I4). */
static weft_err_t s_origin(weft_ingest_t *self, const weft_wire_event_t *event,
                           weft_seq_origin_t **origin) {
    uint64_t last, position, chain;
    *origin = NULL;
    if (!event->source_seq) return WEFT_OK;
    *origin = weft_sequencer_origin(self->config.sequencer, event->origin);
    if (*origin) return WEFT_OK;
    weft_err_t rc = weft_store_origin(self->config.store, event->origin, &last, &position, &chain);
    if (rc != WEFT_OK) return rc;
    *origin = weft_sequencer_load_origin(self->config.sequencer, event->origin, last, position,
                                         chain);
    return *origin ? WEFT_OK : WEFT_E_NOMEM;
}

static bool s_closed(const weft_ingest_t *self) {
    weft_err_t trouble = weft_store_trouble(self->config.store);
    return trouble != WEFT_OK && trouble != WEFT_E_FULL && trouble != WEFT_E_LOCKED;
}

/* A well-formed event. False: the batch has no room for its type, it stays where it is. */
static bool s_place(weft_ingest_t *self, const weft_wire_event_t *event) {
    weft_seq_origin_t *origin;
    weft_drop_t drop;
    if (s_closed(self)) {
        s_drop(self, WEFT_DROP_NOT_ACCEPTING);
        return true;
    }
    if (!self->type && self->type_error == WEFT_OK) {
        weft_err_t rc = weft_sequencer_type(self->config.sequencer, zmq_msg_data(&self->type_frame),
                                            zmq_msg_size(&self->type_frame), &self->type);
        if (rc == WEFT_E_AGAIN) return false;
        self->type_error = rc;
    }
    if (self->type_error != WEFT_OK) {
        s_refuse_type(self, event);
        return true;
    }
    if (s_origin(self, event, &origin) != WEFT_OK)
        s_drop(self, WEFT_DROP_STORE_FAILED);
    else if (weft_sequencer_take(self->config.sequencer, self->type, origin, event, &drop))
        self->used = true;
    return true;
}

/* ---- one message */

static void s_finish(weft_ingest_t *self) {
    zmq_msg_close(&self->type_frame);
    if (self->used) {
        WEFT_ASSERT(self->kept_count < KEPT_MAX && self->body == &self->kept[self->kept_count]);
        self->kept_bytes += zmq_msg_size(self->body);
        self->kept_count++;
    } else {
        zmq_msg_close(self->body);
    }
    self->in_hand = false;
    self->used = false;
}

/* P5: a message of junk may not cost as much as it has bytes. What is left of it is one item. */
static void s_give_up(weft_ingest_t *self) {
    weft_wire_event_t none = {0};
    if (weft_mp_left(&self->cursor)) s_refuse_malformed(self, WEFT_E_BAD_EVENT, &none);
}

/* Events of the message in hand. False: the batch must be committed first. */
static bool s_take_events(weft_ingest_t *self) {
    while (weft_mp_left(&self->cursor)) {
        if (weft_sequencer_full(self->config.sequencer)) return false;
        weft_wire_event_t event;
        weft_mp_t before = self->cursor;
        weft_err_t rc = weft_wire_event_take(&self->cursor, &event);
        if (rc != WEFT_OK) {
            s_refuse_malformed(self, rc, &event);
            if (self->cursor.at == before.at) break; /* the rest has no structure: one item */
            if (++self->malformed == WEFT_MALFORMED_MAX) {
                s_give_up(self);
                break;
            }
        } else if (!s_place(self, &event)) {
            self->cursor = before;
            return false;
        }
    }
    s_finish(self);
    return true;
}

static bool s_receive(weft_ingest_t *self) {
    zmq_msg_t frames[FRAMES];
    unsigned count;
    if (weft_net_recv(self->config.socket, frames, FRAMES, &count) != WEFT_OK) return false;
    if (count != FRAMES) {
        s_drop(self, WEFT_DROP_BAD_FRAME);
        weft_net_close_frames(frames, count, FRAMES);
        return true;
    }
    self->in_hand = true;
    self->used = false;
    self->malformed = 0;
    self->type = NULL;
    self->type_error = WEFT_OK;
    self->body = &self->kept[self->kept_count];
    s_take_over(&self->type_frame, &frames[0]);
    s_take_over(self->body, &frames[1]); /* before anything points into it */
    self->cursor = weft_mp_reader(zmq_msg_data(self->body), zmq_msg_size(self->body));
    if (!weft_mp_left(&self->cursor)) { /* also an item: a message must not vanish uncounted */
        weft_wire_event_t none = {0};
        s_refuse_malformed(self, WEFT_E_BAD_EVENT, &none);
    }
    return true;
}

void weft_ingest_take(weft_ingest_t *self, bool receive) {
    int64_t end_us = weft_os_monotonic_us() + WEFT_BATCH_US_MAX;
    if (self->in_hand && !s_take_events(self)) return;
    while (receive && !weft_sequencer_full(self->config.sequencer)) {
        if (self->kept_bytes >= KEPT_BYTES_MAX || weft_os_monotonic_us() >= end_us) return;
        if (!s_receive(self)) return;
        if (self->in_hand && !s_take_events(self)) return;
    }
}
