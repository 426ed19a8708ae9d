/* blog_write: a request that changes something, in one transaction. */
#include "blog_write.h"

#include <http_field.h>
#include <service_after.h>
#include <service_http.h>
#include <stdlib.h>

bool blog_write_text(http_request_t *request, const char *field, size_t max, const char **value) {
    char reason[HTTP_REASON_BYTES];
    if (http_field_text(http_request_json(request), field, max, value, reason)) return true;
    http_answer_error(request, 400, reason, field);
    return false;
}

weft_err_t blog_write_done(blog_write_t *write, unsigned status, json_t *json) {
    write->status = status;
    if (status == 204) return WEFT_OK;
    write->answer = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!write->answer) return WEFT_E_NOMEM;
    return blog_idem_keep(write->app->idem, write->request, status, write->location, write->answer);
}

void blog_answer_failure(http_request_t *request, weft_err_t rc) {
    if (rc == WEFT_E_FULL)
        http_answer_error(request, 507, "disk is full: nothing was changed", NULL);
    else
        http_answer_error(request, 500, weft_err_text(rc), NULL);
    weft_diag(WEFT_DIAG_ERROR, "request.failed", "method=%s error=%s", http_request_method(request),
              weft_err_name(rc));
}

void blog_write(blog_write_t *write, weft_transaction_fn fn) {
    http_request_t *request = write->request;
    weft_err_t rc = service_http_transaction(write->app->service, request, fn, write);
    if (rc == WEFT_E_NOT_FOUND) {
        http_answer_error(request, 404, write->missing, NULL);
    } else if (rc != WEFT_OK) {
        blog_answer_failure(request, rc);
    } else {
        service_after_answer(request, write->app->service);
        if (*write->location) http_answer_header(request, "Location", write->location);
        if (write->answer)
            http_answer_text(request, write->status, write->answer);
        else
            http_answer_empty(request, write->status);
        write->answer = NULL; /* handed over */
    }
    free(write->answer);
    write->answer = NULL;
}
