/* bridge_stream: see bridge_stream.h.
 *
 * A cursor is live (it reads from the feed), behind (it has a reader, or waits for one), or still: what it has
 * written waits to be sent, and when that is gone it is asked for more. */
#include "bridge_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http_text.h>

#include "bridge_event.h"

#define STALLED_SECONDS 30u

struct bridge_streams {
    bridge_t *bridge;
    bridge_feed_t *feed;
    bridge_readers_t *readers;
    bridge_cursor_t *cursors;
    size_t listeners; /* cursors that are server-sent events */
    bridge_text_t text;
};

/* ---------------------------------------------------------------------------------------------- */
/* Cursors */

static void s_cursor_destroy(bridge_cursor_t *self) {
    bridge_streams_t *owner = self->owner;
    bridge_readers_remove(owner->readers, self);
    if (self->previous)
        self->previous->next = self->next;
    else
        owner->cursors = self->next;
    if (self->next) self->next->previous = self->previous;
    if (self->form == BRIDGE_AS_SSE) owner->listeners--;
    free(self->filter);
    free(self);
}

static bridge_cursor_t *s_cursor_new(bridge_streams_t *owner, http_request_t *request,
                                     bridge_form_t form) {
    bridge_cursor_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->owner = owner;
    self->request = request;
    self->form = form;
    self->next = owner->cursors;
    if (self->next) self->next->previous = self;
    owner->cursors = self;
    if (form == BRIDGE_AS_SSE) owner->listeners++;
    return self;
}

bool bridge_cursor_room(const bridge_cursor_t *self) {
    return !self->stream || http_stream_waiting(self->stream) < BRIDGE_CURSOR_SOFT_BYTES;
}

/* Write what the feed has. */
static void s_pump(bridge_cursor_t *self) {
    const bridge_feed_t *feed = self->owner->feed;
    while (self->left && self->position < bridge_feed_to(feed) && bridge_cursor_room(self)) {
        if (self->position < bridge_feed_from(feed)) {
            self->live = false;
            bridge_readers_add(self->owner->readers, self);
            return;
        }
        bridge_feed_event_t event = bridge_feed_at(feed, ++self->position);
        if (self->filter && !weft_filter_matches(self->filter, event.type)) continue;
        self->left--;
        if (!http_stream_write(self->stream, event.text, event.text_size)) return;
    }
    if (!self->left) http_stream_end(self->stream);
}

static void s_on_more(http_stream_t *stream, void *arg) {
    bridge_cursor_t *self = arg;
    (void) stream;
    if (self->live)
        s_pump(self);
    else if (self->left)
        bridge_readers_more(self->owner->readers, self);
}

static void s_on_over(http_stream_t *stream, http_stream_over_t why, void *arg) {
    bridge_cursor_t *self = arg;
    (void) stream;
    if (why == HTTP_STREAM_SLOW)
        weft_diag(WEFT_DIAG_WARN, "bridge.stream.cut", "position=%" PRIu64 " reason=slow",
                  self->position);
    s_cursor_destroy(self);
}

bool bridge_cursor_begin(bridge_cursor_t *self, uint64_t head) {
    http_request_t *request = self->request;
    const http_stream_config_t config = {
        .kind = self->form == BRIDGE_AS_CLOUD_ARRAY
                    ? "application/cloudevents-batch+json; charset=utf-8"
                    : "application/json; charset=utf-8",
        .waiting_max = BRIDGE_CURSOR_HARD_BYTES,
        .stalled_s = STALLED_SECONDS,
        .more = s_on_more,
        .over = s_on_over,
        .arg = self};
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, head);
    http_answer_header(request, "Weft-Head", text);
    self->request = NULL;
    self->target = head;
    self->stream = self->form == BRIDGE_AS_SSE ? http_sse_begin(request, &config)
                                               : http_stream_begin(request, 200, &config);
    if (!self->stream) {
        s_cursor_destroy(self);
        return false;
    }
    return self->form == BRIDGE_AS_SSE || http_stream_write(self->stream, "[", 1);
}

