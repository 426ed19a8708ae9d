/* weft_wire_event: see weft_wire_event.h. Strings are checked here, once, at each door. */
#include "weft_wire_event.h"

#include "weft_limits.h"

#define EVENT_FIELDS 9u

static bool s_take_text(weft_mp_t *r, const char **text, size_t *size) {
    return weft_mp_str(r, text, size) && weft_text_ok(*text, *size);
}

static bool s_take_fields(weft_mp_t *r, weft_wire_event_t *out) {
    size_t size;
    uint64_t time_us;
    const uint8_t *bytes;
    if (!weft_mp_bin(r, &bytes, &size) || size != 16) return false;
    if (!weft_mp_uint(r, &out->source_seq) || out->source_seq > INT64_MAX) return false;
    out->origin = bytes;
    if (!weft_mp_uint(r, &time_us) || time_us > INT64_MAX) return false;
    out->time_us = (int64_t) time_us;
    if (!s_take_text(r, &out->source, &out->source_size) || out->source_size == 0) return false;
    if (!weft_mp_nil(r) && !s_take_text(r, &out->subject, &out->subject_size)) return false;
    if (!weft_mp_nil(r) && (!weft_mp_uint(r, &out->cause) || out->cause > INT64_MAX)) return false;
    if (!weft_mp_nil(r)) {
        if (!weft_mp_bin(r, &out->traceparent, &size) || size != WEFT_TRACEPARENT_BYTES)
            return false;
    }
    out->data = r->at;
    if (!weft_mp_skip(r)) return false;
    out->data_size = (size_t) (r->at - out->data);
    return true;
}

weft_err_t weft_wire_event_take(weft_mp_t *r, weft_wire_event_t *out) {
    *out = (weft_wire_event_t){.bytes = r->at};
    weft_mp_t copy = *r;
    uint32_t fields;
    uint64_t version;
    weft_err_t rc = WEFT_E_BAD_EVENT;
    if (weft_mp_array(&copy, &fields) && fields && weft_mp_uint(&copy, &version)) {
        if (version != WEFT_PROTOCOL_VERSION)
            rc = WEFT_E_VERSION;
        else if (fields == EVENT_FIELDS && s_take_fields(&copy, out))
            rc = WEFT_OK;
    }
    if (rc != WEFT_OK) {
        (void) weft_mp_skip(r); /* stays where it is if the value has no end */
        return rc;
    }
    out->size = (size_t) (copy.at - r->at);
    *r = copy;
    if (out->size > WEFT_EVENT_BYTES_MAX || out->source_size > WEFT_SOURCE_BYTES_MAX ||
        out->subject_size > WEFT_SUBJECT_BYTES_MAX)
        return WEFT_E_TOO_BIG;
    return WEFT_OK;
}

weft_wire_layout_t weft_wire_event_layout(const weft_wire_event_t *event) {
    const char *text = (const char *) event->bytes;
    return (weft_wire_layout_t){
        .source_seq = event->source_seq,
        .cause = event->cause,
        .time_us = event->time_us,
        .origin = (uint32_t) (event->origin - event->bytes),
        .source = (uint32_t) (event->source - text),
        .source_size = (uint32_t) event->source_size,
        .subject = event->subject ? (uint32_t) (event->subject - text) : 0,
        .subject_size = (uint32_t) event->subject_size,
        .traceparent = event->traceparent ? (uint32_t) (event->traceparent - event->bytes) : 0,
        .data = (uint32_t) (event->data - event->bytes),
        .size = (uint32_t) event->size,
    };
}

void weft_wire_event_put(weft_buf_t *w, const weft_wire_event_t *event) {
    weft_mp_put_array(w, EVENT_FIELDS);
    weft_mp_put_uint(w, WEFT_PROTOCOL_VERSION);
    weft_mp_put_bin(w, event->origin, 16);
    weft_mp_put_uint(w, event->source_seq);
    weft_mp_put_uint(w, (uint64_t) event->time_us);
    weft_mp_put_str(w, event->source, event->source_size);
    if (event->subject && event->subject_size)
        weft_mp_put_str(w, event->subject, event->subject_size);
    else
        weft_mp_put_nil(w);
    if (event->cause)
        weft_mp_put_uint(w, event->cause);
    else
        weft_mp_put_nil(w);
    if (event->traceparent)
        weft_mp_put_bin(w, event->traceparent, WEFT_TRACEPARENT_BYTES);
    else
        weft_mp_put_nil(w);
    weft_buf_append(w, event->data, event->data_size);
}

/* Everything but source, subject and data: heads, origin, numbers, traceparent at their longest. */
#define EVENT_FRAME_BYTES (1 + 1 + 18 + 9 + 9 + 3 + 3 + 9 + 27)

weft_err_t weft_wire_event_check(const weft_wire_event_t *event) {
    weft_mp_t data = weft_mp_reader(event->data, event->data_size);
    if (!weft_mp_skip(&data) || weft_mp_left(&data)) return WEFT_E_BAD_EVENT;
    if (!event->source_size || !weft_text_ok(event->source, event->source_size) ||
        !weft_text_ok(event->subject, event->subject_size) || event->cause > INT64_MAX)
        return WEFT_E_BAD_EVENT;
    if (event->source_size > WEFT_SOURCE_BYTES_MAX ||
        event->subject_size > WEFT_SUBJECT_BYTES_MAX ||
        event->data_size >
            WEFT_EVENT_BYTES_MAX - EVENT_FRAME_BYTES - event->source_size - event->subject_size)
        return WEFT_E_TOO_BIG;
    return WEFT_OK;
}

bool weft_stamp_take(weft_mp_t *r, weft_stamp_t *out) {
    weft_mp_t copy = *r;
    uint32_t fields;
    uint64_t stored_us;
    if (!weft_mp_array(&copy, &fields) || fields != 3) return false;
    if (!weft_mp_uint(&copy, &out->position) || !out->position || out->position > INT64_MAX)
        return false;
    if (!weft_mp_uint(&copy, &stored_us) || stored_us > INT64_MAX) return false;
    if (!weft_mp_uint(&copy, &out->chain)) return false;
    out->stored_us = (int64_t) stored_us;
    *r = copy;
    return true;
}

static void s_write_u64(uint8_t *to, uint64_t value) {
    to[0] = 0xcf;
    value = htobe64(value);
    memcpy(to + 1, &value, sizeof value);
}

void weft_stamp_write(uint8_t *to, const weft_stamp_t *stamp) {
    to[0] = 0x93;
    s_write_u64(to + 1, stamp->position);
    s_write_u64(to + 10, (uint64_t) stamp->stored_us);
    s_write_u64(to + 19, stamp->chain);
}
