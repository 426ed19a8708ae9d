/* weft_event_json: see weft_event_json.h. */
#include "weft_event_json.h"

#include "weft_json.h"
#include "weft_record.h"
#include "weft_time.h"

#define REASON_BYTES 128

static json_t *s_traceparent(const uint8_t *bytes) {
    char text[WEFT_TRACE_TEXT_BYTES];
    if (!bytes) return json_null();
    weft_trace_text(bytes, text);
    return json_string(text);
}

static json_t *s_time(int64_t us) {
    char text[WEFT_TIME_BYTES];
    weft_time_text(text, us, 6);
    return json_string(text);
}

static json_t *s_count(uint64_t value) {
    return json_integer((json_int_t) value);
}

void weft_event_json_put(json_t *object, const weft_event_t *event) {
    char origin[33], reason[REASON_BYTES] = "out of memory";
    json_t *data = NULL;
    weft_uuid_text(origin, event->origin.bytes);
    weft_err_t rc = weft_json_from_msgpack(&data, event->data, event->data_size, reason,
                                           sizeof reason);
    json_object_set_new(object, "origin", json_string(origin));
    json_object_set_new(object, "sequence", s_count(event->sequence.value));
    json_object_set_new(object, "time", s_time(event->time_us));
    json_object_set_new(object, "source", json_string(event->source));
    json_object_set_new(object, "subject", json_string(event->subject));
    json_object_set_new(object, "cause",
                        event->cause.value ? s_count(event->cause.value) : json_null());
    json_object_set_new(object, "traceparent", s_traceparent(event->traceparent));
    json_object_set_new(object, "data", rc == WEFT_OK ? data : json_null());
    if (rc != WEFT_OK) json_object_set_new(object, "dataError", json_string(reason));
}

json_t *weft_event_json(const weft_event_t *event) {
    json_t *object = json_object();
    json_object_set_new(object, "position", s_count(event->position.value));
    json_object_set_new(object, "chain",
                        json_sprintf("%016llx", (unsigned long long) event->chain));
    json_object_set_new(object, "stored", s_time(event->stored_us));
    json_object_set_new(object, "type", json_string(event->type));
    weft_event_json_put(object, event);
    return object;
}
