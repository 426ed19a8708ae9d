/* weft_pub: the bare publisher. Unacknowledged events wait in a ring, at most a window of them. Those
 * that are acknowledged stay until their slots are needed: a log that lost them gets them again (O3). */
#include "weft_relay.h"

#include "weft_limits.h"
#include "weft_os.h"
#include "weft_span.h"
#include "weft_type.h"
#include "weft_wire_event.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* A message an event, each 20 µs, keeps four threads so busy that all wait longer than this. */
#define GATHER_US 100
#define LOOK_US 300     /* two commits of one event */
#define STEP_EVENTS 64u /* under load the sockets are looked after once in so many events */

typedef struct {
    char *type;
    size_t type_size;
    weft_buf_t event;
} weft_pub_slot_t;

struct weft_pub {
    weft_relay_t *relay;
    weft_uuid_t origin;
    char *source;
    uint64_t last; /* sequence given last */
    weft_position_t cause;
    bool traced;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    weft_spans_t spans;
    weft_pub_slot_t slots[WEFT_WINDOW_EVENTS_MAX];
};

void weft_pub_config_init(weft_pub_config_t *config) {
    *config = (weft_pub_config_t){
        .size = sizeof *config, .bus = WEFT_DEFAULT_BUS, .source = "weft"};
}

static bool s_read(void *arg, uint64_t sequence, weft_relay_event_t *out) {
    weft_pub_t *self = arg;
    const weft_pub_slot_t *slot = &self->slots[sequence % WEFT_WINDOW_EVENTS_MAX];
    *out = (weft_relay_event_t){.type = slot->type,
                                .type_size = slot->type_size,
                                .event = slot->event.data,
                                .size = slot->event.size};
    return true;
}

weft_err_t weft_pub_new(weft_pub_t **out, const weft_pub_config_t *given) {
    weft_pub_config_t config;
    weft_pub_config_init(&config);
    if (given) config = *given;
    size_t source_size = config.source ? strlen(config.source) : 0;
    if (!config.bus || !source_size || source_size > WEFT_SOURCE_BYTES_MAX ||
        !weft_text_ok(config.source, source_size))
        return WEFT_E_ARG;
    weft_err_t rc = WEFT_E_NOMEM;
    weft_pub_t *self = calloc(1, sizeof *self);
    if (!self) return rc;
    weft_os_uuid(&self->origin);
    self->source = strdup(config.source);
    if (!self->source) goto out;
    weft_relay_config_t relay = {.bus = config.bus,
                                 .name = config.source,
                                 .zmq_context = config.zmq_context,
                                 .origin = self->origin,
                                 .oldest = 1,
                                 .gather_us = GATHER_US,
                                 .read = s_read,
                                 .arg = self};
    rc = weft_relay_new(&self->relay, &relay);
    if (rc != WEFT_OK) goto out;
    *out = self;
    self = NULL;
out:
    weft_pub_destroy(&self);
    return rc;
}

void weft_pub_destroy(weft_pub_t **self_p) {
    weft_pub_t *self = *self_p;
    if (!self) return;
    weft_relay_destroy(&self->relay);
    for (size_t i = 0; i < WEFT_WINDOW_EVENTS_MAX; i++) {
        free(self->slots[i].type);
        weft_buf_free(&self->slots[i].event);
    }
    free(self->source);
    free(self);
    *self_p = NULL;
}

static uint64_t s_waiting(const weft_pub_t *self) {
    return self->last - weft_pub_acked(self).value;
}

static weft_err_t s_keep(weft_pub_t *self, const char *type, size_t type_size,
                         const weft_wire_event_t *event) {
    weft_pub_slot_t *slot = &self->slots[event->source_seq % WEFT_WINDOW_EVENTS_MAX];
    char *copy = strdup(type);
    if (!copy) return WEFT_E_NOMEM;
    free(slot->type);
    slot->type = copy;
    slot->type_size = type_size;
    weft_buf_clear(&slot->event);
    weft_wire_event_put(&slot->event, event);
    return weft_buf_ok(&slot->event) ? WEFT_OK : WEFT_E_NOMEM;
}

