/* bridge_event: see bridge_event.h. */
#include "bridge_event.h"
#include "bridge_hook_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* RFC 3339, UTC, with microseconds. */
static void s_time(int64_t time_us, bridge_text_t *out) {
    time_t seconds = (time_t) (time_us / 1000000);
    struct tm parts;
    char text[64] = "1970-01-01T00:00:00";
    if (time_us >= 0 && gmtime_r(&seconds, &parts))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    else
        time_us = 0;
    bridge_text_format(out, "\"%s.%06dZ\"", text, (int) (time_us % 1000000));
}

static void s_data(const weft_event_t *event, const char *error_name, bridge_text_t *out) {
    char reason[128] = "", *json = NULL;
    weft_err_t rc = weft_msgpack_to_json(event->data, event->data_size, &json, reason,
                                         sizeof reason);
    bridge_text_say(out, ",\"data\":");
    bridge_text_say(out, rc == WEFT_OK ? json : "null");
    free(json);
    if (rc == WEFT_E_NOMEM) out->failed = true;
    if (rc == WEFT_OK) return;
    bridge_text_format(out, ",\"%s\":", error_name);
    bridge_text_json(out, *reason ? reason : weft_err_text(rc));
}

void bridge_event_course(const bridge_names_t *names, const weft_event_t *event,
                         const weft_uuid_t *log, bridge_text_t *out) {
    char id[BRIDGE_HOOK_ID_BYTES];
    bridge_hook_id(event, log, id);
    bridge_text_say(out, "{\"type\":");
    bridge_text_json(out, bridge_names_out(names, event->type));
    s_data(event, "dataError", out);
    bridge_text_format(out, ",\"id\":\"%s\",\"position\":%" PRIu64 ",\"time\":", id,
                       event->position.value);
    s_time(event->time_us, out);
    bridge_text_say(out, ",\"source\":");
    bridge_text_json(out, event->source);
    if (*event->subject) {
        bridge_text_say(out, ",\"subject\":");
        bridge_text_json(out, event->subject);
    }
    bridge_text_say(out, "}");
}

/* The attribute is a URI-reference; a source is any text. */
static void s_source(const char *source, bridge_text_t *out) {
    bridge_text_say(out, "\"/");
    for (; *source; source++) {
        unsigned char byte = (unsigned char) *source;
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.' || byte == '_';
        bridge_text_format(out, plain ? "%c" : "%%%02X", byte);
    }
    bridge_text_say(out, "\"");
}

void bridge_event_cloud(const bridge_names_t *names, const weft_event_t *event,
                        const weft_uuid_t *log, bridge_text_t *out) {
    char id[BRIDGE_HOOK_ID_BYTES], trace[WEFT_TRACE_TEXT_BYTES];
    bridge_hook_id(event, log, id);
    bridge_text_format(out, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":", id);
    s_source(event->source, out);
    bridge_text_say(out, ",\"type\":");
    bridge_text_json(out, bridge_names_out(names, event->type));
    bridge_text_say(out, ",\"time\":");
    s_time(event->time_us, out);
    if (*event->subject) {
        bridge_text_say(out, ",\"subject\":");
        bridge_text_json(out, event->subject);
    }
    if (event->traceparent) {
        weft_trace_text(event->traceparent, trace);
        bridge_text_format(out, ",\"traceparent\":\"%s\"", trace);
    }
    /* A text: CloudEvents' integers end at 2^31. */
    bridge_text_format(out,
                       ",\"weftposition\":\"%" PRIu64 "\",\"datacontenttype\":\"application/json\"",
                       event->position.value);
    s_data(event, "dataerror", out);
    bridge_text_say(out, "}");
}
