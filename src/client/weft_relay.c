/* weft_relay: performs what the pure weft_publisher decides.
 * Sockets: control (HELLO), XPUB to ingest, SUB to fan-out for "$ack/<origin>" alone. An XPUB shows
 * the bus' subscription, so nothing is sent into the void after a connect. */
#include "weft_relay.h"

#include "weft_checksum.h"
#include "weft_crash.h"
#include "weft_limits.h"
#include "weft_os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INGEST_HWM (4 * WEFT_WINDOW_EVENTS_MAX) /* O2: the window lies well under it */
#define ACK_HWM 1000
#define GATHER_CROWD 16 /* as many in a message: events come so fast that the next one waits, too */
#define GATHER_EVENTS 64 /* as many as this wait for no more */

struct weft_relay {
    weft_link_t link;
    weft_publisher_t *publisher;
    weft_uuid_t origin;
    char topic[WEFT_TOPIC_ACK_BYTES + 1];
    char name[WEFT_TEXT_BYTES_MAX];
    weft_relay_read_fn read;
    void *arg;
    void *ingest;
    void *acks;
    char ingest_endpoint[WEFT_ENDPOINT_BYTES];
    char fanout_endpoint[WEFT_ENDPOINT_BYTES];
    weft_buf_t request;
    weft_buf_t group; /* F1: consecutive events of one type */
    char group_type[WEFT_TYPE_BYTES_MAX + 1];
    size_t group_type_size;
    uint64_t group_first;
    size_t group_events, last_events; /* in the group; in the message before it */
    unsigned gather_us;
    int64_t gather_until_us;
    uint64_t asked; /* id of the question that weft_relay_ask put last; 0: it is answered */
    weft_relay_told_fn asked_fn;
    void *asked_arg;
    weft_err_t told; /* stop that was written to diag */
    bool held_back;  /* the bus accepts nothing, and that was written to diag */
};

weft_err_t weft_relay_new(weft_relay_t **out, const weft_relay_config_t *config) {
    weft_err_t rc = WEFT_E_NOMEM;
    weft_relay_t *self = calloc(1, sizeof *self);
    if (!self) return rc;
    self->link.epoll_fd = self->link.timer_fd = -1;
    self->origin = config->origin;
    self->gather_us = config->gather_us;
    self->read = config->read;
    self->arg = config->arg;
    weft_ack_topic(self->topic, config->origin.bytes);
    snprintf(self->name, sizeof self->name, "%s", config->name);
    self->publisher = weft_publisher_new(config->acked, config->acked_chain, &config->log,
                                         config->oldest, config->highest);
    if (!self->publisher) goto out;
    rc = weft_link_open(&self->link, config->bus, config->zmq_context);
    if (rc != WEFT_OK) goto out;
    weft_link_arm(&self->link, 0);
    *out = self;
    self = NULL;
out:
    weft_relay_destroy(&self);
    return rc;
}

void weft_relay_destroy(weft_relay_t **self_p) {
    weft_relay_t *self = *self_p;
    if (!self) return;
    weft_link_drop(&self->link, &self->ingest);
    weft_link_drop(&self->link, &self->acks);
    weft_link_close(&self->link);
    weft_publisher_destroy(&self->publisher);
    weft_buf_free(&self->request);
    weft_buf_free(&self->group);
    free(self);
    *self_p = NULL;
}

/* ---- connections */