weft_err_t weft_pub_send(weft_pub_t *self, const char *type, const char *subject, const void *data,
                         size_t data_size, weft_sequence_t *sequence) {
    static const uint8_t nil = 0xc0;
    weft_err_t rc = weft_publisher_stopped(weft_relay_publisher(self->relay));
    if (rc != WEFT_OK) return rc;
    size_t type_size = strlen(type);
    rc = weft_type_check(type, type_size);
    if (rc != WEFT_OK) return rc;
    weft_wire_event_t event = {
        .origin = self->origin.bytes,
        .source_seq = self->last + 1,
        .time_us = weft_os_now_us(),
        .source = self->source,
        .source_size = strlen(self->source),
        .subject = subject ? subject : "",
        .subject_size = subject ? strlen(subject) : 0,
        .cause = self->cause.value,
        .traceparent = self->traced ? self->trace : NULL,
        .data = data_size ? data : &nil,
        .data_size = data_size ? data_size : 1,
    };
    rc = weft_wire_event_check(&event);
    if (rc != WEFT_OK) return rc;
    if (s_waiting(self) >= WEFT_WINDOW_EVENTS_MAX) {
        (void) weft_relay_step(self->relay); /* acknowledgements may have come */
        if (s_waiting(self) >= WEFT_WINDOW_EVENTS_MAX) return WEFT_E_FULL;
    }
    if (self->traced) weft_spans_next(&self->spans, self->trace);
    rc = s_keep(self, type, type_size, &event);
    if (rc != WEFT_OK) return rc;
    self->last++;
    if (self->last > WEFT_WINDOW_EVENTS_MAX)
        weft_relay_pruned(self->relay, self->last - WEFT_WINDOW_EVENTS_MAX + 1);
    weft_relay_queued(self->relay, self->last);
    if (sequence) sequence->value = self->last;
    /* The first goes at once, those behind it in groups (F1). A stop shows at the next call. */
    if (s_waiting(self) == 1 || self->last % STEP_EVENTS == 0) (void) weft_relay_step(self->relay);
    return WEFT_OK;
}

void weft_pub_cause(weft_pub_t *self, weft_position_t cause) {
    self->cause = cause;
}

void weft_pub_trace(weft_pub_t *self, const uint8_t *trace) {
    self->traced = trace != NULL;
    if (trace) memcpy(self->trace, trace, sizeof self->trace);
}

/* An acknowledgement is there after one commit: to look for it takes less than to sleep and be woken. */
static void s_look(weft_pub_t *self) {
    int64_t until_us = weft_os_monotonic_us() + LOOK_US;
    while (!weft_relay_wait(self->relay, 0) && weft_os_monotonic_us() < until_us) sched_yield();
}

weft_err_t weft_pub_wait(weft_pub_t *self, weft_sequence_t sequence, int timeout_ms,
                         weft_position_t *position) {
    int64_t end_ms = weft_os_monotonic_ms() + timeout_ms;
    if (!sequence.value || sequence.value > self->last) return WEFT_E_ARG;
    for (bool look = timeout_ms != 0;; look = false) {
        weft_err_t rc = weft_relay_step(self->relay);
        if (rc != WEFT_OK) return rc;
        if (weft_pub_acked(self).value >= sequence.value) break;
        int64_t left = timeout_ms < 0 ? -1 : end_ms - weft_os_monotonic_ms();
        if (timeout_ms >= 0 && left <= 0) return WEFT_E_TIMEOUT;
        if (look)
            s_look(self);
        else
            (void) weft_relay_wait(self->relay, (int) left);
    }
    if (position) {
        const weft_publisher_t *publisher = weft_relay_publisher(self->relay);
        bool exact = weft_publisher_acked(publisher) == sequence.value;
        position->value = exact ? weft_publisher_acked_position(publisher) : 0;
    }
    return WEFT_OK;
}

weft_err_t weft_pub_flush(weft_pub_t *self, int timeout_ms) {
    if (!self->last) return WEFT_OK;
    return weft_pub_wait(self, (weft_sequence_t){self->last}, timeout_ms, NULL);
}

weft_sequence_t weft_pub_acked(const weft_pub_t *self) {
    return (weft_sequence_t){weft_publisher_acked(weft_relay_publisher(self->relay))};
}

weft_uuid_t weft_pub_origin(const weft_pub_t *self) {
    return self->origin;
}

int weft_pub_fd(const weft_pub_t *self) {
    return weft_relay_fd(self->relay);
}

weft_err_t weft_pub_step(weft_pub_t *self) {
    return weft_relay_step(self->relay);
}
