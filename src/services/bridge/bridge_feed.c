/* bridge_feed: see bridge_feed.h. Positions have no gaps, so an event's place in the ring follows from its
 * position. */
#include "bridge_feed.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bridge_event.h"

#define RING_EVENTS 16384u /* a power of two */
#define RING_BYTES_MAX (8u << 20)
#define BATCHES_MAX 64u /* before the rest of the loop has its turn */
#define AGAIN_MS 1000u

typedef struct {
    size_t type_size, text_size; /* with NUL, without */
    char bytes[];                /* the type, then the text */
} entry_t;

struct bridge_feed {
    bridge_t *bridge;
    bridge_feed_config_t config;
    weft_sub_t *sub;
    bool known; /* from and to */
    uint64_t from, to;
    size_t bytes;
    entry_t *ring[RING_EVENTS]; /* of position p: ring[p % RING_EVENTS] */
    bridge_text_t text;
    int timer_id, begins_id;
    bool timer, begins; /* armed */
};

static void s_drop_oldest(bridge_feed_t *self) {
    entry_t **slot = &self->ring[++self->from % RING_EVENTS];
    self->bytes -= (*slot)->type_size + (*slot)->text_size;
    free(*slot);
    *slot = NULL;
}

static void s_clear(bridge_feed_t *self, uint64_t position) {
    while (self->from < self->to) s_drop_oldest(self);
    self->from = self->to = position;
}

/* Without memory the ring begins anew behind the event: whoever wants it reads it from the bus. */
static void s_add(bridge_feed_t *self, const weft_event_t *event, const weft_uuid_t *log) {
    size_t type_size = strlen(event->type) + 1;
    bridge_text_clear(&self->text);
    bridge_text_format(&self->text, "id: %" PRIu64 "\ndata: ", event->position.value);
    bridge_event_course(self->bridge->names, event, log, &self->text);
    bridge_text_say(&self->text, "\n\n");
    entry_t *entry = self->text.failed ? NULL : malloc(sizeof *entry + type_size + self->text.size);
    if (!entry || event->position.value != self->to + 1) {
        free(entry);
        s_clear(self, event->position.value);
        return;
    }
    entry->type_size = type_size;
    entry->text_size = self->text.size;
    memcpy(entry->bytes, event->type, type_size);
    memcpy(entry->bytes + type_size, self->text.data, self->text.size);
    if (self->to - self->from == RING_EVENTS) s_drop_oldest(self);
    self->ring[++self->to % RING_EVENTS] = entry;
    self->bytes += type_size + self->text.size;
    while (self->bytes > RING_BYTES_MAX && self->to - self->from > 1) s_drop_oldest(self);
}

static void s_take(bridge_feed_t *self, const weft_batch_t *batch) {
    bool wanted = self->config.wanted(self->config.arg);
    if (!self->known || !wanted)
        s_clear(self, batch->count && wanted ? batch->events[0].position.value - 1
                                             : batch->next.position.value);
    self->known = true;
    for (size_t i = 0; i < batch->count && wanted; i++)
        s_add(self, &batch->events[i], &batch->next.log);
}

static weft_err_t s_subscribe(bridge_feed_t *self);

static void s_on_timer(void *arg);

static void s_arm(bridge_feed_t *self, unsigned delay_ms) {
    if (self->timer) return;
    self->timer = weft_service_timer(self->bridge->service, delay_ms, 1, s_on_timer, self,
                                     &self->timer_id) == WEFT_OK;
}

static void s_on_begins_over(void *arg) {
    bridge_feed_t *self = arg;
    self->begins = false;
    self->config.fed(self->config.arg);
}

static void s_end_begins(bridge_feed_t *self) {
    if (self->begins) weft_service_timer_end(self->bridge->service, self->begins_id);
    self->begins = false;
}

static void s_unsubscribe(bridge_feed_t *self) {
    s_end_begins(self);
    if (self->sub) weft_service_fd_end(self->bridge->service, weft_sub_fd(self->sub));
    weft_sub_destroy(&self->sub);
}

