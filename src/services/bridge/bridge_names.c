/* bridge_names: see bridge_names.h. A handful of rules, looked at one by one. */
#include "bridge_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX 256u

typedef struct {
    char *weft, *http, *subject; /* subject: NULL if there is none */
} rule_t;

struct bridge_names {
    rule_t *rules;
    size_t count;
};

void bridge_names_destroy(bridge_names_t **self_p) {
    bridge_names_t *self = *self_p;
    if (!self) return;
    for (size_t i = 0; i < self->count; i++) {
        free(self->rules[i].weft);
        free(self->rules[i].http);
        free(self->rules[i].subject);
    }
    free(self->rules);
    free(self);
    *self_p = NULL;
}

static const char *s_text(const json_t *rule, const char *field) {
    const char *text = json_string_value(json_object_get(rule, field));
    return text && *text ? text : NULL;
}

/* NULL: fine. */
static const char *s_wrong(const bridge_names_t *self, const json_t *rule) {
    const char *weft = s_text(rule, "weft"), *http = s_text(rule, "http"), *key;
    json_t *value;
    if (!json_is_object(rule)) return "is no object";
    if (!weft || !http) return "needs the texts weft and http";
    json_object_foreach((json_t *) rule, key, value) {
        if (strcmp(key, "weft") != 0 && strcmp(key, "http") != 0 && strcmp(key, "subject") != 0)
            return "has an unknown field; known are weft, http and subject";
        if (!json_is_string(value)) return "has a field that is no text";
    }
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->rules[i].weft, weft) == 0 || strcmp(self->rules[i].http, http) == 0)
            return "names what an earlier one has named";
    return NULL;
}

static bool s_add(bridge_names_t *self, const json_t *rule) {
    const char *subject = s_text(rule, "subject");
    rule_t *at = &self->rules[self->count++];
    at->weft = strdup(s_text(rule, "weft"));
    at->http = strdup(s_text(rule, "http"));
    at->subject = subject ? strdup(subject) : NULL;
    return at->weft && at->http && (!subject || at->subject);
}

weft_err_t bridge_names_new(bridge_names_t **out, const json_t *rules, char *reason,
                            size_t reason_size) {
    bridge_names_t *self = calloc(1, sizeof *self);
    weft_err_t rc = WEFT_E_USAGE;
    if (rules && (!json_is_array(rules) || json_array_size(rules) > RULES_MAX)) {
        snprintf(reason, reason_size, "names must be an array of at most %u rules", RULES_MAX);
        goto out;
    }
    rc = WEFT_E_NOMEM;
    if (self) self->rules = calloc(json_array_size(rules) + 1, sizeof *self->rules);
    snprintf(reason, reason_size, "out of memory");
    if (!self || !self->rules) goto out;
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const char *wrong = s_wrong(self, rule);
        if (wrong) {
            snprintf(reason, reason_size, "names: rule %zu %s", i + 1, wrong);
            rc = WEFT_E_USAGE;
            goto out;
        }
        if (!s_add(self, rule)) goto out;
    }
    *out = self;
    return WEFT_OK;
out:
    bridge_names_destroy(&self);
    return rc;
}

const char *bridge_names_out(const bridge_names_t *self, const char *type) {
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->rules[i].weft, type) == 0) return self->rules[i].http;
    return type;
}

const char *bridge_names_in(const bridge_names_t *self, const char *name) {
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->rules[i].http, name) == 0) return self->rules[i].weft;
    return name;
}

/* Fill a template. False: no subject comes of it. */
static bool s_fill(const char *template, const json_t *data, char out[BRIDGE_SUBJECT_BYTES]) {
    size_t size = 0;
    while (*template) {
        char field[64];
        const char *part = template;
        size_t part_size = 1;
        const char *end = *template == '{' ? strchr(template, '}') : NULL;
        if (end && (size_t) (end - template) <= sizeof field) {
            snprintf(field, sizeof field, "%.*s", (int) (end - template - 1), template + 1);
            part = json_string_value(json_object_get(data, field));
            if (!part || !*part) return false;
            part_size = strlen(part);
            template = end;
        }
        template ++;
        if (size + part_size >= BRIDGE_SUBJECT_BYTES) return false;
        memcpy(out + size, part, part_size);
        size += part_size;
    }
    out[size] = 0;
    for (const char *at = out; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7F) return false;
    return true;
}

void bridge_names_subject(const bridge_names_t *self, const char *type, const json_t *data,
                          char out[BRIDGE_SUBJECT_BYTES]) {
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->rules[i].weft, type) != 0) continue;
        if (self->rules[i].subject && s_fill(self->rules[i].subject, data, out)) return;
        break;
    }
    out[0] = 0;
}
