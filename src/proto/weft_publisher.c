/* weft_publisher: see weft_publisher.h for the rules.
 * acked ≤ sent ≤ hashed ≤ highest; the origin chain of the last hashed events, two windows of them, is
 * kept, so any ack within the window can be checked, and most of what a restored log comes back with. */
#include "weft_publisher.h"

#include "weft_assert.h"
#include "weft_checksum.h"
#include "weft_limits.h"

#include <stdlib.h>
#include <string.h>

#define RING (2 * WEFT_WINDOW_EVENTS_MAX) /* acked itself and the window lie within it */
#define BLOCKED_MS 10

struct weft_publisher {
    weft_publisher_state_t state;
    weft_err_t stopped;
    weft_uuid_t log;
    uint64_t acked, acked_chain, acked_position;
    uint64_t sent;
    uint64_t hashed; /* origin chain is known up to here */
    uint64_t known;  /* and from here on, as far as the ring reaches */
    uint64_t oldest, highest;
    uint64_t ever_sent, resent;
    uint64_t hello_id, hello_acked; /* O3: what was acked when HELLO went out */
    uint64_t prove_last, prove_chain, prove_position;
    bool open;         /* a bus listens on the ingest socket */
    bool full;         /* the window was, and has not opened again */
    int64_t hello_at;  /* next HELLO is due */
    int64_t unsent_ms; /* pause after a HELLO that found no connection: grows */
    int64_t ack_by;    /* O2 */
    int64_t send_at;   /* not before */
    int64_t path_by;   /* nobody listens until then: ask for the endpoints again */
    int64_t wait_ms;   /* O2: grows */
    uint64_t chains[RING];
};

/* The only moves there are; the same list as the state chart in docs/protocol.md. */
static const struct {
    weft_publisher_state_t from, to;
} s_edges[] = {
    {WEFT_PUBLISHER_GREETING,
     WEFT_PUBLISHER_PROVING}, /* WELCOME, the bus is ahead of the last ack */
    {WEFT_PUBLISHER_GREETING, WEFT_PUBLISHER_SENDING}, /* WELCOME */
    {WEFT_PUBLISHER_PROVING, WEFT_PUBLISHER_SENDING},  /* chains agree */
    {WEFT_PUBLISHER_SENDING, WEFT_PUBLISHER_GREETING}, /* no ack in time */
};

static void s_move(weft_publisher_t *self, weft_publisher_state_t to) {
    bool legal = to == WEFT_PUBLISHER_STOPPED;
    for (size_t i = 0; i < sizeof s_edges / sizeof *s_edges; i++)
        legal = legal || (s_edges[i].from == self->state && s_edges[i].to == to);
    WEFT_ASSERT(legal);
    self->state = to;
    WEFT_ASSERT(self->acked <= self->sent && self->sent <= self->hashed);
    WEFT_ASSERT(self->hashed <= self->highest);
}

weft_publisher_t *weft_publisher_new(uint64_t acked, uint64_t acked_chain, const weft_uuid_t *log,
                                     uint64_t oldest, uint64_t highest) {
    weft_publisher_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->acked = self->sent = self->hashed = self->known = self->ever_sent = acked;
    self->acked_chain = self->chains[acked % RING] = acked_chain;
    self->log = *log;
    self->oldest = oldest;
    self->highest = highest > acked ? highest : acked;
    self->wait_ms = WEFT_RETRY_MS_MIN;
    self->unsent_ms = WEFT_UNSENT_MS_MIN;
    return self;
}

void weft_publisher_destroy(weft_publisher_t **self_p) {
    free(*self_p);
    *self_p = NULL;
}

void weft_publisher_queued(weft_publisher_t *self, uint64_t highest) {
    if (highest > self->highest) self->highest = highest;
}

void weft_publisher_pruned(weft_publisher_t *self, uint64_t oldest) {
    WEFT_ASSERT(oldest <= self->acked + 1);
    self->oldest = oldest;
}

void weft_publisher_path(weft_publisher_t *self, int64_t now_ms, bool open) {
    self->open = open;
    self->path_by = now_ms + WEFT_SILENCE_MS;
}

