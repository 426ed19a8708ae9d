/* bridge_hook_spec: what a hook is told to do, as JSON and as a word of the command line. Pure. */
#include "bridge_hook_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http_client.h>
#include <http_text.h>

#define URL_BYTES_MAX 2048u
#define ATTEMPTS 10u
#define ATTEMPTS_MAX 1000000u
#define TIMEOUT_MS 10000u
#define TIMEOUT_MS_MAX 3600000u

static const char *const s_modes[] = {"durable", "course", NULL};
static const char *const s_formats[] = {"course", "cloudevents", "cloudevents-binary", NULL};

bool bridge_hook_name_ok(const char *name) {
    size_t size = strlen(name);
    return size && size <= BRIDGE_HOOK_NAME_CHARS_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") ==
               size;
}

/* ---- from JSON */

typedef struct {
    const json_t *json;
    const char **field;
    char *reason;
} reader_t;

static weft_err_t s_wrong(const reader_t *in, const char *field, const char *reason) {
    *in->field = field;
    snprintf(in->reason, BRIDGE_HOOK_REASON_BYTES, "%s", reason);
    return WEFT_E_ARG;
}

static weft_err_t s_known_fields(const reader_t *in) {
    static const char *const known[] = {"url",      "filters",   "mode",   "format", "parallel",
                                        "attempts", "timeoutMs", "paused", "start"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *) in->json, name, value) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], name) != 0) i++;
        if (i == sizeof known / sizeof *known) return s_wrong(in, name, "no such field");
    }
    return WEFT_OK;
}

static weft_err_t s_read_url(const reader_t *in, char **out) {
    const json_t *value = json_object_get(in->json, "url");
    if (!value && *out) return WEFT_OK;
    if (!value) return s_wrong(in, "url", "no such hook; a new one needs a url");
    const char *url = json_string_value(value);
    if (!url || strlen(url) > URL_BYTES_MAX || !http_url_valid(url))
        return s_wrong(in, "url",
                       "url must be one of http or https, at most 2048 bytes, without user");
    char *copy = strdup(url);
    if (!copy) return WEFT_E_NOMEM;
    free(*out);
    *out = copy;
    return WEFT_OK;
}

static void s_clear_filters(bridge_hook_spec_t *spec) {
    for (size_t i = 0; i < spec->filters_count; i++) free(spec->filters[i]);
    free(spec->filters);
    spec->filters = NULL;
    spec->filters_count = 0;
}

/* Dotted segments, each a word or *; > for all that follows may stand at the end. */
static bool s_filter_ok(const char *filter) {
    size_t size = strlen(filter);
    if (size > 255) return false;
    for (;;) {
        size_t word = strspn(filter,
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
        if (strcmp(filter, ">") == 0) return true;
        if (word == 0 && *filter == '*') word = 1;
        if (word == 0) return false;
        if (!filter[word]) return true;
        if (filter[word] != '.') return false;
        filter += word + 1;
    }
}

static weft_err_t s_read_filters(const reader_t *in, bridge_hook_spec_t *out) {
    const json_t *value = json_object_get(in->json, "filters");
    size_t count = json_array_size(value);
    if (!value) return WEFT_OK;
    if (!json_is_array(value) || count > BRIDGE_HOOK_FILTERS_MAX)
        return s_wrong(in, "filters", "filters must be an array of at most 256 texts");
    s_clear_filters(out);
    out->filters = calloc(count + 1, sizeof *out->filters);
    if (!out->filters) return WEFT_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const char *filter = json_string_value(json_array_get(value, i));
        if (!filter || !s_filter_ok(filter))
            return s_wrong(in, "filters",
                           "a filter is a type, as comment.created, or comment.*, comment.>, >");
        out->filters[i] = strdup(filter);
        if (!out->filters[i]) return WEFT_E_NOMEM;
        out->filters_count++;
    }
    return WEFT_OK;
}

/* Index in names, -1: absent, -2: another word. */
static int s_word(const reader_t *in, const char *field, const char *const *names) {
    const json_t *value = json_object_get(in->json, field);
    const char *text = json_string_value(value);
    if (!value) return -1;
    for (int i = 0; text && names[i]; i++)
        if (strcmp(names[i], text) == 0) return i;
    return -2;
}

static weft_err_t s_read_words(const reader_t *in, bridge_hook_spec_t *out) {
    int mode = s_word(in, "mode", s_modes), format = s_word(in, "format", s_formats);
    const json_t *paused = json_object_get(in->json, "paused");
    if (mode == -2) return s_wrong(in, "mode", "mode must be durable or course");
    if (format == -2)
        return s_wrong(in, "format", "format must be course, cloudevents or cloudevents-binary");
    if (paused && !json_is_boolean(paused))
        return s_wrong(in, "paused", "paused must be true or false");
    if (mode >= 0) out->mode = (bridge_mode_t) mode;
    if (format >= 0) out->format = (bridge_format_t) format;
    if (paused) out->paused = json_is_true(paused);
    return WEFT_OK;
}

static weft_err_t s_read_number(const reader_t *in, const char *field, unsigned least,
                                unsigned most, unsigned *out) {
    const json_t *value = json_object_get(in->json, field);
    json_int_t number = json_integer_value(value);
    char text[96];
    if (!value) return WEFT_OK;
    snprintf(text, sizeof text, "%s must be a number from %u to %u", field, least, most);
    if (!json_is_integer(value) || number < (json_int_t) least || number > (json_int_t) most)
        return s_wrong(in, field, text);
    *out = (unsigned) number;
    return WEFT_OK;
}