static weft_err_t s_connect(weft_relay_t *self, const weft_welcome_t *welcome) {
    char told[WEFT_ENDPOINT_BYTES], fanout[WEFT_ENDPOINT_BYTES], ingest[WEFT_ENDPOINT_BYTES];
    snprintf(told, sizeof told, "%.*s", (int) welcome->fanout.size, welcome->fanout.data);
    if (weft_endpoint_reach(fanout, told, self->link.endpoint) != WEFT_OK) return WEFT_E_PROTO;
    snprintf(told, sizeof told, "%.*s", (int) welcome->ingest.size, welcome->ingest.data);
    if (weft_endpoint_reach(ingest, told, self->link.endpoint) != WEFT_OK) return WEFT_E_PROTO;
    if (self->ingest && strcmp(fanout, self->fanout_endpoint) == 0 &&
        strcmp(ingest, self->ingest_endpoint) == 0)
        return WEFT_OK;
    weft_link_drop(&self->link, &self->ingest);
    weft_link_drop(&self->link, &self->acks);
    weft_publisher_path(self->publisher, weft_os_monotonic_ms(), false);
    snprintf(self->fanout_endpoint, sizeof self->fanout_endpoint, "%s", fanout);
    snprintf(self->ingest_endpoint, sizeof self->ingest_endpoint, "%s", ingest);
    self->acks = weft_link_socket(&self->link, ZMQ_SUB, ACK_HWM, false);
    self->ingest = weft_link_socket(&self->link, ZMQ_XPUB, INGEST_HWM, true);
    int on = 1; /* a full pipe says so instead of dropping */
    if (!self->acks || !self->ingest ||
        zmq_setsockopt(self->ingest, ZMQ_XPUB_NODROP, &on, sizeof on) != 0 ||
        zmq_setsockopt(self->acks, ZMQ_SUBSCRIBE, self->topic, WEFT_TOPIC_ACK_BYTES) != 0 ||
        zmq_connect(self->acks, fanout) != 0 || zmq_connect(self->ingest, ingest) != 0) {
        weft_diag(WEFT_DIAG_ERROR, "relay.connect", "fanout=\"%s\" ingest=\"%s\" reason=\"%s\"",
                  fanout, ingest, zmq_strerror(errno));
        return WEFT_E_IO;
    }
    return WEFT_OK;
}

/* Once for each time that the bus stops to accept, not for each HELLO meanwhile. */
static void s_tell_accepting(weft_relay_t *self, const weft_welcome_t *welcome) {
    if (welcome->accepting == !self->held_back) return;
    self->held_back = !welcome->accepting;
    if (self->held_back)
        weft_diag(WEFT_DIAG_WARN, "relay.held_back", "source=\"%s\" bus=\"%s\" reason=\"%.*s\"",
                  self->name, self->link.endpoint, (int) welcome->reason.size,
                  welcome->reason.data);
    else
        weft_diag(WEFT_DIAG_INFO, "relay.goes_on", "source=\"%s\" bus=\"%s\"", self->name,
                  self->link.endpoint);
}

/* The answer to weft_relay_ask? It is none of the publisher's business then. */
static bool s_is_told(weft_relay_t *self, weft_command_t command, zmq_msg_t *body) {
    weft_welcome_t welcome;
    if (!self->asked || command != WEFT_COMMAND_WELCOME ||
        weft_welcome_decode(zmq_msg_data(body), zmq_msg_size(body), &welcome) != WEFT_OK ||
        welcome.id != self->asked)
        return false;
    self->asked = 0;
    self->asked_fn(self->asked_arg, welcome.id, &welcome);
    return true;
}

static void s_on_reply(weft_relay_t *self, weft_command_t command, zmq_msg_t *body) {
    int64_t now = weft_os_monotonic_ms();
    if (command == WEFT_COMMAND_WELCOME) {
        weft_welcome_t welcome;
        weft_err_t rc = weft_welcome_decode(zmq_msg_data(body), zmq_msg_size(body), &welcome);
        if (rc == WEFT_OK) rc = s_connect(self, &welcome);
        if (rc == WEFT_OK) {
            s_tell_accepting(self, &welcome);
            weft_publisher_welcome(self->publisher, now, &welcome);
        } else {
            weft_publisher_stop(self->publisher, rc == WEFT_E_BAD_FIELD ? WEFT_E_PROTO : rc);
        }
    } else if (command == WEFT_COMMAND_ERROR) {
        weft_error_t error;
        weft_err_t rc = weft_error_decode(zmq_msg_data(body), zmq_msg_size(body), &error);
        if (rc == WEFT_E_VERSION)
            error.code = rc;
        else if (rc != WEFT_OK)
            return;
        weft_diag(WEFT_DIAG_WARN, "relay.refused", "bus=\"%s\" error=%s text=\"%.*s\"",
                  self->link.endpoint, weft_err_name((weft_err_t) error.code),
                  (int) error.text.size, error.text.data);
        weft_publisher_error(self->publisher, now, &error);
    }
}

