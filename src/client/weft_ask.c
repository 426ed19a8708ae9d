/* weft_ask: see weft_ask.h. A request is repeated with a new id after WEFT_REQUEST_MS (C3); a
 * reply to another one is dropped. */
#include "weft_ask.h"

#include "weft_limits.h"
#include "weft_os.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define UNSENT_MS 10 /* nobody to ask: look again */

weft_err_t weft_ask_open(weft_ask_t *self, const char *bus) {
    *self = (weft_ask_t){.stop_fd = -1};
    weft_buf_init(&self->request);
    weft_buf_init(&self->texts);
    return weft_link_open(&self->link, bus, NULL);
}

static void s_drop_reply(weft_ask_t *self) {
    if (self->count) weft_net_close_frames(self->frames, self->count, 3);
    self->count = 0;
}

void weft_ask_close(weft_ask_t *self) {
    s_drop_reply(self);
    weft_link_close(&self->link);
    weft_buf_free(&self->request);
    weft_buf_free(&self->texts);
}

const char *weft_ask_reason(const weft_ask_t *self) {
    return self->reason;
}

static weft_err_t s_fail(weft_ask_t *self, weft_err_t rc, const char *text, size_t size) {
    snprintf(self->reason, sizeof self->reason, "%.*s", (int) size, text);
    return rc;
}

static weft_err_t s_fail_text(weft_ask_t *self, weft_err_t rc, const char *text) {
    return s_fail(self, rc, text, strlen(text));
}

/* ---- one request */

typedef struct {
    weft_command_t send;
    void (*encode)(weft_buf_t *w, void *body, uint64_t id);
    weft_command_t want;
    weft_err_t (*decode)(const void *bytes, size_t size, void *out, uint64_t *id);
} weft_ask_kind_t;

/* Is the message in hand the reply? WEFT_E_AGAIN: it is none. */
static weft_err_t s_judge(weft_ask_t *self, const weft_ask_kind_t *kind, weft_command_t command,
                          uint64_t id, void *out) {
    if (self->count < 2) return WEFT_E_AGAIN;
    const void *body = zmq_msg_data(&self->frames[1]);
    size_t size = zmq_msg_size(&self->frames[1]);
    uint64_t theirs = 0;
    if (command == WEFT_COMMAND_ERROR) {
        weft_error_t error;
        if (weft_error_decode(body, size, &error) != WEFT_OK || error.id != id) return WEFT_E_AGAIN;
        if (error.code == WEFT_OK) return s_fail_text(self, WEFT_E_PROTO, "malformed reply");
        return s_fail(self, (weft_err_t) error.code, error.text.data, error.text.size);
    }
    if (command != kind->want) return WEFT_E_AGAIN;
    weft_err_t rc = kind->decode(body, size, out, &theirs);
    if (rc != WEFT_OK) return s_fail_text(self, rc, weft_err_text(rc));
    return theirs == id ? WEFT_OK : WEFT_E_AGAIN;
}

static weft_err_t s_take_reply(weft_ask_t *self, const weft_ask_kind_t *kind, uint64_t id,
                               void *out) {
    weft_command_t command;
    for (;;) {
        s_drop_reply(self);
        if (weft_link_recv(&self->link, self->frames, &self->count, &command) != WEFT_OK) {
            self->count = 0;
            return WEFT_E_AGAIN;
        }
        weft_err_t rc = s_judge(self, kind, command, id, out);
        if (rc != WEFT_E_AGAIN) return rc;
    }
}

static void s_wait(weft_ask_t *self, int64_t ms) {
    struct pollfd items[] = {{.fd = self->link.epoll_fd, .events = POLLIN},
                             {.fd = self->stop_fd, .events = POLLIN}};
    poll(items, 2, (int) (ms > 0 ? ms : 0));
}

bool weft_ask_stopped(const weft_ask_t *self) {
    struct pollfd stop = {.fd = self->stop_fd, .events = POLLIN};
    return self->stop_fd >= 0 && poll(&stop, 1, 0) > 0;
}

static weft_err_t s_ask(weft_ask_t *self, const weft_ask_kind_t *kind, int timeout_ms, void *body,
                        void *out) {
    int64_t start = weft_os_monotonic_ms(), repeat_at = start;
    uint64_t id = 0;
    for (;;) {
        int64_t now = weft_os_monotonic_ms();
        if (now >= repeat_at) {
            id = weft_link_request_id(&self->link);
            weft_buf_clear(&self->request);
            kind->encode(&self->request, body, id);
            bool sent = weft_link_send(&self->link, kind->send, &self->request) == WEFT_OK;
            repeat_at = now + (sent ? WEFT_REQUEST_MS : UNSENT_MS);
        }
        weft_err_t rc = s_take_reply(self, kind, id, out);
        if (self->note) self->note(self->note_arg, rc != WEFT_E_AGAIN);
        if (rc != WEFT_E_AGAIN) return rc;
        if (weft_ask_stopped(self)) return s_fail_text(self, WEFT_E_INTERRUPTED, "interrupted");
        int64_t wait = repeat_at - now, left = timeout_ms < 0 ? wait : start + timeout_ms - now;
        if (left <= 0) {
            snprintf(self->reason, sizeof self->reason, "bus %s does not answer; is weft-bus up?",
                     self->link.endpoint);
            return WEFT_E_UNREACHABLE;
        }
        s_wait(self, left < wait ? left : wait);
    }
}