static weft_err_t s_read_start(const reader_t *in, bridge_start_t *out) {
    const json_t *value = json_object_get(in->json, "start");
    const char *text = json_string_value(value);
    *out = (bridge_start_t){.kind = WEFT_START_RESUME};
    if (!value) return WEFT_OK;
    if (text && strcmp(text, "start") == 0) {
        out->kind = WEFT_START_BEGINNING;
    } else if (text && strcmp(text, "now") == 0) {
        out->kind = WEFT_START_NOW;
    } else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        out->kind = WEFT_START_POSITION;
        out->position = (uint64_t) json_integer_value(value);
    } else {
        return s_wrong(in, "start", "start must be \"start\", \"now\" or a position");
    }
    return WEFT_OK;
}

static weft_err_t s_copy(bridge_hook_spec_t *out, const bridge_hook_spec_t *before) {
    *out = *before;
    out->url = strdup(before->url);
    out->filters_count = 0;
    out->filters = calloc(before->filters_count + 1, sizeof *out->filters);
    if (!out->url || !out->filters) return WEFT_E_NOMEM;
    for (size_t i = 0; i < before->filters_count; i++) {
        out->filters[i] = strdup(before->filters[i]);
        if (!out->filters[i]) return WEFT_E_NOMEM;
        out->filters_count++;
    }
    return WEFT_OK;
}

weft_err_t bridge_hook_spec_read(bridge_hook_spec_t *out, bridge_start_t *start,
                                 const bridge_hook_spec_t *before, const json_t *json,
                                 const char **field, char *reason) {
    reader_t in = {json, field, reason};
    weft_err_t rc = WEFT_OK;
    *field = NULL;
    *reason = 0;
    *out = (bridge_hook_spec_t){.parallel = 1, .attempts = ATTEMPTS, .timeout_ms = TIMEOUT_MS};
    if (before) rc = s_copy(out, before);
    if (rc == WEFT_OK) rc = s_known_fields(&in);
    if (rc == WEFT_OK) rc = s_read_url(&in, &out->url);
    if (rc == WEFT_OK) rc = s_read_filters(&in, out);
    if (rc == WEFT_OK) rc = s_read_words(&in, out);
    if (rc == WEFT_OK)
        rc = s_read_number(&in, "parallel", 1, BRIDGE_HOOK_PARALLEL_MAX, &out->parallel);
    if (rc == WEFT_OK) rc = s_read_number(&in, "attempts", 0, ATTEMPTS_MAX, &out->attempts);
    if (rc == WEFT_OK) rc = s_read_number(&in, "timeoutMs", 1, TIMEOUT_MS_MAX, &out->timeout_ms);
    if (rc == WEFT_OK) rc = s_read_start(&in, start);
    return rc;
}

json_t *bridge_hook_spec_json(const bridge_hook_spec_t *spec) {
    json_t *filters = json_array();
    for (size_t i = 0; i < spec->filters_count; i++)
        json_array_append_new(filters, json_string(spec->filters[i]));
    return json_pack("{s:s,s:o,s:s,s:s,s:i,s:i,s:i,s:b}", "url", spec->url, "filters", filters,
                     "mode", s_modes[spec->mode], "format", s_formats[spec->format], "parallel",
                     (int) spec->parallel, "attempts", (int) spec->attempts, "timeoutMs",
                     (int) spec->timeout_ms, "paused", spec->paused);
}

void bridge_hook_spec_clear(bridge_hook_spec_t *spec) {
    s_clear_filters(spec);
    free(spec->url);
    spec->url = NULL;
}

/* ---- from the command line */

/* A number where it is one, true and false, else a text. */
static json_t *s_value(const char *text) {
    uint64_t number;
    if (http_text_number(text, 0, INT64_MAX, &number)) return json_integer((json_int_t) number);
    if (strcmp(text, "true") == 0) return json_true();
    if (strcmp(text, "false") == 0) return json_false();
    return json_string(text);
}

static json_t *s_filter_list(char *text) {
    json_t *list = json_array();
    char *rest = text, *one;
    while ((one = strsep(&rest, ","))) json_array_append_new(list, json_string(one));
    return list;
}

json_t *bridge_hook_word_read(const char *word, char *name, char *reason) {
    char *copy = strdup(word), *rest = copy, *more = NULL, *part;
    json_t *json = json_object();
    const char *wrong = "want NAME=URL[=FILTER,…][;KEY=VALUE]…";
    char *first = strsep(&rest, "="); /* the name */
    if (!copy || !json || !rest || !bridge_hook_name_ok(first)) goto fail;
    snprintf(name, BRIDGE_HOOK_NAME_CHARS_MAX + 1, "%s", first);
    more = rest;
    first = strsep(&more, ";"); /* URL[=FILTER,…] */
    rest = first;
    json_object_set_new(json, "url", json_string(strsep(&rest, "=")));
    if (rest) json_object_set_new(json, "filters", s_filter_list(rest));
    while ((part = strsep(&more, ";"))) {
        char *value = part, *key = strsep(&value, "=");
        wrong = "want KEY=VALUE after each ;";
        if (!value) goto fail;
        json_object_set_new(json, key, s_value(value));
    }
    free(copy);
    return json;
fail:
    snprintf(reason, BRIDGE_HOOK_REASON_BYTES, "%s", wrong);
    json_decref(json);
    free(copy);
    return NULL;
}
