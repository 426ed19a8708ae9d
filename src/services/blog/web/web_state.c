/* web_state: see web_state.h. */
#include "web_state.h"

#include <stdbool.h>

static json_int_t s_int(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

static const char *s_text(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* A service that consumes nothing has no live stream to join. */
static const char *s_service_state(const json_t *service, json_int_t silent_ms) {
    if (silent_ms > WEB_STATE_SILENT_MS) return "silent";
    return json_is_true(json_object_get(service, "live")) ||
                   json_array_size(json_object_get(service, "filters")) == 0
               ? "live"
               : "catching up";
}

static json_t *s_service(const json_t *service, json_int_t head, json_int_t at_us) {
    json_int_t position = s_int(service, "position");
    json_int_t silent_ms = (at_us - s_int(service, "seen")) / 1000;
    if (silent_ms < 0) silent_ms = 0;
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:O?}", "name", s_text(service, "name"),
                     "software", s_text(service, "software"), "state",
                     s_service_state(service, silent_ms), "position", position, "lag",
                     head > position ? head - position : (json_int_t) 0, "outbox",
                     s_int(service, "outbox"), "parked", s_int(service, "parked"), "skipped",
                     s_int(service, "skipped"), "silentMs", silent_ms, "filters",
                     json_object_get(service, "filters"));
}

char *web_state_text(const char *status, uint64_t *first, uint64_t *head) {
    json_t *state = json_loads(status, 0, NULL), *services = json_array(), *service;
    const json_t *all = json_object_get(state, "services");
    json_int_t last = s_int(state, "head");
    size_t i;
    json_array_foreach(all, i, service) {
        if (i == WEB_STATE_SERVICES_MAX) break;
        json_array_append_new(services, s_service(service, last, s_int(state, "at")));
    }
    *first = (uint64_t) s_int(state, "first");
    *head = (uint64_t) last;
    json_t *told = json_pack(
        "{s:s,s:I,s:I,s:b,s:s,s:s,s:I,s:I,s:o}", "bus", "here", "head", last, "first",
        s_int(state, "first"), "accepting", (int) json_is_true(json_object_get(state, "accepting")),
        "reason", s_text(state, "reason"), "software", s_text(state, "software"), "started",
        s_int(state, "started"), "total", (json_int_t) json_array_size(all), "services", services);
    char *text = json_is_object(state) && told ? json_dumps(told, JSON_COMPACT) : NULL;
    json_decref(told);
    json_decref(state);
    return text;
}
