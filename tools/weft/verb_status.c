/* weft status: what the bus says of itself and of the services that report to it. */
#include "weft_verb.h"

#include "weft_ask.h"
#include "weft_limits.h"
#include "weft_out.h"
#include "weft_record.h"
#include "weft_time.h"

#include <inttypes.h>
#include <stdio.h>
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

static json_t *s_service(const weft_report_t *report, int64_t seen, const weft_state_t *state) {
    json_t *service = json_object();
    uint64_t lag = state->head > report->position ? state->head - report->position : 0;
    double ago = state->at > seen ? (double) (state->at - seen) / 1e6 : 0;
    json_object_set_new(service, "name", s_text(report->name));
    json_object_set_new(service, "instance", s_uuid(&report->instance));
    json_object_set_new(service, "software", s_text(report->software));
    json_object_set_new(service, "position", s_number(report->position));
    json_object_set_new(service, "resume", s_number(report->resume));
    json_object_set_new(service, "lag", s_number(lag));
    json_object_set_new(service, "outbox", s_number(report->outbox));
    json_object_set_new(service, "parked", s_number(report->parked));
    json_object_set_new(service, "appliedCatchUp", s_number(report->applied_catch_up));
    json_object_set_new(service, "appliedLive", s_number(report->applied_live));
    json_object_set_new(service, "live", json_boolean(report->live));
    json_object_set_new(service, "filters", s_filters(report->filters));
    json_object_set_new(service, "seen", s_time(seen));
    json_object_set_new(service, "seenAgo", json_real(ago));
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

/* ---- JSON → lines */

static const char *s_get(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long s_int(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void s_print(const json_t *state) {
    static const char *const texts[] = {"software", "started", "log",   "boot",
                                        "control",  "fanout",  "ingest"};
    bool accepting = json_is_true(json_object_get(state, "accepting"));
    const char *name;
    const json_t *value;
    size_t i;
    for (i = 0; i < sizeof texts / sizeof *texts; i++)
        weft_out("%-16s %s\n", texts[i], s_get(state, texts[i]));
    weft_out("%-16s %lld\n", "head", s_int(state, "head"));
    if (s_int(state, "first")) weft_out("%-16s %lld\n", "first", s_int(state, "first"));
    weft_out("%-16s %s%s%s\n", "accepting", accepting ? "yes" : "no", accepting ? "" : ": ",
             s_get(state, "reason"));
    json_t *counters = json_object_get(state, "counters");
    for (void *at = json_object_iter(counters); at; at = json_object_iter_next(counters, at)) {
        name = json_object_iter_key(at);
        value = json_object_iter_value(at);
        if (json_integer_value(value)) weft_out("%-16s %lld\n", name, json_integer_value(value));
    }
    json_array_foreach(json_object_get(state, "services"), i, value) {
        weft_out("%-16s %s position=%lld lag=%lld outbox=%lld parked=%lld live=%s seen=%.1fs\n",
                 "service", s_get(value, "name"), s_int(value, "position"), s_int(value, "lag"),
                 s_int(value, "outbox"), s_int(value, "parked"),
                 json_is_true(json_object_get(value, "live")) ? "yes" : "no",
                 json_real_value(json_object_get(value, "seenAgo")));
    }
}

/* ---- the verb */

static weft_err_t s_status(weft_ask_t *ask, const weft_args_t *args, int timeout_ms) {
    weft_state_t state;
    weft_err_t rc = weft_ask_state(ask, timeout_ms, &state);
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "%s", weft_ask_reason(ask));
    json_t *json = s_state(&state, args->bus);
    if (!json) return weft_say(args->verb, WEFT_E_PROTO, "the bus' answer cannot be read");
    if (args->json) {
        weft_out_json(json);
        return WEFT_OK;
    }
    s_print(json);
    json_decref(json);
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    const char *timeout;
    int64_t timeout_ms;
    weft_ask_t ask;
    const weft_verb_option_t options[] = {
        {"timeout", "SECONDS", "how long to wait for the bus", "3", &timeout, NULL},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!weft_args_seconds(timeout, &timeout_ms))
        return weft_say_usage(verb, "--timeout '%s' is no number of seconds", timeout);
    rc = weft_ask_open(&ask, args.bus);
    if (rc != WEFT_OK) return weft_say(verb, rc, "cannot connect to bus '%s'", args.bus);
    rc = s_status(&ask, &args, (int) timeout_ms);
    weft_ask_close(&ask);
    return rc;
}

const weft_verb_t weft_verb_status = {
    .name = "status",
    .words = "",
    .help = "print how the bus is doing, and the services that report to it",
    .more = "One thing a line, NAME VALUE; counters that are zero are left out, --json has them.\n",
    .run = s_run,
};