void weft_publisher_stop(weft_publisher_t *self, weft_err_t why) {
    WEFT_ASSERT(why != WEFT_OK);
    if (self->state == WEFT_PUBLISHER_STOPPED) return;
    self->stopped = why;
    s_move(self, WEFT_PUBLISHER_STOPPED);
}

static uint64_t s_window_end(const weft_publisher_t *self) {
    uint64_t end = self->acked + WEFT_WINDOW_EVENTS_MAX;
    return end < self->highest ? end : self->highest;
}

/* A window that was full opens again when a quarter of it is free: else each acknowledgement lets a few
 * events go, they make a small commit, and its acknowledgement lets as few go. */
static bool s_shut(const weft_publisher_t *self) {
    return self->full &&
           self->sent - self->acked > WEFT_WINDOW_EVENTS_MAX - WEFT_WINDOW_EVENTS_MAX / 4;
}

/* There is something to send and nobody who listens. */
static bool s_pathless(const weft_publisher_t *self) {
    return self->state == WEFT_PUBLISHER_SENDING && !self->open && self->sent < s_window_end(self);
}

static void s_greet(weft_publisher_t *self, int64_t at_ms) {
    if (self->state != WEFT_PUBLISHER_GREETING) s_move(self, WEFT_PUBLISHER_GREETING);
    self->hello_id = 0;
    self->hello_at = at_ms;
}

static void s_longer_wait(weft_publisher_t *self) {
    self->wait_ms *= 2;
    if (self->wait_ms > WEFT_RETRY_MS_MAX) self->wait_ms = WEFT_RETRY_MS_MAX;
}

void weft_publisher_next(weft_publisher_t *self, int64_t now_ms, uint64_t random,
                         weft_publisher_action_t *action) {
    *action = (weft_publisher_action_t){.kind = WEFT_PUBLISHER_NOTHING};
    if (self->state == WEFT_PUBLISHER_SENDING && self->sent > self->acked &&
        now_ms >= self->ack_by) {
        s_longer_wait(self);
        s_greet(self, now_ms); /* O2 */
    }
    if (s_pathless(self) && now_ms >= self->path_by) s_greet(self, now_ms);
    switch (self->state) {
    case WEFT_PUBLISHER_GREETING:
        if (now_ms < self->hello_at) return;
        action->kind = WEFT_PUBLISHER_HELLO;
        action->id = random;
        return;
    case WEFT_PUBLISHER_PROVING:
        action->kind = WEFT_PUBLISHER_PROVE;
        action->sequence = self->hashed + 1;
        return;
    case WEFT_PUBLISHER_SENDING:
        if (!self->open || now_ms < self->send_at || self->sent >= s_window_end(self)) return;
        if (s_shut(self)) return;
        self->full = false;
        action->kind = WEFT_PUBLISHER_SEND;
        action->sequence = self->sent + 1;
        return;
    case WEFT_PUBLISHER_STOPPED: return;
    }
}

void weft_publisher_hello_sent(weft_publisher_t *self, int64_t now_ms, uint64_t id, bool sent) {
    if (self->state != WEFT_PUBLISHER_GREETING) return;
    self->hello_id = sent ? id : 0;
    self->hello_acked = self->acked;
    self->hello_at = now_ms + (sent ? WEFT_REQUEST_MS : self->unsent_ms);
    self->unsent_ms = sent ? WEFT_UNSENT_MS_MIN : weft_unsent_longer(self->unsent_ms);
}

static void s_hash(weft_publisher_t *self, uint64_t sequence, uint64_t type_hash,
                   uint64_t event_hash) {
    WEFT_ASSERT(sequence == self->hashed + 1);
    self->chains[sequence % RING] = weft_checksum_origin(self->chains[self->hashed % RING],
                                                         type_hash, event_hash);
    self->hashed = sequence;
}

/* The bus has all up to last: move on from there. */
static void s_adopt(weft_publisher_t *self, int64_t now_ms, uint64_t last, uint64_t chain,
                    uint64_t position) {
    if (last > self->acked) {
        self->wait_ms = WEFT_RETRY_MS_MIN;
        self->acked = last;
        self->acked_chain = chain;
        self->acked_position = position;
    }
    if (self->sent < self->acked) self->sent = self->acked;
    if (self->hashed < self->sent) {
        self->hashed = self->sent;
        self->chains[self->hashed % RING] = chain;
    }
    self->ack_by = now_ms + self->wait_ms;
}

