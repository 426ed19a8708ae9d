/* weft_state: see weft_state.h. */
#include "weft_state.h"

#include "weft_limits.h"
#include "weft_record.h"
#include "weft_time.h"
#include "weft_type.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t seen;
    weft_bytes_t report;
} weft_status_service_t;

static const weft_field_t s_service_fields[] = {
    WEFT_FIELD(weft_status_service_t, seen, TIME, false),
    WEFT_FIELD(weft_status_service_t, report, RAW, false),
};

static json_t *s_text(weft_text_t text) {
    return json_stringn(text.data ? text.data : "", text.size);
}

static json_t *s_hex64(uint64_t value) {
    return json_sprintf("%016" PRIx64, value);
}

static json_t *s_uuid(const weft_uuid_t *uuid) {
    char text[33];
    weft_uuid_text(text, uuid->bytes);
    return json_string(text);
}

static json_t *s_time(int64_t us) {
    char text[WEFT_TIME_BYTES];
    weft_time_text(text, us, 6);
    return json_string(text);
}

static json_t *s_number(uint64_t value) {
    return json_integer((json_int_t) value);
}

/* ---- STATE → JSON */

/* False: malformed. */
static bool s_counters(weft_bytes_t raw, json_t *counters) {
    weft_mp_t r = weft_mp_reader(raw.data, raw.size);
    uint32_t count;
    if (!weft_mp_map(&r, &count) || count > WEFT_COUNTERS_MAX) return false;
    while (count--) {
        char name[64];
        const char *text;
        size_t size;
        uint64_t value;
        if (!weft_mp_str(&r, &text, &size) || !weft_mp_uint(&r, &value) || size >= sizeof name)
            return false;
        memcpy(name, text, size);
        name[size] = '\0';
        json_object_set_new(counters, name, s_number(value));
    }
    return true;
}

static json_t *s_filters(weft_bytes_t raw) {
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters = {.items = items};
    json_t *array = json_array();
    if (weft_filters_decode(raw, &filters) == WEFT_OK)
        for (size_t i = 0; i < filters.count; i++) json_array_append_new(array, s_text(items[i]));
    return array;
}

static double s_ago(const weft_state_t *state, int64_t us) {
    return state->at > us ? (double) (state->at - us) / 1e6 : 0;
}

static json_t *s_service(const weft_report_t *report, int64_t seen, const weft_state_t *state) {
    json_t *service = json_object();
    uint64_t lag = state->head > report->position ? state->head - report->position : 0;
    double ago = s_ago(state, seen);
    json_t *filters = s_filters(report->filters);
    if (!json_array_size(filters)) lag = 0; /* it only publishes */
    json_object_set_new(service, "name", s_text(report->name));
    json_object_set_new(service, "instance", s_uuid(&report->instance));
    json_object_set_new(service, "software", s_text(report->software));
    json_object_set_new(service, "position", s_number(report->position));
    json_object_set_new(service, "resume", s_number(report->resume));
    json_object_set_new(service, "lag", s_number(lag));
    json_object_set_new(service, "lagSeconds", lag ? json_null() : json_real(0));
    json_object_set_new(service, "outbox", s_number(report->outbox));
    json_object_set_new(service, "parked", s_number(report->parked));
    json_object_set_new(service, "parkedOldestAgo",
                        report->parked_oldest ? json_real(s_ago(state, report->parked_oldest))
                                              : json_null());
    json_object_set_new(service, "skipped", s_number(report->skipped));
    json_object_set_new(service, "onError", s_text(report->on_error));
    json_object_set_new(service, "database", s_text(report->database));
    json_object_set_new(service, "appliedCatchUp", s_number(report->applied_catch_up));
    json_object_set_new(service, "appliedLive", s_number(report->applied_live));
    json_object_set_new(service, "live", json_boolean(report->live));
    json_object_set_new(service, "filters", filters);
    json_object_set_new(service, "seen", s_time(seen));
    json_object_set_new(service, "seenAgo", json_real(ago));
    json_object_set_new(service, "silent", json_boolean(ago >= WEFT_SILENT_S));
    return service;
}

/* False: malformed. */
static bool s_services(const weft_state_t *state, json_t *services) {
    weft_mp_t r = weft_mp_reader(state->services.data, state->services.size);
    uint32_t count;
    if (!weft_mp_array(&r, &count) || count > WEFT_REPORTS_MAX) return false;
    while (count--) {
        weft_status_service_t item = {0};
        weft_report_t report;
        if (weft_fields_take(&r, s_service_fields,
                             sizeof s_service_fields / sizeof *s_service_fields,
                             &item) != WEFT_OK ||
            weft_report_decode(item.report.data, item.report.size, &report) != WEFT_OK)
            return false;
        json_array_append_new(services, s_service(&report, item.seen, state));
    }
    return true;
}

/* NULL: malformed. */
static json_t *s_state(const weft_state_t *state, const char *bus) {
    json_t *object = json_object(), *counters = json_object(), *services = json_array();
    json_object_set_new(object, "log", s_uuid(&state->log));
    json_object_set_new(object, "boot", s_hex64(state->boot));
    json_object_set_new(object, "first", s_number(state->first));
    json_object_set_new(object, "head", s_number(state->head));
    json_object_set_new(object, "chain", s_hex64(state->chain));
    json_object_set_new(object, "accepting", json_boolean(state->accepting));
    json_object_set_new(object, "reason", s_text(state->reason));
    json_object_set_new(object, "software", s_text(state->software));
    json_object_set_new(object, "started", s_time(state->started));
    json_object_set_new(object, "at", s_time(state->at));
    json_object_set_new(object, "control", json_string(bus));
    json_object_set_new(object, "fanout", s_text(state->fanout));
    json_object_set_new(object, "ingest", s_text(state->ingest));
    bool ok = s_counters(state->counters, counters) && s_services(state, services);
    json_object_set_new(object, "counters", counters);
    json_object_set_new(object, "services", services);
    if (ok) return object;
    json_decref(object);
    return NULL;
}