/* The array is whole, or the stream has all that it wanted. */
static void s_end(bridge_cursor_t *self) {
    if (self->form != BRIDGE_AS_SSE) (void) http_stream_write(self->stream, "\n]\n", 3);
    self->left = 0;
    http_stream_end(self->stream);
}

bool bridge_cursor_event(bridge_cursor_t *self, const weft_event_t *event, const weft_uuid_t *log) {
    bridge_text_t *text = &self->owner->text;
    const bridge_names_t *names = self->owner->bridge->names;
    if (!self->left || (self->form != BRIDGE_AS_SSE && event->position.value > self->target)) {
        s_end(self);
        return false;
    }
    bridge_text_clear(text);
    if (self->form == BRIDGE_AS_SSE)
        bridge_text_format(text, "id: %" PRIu64 "\ndata: ", event->position.value);
    else
        bridge_text_say(text, self->begun ? ",\n" : "\n");
    if (self->form == BRIDGE_AS_CLOUD_ARRAY)
        bridge_event_cloud(names, event, log, text);
    else
        bridge_event_course(names, event, log, text);
    if (self->form == BRIDGE_AS_SSE) bridge_text_say(text, "\n\n");
    self->begun = true;
    self->left--;
    if (!text->failed) return http_stream_write(self->stream, text->data, text->size);
    http_stream_cut(self->stream);
    return false;
}

bool bridge_cursor_moved(bridge_cursor_t *self, uint64_t position) {
    if (position > self->position) self->position = position;
    if (!self->left || (self->form != BRIDGE_AS_SSE && self->position >= self->target)) {
        s_end(self);
        return true;
    }
    if (self->form != BRIDGE_AS_SSE || bridge_feed_state(self->owner->feed) != BRIDGE_FEED_READY ||
        self->position < bridge_feed_from(self->owner->feed))
        return false;
    self->live = true;
    s_pump(self);
    return true;
}

void bridge_cursor_fail(bridge_cursor_t *self, unsigned status, const char *reason) {
    if (self->stream) {
        http_stream_cut(self->stream);
        return;
    }
    if (status == 503) http_answer_header(self->request, "Retry-After", "1");
    http_answer_error(self->request, status, reason, NULL);
    s_cursor_destroy(self);
}

/* ---------------------------------------------------------------------------------------------- */
/* The feed */

/* A bridge that has just begun does not refuse what it could answer a moment later. */
static void s_start(bridge_cursor_t *self) {
    const bridge_feed_t *feed = self->owner->feed;
    bridge_feed_state_t state = bridge_feed_state(feed);
    self->held = state == BRIDGE_FEED_BEGINS;
    if (self->held) return;
    if (state == BRIDGE_FEED_AWAY) {
        bridge_cursor_fail(self, 503, "bus does not answer: what it has stored cannot be read now");
        return;
    }
    uint64_t from = bridge_feed_from(feed), to = bridge_feed_to(feed);
    if (self->form == BRIDGE_AS_SSE && !self->given) self->position = to;
    if (self->form != BRIDGE_AS_SSE || self->position < from || self->position > to)
        bridge_readers_add(self->owner->readers, self);
    else if (bridge_cursor_begin(self, to))
        self->live = true; /* asked for more at once */
}

static void s_on_fed(void *arg) {
    bridge_streams_t *self = arg;
    for (bridge_cursor_t *at = self->cursors, *next; at; at = next) {
        next = at->next;
        if (at->held)
            s_start(at);
        else if (at->live && at->stream)
            s_pump(at);
    }
}

static void s_on_broken(void *arg) {
    bridge_streams_t *self = arg;
    for (bridge_cursor_t *at = self->cursors; at; at = at->next)
        if (at->stream) http_stream_cut(at->stream);
}