void weft_publisher_hashed(weft_publisher_t *self, uint64_t sequence, uint64_t type_hash,
                           uint64_t event_hash) {
    if (self->state != WEFT_PUBLISHER_PROVING) return;
    s_hash(self, sequence, type_hash, event_hash);
    if (self->hashed < self->prove_last) return;
    if (self->chains[self->hashed % RING] != self->prove_chain) {
        weft_publisher_stop(self, WEFT_E_TWIN); /* O3 */
        return;
    }
    s_adopt(self, INT64_MIN / 2, self->prove_last, self->prove_chain, self->prove_position);
    self->ever_sent = self->sent;
    s_move(self, WEFT_PUBLISHER_SENDING);
}

void weft_publisher_sent(weft_publisher_t *self, int64_t now_ms, uint64_t sequence,
                         uint64_t type_hash, uint64_t event_hash) {
    if (self->state != WEFT_PUBLISHER_SENDING) return;
    WEFT_ASSERT(sequence == self->sent + 1);
    if (sequence > self->hashed) s_hash(self, sequence, type_hash, event_hash);
    if (self->sent == self->acked) self->ack_by = now_ms + self->wait_ms;
    self->sent = sequence;
    if (self->sent - self->acked >= WEFT_WINDOW_EVENTS_MAX) self->full = true;
    if (sequence <= self->ever_sent)
        self->resent++;
    else
        self->ever_sent = sequence;
}

void weft_publisher_blocked(weft_publisher_t *self, int64_t now_ms, uint64_t first) {
    if (self->state != WEFT_PUBLISHER_SENDING) return;
    self->sent = first - 1 > self->acked ? first - 1 : self->acked;
    self->send_at = now_ms + BLOCKED_MS;
}

/* O3: what the bus says of this origin against what was acknowledged when HELLO went out. */
static void s_compare(weft_publisher_t *self, int64_t now_ms, const weft_origin_state_t *bus) {
    bool known = bus->last >= self->known && bus->last <= self->hashed &&
                 bus->last + RING > self->hashed;
    if (known && self->chains[bus->last % RING] != bus->chain) {
        weft_publisher_stop(self, WEFT_E_TWIN);
        return;
    }
    if (bus->last < self->hello_acked) { /* the log has lost what it once acknowledged */
        if (bus->last + 1 < self->oldest) {
            weft_publisher_stop(self, WEFT_E_BUS_LOST);
            return;
        }
        self->acked = self->sent = self->hashed = bus->last;
        if (self->known > bus->last) self->known = bus->last;
        self->acked_chain = self->chains[bus->last % RING] = bus->chain;
        self->acked_position = bus->position;
    } else if (bus->last > self->highest) {
        weft_publisher_stop(self, WEFT_E_TWIN);
        return;
    } else if (bus->last > self->hashed) {
        self->prove_last = bus->last;
        self->prove_chain = bus->chain;
        self->prove_position = bus->position;
        s_move(self, WEFT_PUBLISHER_PROVING);
        return;
    } else {
        s_adopt(self, now_ms, bus->last, bus->chain, bus->position);
        self->sent = self->acked; /* O2: on from last + 1 */
    }
    self->ack_by = now_ms + self->wait_ms;
    s_move(self, WEFT_PUBLISHER_SENDING);
}

static bool s_for_good(uint64_t code) {
    return code == WEFT_E_BAD_TYPE || code == WEFT_E_BAD_EVENT || code == WEFT_E_TOO_BIG ||
           code == WEFT_E_VERSION;
}

