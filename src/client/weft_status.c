/* weft_status: one STATUS request and its answer as JSON. */
#include "weft.h"

#include "weft_json.h"
#include "weft_limits.h"
#include "weft_link.h"
#include "weft_os.h"
#include "weft_record.h"

#include <stdlib.h>

#define AGAIN_MS 50 /* nobody there: look again */

static json_t *s_text(weft_text_t text) {
    return json_stringn(text.data ? text.data : "", text.size);
}

static json_t *s_hex64(uint64_t value) {
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long) value);
    return json_string(text);
}

static json_t *s_uuid(const weft_uuid_t *uuid) {
    char text[33];
    weft_uuid_text(text, uuid->bytes);
    return json_string(text);
}

/* Any msgpack value; null where it has no JSON form. */
static json_t *s_raw(weft_bytes_t raw) {
    json_t *json = NULL;
    if (weft_json_from_msgpack(&json, raw.data, raw.size, NULL, 0) != WEFT_OK) return json_null();
    return json;
}

static json_t *s_service(uint64_t seen_us, const weft_report_t *report) {
    return json_pack(
        "{s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o}", "seen",
        (json_int_t) seen_us, "name", s_text(report->name), "instance", s_uuid(&report->instance),
        "software", s_text(report->software), "position", (json_int_t) report->position, "resume",
        (json_int_t) report->resume, "outbox", (json_int_t) report->outbox, "parked",
        (json_int_t) report->parked, "parked_oldest", (json_int_t) report->parked_oldest, "skipped",
        (json_int_t) report->skipped, "applied_catch_up", (json_int_t) report->applied_catch_up,
        "applied_live", (json_int_t) report->applied_live, "live", report->live, "on_error",
        s_text(report->on_error), "database", s_text(report->database), "filters",
        s_raw(report->filters));
}

typedef struct {
    uint64_t seen;
    weft_bytes_t report;
} weft_seen_t;

static const weft_field_t s_seen_fields[] = {WEFT_FIELD(weft_seen_t, seen, U64, false),
                                             WEFT_FIELD(weft_seen_t, report, RAW, false)};

/* NULL: not as the protocol says. */
static json_t *s_services(weft_bytes_t raw) {
    weft_mp_t r = weft_mp_reader(raw.data, raw.size);
    uint32_t count;
    json_t *array = json_array();
    bool ok = weft_mp_array(&r, &count);
    while (ok && count--) {
        weft_seen_t seen = {0};
        weft_report_t report;
        ok = weft_fields_take(&r, s_seen_fields, 2, &seen) == WEFT_OK &&
             weft_report_decode(seen.report.data, seen.report.size, &report) == WEFT_OK &&
             json_array_append_new(array, s_service(seen.seen, &report)) == 0;
    }
    if (ok) return array;
    json_decref(array);
    return NULL;
}

static weft_err_t s_state(zmq_msg_t *body, uint64_t id, char **out) {
    weft_state_t state;
    weft_err_t rc = weft_state_decode(zmq_msg_data(body), zmq_msg_size(body), &state);
    if (rc != WEFT_OK || state.id != id) return WEFT_E_PROTO;
    json_t *services = s_services(state.services);
    if (!services) return WEFT_E_PROTO;
    json_t *json = json_pack(
        "{s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "log",
        s_uuid(&state.log), "boot", s_hex64(state.boot), "first", (json_int_t) state.first, "head",
        (json_int_t) state.head, "chain", s_hex64(state.chain), "at", (json_int_t) state.at,
        "started", (json_int_t) state.started, "software", s_text(state.software), "fanout",
        s_text(state.fanout), "ingest", s_text(state.ingest), "accepting", state.accepting,
        "reason", s_text(state.reason), "counters", s_raw(state.counters), "services", services);
    *out = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return *out ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_err_t s_answer(weft_link_t *link, uint64_t id, char **out) {
    zmq_msg_t frames[3];
    unsigned count;
    weft_command_t command;
    weft_err_t rc = weft_link_recv(link, frames, &count, &command);
    if (rc != WEFT_OK) return rc;
    if (command == WEFT_COMMAND_STATE) {
        rc = s_state(&frames[1], id, out);
    } else {
        weft_error_t error;
        bool told = command == WEFT_COMMAND_ERROR &&
                    weft_error_decode(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &error) ==
                        WEFT_E_VERSION;
        rc = told ? WEFT_E_VERSION : WEFT_E_PROTO;
    }
    weft_net_close_frames(frames, count, 3);
    return rc;
}

weft_err_t weft_bus_status(const char *bus, int timeout_ms, char **json) {
    weft_link_t link;
    weft_buf_t body;
    int64_t end_ms = weft_os_monotonic_ms() + timeout_ms;
    weft_err_t rc = weft_link_open(&link, bus, NULL);
    if (rc != WEFT_OK) return rc;
    weft_status_t status = {.id = weft_link_request_id(&link)};
    weft_buf_init(&body);
    weft_status_encode(&body, &status);
    bool sent = false;
    do {
        if (!sent) sent = weft_link_send(&link, WEFT_COMMAND_STATUS, &body) == WEFT_OK;
        rc = s_answer(&link, status.id, json);
        if (rc != WEFT_E_AGAIN) break;
        (void) weft_link_wait(&link, AGAIN_MS);
    } while (weft_os_monotonic_ms() < end_ms);
    weft_buf_free(&body);
    weft_link_close(&link);
    return rc == WEFT_E_AGAIN ? WEFT_E_UNREACHABLE : rc;
}