/* The log is not what it was: another one, or an older copy. */
static void s_broken(bridge_feed_t *self, weft_err_t rc) {
    weft_diag(WEFT_DIAG_ERROR, "bridge.feed", "error=%s text=\"%s\"", weft_err_name(rc),
              weft_err_text(rc));
    s_unsubscribe(self);
    s_clear(self, 0);
    self->known = false;
    self->config.broken(self->config.arg);
    s_arm(self, AGAIN_MS);
}

static void s_read(bridge_feed_t *self) {
    weft_err_t rc = WEFT_OK;
    bool fed = false;
    unsigned turn = 0;
    for (; turn < BATCHES_MAX && rc == WEFT_OK; turn++) {
        weft_batch_t batch;
        weft_sub_info_t info;
        rc = weft_sub_recv(self->sub, 0, &batch);
        if (rc == WEFT_OK) {
            s_take(self, &batch);
            fed = true;
            continue;
        }
        weft_sub_info(self->sub, &info);
        if (rc == WEFT_E_TIMEOUT && !self->known && info.connected && info.live) {
            s_clear(self, info.position.value);
            self->known = fed = true;
        }
    }
    if (rc == WEFT_OK) s_arm(self, 1);
    if (rc != WEFT_OK && rc != WEFT_E_TIMEOUT)
        s_broken(self, rc);
    else if (fed)
        self->config.fed(self->config.arg);
}

static void s_on_readable(int fd, short revents, void *arg) {
    (void) fd;
    (void) revents;
    s_read(arg);
}

static void s_on_timer(void *arg) {
    bridge_feed_t *self = arg;
    self->timer = false;
    if (self->sub)
        s_read(self);
    else if (s_subscribe(self) != WEFT_OK)
        s_arm(self, AGAIN_MS);
}

static weft_err_t s_subscribe(bridge_feed_t *self) {
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    config.bus = weft_service_bus(self->bridge->service);
    config.name = "weft-bridge";
    config.start = WEFT_START_NOW;
    config.zmq_context = weft_service_zmq_context(self->bridge->service);
    weft_err_t rc = weft_sub_new(&self->sub, &config);
    if (rc == WEFT_OK)
        rc = weft_service_fd(self->bridge->service, weft_sub_fd(self->sub), POLLIN, s_on_readable,
                             self);
    if (rc != WEFT_OK) weft_sub_destroy(&self->sub);
    if (rc == WEFT_OK && !self->begins)
        self->begins = weft_service_timer(self->bridge->service, BRIDGE_SILENT_MS, 1,
                                          s_on_begins_over, self, &self->begins_id) == WEFT_OK;
    return rc;
}

weft_err_t bridge_feed_new(bridge_feed_t **out, bridge_t *bridge,
                           const bridge_feed_config_t *config) {
    bridge_feed_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->bridge = bridge;
    self->config = *config;
    weft_err_t rc = s_subscribe(self);
    if (rc == WEFT_OK)
        *out = self;
    else
        bridge_feed_destroy(&self);
    return rc;
}

void bridge_feed_destroy(bridge_feed_t **self_p) {
    bridge_feed_t *self = *self_p;
    if (!self) return;
    if (self->timer) weft_service_timer_end(self->bridge->service, self->timer_id);
    s_unsubscribe(self);
    s_clear(self, 0);
    bridge_text_free(&self->text);
    free(self);
    *self_p = NULL;
}

bridge_feed_state_t bridge_feed_state(const bridge_feed_t *self) {
    weft_sub_info_t info = {0};
    if (self->sub) weft_sub_info(self->sub, &info);
    if (self->known && info.connected) return BRIDGE_FEED_READY;
    return self->begins ? BRIDGE_FEED_BEGINS : BRIDGE_FEED_AWAY;
}

uint64_t bridge_feed_from(const bridge_feed_t *self) {
    return self->from;
}

uint64_t bridge_feed_to(const bridge_feed_t *self) {
    return self->to;
}

bridge_feed_event_t bridge_feed_at(const bridge_feed_t *self, uint64_t position) {
    const entry_t *entry = self->ring[position % RING_EVENTS];
    return (bridge_feed_event_t){.type = entry->bytes,
                                 .text = entry->bytes + entry->type_size,
                                 .text_size = entry->text_size};
}