static bool s_wanted(void *arg) {
    bridge_streams_t *self = arg;
    return self->listeners > 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Requests */

static void s_on_cancel(http_request_t *request, void *arg) {
    (void) request;
    s_cursor_destroy(arg);
}

/* A number in the query. False: answered. */
static bool s_number(http_request_t *request, const char *name, uint64_t least, uint64_t *value,
                     bool *given) {
    char text[24], reason[64];
    http_query_t asked = http_request_query(request, name, text, sizeof text);
    *given = asked != HTTP_QUERY_ABSENT;
    if (!*given) return true;
    if (asked == HTTP_QUERY_OK && http_text_number(text, least, INT64_MAX, value)) return true;
    snprintf(reason, sizeof reason, "%s must be a number, at least %" PRIu64, name, least);
    http_answer_error(request, 400, reason, name);
    return false;
}

/* A type or filter in either words. False: answered. */
static bool s_type(bridge_cursor_t *self, http_request_t *request) {
    char text[256];
    http_query_t asked = http_request_query(request, "type", text, sizeof text);
    if (asked == HTTP_QUERY_ABSENT) return true;
    const char *filter = bridge_names_in(self->owner->bridge->names, text);
    if (asked != HTTP_QUERY_OK || !weft_filter_valid(filter)) {
        http_answer_error(request, 400, "type must be a type or a filter, as comment.*", "type");
        return false;
    }
    self->filter = strdup(filter);
    if (!self->filter) http_answer_error(request, 500, "out of memory", NULL);
    return self->filter != NULL;
}

/* What is asked for. False: answered. */
static bool s_read(bridge_cursor_t *self, http_request_t *request) {
    const char *last = http_request_header(request, "Last-Event-ID");
    bool limited;
    self->left = UINT64_MAX;
    if (!s_number(request, "limit", 1, &self->left, &limited) ||
        !s_number(request, "after", 0, &self->position, &self->given) || !s_type(self, request))
        return false;
    if (self->form != BRIDGE_AS_SSE || !last || !*last) return true;
    self->given = true;
    if (http_text_number(last, 0, INT64_MAX, &self->position)) return true;
    http_answer_error(request, 400, "must be a position, as the ids of this stream are",
                      "Last-Event-ID");
    return false;
}

static void s_open(bridge_streams_t *self, http_request_t *request, bridge_form_t form) {
    bridge_cursor_t *cursor = s_cursor_new(self, request, form);
    if (!cursor) {
        http_answer_error(request, 500, "out of memory", NULL);
        return;
    }
    if (!s_read(cursor, request)) {
        s_cursor_destroy(cursor);
        return;
    }
    http_request_hold(request, s_on_cancel, cursor);
    s_start(cursor);
}

static void s_list(http_request_t *request, void *arg) {
    const char *accept = http_request_header(request, "Accept");
    bool cloud = accept && strstr(accept, "application/cloudevents-batch+json");
    s_open(arg, request, cloud ? BRIDGE_AS_CLOUD_ARRAY : BRIDGE_AS_ARRAY);
}

static void s_stream(http_request_t *request, void *arg) {
    s_open(arg, request, BRIDGE_AS_SSE);
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

weft_err_t bridge_streams_new(bridge_streams_t **out, bridge_t *bridge) {
    bridge_streams_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    const bridge_feed_config_t config = {s_on_fed, s_on_broken, s_wanted, self};
    self->bridge = bridge;
    weft_err_t rc = bridge_feed_new(&self->feed, bridge, &config);
    if (rc == WEFT_OK) rc = bridge_readers_new(&self->readers, bridge);
    if (rc != WEFT_OK) {
        bridge_streams_destroy(&self);
        return rc;
    }
    bridge_route(bridge, "GET", "/events", HTTP_BODY_NONE, s_list, self);
    bridge_route(bridge, "GET", "/events/stream", HTTP_BODY_NONE, s_stream, self);
    *out = self;
    return WEFT_OK;
}

void bridge_streams_destroy(bridge_streams_t **self_p) {
    bridge_streams_t *self = *self_p;
    if (!self) return;
    bridge_readers_destroy(&self->readers);
    bridge_feed_destroy(&self->feed);
    bridge_text_free(&self->text);
    free(self);
    *self_p = NULL;
}