/* ---- the kinds */

/* For weft_ask_kind_t, which knows no types. */
#define PUT(name)                                                      \
    static void s_put_##name(weft_buf_t *w, void *body, uint64_t id) { \
        weft_##name##_t *in = body;                                    \
        in->id = id;                                                   \
        weft_##name##_encode(w, in);                                   \
    }
#define GET(name)                                                                             \
    static weft_err_t s_get_##name(const void *bytes, size_t size, void *out, uint64_t *id) { \
        weft_err_t rc = weft_##name##_decode(bytes, size, out);                               \
        *id = ((weft_##name##_t *) out)->id;                                                  \
        return rc;                                                                            \
    }

PUT(hello)
PUT(status)
PUT(trim)
PUT(effects)
PUT(trace)
GET(welcome)
GET(state)
GET(trimmed)
GET(page)
GET(found)

weft_err_t weft_ask_origin(weft_ask_t *self, int timeout_ms, const weft_uuid_t *origin,
                           weft_welcome_t *welcome, weft_origin_state_t *out) {
    static const weft_ask_kind_t kind = {WEFT_COMMAND_HELLO, s_put_hello, WEFT_COMMAND_WELCOME,
                                         s_get_welcome};
    weft_hello_t hello = {.version = WEFT_PROTOCOL_VERSION, .name = weft_text("weft")};
    if (origin) hello.origin = *origin;
    weft_err_t rc = s_ask(self, &kind, timeout_ms, &hello, welcome);
    if (rc != WEFT_OK || !origin) return rc;
    rc = weft_origin_state_decode(welcome->origin.data, welcome->origin.size, out);
    return rc == WEFT_OK ? rc : s_fail_text(self, rc, weft_err_text(rc));
}

weft_err_t weft_ask_welcome(weft_ask_t *self, int timeout_ms, weft_welcome_t *out) {
    return weft_ask_origin(self, timeout_ms, NULL, out, NULL);
}

weft_err_t weft_ask_state(weft_ask_t *self, int timeout_ms, weft_state_t *out) {
    static const weft_ask_kind_t kind = {WEFT_COMMAND_STATUS, s_put_status, WEFT_COMMAND_STATE,
                                         s_get_state};
    weft_status_t status = {0};
    return s_ask(self, &kind, timeout_ms, &status, out);
}

weft_err_t weft_ask_trim(weft_ask_t *self, int timeout_ms, const weft_trim_t *trim,
                         weft_trimmed_t *out) {
    static const weft_ask_kind_t kind = {WEFT_COMMAND_TRIM, s_put_trim, WEFT_COMMAND_TRIMMED,
                                         s_get_trimmed};
    weft_trim_t body = *trim;
    return s_ask(self, &kind, timeout_ms, &body, out);
}

static void s_put_fetch(weft_buf_t *w, void *body, uint64_t id) {
    weft_fetch_t *fetch = body;
    if (fetch->id) fetch->max_bytes = weft_page_bytes_less(fetch->max_bytes); /* a repeat */
    fetch->id = id;
    weft_fetch_encode(w, fetch);
}

/* Can all of its events be read? One that cannot must not go missing without a word. */
static bool s_whole(const weft_page_t *page, weft_mp_t body) {
    weft_ask_row_t row;
    uint64_t count = 0;
    while (weft_ask_page_next(&body, &row)) count++;
    return count == page->count && !weft_mp_left(&body);
}

weft_err_t weft_ask_page(weft_ask_t *self, int timeout_ms, uint64_t after,
                         const weft_filters_t *filters, uint64_t max_events, weft_page_t *page,
                         weft_mp_t *body) {
    static const weft_ask_kind_t kind = {WEFT_COMMAND_FETCH, s_put_fetch, WEFT_COMMAND_PAGE,
                                         s_get_page};
    weft_buf_t raw;
    weft_buf_init(&raw);
    weft_filters_encode(&raw, filters);
    weft_fetch_t fetch = {
        .position = {.kind = WEFT_PLACE_NUMBER, .at = {.position = {after}}},
        .filters = {.data = raw.data, .size = raw.size},
        .max_events = max_events,
        .max_bytes = WEFT_PAGE_BYTES_MAX,
    };
    weft_err_t rc = weft_buf_ok(&raw) ? s_ask(self, &kind, timeout_ms, &fetch, page) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) {
        *body = weft_mp_reader(zmq_msg_data(&self->frames[2]), zmq_msg_size(&self->frames[2]));
        if (!s_whole(page, *body)) rc = s_fail_text(self, WEFT_E_PROTO, "malformed reply");
    }
    weft_buf_free(&raw);
    return rc;
}