static void s_read_control(weft_relay_t *self) {
    zmq_msg_t frames[3];
    unsigned count;
    weft_command_t command;
    while (weft_link_recv(&self->link, frames, &count, &command) == WEFT_OK) {
        if (command != WEFT_COMMAND_NONE && !s_is_told(self, command, &frames[1]))
            s_on_reply(self, command, &frames[1]);
        weft_net_close_frames(frames, count, 3);
    }
}

static void s_read_acks(weft_relay_t *self) {
    zmq_msg_t frames[2];
    unsigned count;
    while (self->acks && weft_net_recv(self->acks, frames, 2, &count) == WEFT_OK) {
        weft_ack_t ack;
        if (count == 2 && zmq_msg_size(&frames[0]) == WEFT_TOPIC_ACK_BYTES &&
            weft_ack_decode(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &ack) == WEFT_OK)
            weft_publisher_ack(self->publisher, weft_os_monotonic_ms(), &ack);
        WEFT_CRASH_POINT("relay.ack_read");
        weft_net_close_frames(frames, count, 2);
    }
}

/* The bus subscribes with one byte 0x01; ZeroMQ makes 0x00 of its end or of a lost connection. */
static void s_read_subscriptions(weft_relay_t *self) {
    zmq_msg_t frame;
    unsigned count;
    while (self->ingest && weft_net_recv(self->ingest, &frame, 1, &count) == WEFT_OK) {
        if (zmq_msg_size(&frame) == 1)
            weft_publisher_path(self->publisher, weft_os_monotonic_ms(),
                                *(const uint8_t *) zmq_msg_data(&frame) == 1);
        weft_net_close_frames(&frame, count, 1);
    }
}

/* ---- sending */

static bool s_flush(weft_relay_t *self) {
    if (!self->group.size) return true;
    weft_err_t rc = weft_net_send(self->ingest, self->group_type, self->group_type_size,
                                  self->group.data, self->group.size);
    WEFT_CRASH_POINT("relay.sent");
    if (rc != WEFT_OK)
        weft_publisher_blocked(self->publisher, weft_os_monotonic_ms(), self->group_first);
    weft_buf_clear(&self->group);
    self->last_events = self->group_events;
    self->group_events = 0;
    self->gather_until_us = weft_os_monotonic_us() + self->gather_us;
    return rc == WEFT_OK;
}

static bool s_gathers(const weft_relay_t *self) {
    return !self->group.size &&
           (weft_publisher_in_flight(self->publisher) || self->last_events >= GATHER_CROWD) &&
           weft_publisher_unsent(self->publisher) < GATHER_EVENTS &&
           weft_os_monotonic_us() < self->gather_until_us;
}

static bool s_joins(const weft_relay_t *self, const weft_relay_event_t *event) {
    return self->group_type_size == event->type_size &&
           memcmp(self->group_type, event->type, event->type_size) == 0 &&
           self->group.size + event->size <= WEFT_GROUP_BYTES_TARGET;
}

/* False: the group before it was blocked, so this one waits, too. */
static bool s_send_event(weft_relay_t *self, uint64_t sequence, const weft_relay_event_t *event) {
    if (self->group.size && !s_joins(self, event) && !s_flush(self)) return false;
    if (!self->group.size) {
        memcpy(self->group_type, event->type, event->type_size);
        self->group_type_size = event->type_size;
        self->group_first = sequence;
    }
    weft_buf_append(&self->group, event->event, event->size);
    self->group_events++;
    if (!weft_buf_ok(&self->group)) weft_publisher_stop(self->publisher, WEFT_E_NOMEM);
    return weft_buf_ok(&self->group);
}