void weft_publisher_welcome(weft_publisher_t *self, int64_t now_ms, const weft_welcome_t *welcome) {
    static const weft_uuid_t none;
    weft_origin_state_t bus;
    if (self->state != WEFT_PUBLISHER_GREETING || !self->hello_id || welcome->id != self->hello_id)
        return; /* C3 */
    self->hello_id = 0;
    if (weft_origin_state_decode(welcome->origin.data, welcome->origin.size, &bus) != WEFT_OK) {
        weft_publisher_stop(self, WEFT_E_PROTO);
        return;
    }
    if (self->acked && memcmp(&self->log, &none, sizeof none) != 0 &&
        memcmp(&self->log, &welcome->log, sizeof self->log) != 0) {
        weft_publisher_stop(self, WEFT_E_OTHER_LOG);
        return;
    }
    self->log = welcome->log;
    if (bus.refused_seq && bus.refused_seq == bus.last + 1 && s_for_good(bus.refused_code)) {
        weft_publisher_stop(self, (weft_err_t) bus.refused_code);
        return;
    }
    if (!welcome->accepting) {
        s_greet(self, now_ms + self->wait_ms);
        s_longer_wait(self);
        return;
    }
    self->path_by = now_ms + WEFT_SILENCE_MS;
    s_compare(self, now_ms, &bus);
}

void weft_publisher_error(weft_publisher_t *self, int64_t now_ms, const weft_error_t *error) {
    if (self->state != WEFT_PUBLISHER_GREETING || !self->hello_id || error->id != self->hello_id)
        return;
    if (error->code == WEFT_E_VERSION) {
        weft_publisher_stop(self, WEFT_E_VERSION);
        return;
    }
    s_greet(self, now_ms + self->wait_ms);
    s_longer_wait(self);
}

void weft_publisher_ack(weft_publisher_t *self, int64_t now_ms, const weft_ack_t *ack) {
    if (self->state == WEFT_PUBLISHER_STOPPED || self->state == WEFT_PUBLISHER_PROVING) return;
    if (ack->source_seq < self->acked) return; /* an old one, or one that HELLO will sort out */
    if (ack->source_seq > self->hashed) {
        if (ack->source_seq > self->highest) weft_publisher_stop(self, WEFT_E_TWIN);
        return; /* sent by an earlier life of this origin: HELLO proves it */
    }
    if (self->chains[ack->source_seq % RING] != ack->origin_chain) {
        weft_publisher_stop(self, WEFT_E_TWIN); /* O3 */
        return;
    }
    if (ack->source_seq == self->acked) {
        self->acked_position = ack->position;
        return;
    }
    s_adopt(self, now_ms, ack->source_seq, ack->origin_chain, ack->position);
}

int64_t weft_publisher_deadline(const weft_publisher_t *self) {
    switch (self->state) {
    case WEFT_PUBLISHER_GREETING: return self->hello_at;
    case WEFT_PUBLISHER_PROVING: return INT64_MIN;
    case WEFT_PUBLISHER_SENDING: {
        int64_t at = self->sent > self->acked ? self->ack_by : INT64_MAX;
        if (s_pathless(self) && self->path_by < at) at = self->path_by;
        if (self->open && self->sent < s_window_end(self) && !s_shut(self) && self->send_at < at)
            at = self->send_at;
        return at;
    }
    case WEFT_PUBLISHER_STOPPED: break;
    }
    return INT64_MAX;
}

weft_publisher_state_t weft_publisher_state(const weft_publisher_t *self) {
    return self->state;
}

bool weft_publisher_open(const weft_publisher_t *self) {
    return self->open;
}

weft_err_t weft_publisher_stopped(const weft_publisher_t *self) {
    return self->stopped;
}

uint64_t weft_publisher_acked(const weft_publisher_t *self) {
    return self->acked;
}

uint64_t weft_publisher_in_flight(const weft_publisher_t *self) {
    return self->sent - self->acked;
}

uint64_t weft_publisher_unsent(const weft_publisher_t *self) {
    return self->highest - self->sent;
}

uint64_t weft_publisher_acked_chain(const weft_publisher_t *self) {
    return self->acked_chain;
}

uint64_t weft_publisher_acked_position(const weft_publisher_t *self) {
    return self->acked_position;
}

const weft_uuid_t *weft_publisher_log(const weft_publisher_t *self) {
    return &self->log;
}

uint64_t weft_publisher_resent(const weft_publisher_t *self) {
    return self->resent;
}
