/* bridge_post_read: see bridge_post_read.h. */
#include "bridge_post_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <http_text.h>

typedef struct {
    bridge_post_t *out;
    const bridge_names_t *names;
    unsigned *status;
    const char **field;
    char *reason;
    size_t index; /* of the event within a batch */
    bool batch;
} reader_t;

void bridge_post_clear(bridge_post_t *post) {
    for (size_t i = 0; i < post->count; i++) {
        free(post->events[i].type);
        free(post->events[i].subject);
        free(post->events[i].data);
        free(post->events[i].scope);
        free(post->events[i].key);
    }
    free(post->events);
    *post = (bridge_post_t){0};
}

static weft_err_t s_refuse(reader_t *self, const char *field, const char *format, ...)
    WEFT_PRINTF(3, 4);
static weft_err_t s_refuse(reader_t *self, const char *field, const char *format, ...) {
    va_list args;
    size_t size = 0;
    if (self->batch)
        size = (size_t) snprintf(self->reason, BRIDGE_POST_REASON_BYTES,
                                 "event %zu: ", self->index + 1);
    va_start(args, format);
    vsnprintf(self->reason + size, BRIDGE_POST_REASON_BYTES - size, format, args);
    va_end(args);
    *self->status = 400;
    *self->field = field;
    return WEFT_E_ARG;
}

/* ---------------------------------------------------------------------------------------------- */
/* One event */

/* data of an event as one msgpack value; json NULL means null. */
static weft_err_t s_pack(reader_t *self, bridge_post_event_t *event, const json_t *data) {
    char why[128] = "";
    char *text = data ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("null");
    if (!text) return WEFT_E_NOMEM;
    weft_err_t rc = weft_json_to_msgpack(text, strlen(text), &event->data, &event->data_size, why,
                                         sizeof why);
    free(text);
    if (rc == WEFT_OK || rc == WEFT_E_NOMEM) return rc;
    return s_refuse(self, "data", "data: %s", *why ? why : weft_err_text(rc));
}

/* {"$binary": base64} is how JSON says bytes (docs/protocol.md, JSON). */
static weft_err_t s_pack_base64(reader_t *self, bridge_post_event_t *event, const char *base64) {
    json_t *json = json_pack("{s:s}", "$binary", base64);
    weft_err_t rc = json ? s_pack(self, event, json) : WEFT_E_NOMEM;
    json_decref(json);
    return rc;
}

static char *s_base64(const unsigned char *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = malloc((size + 2) / 3 * 4 + 1), *at = out;
    if (!out) return NULL;
    for (size_t i = 0; i < size; i += 3) {
        unsigned long three = (unsigned long) bytes[i] << 16;
        if (i + 1 < size) three |= (unsigned long) bytes[i + 1] << 8;
        if (i + 2 < size) three |= bytes[i + 2];
        *at++ = digits[three >> 18];
        *at++ = digits[three >> 12 & 63];
        *at++ = i + 1 < size ? digits[three >> 6 & 63] : '=';
        *at++ = i + 2 < size ? digits[three & 63] : '=';
    }
    *at = 0;
    return out;
}

/* Name and subject; template from data if there is no subject. */
static weft_err_t s_name(reader_t *self, bridge_post_event_t *event, const char *type,
                         const char *subject, const json_t *data) {
    char made[BRIDGE_SUBJECT_BYTES];
    const char *own = bridge_names_in(self->names, type);
    if (!subject) {
        bridge_names_subject(self->names, own, data, made);
        subject = made;
    }
    event->type = strdup(own);
    event->subject = strdup(subject);
    return event->type && event->subject ? WEFT_OK : WEFT_E_NOMEM;
}

/* A text field that may be left out. False: it is there and no text. */
static bool s_optional(const json_t *json, const char *field, const char **out) {
    const json_t *value = json_object_get(json, field);
    *out = json_string_value(value);
    return !value || json_is_null(value) || *out;
}