/* ---- causes */

static weft_err_t s_positions(weft_ask_t *self, weft_err_t rc, const weft_found_t *found,
                              uint64_t *out, size_t *count) {
    if (rc != WEFT_OK) return rc;
    rc = weft_positions_decode(found->positions, out, WEFT_FOUND_MAX, count);
    return rc == WEFT_OK ? rc : s_fail_text(self, WEFT_E_PROTO, "malformed reply");
}

weft_err_t weft_ask_effects(weft_ask_t *self, int timeout_ms, const uint64_t *causes,
                            size_t causes_count, uint64_t after, weft_found_t *found, uint64_t *out,
                            size_t *count) {
    static const weft_ask_kind_t kind = {WEFT_COMMAND_EFFECTS, s_put_effects, WEFT_COMMAND_FOUND,
                                         s_get_found};
    weft_buf_t raw;
    weft_buf_init(&raw);
    weft_positions_encode(&raw, causes, causes_count);
    weft_effects_t effects = {.causes = {.data = raw.data, .size = raw.size}, .after = after};
    weft_err_t rc = weft_buf_ok(&raw) ? s_ask(self, &kind, timeout_ms, &effects, found)
                                      : WEFT_E_NOMEM;
    weft_buf_free(&raw);
    return s_positions(self, rc, found, out, count);
}

weft_err_t weft_ask_trace(weft_ask_t *self, int timeout_ms, const weft_uuid_t *trace,
                          uint64_t after, weft_found_t *found, uint64_t *out, size_t *count) {
    static const weft_ask_kind_t kind = {WEFT_COMMAND_TRACE, s_put_trace, WEFT_COMMAND_FOUND,
                                         s_get_found};
    weft_trace_t body = {.trace = *trace, .after = after};
    weft_err_t rc = s_ask(self, &kind, timeout_ms, &body, found);
    return s_positions(self, rc, found, out, count);
}

/* ---- events of a page */

bool weft_ask_page_next(weft_mp_t *body, weft_ask_row_t *out) {
    return weft_mp_left(body) && weft_mp_str(body, &out->type.data, &out->type.size) &&
           weft_stamp_take(body, &out->stamp) && weft_wire_event_take(body, &out->event) == WEFT_OK;
}

static void s_put_text(weft_buf_t *w, const char *text, size_t size) {
    if (size) weft_buf_append(w, text, size);
    weft_buf_append(w, "", 1);
}

weft_err_t weft_ask_event(weft_ask_t *self, int timeout_ms, weft_position_t position,
                          weft_event_t *out) {
    weft_text_t everything = weft_text(">");
    weft_filters_t filters = {.count = 1, .items = &everything};
    weft_page_t page;
    weft_mp_t body;
    weft_ask_row_t row;
    weft_err_t rc = weft_ask_page(self, timeout_ms, position.value - 1, &filters, 1, &page, &body);
    if (rc != WEFT_OK) return rc;
    if (!weft_ask_page_next(&body, &row) || row.stamp.position != position.value)
        return s_fail_text(self, WEFT_E_PROTO, "the bus answered with another event, or none");
    return weft_ask_row_event(self, &row, out);
}

weft_err_t weft_ask_row_event(weft_ask_t *self, const weft_ask_row_t *row, weft_event_t *out) {
    const weft_wire_event_t *event = &row->event;
    weft_buf_clear(&self->texts);
    s_put_text(&self->texts, row->type.data, row->type.size);
    s_put_text(&self->texts, event->source, event->source_size);
    s_put_text(&self->texts, event->subject, event->subject_size);
    if (!weft_buf_ok(&self->texts)) return s_fail_text(self, WEFT_E_NOMEM, "out of memory");
    const char *texts = (const char *) self->texts.data;
    *out = (weft_event_t){
        .position = {row->stamp.position},
        .chain = row->stamp.chain,
        .stored_us = row->stamp.stored_us,
        .type = texts,
        .sequence = {event->source_seq},
        .time_us = event->time_us,
        .source = texts + row->type.size + 1,
        .subject = texts + row->type.size + 1 + event->source_size + 1,
        .cause = {event->cause},
        .traceparent = event->traceparent,
        .data = event->data,
        .data_size = event->data_size,
        .raw = event->bytes,
        .raw_size = event->size,
    };
    memcpy(out->origin.bytes, event->origin, sizeof out->origin.bytes);
    return WEFT_OK;
}
