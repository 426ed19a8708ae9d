/* weft_print_event: see weft_print_event.h. In the plain line words end at a space, so a subject
 * that has one, or that could be taken for the "-" of no subject, is written as a JSON string.
 * Data without a JSON form is no reason to stop: the line says why instead. */
#include "weft_print_event.h"

#include "weft_event_json.h"
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
    json_t *object = weft_event_json(event);
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
        weft_out_json(weft_event_json(event));
    else
        s_plain(event);
}