/* ---- judging */

const char *weft_json_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

long long weft_json_int(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

double weft_json_real(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

/* Is a report of another instance under the same name to be believed rather than this one? A database
 * that was built anew has another instance; twins that are both heard are both shown. */
static bool s_is_stale(const json_t *services, const json_t *service) {
    size_t i;
    const json_t *other;
    if (!json_is_true(json_object_get(service, "silent"))) return false;
    json_array_foreach(services, i, other) {
        if (other != service &&
            strcmp(weft_json_text(other, "name"), weft_json_text(service, "name")) == 0 &&
            weft_json_real(other, "seenAgo") < weft_json_real(service, "seenAgo"))
            return true;
    }
    return false;
}

static void s_drop_stale(json_t *services) {
    for (size_t i = json_array_size(services); i-- > 0;)
        if (s_is_stale(services, json_array_get(services, i))) json_array_remove(services, i);
}

/* For how long a service has been behind. Events that the log has trimmed tell no time. */
static weft_err_t s_lag_seconds(weft_ask_t *ask, int timeout_ms, json_t *service, uint64_t first,
                                int64_t at_us) {
    uint64_t position = (uint64_t) weft_json_int(service, "position");
    weft_event_t event;
    if (!weft_json_int(service, "lag") || position < first) return WEFT_OK;
    weft_err_t rc = weft_ask_event(ask, timeout_ms, (weft_position_t){position + 1}, &event);
    if (rc == WEFT_OK)
        json_object_set_new(
            service, "lagSeconds",
            json_real(at_us > event.stored_us ? (double) (at_us - event.stored_us) / 1e6 : 0));
    return rc == WEFT_E_UNREACHABLE || rc == WEFT_E_INTERRUPTED ? rc : WEFT_OK;
}

static int s_by_name(const void *a, const void *b) {
    json_t *const *one = a, *const *two = b;
    return strcmp(weft_json_text(*one, "name"), weft_json_text(*two, "name"));
}

/* The bus tells them in no order; people look for a name. False: out of memory. */
static bool s_sort(json_t *services) {
    size_t i, count = json_array_size(services);
    json_t **all = calloc(count + 1, sizeof *all), *service;
    if (!all) return false;
    json_array_foreach(services, i, service) {
        all[i] = json_incref(service);
    }
    qsort(all, count, sizeof *all, s_by_name);
    json_array_clear(services);
    for (i = 0; i < count; i++) json_array_append_new(services, all[i]);
    free(all);
    return true;
}

/* state  out: numbers alone may be read. What fails is left to the caller to tell. */
static weft_err_t s_reports(weft_ask_t *ask, int timeout_ms, const char *bus, weft_state_t *state,
                            json_t **out) {
    weft_err_t rc = weft_ask_state(ask, timeout_ms, state);
    if (rc != WEFT_OK) return rc;
    *out = s_state(state, bus);
    if (!*out) {
        snprintf(ask->reason, sizeof ask->reason, "the bus' answer cannot be read");
        return WEFT_E_PROTO;
    }
    s_drop_stale(json_object_get(*out, "services"));
    if (s_sort(json_object_get(*out, "services"))) return WEFT_OK;
    json_decref(*out);
    *out = NULL;
    snprintf(ask->reason, sizeof ask->reason, "out of memory");
    return WEFT_E_NOMEM;
}

weft_err_t weft_state_reports(weft_ask_t *ask, const weft_args_t *args, json_t **out) {
    weft_state_t state;
    weft_err_t rc = s_reports(ask, args->timeout_ms, args->bus, &state, out);
    return rc == WEFT_OK ? rc : weft_ask_failed(ask, args, rc);
}

weft_err_t weft_state_try(weft_ask_t *ask, int timeout_ms, const char *bus, json_t **out) {
    weft_state_t state;
    weft_err_t rc = s_reports(ask, timeout_ms, bus, &state, out);
    if (rc != WEFT_OK) return rc;
    json_t *services = json_object_get(*out, "services"), *service;
    size_t i;
    json_array_foreach(services, i, service) {
        rc = s_lag_seconds(ask, timeout_ms, service, state.first, state.at);
        if (rc == WEFT_OK) continue;
        json_decref(*out);
        *out = NULL;
        return rc;
    }
    return WEFT_OK;
}

weft_err_t weft_state_ask(weft_ask_t *ask, const weft_args_t *args, json_t **out) {
    weft_err_t rc = weft_state_try(ask, args->timeout_ms, args->bus, out);
    return rc == WEFT_OK ? rc : weft_ask_failed(ask, args, rc);
}

weft_err_t weft_state_get(const weft_args_t *args, json_t **out) {
    weft_ask_t ask;
    weft_err_t rc = weft_ask_begin(&ask, args);
    if (rc != WEFT_OK) return rc;
    rc = weft_state_ask(&ask, args, out);
    weft_ask_close(&ask);
    return rc;
}

bool weft_state_wants(const json_t *service, const char *type) {
    size_t i;
    const json_t *filter;
    json_array_foreach(json_object_get(service, "filters"), i, filter) {
        const char *text = json_string_value(filter);
        if (weft_filter_match(text, strlen(text), type, strlen(type))) return true;
    }
    return false;
}
