/* weft_spans: see weft_spans.h. */
#include "weft_spans.h"

#include "weft_causes_view.h"
#include "weft_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An event that belongs to no trace gets that of its first cause without one: half of the log's id, and
 * the position of that cause. */
static void s_make_up(const json_t *answer, weft_span_t *self) {
    const json_t *root = self->event, *cause;
    while ((cause = weft_causes_cause(answer, root)) &&
           !json_is_string(json_object_get(cause, "trace")))
        root = cause;
    snprintf(self->trace, sizeof self->trace, "%.16s%016llx", weft_json_text(answer, "log"),
             (unsigned long long) weft_json_int(root, "position"));
    snprintf(self->span, sizeof self->span, "%016llx",
             (unsigned long long) weft_json_int(self->event, "position"));
}

static void s_set(const json_t *answer, const json_t *event, weft_span_t *self) {
    *self = (weft_span_t){.event = event,
                          .cause = weft_causes_cause(answer, event),
                          .start_us = weft_json_int(event, "time"),
                          .end_us = weft_json_int(event, "stored")};
    if (self->end_us < self->start_us) self->end_us = self->start_us; /* clocks of two machines */
    if (json_is_string(json_object_get(event, "trace"))) {
        snprintf(self->trace, sizeof self->trace, "%s", weft_json_text(event, "trace"));
        snprintf(self->span, sizeof self->span, "%s", weft_json_text(event, "span"));
    } else {
        s_make_up(answer, self);
    }
}

/* Events are sorted by position, and so are their spans. */
static const weft_span_t *s_find(const weft_span_t *spans, size_t count, const json_t *event) {
    size_t low = 0, high = count;
    long long position = weft_json_int(event, "position");
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (weft_json_int(spans[middle].event, "position") < position)
            low = middle + 1;
        else
            high = middle;
    }
    return &spans[low];
}

weft_span_t *weft_spans(const json_t *answer, size_t *count) {
    size_t i;
    const json_t *events = json_object_get(answer, "events"), *event;
    *count = json_array_size(events);
    weft_span_t *spans = calloc(*count ? *count : 1, sizeof *spans);
    if (!spans) return NULL;
    json_array_foreach(events, i, event) {
        s_set(answer, event, &spans[i]);
    }
    for (i = 0; i < *count; i++) {
        if (!spans[i].cause) continue;
        const weft_span_t *cause = s_find(spans, *count, spans[i].cause);
        if (strcmp(cause->trace, spans[i].trace) == 0)
            memcpy(spans[i].parent, cause->span, sizeof spans[i].parent);
    }
    return spans;
}

/* ---- OTLP */

#define PRODUCER 4 /* SpanKind */
#define CONSUMER 5

static json_t *s_string(const char *key, const char *text) {
    return json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", text);
}

/* 64-bit integers are text in OTLP's JSON. */
static json_t *s_count(const char *key, long long value) {
    return json_pack("{s:s, s:{s:o}}", "key", key, "value", "intValue",
                     json_sprintf("%lld", value));
}

static json_t *s_nano(long long us) {
    return json_sprintf("%lld000", us);
}

static json_t *s_event_span(const weft_span_t *self, const weft_span_t *cause) {
    const json_t *event = self->event;
    const char *subject = weft_json_text(event, "subject");
    json_t *attributes = json_array();
    json_array_append_new(attributes, s_string("messaging.system", "weft"));
    json_array_append_new(attributes,
                          s_string("messaging.destination.name", weft_json_text(event, "type")));
    json_array_append_new(attributes, s_count("weft.position", weft_json_int(event, "position")));
    json_array_append_new(attributes, s_string("weft.origin", weft_json_text(event, "origin")));
    json_array_append_new(attributes, s_count("weft.sequence", weft_json_int(event, "sequence")));
    if (*subject) json_array_append_new(attributes, s_string("weft.subject", subject));
    json_t *span = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "traceId", self->trace,
                             "spanId", self->span, "name", weft_json_text(event, "type"), "kind",
                             PRODUCER, "startTimeUnixNano", s_nano(self->start_us),
                             "endTimeUnixNano", s_nano(self->end_us), "attributes", attributes);
    if (*self->parent) json_object_set_new(span, "parentSpanId", json_string(self->parent));
    if (cause && !*self->parent) /* of another trace: what this one builds on */
        json_object_set_new(
            span, "links",
            json_pack("[{s:s, s:s}]", "traceId", cause->trace, "spanId", cause->span));
    return span;
}

/* A service that has handled the event and emitted nothing meanwhile: nobody noted when, so its span has no
 * length and says so. */
static json_t *s_handler_span(const weft_span_t *event, const char *service) {
    char id[17], name[300];
    unsigned long long hash = strtoull(event->span, NULL, 16);
    for (const char *at = service; *at; at++)
        hash = (hash ^ (unsigned char) *at) * 0x100000001b3ULL;
    snprintf(id, sizeof id, "%016llx", hash ? hash : 1);
    snprintf(name, sizeof name, "%s handled", weft_json_text(event->event, "type"));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:[{s:s, s:{s:b}}]}", "traceId",
                     event->trace, "spanId", id, "parentSpanId", event->span, "name", name, "kind",
                     CONSUMER, "startTimeUnixNano", s_nano(event->end_us), "endTimeUnixNano",
                     s_nano(event->end_us), "attributes", "key", "weft.handled.time_known", "value",
                     "boolValue", 0);
}

/* services: name → [span]. */
static void s_put_span(json_t *services, const char *service, json_t *span) {
    json_t *spans = json_object_get(services, service);
    if (!spans) {
        spans = json_array();
        json_object_set_new(services, service, spans);
    }
    json_array_append_new(spans, span);
}

