/* blog_idem: a POST repeated under the same Idempotency-Key gets its first answer again. */
#include "blog_idem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <service_after.h>

/* "POST /posts/create"; malloc, NULL without memory. */
static char *s_scope(const http_request_t *request) {
    const char *method = http_request_method(request), *path = http_request_path(request);
    size_t size = strlen(method) + strlen(path) + 2;
    char *scope = malloc(size);
    if (scope) snprintf(scope, size, "%s %s", method, path);
    return scope;
}

/* The request has been answered before, like this. */
static void s_replay(const idempotency_t *self, http_request_t *request,
                     const idempotency_row_t *row) {
    size_t size;
    const void *body = http_request_body(request, &size);
    if (row->body_hash != http_hash(body, size) || row->body_size != size) {
        http_answer_error(request, 422, "this key has been used with another body",
                          "Idempotency-Key");
        return;
    }
    http_answer_header(request, "Idempotency-Replayed", "true");
    service_after_answer(request, idempotency_service(self)); /* that event, or a later one */
    if (*row->location) http_answer_header(request, "Location", row->location);
    http_answer_text(request, row->status, strdup(row->answer));
}

static bool s_find(idempotency_t *self, http_request_t *request, const char *scope,
                   const char *key) {
    idempotency_row_t row;
    weft_err_t rc = idempotency_find(self, scope, key, &row);
    if (rc == WEFT_OK)
        s_replay(self, request, &row);
    else if (rc != WEFT_E_NOT_FOUND)
        http_answer_error(request, 500, "database could not be read", NULL);
    idempotency_found(self);
    return rc == WEFT_E_NOT_FOUND;
}

/* While a request is held, its mark says under which key it is in work. */
static weft_err_t s_mark(http_request_t *request, const char *scope, const char *key) {
    size_t size = strlen(scope) + strlen(key) + 2;
    char *mark = malloc(size);
    if (!mark) return WEFT_E_NOMEM;
    snprintf(mark, size, "%s\n%s", scope, key);
    weft_err_t rc = http_request_mark(request, mark);
    free(mark);
    return rc;
}

bool blog_idem_begin(idempotency_t *self, http_request_t *request) {
    const char *key = http_request_header(request, "Idempotency-Key");
    if (!key) return true;
    if (!idempotency_key_ok(key)) {
        http_answer_error(request, 400, "must be 1 to 255 visible ASCII characters",
                          "Idempotency-Key");
        return false;
    }
    char *scope = s_scope(request);
    bool goes_on = false;
    if (!scope || s_mark(request, scope, key) != WEFT_OK)
        http_answer_error(request, 500, "out of memory", NULL);
    else if (http_request_mark_held(request))
        http_answer_error(request, 409, "the first request with this key is still in work",
                          "Idempotency-Key");
    else
        goes_on = s_find(self, request, scope, key);
    free(scope);
    return goes_on;
}

weft_err_t blog_idem_keep(idempotency_t *self, http_request_t *request, unsigned status,
                          const char *location, const char *answer) {
    const char *key = http_request_header(request, "Idempotency-Key");
    if (!key || strcmp(http_request_method(request), "POST") != 0) return WEFT_OK;
    char *scope = s_scope(request);
    if (!scope) return WEFT_E_NOMEM;
    idempotency_row_t row = {.status = status, .location = location, .answer = answer};
    const void *body = http_request_body(request, &row.body_size);
    row.body_hash = http_hash(body, row.body_size);
    weft_err_t rc = idempotency_keep(self, scope, key, &row);
    free(scope);
    return rc;
}
