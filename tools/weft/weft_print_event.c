/* weft_print_event: see weft_print_event.h. In the plain line words end at a space, so a subject
 * that has one, or that could be taken for the "-" of no subject, is written as a JSON string.
 * Data without a JSON form is no reason to stop: the line says why instead. */
#include "weft_print_event.h"

#include "weft_json.h"
#include "weft_out.h"
#include "weft_record.h"
#include "weft_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 128

static void s_subject(const char *subject) {
    bool plain = *subject && !strpbrk(subject, " \"") && strcmp(subject, "-") != 0;
    if (plain || !*subject) {
        weft_out("%s ", plain ? subject : "-");
        return;
    }
    json_t *json = json_string(subject);
    char *quoted = json_dumps(json, JSON_ENCODE_ANY);
    weft_out("%s ", quoted ? quoted : "?");
    free(quoted);
    json_decref(json);
}

static void s_data(const weft_event_t *event) {
    char reason[REASON_BYTES] = "out of memory";
    char *data = NULL;
    if (weft_msgpack_to_json(event->data, event->data_size, &data, reason, sizeof reason) ==
        WEFT_OK)
        weft_out("%s", data);
    else
        weft_out("(no JSON: %s)", reason);
    free(data);
}

static void s_plain(const weft_event_t *event) {
    char time[WEFT_TIME_BYTES];
    weft_time_text(time, event->stored_us, 3);
    weft_out("%llu %s %s ", (unsigned long long) event->position.value, time, event->type);
    s_subject(event->subject);
    s_data(event);
    weft_out("\n");
}

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

json_t *weft_print_json(const weft_event_t *event) {
    char origin[33], reason[REASON_BYTES] = "out of memory";
    json_t *data = NULL;
    weft_uuid_text(origin, event->origin.bytes);
    weft_err_t rc = weft_json_from_msgpack(&data, event->data, event->data_size, reason,
                                           sizeof reason);
    json_t *object = json_object();
    json_object_set_new(object, "position", s_count(event->position.value));
    json_object_set_new(object, "chain",
                        json_sprintf("%016llx", (unsigned long long) event->chain));
    json_object_set_new(object, "stored", s_time(event->stored_us));
    json_object_set_new(object, "type", json_string(event->type));
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
    return object;
}

/* ---- as a format says */

#define LETTERS "ptsdTESoqcj%"

weft_err_t weft_print_begin(weft_print_t *self, const weft_args_t *args, const char *format) {
    *self = (weft_print_t){.json = args->json, .format = format};
    if (format && args->json)
        return weft_say_usage(args->verb, "--format and --json exclude each other");
    for (const char *at = format; at && *at; at++) {
        const char *known = *at == '%' ? LETTERS : *at == '\\' ? "tn\\" : NULL;
        if (!known) continue;
        if (!at[1] || !strchr(known, at[1]))
            return weft_say_usage(args->verb, "--format '%s': unknown %.2s", format, at);
        at++;
    }
    return WEFT_OK;
}

static void s_json(const weft_event_t *event) {
    json_t *object = weft_print_json(event);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(object);
    weft_out("%s", text ? text : "null");
    free(text);
}

static void s_time_out(int64_t us) {
    char text[WEFT_TIME_BYTES];
    weft_time_text(text, us, 6);
    weft_out("%s", text);
}

static void s_letter(char letter, const weft_event_t *event) {
    char origin[33];
    switch (letter) {
    case 'p': weft_out("%llu", (unsigned long long) event->position.value); break;
    case 't': weft_out("%s", event->type); break;
    case 's': weft_out("%s", event->subject); break;
    case 'd': s_data(event); break;
    case 'T': s_time_out(event->stored_us); break;
    case 'E': s_time_out(event->time_us); break;
    case 'S': weft_out("%s", event->source); break;
    case 'o':
        weft_uuid_text(origin, event->origin.bytes);
        weft_out("%s", origin);
        break;
    case 'q': weft_out("%llu", (unsigned long long) event->sequence.value); break;
    case 'c': weft_out("%llu", (unsigned long long) event->cause.value); break;
    case 'j': s_json(event); break;
    default: weft_out("%c", letter); break;
    }
}

static void s_format(const char *format, const weft_event_t *event) {
    for (const char *at = format; *at; at++) {
        if (*at == '%')
            s_letter(*++at, event);
        else if (*at == '\\')
            weft_out("%c", *++at == 't' ? '\t' : *at == 'n' ? '\n' : *at);
        else
            weft_out("%c", *at);
    }
    weft_out("\n");
}

void weft_print_event(const weft_print_t *self, const weft_event_t *event) {
    if (self->format)
        s_format(self->format, event);
    else if (self->json)
        weft_out_json(weft_print_json(event));
    else
        s_plain(event);
}
