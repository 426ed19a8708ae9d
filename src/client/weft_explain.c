/* weft_explain: a tree of events as JSON, and beside each event the services that consume it. */
#include "weft.h"

#include "weft_limits.h"
#include "weft_record.h"
#include "weft_tree.h"
#include "weft_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS 1000u
#define EVENTS_MAX 10000u
#define TIMEOUT_MS 5000
#define SILENT_US 10000000 /* a service that has not reported for so long counts as stopped */

void weft_explain_config_init(weft_explain_config_t *config) {
    *config = (weft_explain_config_t){.size = sizeof *config,
                                      .bus = WEFT_DEFAULT_BUS,
                                      .timeout_ms = TIMEOUT_MS,
                                      .events = EVENTS,
                                      .stop_fd = -1};
}

/* ---- services */

typedef struct {
    int64_t seen;
    weft_bytes_t report;
} s_seen_t;

static const weft_field_t s_seen_fields[] = {WEFT_FIELD(s_seen_t, seen, TIME, false),
                                             WEFT_FIELD(s_seen_t, report, RAW, false)};

typedef struct {
    int64_t seen_us;
    weft_report_t report;
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters;
} s_service_t;

typedef struct {
    s_service_t *items;
    size_t count;
    int64_t at_us; /* the bus' clock */
} s_services_t;

static bool s_same_text(weft_text_t a, weft_text_t b) {
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* Of reports under one name, the newest is believed: a database built anew has another instance. */
static void s_put_service(s_services_t *self, const s_service_t *service) {
    size_t i = 0;
    while (i < self->count && !s_same_text(self->items[i].report.name, service->report.name)) i++;
    if (i < self->count && self->items[i].seen_us >= service->seen_us) return;
    self->items[i] = *service;
    if (i == self->count) self->count++;
}

static int s_by_name(const void *a, const void *b) {
    weft_text_t left = ((const s_service_t *) a)->report.name;
    weft_text_t right = ((const s_service_t *) b)->report.name;
    size_t size = left.size < right.size ? left.size : right.size;
    int order = size ? memcmp(left.data, right.data, size) : 0;
    return order ? order : (left.size > right.size) - (left.size < right.size);
}

/* The same answer, in whatever order they report. */
static void s_sort_services(s_services_t *self) {
    if (self->count) qsort(self->items, self->count, sizeof *self->items, s_by_name);
    for (size_t i = 0; i < self->count; i++) self->items[i].filters.items = self->items[i].items;
}

/* What they hold points into the reply. */
static weft_err_t s_take_services(s_services_t *self, const weft_state_t *state) {
    uint32_t count;
    weft_mp_t r = weft_mp_reader(state->services.data, state->services.size);
    if (!weft_mp_array(&r, &count) || count > WEFT_REPORTS_MAX) return WEFT_E_PROTO;
    self->at_us = state->at;
    self->items = calloc(count ? count : 1, sizeof *self->items);
    s_service_t *service = malloc(sizeof *service);
    weft_err_t rc = self->items && service ? WEFT_OK : WEFT_E_NOMEM;
    for (; rc == WEFT_OK && count; count--) {
        s_seen_t seen = {0};
        service->filters.items = service->items;
        rc = weft_fields_take(&r, s_seen_fields, 2, &seen);
        if (rc == WEFT_OK)
            rc = weft_report_decode(seen.report.data, seen.report.size, &service->report);
        if (rc == WEFT_OK) rc = weft_filters_decode(service->report.filters, &service->filters);
        service->seen_us = seen.seen;
        if (rc == WEFT_OK)
            s_put_service(self, service);
        else
            rc = WEFT_E_PROTO;
    }
    free(service);
    s_sort_services(self);
    return rc;
}

static bool s_consumes(const s_service_t *service, const char *type) {
    for (size_t i = 0; i < service->filters.count; i++)
        if (weft_filter_match(service->filters.items[i].data, service->filters.items[i].size, type,
                              strlen(type)))
            return true;
    return false;
}

/* ---- handlers of an event */

static bool s_is_from(const json_t *event, const s_service_t *service) {
    const char *source = json_string_value(json_object_get(event, "source"));
    weft_text_t name = service->report.name;
    return strlen(source) == name.size && memcmp(source, name.data, name.size) == 0;
}

/* Was the effect emitted while the event was handled? A request of its own, with a trace of its own, may
 * build on the event much later. */
static bool s_is_at_once(const json_t *event, const json_t *effect) {
    return json_equal(json_object_get(event, "trace"), json_object_get(effect, "trace"));
}

static json_t *s_handler(const weft_tree_t *tree, const s_services_t *services,
                         const s_service_t *service, const weft_tree_node_t *node) {
    json_t *effects = json_array(), *at = NULL;
    for (size_t i = 0; i < tree->count; i++) {
        const json_t *event = tree->nodes[i].event;
        if (tree->nodes[i].cause != node->position || !s_is_from(event, service)) continue;
        json_array_append_new(effects, json_integer((json_int_t) tree->nodes[i].position));
        json_t *time = json_object_get(event, "time");
        if (!s_is_at_once(node->event, event)) continue;
        if (!at || json_integer_value(time) < json_integer_value(at)) at = time;
    }
    const weft_report_t *report = &service->report;
    return json_pack("{s:o, s:b, s:O, s:o, s:b, s:I}", "service",
                     json_stringn(report->name.data, report->name.size), "handled",
                     report->position >= node->position || json_array_size(effects), "at",
                     at ? at : json_null(), "effects", effects, "silent",
                     services->at_us - service->seen_us >= SILENT_US, "parked",
                     (json_int_t) report->parked);
}

static void s_add_handlers(const weft_tree_t *tree, const s_services_t *services,
                           const weft_tree_node_t *node) {
    json_t *handlers = json_array();
    const char *type = json_string_value(json_object_get(node->event, "type"));
    for (size_t i = 0; i < services->count; i++)
        if (s_consumes(&services->items[i], type))
            json_array_append_new(handlers, s_handler(tree, services, &services->items[i], node));
    json_object_set_new(node->event, "handlers", handlers);
}

/* ---- the answer */

static json_t *s_answer(const weft_tree_t *tree, json_t *asked) {
    char log[33];
    weft_uuid_text(log, tree->log.bytes);
    json_t *events = json_array();
    for (size_t i = 0; i < tree->count; i++) json_array_append(events, tree->nodes[i].event);
    uint64_t indexed = tree->indexed < tree->head ? tree->indexed : tree->head;
    json_object_update_new(
        asked, json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "log", log, "first",
                         (json_int_t) tree->first, "head", (json_int_t) tree->head, "indexed",
                         (json_int_t) indexed, "scanned", (json_int_t) tree->scanned, "complete",
                         tree->complete, "events", events));
    return asked;
}