static void s_put_handlers(json_t *services, const weft_span_t *span) {
    size_t i;
    const json_t *handler;
    json_array_foreach(json_object_get(span->event, "handlers"), i, handler) {
        if (json_is_true(json_object_get(handler, "handled")) &&
            json_is_null(json_object_get(handler, "at"))) {
            const char *service = weft_json_text(handler, "service");
            s_put_span(services, service, s_handler_span(span, service));
        }
    }
}

json_t *weft_spans_otlp(const weft_span_t *spans, size_t count) {
    const char *service;
    json_t *services = json_object(), *resources = json_array(), *list;
    for (size_t i = 0; i < count; i++) {
        const weft_span_t *cause = spans[i].cause ? s_find(spans, count, spans[i].cause) : NULL;
        s_put_span(services, weft_json_text(spans[i].event, "source"),
                   s_event_span(&spans[i], cause));
        s_put_handlers(services, &spans[i]);
    }
    json_object_foreach(services, service, list) {
        json_array_append_new(
            resources, json_pack("{s:{s:[o]}, s:[{s:{s:s, s:s}, s:O}]}", "resource", "attributes",
                                 s_string("service.name", service), "scopeSpans", "scope", "name",
                                 "weft", "version", weft_version(), "spans", list));
    }
    json_decref(services);
    return json_pack("{s:o}", "resourceSpans", resources);
}

/* ---- Perfetto */

/* Slices of one thread may not overlap, so a service gets as many threads as it takes. */
typedef struct {
    const char *service;
    int pid, threads;
    long long *ends_us; /* of the last slice of each thread */
} s_lanes_t;

typedef struct {
    json_t *events;
    s_lanes_t *lanes; /* one for each service */
    int count;
    struct {
        int pid, tid;
    } * at; /* of each span */
} s_perfetto_t;

static s_lanes_t *s_service(s_perfetto_t *self, const char *service) {
    for (int i = 0; i < self->count; i++)
        if (strcmp(self->lanes[i].service, service) == 0) return &self->lanes[i];
    s_lanes_t *lanes = &self->lanes[self->count++];
    *lanes = (s_lanes_t){.service = service, .pid = self->count};
    json_array_append_new(self->events, json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "ph", "M",
                                                  "name", "process_name", "pid", lanes->pid, "tid",
                                                  0, "args", "name", service));
    return lanes;
}

/* -1: out of memory. */
static int s_thread(s_lanes_t *self, long long start_us, long long end_us) {
    int tid = 0;
    while (tid < self->threads && self->ends_us[tid] > start_us) tid++;
    if (tid == self->threads) {
        long long *ends_us = realloc(self->ends_us, (size_t) (tid + 1) * sizeof *ends_us);
        if (!ends_us) return -1;
        self->ends_us = ends_us;
        self->threads++;
    }
    self->ends_us[tid] = end_us;
    return tid + 1;
}

static bool s_put_slice(s_perfetto_t *self, const weft_span_t *span, size_t i) {
    long long us = span->end_us > span->start_us ? span->end_us - span->start_us : 1;
    s_lanes_t *lanes = s_service(self, weft_json_text(span->event, "source"));
    int tid = s_thread(lanes, span->start_us, span->start_us + us);
    if (tid < 0) return false;
    self->at[i].pid = lanes->pid;
    self->at[i].tid = tid;
    json_array_append_new(self->events,
                          json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:{s:O, s:O, s:O, s:s}}",
                                    "ph", "X", "name", weft_json_text(span->event, "type"), "cat",
                                    "event", "ts", (json_int_t) span->start_us, "dur",
                                    (json_int_t) us, "pid", lanes->pid, "tid", tid, "args",
                                    "position", json_object_get(span->event, "position"), "subject",
                                    json_object_get(span->event, "subject"), "cause",
                                    json_object_get(span->event, "cause"), "trace", span->trace));
    return true;
}

/* An arrow from the slice of the cause to that of the effect. */
static void s_put_arrow(s_perfetto_t *self, const weft_span_t *spans, size_t cause, size_t effect) {
    json_int_t id = weft_json_int(spans[effect].event, "position");
    json_array_append_new(self->events, json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i}", "ph", "s",
                                                  "name", "causes", "cat", "cause", "id", id, "ts",
                                                  (json_int_t) spans[cause].start_us, "pid",
                                                  self->at[cause].pid, "tid", self->at[cause].tid));
    json_array_append_new(self->events,
                          json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:i}", "ph", "f", "bp",
                                    "e", "name", "causes", "cat", "cause", "id", id, "ts",
                                    (json_int_t) spans[effect].start_us, "pid",
                                    self->at[effect].pid, "tid", self->at[effect].tid));
}

json_t *weft_spans_perfetto(const weft_span_t *spans, size_t count) {
    s_perfetto_t self = {.events = json_array()};
    self.lanes = calloc(count + 1, sizeof *self.lanes);
    self.at = calloc(count + 1, sizeof *self.at);
    bool ok = self.lanes && self.at;
    for (size_t i = 0; ok && i < count; i++) ok = s_put_slice(&self, &spans[i], i);
    for (size_t i = 0; ok && i < count; i++)
        if (spans[i].cause)
            s_put_arrow(&self, spans, (size_t) (s_find(spans, count, spans[i].cause) - spans), i);
    for (int i = 0; i < self.count; i++) free(self.lanes[i].ends_us);
    free(self.lanes);
    free(self.at);
    if (ok) return json_pack("{s:o, s:s}", "traceEvents", self.events, "displayTimeUnit", "ms");
    json_decref(self.events);
    return NULL;
}
