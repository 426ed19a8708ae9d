/* bridge_hook_body: what a hook POSTs for an event: body and headers. Pure. */
#include "bridge_hook_body.h"
#include "bridge_event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_BYTES 48u

void bridge_hook_id(const weft_event_t *event, const weft_uuid_t *log, char *id) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = event->sequence.value ? event->origin.bytes : log->bytes;
    for (size_t i = 0; i < sizeof event->origin.bytes; i++) {
        id[2 * i] = digits[bytes[i] >> 4];
        id[2 * i + 1] = digits[bytes[i] & 15];
    }
    snprintf(id + 32, BRIDGE_HOOK_ID_BYTES - 32, event->sequence.value ? "-%" PRIu64 : "-p%" PRIu64,
             event->sequence.value ? event->sequence.value : event->position.value);
}

static void s_header(bridge_hook_body_t *out, weft_err_t *rc, const char *format, ...)
    WEFT_PRINTF(3, 4);
static void s_header(bridge_hook_body_t *out, weft_err_t *rc, const char *format, ...) {
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0 || out->headers_count == BRIDGE_HOOK_HEADERS_MAX) {
        if (size >= 0) free(text);
        *rc = WEFT_E_NOMEM;
        return;
    }
    out->headers[out->headers_count++] = text;
}

static void s_time(int64_t us, char *out) {
    time_t seconds = (time_t) (us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t size = strftime(out, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + size, TIME_BYTES - size, ".%06dZ", (int) (us % 1000000));
}

/* ---- CloudEvents 1.0: https://github.com/cloudevents/spec */

typedef struct {
    char id[BRIDGE_HOOK_ID_BYTES], time[TIME_BYTES], position[24], trace[WEFT_TRACE_TEXT_BYTES];
} attributes_t;

static void s_attributes(attributes_t *out, const weft_event_t *event, const weft_uuid_t *log) {
    bridge_hook_id(event, log, out->id);
    s_time(event->time_us, out->time);
    snprintf(out->position, sizeof out->position, "%" PRIu64, event->position.value);
    out->trace[0] = 0;
    if (event->traceparent) weft_trace_text(event->traceparent, out->trace);
}

/* Header values are percent-encoded: space, double quote, percent and what is not printable ASCII. */
static void s_encoded(bridge_hook_body_t *out, weft_err_t *rc, const char *name,
                      const char *value) {
    char *text = malloc(3 * strlen(value) + 1), *at = text;
    if (!text) {
        *rc = WEFT_E_NOMEM;
        return;
    }
    for (const unsigned char *byte = (const unsigned char *) value; *byte; byte++) {
        if (*byte > 0x20 && *byte < 0x7f && *byte != '"' && *byte != '%')
            *at++ = (char) *byte;
        else
            at += sprintf(at, "%%%02X", *byte);
    }
    *at = 0;
    s_header(out, rc, "%s: %s", name, text);
    free(text);
}

static weft_err_t s_binary(bridge_hook_body_t *out, const char *type, const weft_event_t *event,
                           const attributes_t *is, char *data) {
    weft_err_t rc = WEFT_OK;
    out->text = data;
    out->size = strlen(data);
    s_header(out, &rc, "ce-specversion: 1.0");
    s_header(out, &rc, "ce-id: %s", is->id);
    s_encoded(out, &rc, "ce-type", type);
    s_header(out, &rc, "ce-time: %s", is->time);
    s_header(out, &rc, "ce-weftposition: %s", is->position);
    char source[300];
    snprintf(source, sizeof source, "/%s", event->source);
    s_encoded(out, &rc, "ce-source", source);
    if (*event->subject) s_encoded(out, &rc, "ce-subject", event->subject);
    if (*is->trace) s_header(out, &rc, "ce-traceparent: %s", is->trace);
    return rc;
}

/* ---- all formats */

static weft_err_t s_take_text(bridge_hook_body_t *out, const bridge_text_t *text) {
    out->text = text->data;
    out->size = text->size;
    return text->failed ? WEFT_E_NOMEM : WEFT_OK;
}

static weft_err_t s_course(bridge_hook_body_t *out, const char *type, const char *data) {
    bridge_text_t text = {0};
    bridge_text_say(&text, "{\"type\":");
    bridge_text_json(&text, type);
    bridge_text_say(&text, ",\"data\":");
    bridge_text_say(&text, data);
    bridge_text_say(&text, "}");
    return s_take_text(out, &text);
}

static weft_err_t s_structured(bridge_hook_body_t *out, const bridge_names_t *names,
                               const weft_event_t *event, const weft_uuid_t *log) {
    bridge_text_t text = {0};
    bridge_event_cloud(names, event, log, &text);
    return s_take_text(out, &text);
}

weft_err_t bridge_hook_body_make(bridge_hook_body_t *out, bridge_format_t format,
                                 const bridge_names_t *names, const weft_event_t *event,
                                 const weft_uuid_t *log, const char *hook) {
    const char *type = bridge_names_out(names, event->type);
    attributes_t is;
    char *data = NULL, reason[128];
    *out = (bridge_hook_body_t){0};
    weft_err_t rc = weft_msgpack_to_json(event->data, event->data_size, &data, reason,
                                         sizeof reason);
    if (rc != WEFT_OK) {
        weft_diag(WEFT_DIAG_WARN, "hook.body",
                  "hook=%s position=%" PRIu64 " error=%s reason=\"%s\"", hook,
                  event->position.value, weft_err_name(rc), reason);
        return rc;
    }
    s_attributes(&is, event, log);
    s_header(out, &rc, "Content-Type: application/%s",
             format == BRIDGE_FORMAT_STRUCTURED ? "cloudevents+json" : "json");
    s_header(out, &rc, "Weft-Hook: %s", hook);
    s_header(out, &rc, "Weft-Position: %" PRIu64, event->position.value);
    s_header(out, &rc, "Weft-Id: %s", is.id);
    if (*is.trace) s_header(out, &rc, "traceparent: %s", is.trace);
    if (rc != WEFT_OK) {
        free(data);
        return rc;
    }
    if (format == BRIDGE_FORMAT_BINARY) return s_binary(out, type, event, &is, data);
    rc = format == BRIDGE_FORMAT_COURSE ? s_course(out, type, data)
                                        : s_structured(out, names, event, log);
    free(data);
    return rc;
}

void bridge_hook_body_clear(bridge_hook_body_t *body) {
    for (size_t i = 0; i < body->headers_count; i++) free(body->headers[i]);
    free(body->text);
    *body = (bridge_hook_body_t){0};
}