static weft_err_t s_course(reader_t *self, bridge_post_event_t *event, const json_t *json) {
    const char *type = json_string_value(json_object_get(json, "type")), *subject;
    const json_t *data = json_object_get(json, "data");
    if (!type) return s_refuse(self, "type", "type must be a text, the name of what happened");
    if (!s_optional(json, "subject", &subject))
        return s_refuse(self, "subject", "subject must be a text");
    weft_err_t rc = s_name(self, event, type, subject, data);
    return rc == WEFT_OK ? s_pack(self, event, data) : rc;
}

static weft_err_t s_identify(reader_t *self, bridge_post_event_t *event, const char *version,
                             const char *source, const char *id) {
    if (!version || strcmp(version, "1.0") != 0)
        return s_refuse(self, "specversion", "specversion must be 1.0");
    if (!source || !*source) return s_refuse(self, "source", "source must be a text, not empty");
    if (!id || !*id) return s_refuse(self, "id", "id must be a text, not empty");
    if (strlen(source) > 1024 || strlen(id) > 1024)
        return s_refuse(self, "id", "source and id may have 1024 bytes each");
    size_t size = strlen(source) + sizeof "ce ";
    event->scope = malloc(size);
    event->key = strdup(id);
    if (!event->scope || !event->key) return WEFT_E_NOMEM;
    snprintf(event->scope, size, "ce %s", source);
    return WEFT_OK;
}

static weft_err_t s_structured(reader_t *self, bridge_post_event_t *event, const json_t *json) {
    const char *version, *source, *id, *subject, *base64;
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *data = json_object_get(json, "data");
    if (!json_is_object(json)) return s_refuse(self, NULL, "a CloudEvent is a JSON object");
    version = json_string_value(json_object_get(json, "specversion"));
    source = json_string_value(json_object_get(json, "source"));
    id = json_string_value(json_object_get(json, "id"));
    weft_err_t rc = s_identify(self, event, version, source, id);
    if (rc != WEFT_OK) return rc;
    if (!type) return s_refuse(self, "type", "type must be a text, the name of what happened");
    if (!s_optional(json, "subject", &subject))
        return s_refuse(self, "subject", "subject must be a text");
    if (!s_optional(json, "data_base64", &base64) || (base64 && data))
        return s_refuse(self, "data_base64", "data_base64 must be a text, and without data");
    rc = s_name(self, event, type, subject, data);
    if (rc != WEFT_OK) return rc;
    return base64 ? s_pack_base64(self, event, base64) : s_pack(self, event, data);
}

/* ---------------------------------------------------------------------------------------------- */
/* The body */

static bool s_is(const char *media, const char *wanted) {
    size_t size = strlen(wanted);
    return media && strncasecmp(media, wanted, size) == 0 &&
           (!media[size] || media[size] == ';' || media[size] == ' ');
}

static bool s_is_json(const char *media) {
    size_t size = media ? strcspn(media, "; ") : 0;
    return !media || s_is(media, "application/json") ||
           (size > 5 && strncasecmp(media + size - 5, "+json", 5) == 0);
}

