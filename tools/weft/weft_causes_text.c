/* weft_causes_text: a tree of causes as text, as lines of JSON, and in Graphviz' language. */
#include "weft_causes_view.h"

#include "weft_out.h"
#include "weft_state.h"
#include "weft_table.h"
#include "weft_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_BYTES 32u

/* "+1.2 ms"; clocks of two machines may make it negative. */
static void s_span(char out[SPAN_BYTES], long long us) {
    double ms = (double) us / 1000;
    if (ms > -1000 && ms < 1000)
        snprintf(out, SPAN_BYTES, "%+.1f ms", ms);
    else if (ms > -600000 && ms < 600000)
        snprintf(out, SPAN_BYTES, "%+.2f s", ms / 1000);
    else
        snprintf(out, SPAN_BYTES, "%+.1f min", ms / 60000);
}

static bool s_is(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

/* ---- text */

typedef struct {
    const json_t *answer;
    char *prefix; /* of the line in hand */
    size_t size, room;
} s_text_t;

static void s_push(s_text_t *self, const char *text) {
    size_t more = strlen(text);
    if (self->size + more + 1 > self->room) {
        size_t room = 2 * (self->size + more + 1);
        char *prefix = realloc(self->prefix, room);
        if (!prefix) return; /* a tree that is not indented is one, too */
        self->prefix = prefix;
        self->room = room;
    }
    memcpy(self->prefix + self->size, text, more + 1);
    self->size += more;
}

static void s_event_line(const s_text_t *self, const json_t *event, const char *branch) {
    char time[WEFT_TIME_BYTES], stored[SPAN_BYTES];
    bool asked = weft_json_int(event, "position") == weft_json_int(self->answer, "position");
    const char *subject = weft_json_text(event, "subject");
    weft_time_text(time, weft_json_int(event, "time"), 6);
    s_span(stored, weft_json_int(event, "stored") - weft_json_int(event, "time"));
    weft_out("%s%s%s%lld %s%s%s%s by %s, emitted %s, stored %s\n", self->size ? self->prefix : "",
             branch, asked ? weft_colour(WEFT_BOLD) : "", weft_json_int(event, "position"),
             weft_json_text(event, "type"), *subject ? " " : "", subject,
             asked ? weft_colour(WEFT_PLAIN) : "", weft_json_text(event, "source"), time, stored);
}

static void s_handler_line(const s_text_t *self, const json_t *event, const json_t *handler,
                           const char *bar) {
    char text[SPAN_BYTES];
    const json_t *at = json_object_get(handler, "at");
    const char *service = weft_json_text(handler, "service");
    weft_out("%s%s", self->size ? self->prefix : "", bar);
    if (json_is_integer(at)) {
        s_span(text, json_integer_value(at) - weft_json_int(event, "stored"));
        weft_out("%shandled by %s %s%s\n", weft_colour(WEFT_GREEN), service, text,
                 weft_colour(WEFT_PLAIN));
    } else if (s_is(handler, "handled")) {
        long long parked = weft_json_int(handler, "parked");
        weft_out("%shandled by %s%s", weft_colour(WEFT_GREEN), service, weft_colour(WEFT_PLAIN));
        if (parked)
            weft_out(", or parked: it has set %lld event%s aside", parked, parked == 1 ? "" : "s");
        weft_out("\n");
    } else {
        weft_out("%snot yet handled by %s%s%s\n", weft_colour(WEFT_YELLOW), service,
                 s_is(handler, "silent") ? ", which is silent" : "", weft_colour(WEFT_PLAIN));
    }
}

static void s_tree(s_text_t *self, const json_t *event, const char *branch, const char *below);

/* Is it the cause of another event of the answer behind index i? */
static size_t s_next_effect(const s_text_t *self, json_int_t cause, size_t i) {
    const json_t *events = json_object_get(self->answer, "events");
    size_t count = json_array_size(events);
    while (i < count && weft_json_int(json_array_get(events, i), "cause") != cause) i++;
    return i;
}

static void s_effects(s_text_t *self, json_int_t cause) {
    const json_t *events = json_object_get(self->answer, "events");
    size_t count = json_array_size(events), i = s_next_effect(self, cause, 0);
    while (i < count) {
        size_t next = s_next_effect(self, cause, i + 1);
        s_tree(self, json_array_get(events, i), next < count ? "├─ " : "└─ ",
               next < count ? "│  " : "   ");
        i = next;
    }
}

static void s_tree(s_text_t *self, const json_t *event, const char *branch, const char *below) {
    size_t i, size = self->size;
    const json_t *handler;
    json_int_t position = weft_json_int(event, "position");
    s_event_line(self, event, branch);
    s_push(self, below);
    bool more = s_next_effect(self, position, 0) <
                json_array_size(json_object_get(self->answer, "events"));
    json_array_foreach(json_object_get(event, "handlers"), i, handler) {
        s_handler_line(self, event, handler, more ? "│    " : "     ");
    }
    s_effects(self, position);
    self->size = size;
    if (self->prefix) self->prefix[size] = '\0';
}

void weft_causes_text(const json_t *answer) {
    s_text_t self = {.answer = answer};
    size_t i;
    const json_t *event;
    json_array_foreach(json_object_get(answer, "events"), i, event) {
        json_int_t cause = weft_json_int(event, "cause");
        if (weft_causes_cause(answer, event)) continue; /* shown below it */
        if (cause && cause < weft_json_int(event, "position"))
            weft_out("(%s %" JSON_INTEGER_FORMAT ")\n",
                     cause <= weft_json_int(answer, "first") ? "gone: its cause,"
                                                             : "its cause is event",
                     cause);
        s_tree(&self, event, "", "");
    }
    free(self.prefix);
}

/* ---- JSON */

static json_t *s_time(const json_t *us) {
    char text[WEFT_TIME_BYTES];
    if (!json_is_integer(us)) return json_null();
    weft_time_text(text, json_integer_value(us), 6);
    return json_string(text);
}

void weft_causes_json(const json_t *answer) {
    size_t i, j;
    const json_t *event;
    json_t *handler;
    json_array_foreach(json_object_get(answer, "events"), i, event) {
        json_t *line = json_deep_copy(event);
        json_object_set_new(line, "time", s_time(json_object_get(event, "time")));
        json_object_set_new(line, "stored", s_time(json_object_get(event, "stored")));
        json_array_foreach(json_object_get(line, "handlers"), j, handler) {
            json_object_set_new(handler, "at", s_time(json_object_get(handler, "at")));
        }
        weft_out_json(line);
    }
}

/* ---- dot */

static void s_dot_text(const char *text) {
    for (; *text; text++) weft_out("%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
}

static void s_dot_node(const json_t *answer, const json_t *event) {
    size_t i;
    const json_t *handler;
    char time[WEFT_TIME_BYTES];
    bool asked = weft_json_int(event, "position") == weft_json_int(answer, "position");
    weft_time_text(time, weft_json_int(event, "time"), 3);
    weft_out("    e%lld [label=\"", weft_json_int(event, "position"));
    s_dot_text(weft_json_text(event, "type"));
    weft_out("\\n");
    s_dot_text(weft_json_text(event, "source"));
    weft_out("\\n%lld  ", weft_json_int(event, "position"));
    s_dot_text(weft_json_text(event, "subject"));
    weft_out("\\n%s", time);
    json_array_foreach(json_object_get(event, "handlers"), i, handler) {
        if (s_is(handler, "handled")) continue;
        weft_out("\\nnot yet: ");
        s_dot_text(weft_json_text(handler, "service"));
    }
    weft_out("\"%s];\n", asked ? ", style=\"rounded,bold\"" : "");
}

void weft_causes_dot(const json_t *answer) {
    size_t i;
    const json_t *event;
    char text[SPAN_BYTES];
    weft_out("digraph causes {\n    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
             "    edge [fontname=\"sans-serif\", fontsize=10];\n");
    json_array_foreach(json_object_get(answer, "events"), i, event) {
        s_dot_node(answer, event);
    }
    json_array_foreach(json_object_get(answer, "events"), i, event) {
        const json_t *cause = weft_causes_cause(answer, event);
        if (!cause) continue;
        s_span(text, weft_json_int(event, "time") - weft_json_int(cause, "stored"));
        weft_out("    e%lld -> e%lld [label=\" %s\"];\n", weft_json_int(cause, "position"),
                 weft_json_int(event, "position"), text);
    }
    weft_out("}\n");
}