/* The reports last: an event that was read must not be ahead of them for no reason. */
static weft_err_t s_finish(weft_tree_t *tree, json_t *asked, char **json) {
    weft_state_t state;
    s_services_t services = {0};
    weft_err_t rc = weft_ask_state(&tree->ask, tree->config->timeout_ms, &state);
    if (rc == WEFT_OK) {
        rc = s_take_services(&services, &state);
        if (rc != WEFT_OK) snprintf(tree->reason, sizeof tree->reason, "%s", weft_err_text(rc));
    }
    for (size_t i = 0; rc == WEFT_OK && i < tree->count; i++)
        s_add_handlers(tree, &services, &tree->nodes[i]);
    free(services.items);
    if (rc != WEFT_OK) return rc;
    *json = json_dumps(s_answer(tree, asked), JSON_COMPACT);
    if (*json) return WEFT_OK;
    snprintf(tree->reason, sizeof tree->reason, "out of memory");
    return WEFT_E_NOMEM;
}

static weft_err_t s_explain(const weft_explain_config_t *given, uint64_t position,
                            const weft_uuid_t *trace, char **json, char *reason,
                            size_t reason_size) {
    weft_tree_t tree;
    weft_explain_config_t config;
    weft_explain_config_init(&config);
    if (given) config = *given;
    if (!config.bus) config.bus = WEFT_DEFAULT_BUS;
    if (reason && reason_size) *reason = '\0';
    if (!config.events || config.events > EVENTS_MAX) {
        if (reason) snprintf(reason, reason_size, "events is a number from 1 to %u", EVENTS_MAX);
        return WEFT_E_ARG;
    }
    weft_err_t rc = weft_tree_open(&tree, &config);
    if (rc != WEFT_OK) {
        if (reason) snprintf(reason, reason_size, "cannot connect to bus '%s'", config.bus);
        return rc;
    }
    char id[33] = "";
    if (trace) weft_uuid_text(id, trace->bytes);
    json_t *asked = trace ? json_pack("{s:n, s:s}", "position", "trace", id)
                          : json_pack("{s:I, s:n}", "position", (json_int_t) position, "trace");
    rc = trace ? weft_tree_of_trace(&tree, trace) : weft_tree_of_event(&tree, position);
    if (rc == WEFT_OK) rc = s_finish(&tree, asked, json);
    if (rc != WEFT_OK && reason) snprintf(reason, reason_size, "%s", weft_tree_reason(&tree));
    json_decref(asked);
    weft_tree_free(&tree);
    return rc;
}

weft_err_t weft_explain(const weft_explain_config_t *config, weft_position_t position, char **json,
                        char *reason, size_t reason_size) {
    return s_explain(config, position.value, NULL, json, reason, reason_size);
}

weft_err_t weft_explain_trace(const weft_explain_config_t *config, const uint8_t *trace_id,
                              char **json, char *reason, size_t reason_size) {
    weft_uuid_t trace;
    memcpy(trace.bytes, trace_id, sizeof trace.bytes);
    return s_explain(config, 0, &trace, json, reason, reason_size);
}