static weft_err_t s_parse(reader_t *self, const char *body, size_t size, json_t **out) {
    json_error_t error;
    if (!http_utf8_valid(body, size, NULL)) return s_refuse(self, NULL, "body is not valid UTF-8");
    *out = json_loadb(body ? body : "", size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (*out) return WEFT_OK;
    return s_refuse(self, NULL, "body is not valid JSON (line %d, column %d)", error.line,
                    error.column);
}

/* Room for more events. NULL: no memory. */
static bridge_post_event_t *s_room(bridge_post_t *post, size_t count) {
    post->events = calloc(count, sizeof *post->events);
    post->count = post->events ? count : 0;
    return post->events;
}

static weft_err_t s_batch(reader_t *self, const json_t *json) {
    size_t count = json_array_size(json);
    if (!json_is_array(json)) return s_refuse(self, NULL, "a batch is a JSON array");
    if (count > BRIDGE_POST_EVENTS_MAX)
        return s_refuse(self, NULL, "a batch has at most %u events, not %zu",
                        BRIDGE_POST_EVENTS_MAX, count);
    if (!count) return WEFT_OK;
    if (!s_room(self->out, count)) return WEFT_E_NOMEM;
    self->batch = true;
    for (; self->index < count; self->index++) {
        weft_err_t rc = s_structured(self, &self->out->events[self->index],
                                     json_array_get(json, self->index));
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

/* Values of ce-* headers are percent-encoded. */
static bool s_decoded(const http_request_t *request, const char *name, char *out, size_t size) {
    const char *value = http_request_header(request, name);
    out[0] = 0;
    if (!value) return true;
    return strlen(value) < size && http_percent_decode(value, strlen(value), false, out);
}

static weft_err_t s_binary(reader_t *self, const http_request_t *request, const char *media,
                           const char *body, size_t size) {
    char source[1025], id[1025], type[256], subject[BRIDGE_SUBJECT_BYTES];
    json_t *data = NULL;
    weft_err_t rc = WEFT_OK;
    bridge_post_event_t *event = s_room(self->out, 1);
    if (!event) return WEFT_E_NOMEM;
    if (!s_decoded(request, "ce-source", source, sizeof source) ||
        !s_decoded(request, "ce-id", id, sizeof id) ||
        !s_decoded(request, "ce-type", type, sizeof type) ||
        !s_decoded(request, "ce-subject", subject, sizeof subject))
        return s_refuse(self, NULL, "a ce- header is malformed or too long");
    rc = s_identify(self, event, http_request_header(request, "ce-specversion"), source, id);
    if (rc != WEFT_OK) return rc;
    if (!*type) return s_refuse(self, "ce-type", "ce-type is missing");
    if (size && s_is_json(media)) {
        rc = s_parse(self, body, size, &data);
    } else if (size && media && strncasecmp(media, "text/", 5) == 0) {
        if (http_utf8_valid(body, size, NULL)) data = json_stringn(body, size);
        if (!data) rc = s_refuse(self, NULL, "body is not valid UTF-8");
    }
    if (rc == WEFT_OK) rc = s_name(self, event, type, *subject ? subject : NULL, data);
    if (rc == WEFT_OK && size && !data) {
        char *base64 = s_base64((const unsigned char *) body, size);
        rc = base64 ? s_pack_base64(self, event, base64) : WEFT_E_NOMEM;
        free(base64);
    } else if (rc == WEFT_OK) {
        rc = s_pack(self, event, data);
    }
    json_decref(data);
    return rc;
}

static weft_err_t s_read(reader_t *self, const http_request_t *request) {
    const char *media = http_request_header(request, "Content-Type");
    size_t size;
    const char *body = http_request_body(request, &size);
    bool structured = s_is(media, "application/cloudevents+json"),
         batch = s_is(media, "application/cloudevents-batch+json");
    json_t *json = NULL;
    if (!structured && !batch && http_request_header(request, "ce-specversion"))
        return s_binary(self, request, media, body, size);
    if (!structured && !batch && !http_media_json(media)) {
        (void) s_refuse(self, "Content-Type",
                        "want application/json, application/cloudevents+json, "
                        "application/cloudevents-batch+json, or ce-* headers");
        *self->status = 415;
        return WEFT_E_ARG;
    }
    weft_err_t rc = s_parse(self, body, size, &json);
    if (rc == WEFT_OK && batch) {
        rc = s_batch(self, json);
    } else if (rc == WEFT_OK && !json_is_object(json)) {
        rc = s_refuse(self, NULL, "body must be a JSON object");
    } else if (rc == WEFT_OK) {
        bridge_post_event_t *event = s_room(self->out, 1);
        if (!event)
            rc = WEFT_E_NOMEM;
        else
            rc = structured ? s_structured(self, event, json) : s_course(self, event, json);
    }
    json_decref(json);
    return rc;
}

weft_err_t bridge_post_read(bridge_post_t *out, const http_request_t *request,
                            const bridge_names_t *names, unsigned *status, const char **field,
                            char *reason) {
    reader_t self = {
        .out = out, .names = names, .status = status, .field = field, .reason = reason};
    *out = (bridge_post_t){0};
    *field = NULL;
    weft_err_t rc = s_read(&self, request);
    if (rc == WEFT_E_NOMEM) {
        *status = 500;
        snprintf(reason, BRIDGE_POST_REASON_BYTES, "out of memory");
    }
    return rc;
}