static bool s_send_hello(weft_relay_t *self, uint64_t id, const weft_uuid_t *origin) {
    weft_hello_t hello = {.id = id,
                          .version = WEFT_PROTOCOL_VERSION,
                          .name = weft_text(self->name),
                          .origin = *origin};
    weft_buf_clear(&self->request);
    weft_hello_encode(&self->request, &hello);
    return weft_link_send(&self->link, WEFT_COMMAND_HELLO, &self->request) == WEFT_OK;
}

static void s_hello(weft_relay_t *self, uint64_t id) {
    bool sent = s_send_hello(self, id, &self->origin);
    weft_publisher_hello_sent(self->publisher, weft_os_monotonic_ms(), id, sent);
    WEFT_CRASH_POINT("relay.hello_sent");
}

/* One thing that is due. False: nothing is. */
static bool s_act(weft_relay_t *self) {
    weft_publisher_action_t action;
    weft_relay_event_t event;
    int64_t now = weft_os_monotonic_ms();
    weft_publisher_next(self->publisher, now, weft_link_request_id(&self->link), &action);
    if (action.kind == WEFT_PUBLISHER_NOTHING) return false;
    if (action.kind == WEFT_PUBLISHER_SEND && s_gathers(self)) return false;
    if (action.kind == WEFT_PUBLISHER_HELLO) {
        s_hello(self, action.id);
        return true;
    }
    if (!self->read(self->arg, action.sequence, &event)) {
        weft_publisher_stop(self->publisher, WEFT_E_STORE);
        return false;
    }
    uint64_t type_hash = weft_hash(event.type, event.type_size);
    uint64_t event_hash = weft_hash(event.event, event.size);
    if (action.kind == WEFT_PUBLISHER_PROVE) {
        weft_publisher_hashed(self->publisher, action.sequence, type_hash, event_hash);
        return true;
    }
    if (s_send_event(self, action.sequence, &event))
        weft_publisher_sent(self->publisher, now, action.sequence, type_hash, event_hash);
    return true;
}

weft_err_t weft_relay_step(weft_relay_t *self) {
    bool more;
    do {
        s_read_control(self);
        s_read_acks(self);
        s_read_subscriptions(self);
        more = false;
        while (s_act(self)) more = true;
        (void) s_flush(self); /* a blocked group is sent again after a pause */
    } while (more);           /* sending may have taken in what the descriptor no longer shows */
    if (weft_publisher_unsent(self->publisher) && s_gathers(self))
        weft_link_arm_us(&self->link, self->gather_until_us);
    else
        weft_link_arm(&self->link, weft_publisher_deadline(self->publisher));
    weft_err_t stopped = weft_publisher_stopped(self->publisher);
    if (stopped != self->told) {
        self->told = stopped;
        weft_diag(WEFT_DIAG_ERROR, "relay.stopped", "source=\"%s\" error=%s text=\"%s\"",
                  self->name, weft_err_name(stopped), weft_err_text(stopped));
    }
    return stopped;
}

void weft_relay_queued(weft_relay_t *self, uint64_t highest) {
    weft_publisher_queued(self->publisher, highest);
}

void weft_relay_pruned(weft_relay_t *self, uint64_t oldest) {
    weft_publisher_pruned(self->publisher, oldest);
}

void weft_relay_report(weft_relay_t *self, const weft_report_t *report) {
    weft_buf_clear(&self->request);
    weft_report_encode(&self->request, report);
    (void) weft_link_send(&self->link, WEFT_COMMAND_REPORT,
                          &self->request); /* the next one tells as much */
}

bool weft_relay_ask(weft_relay_t *self, const weft_uuid_t *origin, weft_relay_told_fn fn, void *arg,
                    uint64_t *id) {
    *id = weft_link_request_id(&self->link);
    bool sent = s_send_hello(self, *id, origin);
    self->asked = sent ? *id : 0;
    self->asked_fn = fn;
    self->asked_arg = arg;
    return sent;
}

int weft_relay_fd(const weft_relay_t *self) {
    return self->link.epoll_fd;
}

bool weft_relay_wait(weft_relay_t *self, int timeout_ms) {
    return weft_link_wait(&self->link, timeout_ms);
}

const weft_publisher_t *weft_relay_publisher(const weft_relay_t *self) {
    return self->publisher;
}
