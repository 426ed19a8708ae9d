/* weft_where: see weft_where.h. */
#include "weft_where.h"

#include <jq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_BYTES 256

struct weft_where {
    jq_state *jq;
    char error[ERROR_BYTES]; /* the first line that jq had to say */
};

static void s_on_error(void *arg, jv error) {
    weft_where_t *self = arg;
    if (!self->error[0] && jv_get_kind(error) == JV_KIND_STRING)
        snprintf(self->error, sizeof self->error, "%s", jv_string_value(error));
    self->error[strcspn(self->error, "\n")] = '\0';
    jv_free(error);
}

weft_err_t weft_where_new(weft_where_t **out, const weft_verb_t *verb, const char *text) {
    *out = NULL;
    if (!text) return WEFT_OK;
    weft_where_t *self = calloc(1, sizeof *self);
    if (self) self->jq = jq_init();
    if (!self || !self->jq) {
        free(self);
        return weft_say(verb, WEFT_E_NOMEM, "out of memory");
    }
    jq_set_error_cb(self->jq, s_on_error, self);
    if (jq_compile(self->jq, text)) {
        *out = self;
        return WEFT_OK;
    }
    weft_say_usage(verb, "--where '%s': %s", text, self->error);
    weft_where_destroy(&self);
    return WEFT_E_USAGE;
}

void weft_where_destroy(weft_where_t **self_p) {
    weft_where_t *self = *self_p;
    if (!self) return;
    jq_teardown(&self->jq);
    free(self);
    *self_p = NULL;
}

bool weft_where_match(weft_where_t *self, const void *data, size_t size) {
    char *json = NULL;
    if (!self) return true;
    if (weft_msgpack_to_json(data, size, &json, NULL, 0) != WEFT_OK) return false;
    jv input = jv_parse(json);
    free(json);
    if (!jv_is_valid(input)) {
        jv_free(input);
        return false;
    }
    jq_start(self->jq, input, 0);
    jv result = jq_next(self->jq);
    jv_kind kind = jv_get_kind(result);
    jv_free(result);
    return kind != JV_KIND_INVALID && kind != JV_KIND_FALSE && kind != JV_KIND_NULL;
}
