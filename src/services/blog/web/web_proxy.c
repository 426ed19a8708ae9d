/* web_proxy: one origin for the browser. /api/PATH goes to the service that owns method and path.
 *
 * A service that is away is no reason to hang or to fail without words: 503 says that nothing has been
 * done, 504 and 502 that it may have been done, so a POST is repeated under its Idempotency-Key. */
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <after_header.h>

#define PREFIX "/api"
#define CONNECT_MS 2000u
#define ANSWER_MS 10000u /* beyond the longest time that a service holds a write */
#define ANSWER_BYTES_MAX (8u << 20)
#define URL_BYTES_MAX 8192u

static const char *const s_names[WEB_BACKENDS] = {"posts", "comments", "query"};

/* Handed on as they came. */
static const char *const s_request_headers[] = {"Content-Type", "Idempotency-Key", "Weft-After",
                                                "Weft-Wait", "traceparent"};
#define REQUEST_HEADERS (sizeof s_request_headers / sizeof *s_request_headers)
static const char *const s_answer_headers[] = {
    "Content-Type", "Idempotency-Replayed", "Retry-After", "Weft-View",
    "Weft-After",   "Weft-Parked",          "traceparent"};
#define ANSWER_HEADERS (sizeof s_answer_headers / sizeof *s_answer_headers)

typedef struct {
    http_request_t *request;
    http_call_t *call;
    web_backend_t backend;
} forward_t;

static void s_unreachable(const forward_t *self, const http_result_t *result) {
    char text[160];
    unsigned status = 502;
    const char *what = "gave no proper answer";
    if (result->end == HTTP_END_CONNECT) {
        status = 503;
        what = "is not there just now";
        http_answer_header(self->request, "Retry-After", "1");
    } else if (result->end == HTTP_END_TIMEOUT) {
        status = 504;
        what = "did not answer in time";
    } else if (result->end == HTTP_END_CUT) {
        what = "was cut off while it answered";
    }
    snprintf(text, sizeof text, "the %s service %s", s_names[self->backend], what);
    http_answer_error(self->request, status, text, NULL);
    weft_diag(WEFT_DIAG_WARN, "web.backend", "service=%s end=%s reason=\"%s\"",
              s_names[self->backend], http_end_name(result->end), result->reason);
}

/* Addresses in an answer are the service's own: here they begin with /api. at is where in value. */
static void s_moved_header(http_request_t *request, const char *name, const char *value,
                           size_t at) {
    char text[512];
    if (strlen(value) < at || value[at] != '/') return;
    int size = snprintf(text, sizeof text, "%.*s" PREFIX "%s", (int) at, value, value + at);
    if (size > 0 && (size_t) size < sizeof text) http_answer_header(request, name, text);
}

static void s_pass_headers(const forward_t *self) {
    const char *value;
    for (size_t i = 0; i < ANSWER_HEADERS; i++)
        if ((value = http_call_header(self->call, s_answer_headers[i])))
            http_answer_header(self->request, s_answer_headers[i], value);
    if ((value = http_call_header(self->call, "Location")))
        s_moved_header(self->request, "Location", value, 0);
    if ((value = http_call_header(self->call, "Link")))
        s_moved_header(self->request, "Link", value, 1); /* "</posts?…>; rel=…" */
}

static void s_on_done(http_call_t *call, const http_result_t *result, void *arg) {
    forward_t *self = arg;
    self->call = call;
    if (result->end != HTTP_END_ANSWERED) {
        s_unreachable(self, result);
    } else {
        s_pass_headers(self);
        if (result->body_size)
            http_answer_text(self->request, result->status,
                             strndup(result->body, result->body_size));
        else
            http_answer_empty(self->request, result->status);
    }
    free(self);
}

/* The browser has left, or we stop. A write that is under way may still happen. */
static void s_on_cancel(http_request_t *request, void *arg) {
    (void) request;
    forward_t *self = arg;
    http_call_cancel(&self->call);
    free(self);
}

/* "Name: value" of each header that came; owned. Returns their number. */
static size_t s_headers(const http_request_t *request, char *lines[REQUEST_HEADERS]) {
    size_t count = 0;
    for (size_t i = 0; i < REQUEST_HEADERS; i++) {
        const char *name = s_request_headers[i], *value = http_request_header(request, name);
        if (!value) continue;
        size_t size = strlen(name) + strlen(value) + 3;
        char *line = malloc(size);
        if (!line) break; /* the service refuses what lacks it, or works without */
        snprintf(line, size, "%s: %s", name, value);
        lines[count++] = line;
    }
    return count;
}

/* A read may be held longer than anything else: as long as its sender wants. */
static unsigned s_answer_ms(const http_request_t *request) {
    const char *reason;
    unsigned wait_ms = 0;
    if (http_request_header(request, AFTER_HEADER))
        (void) after_header_wait(http_request_header(request, AFTER_WAIT_HEADER), &wait_ms,
                                 &reason); /* malformed: the service refuses it */
    return ANSWER_MS + wait_ms;
}

static weft_err_t s_call(web_t *web, forward_t *self) {
    http_request_t *request = self->request;
    char url[URL_BYTES_MAX], *lines[REQUEST_HEADERS];
    const char *query = http_request_query_text(request);
    int used = snprintf(url, sizeof url, "%s%s%s%s", web->urls[self->backend],
                        http_request_path(request) + strlen(PREFIX), *query ? "?" : "", query);
    if (used < 0 || (size_t) used >= sizeof url) return WEFT_E_TOO_BIG;
    http_call_config_t config = {.method = http_request_method(request),
                                 .url = url,
                                 .connect_ms = CONNECT_MS,
                                 .timeout_ms = s_answer_ms(request),
                                 .answer_max = ANSWER_BYTES_MAX,
                                 .on_done = s_on_done,
                                 .arg = self};
    config.body = http_request_body(request, &config.body_size);
    config.headers_count = s_headers(request, lines);
    config.headers = (const char *const *) lines;
    weft_err_t rc = http_client_call(web->client, &config, &self->call);
    for (size_t i = 0; i < config.headers_count; i++) free(lines[i]);
    return rc;
}

static void s_forward(http_request_t *request, const blog_app_t *app, web_backend_t backend) {
    web_t *web = app->state;
    forward_t *self = calloc(1, sizeof *self);
    weft_err_t rc = self ? WEFT_OK : WEFT_E_NOMEM;
    if (rc == WEFT_OK) {
        *self = (forward_t){.request = request, .backend = backend};
        rc = s_call(web, self);
    }
    if (rc == WEFT_OK) {
        http_request_hold(request, s_on_cancel, self);
        return;
    }
    free(self);
    if (rc == WEFT_E_TOO_BIG)
        http_answer_error(request, 414, "address is too long", NULL);
    else
        http_answer_error(request, 500, weft_err_text(rc), NULL);
}

void web_proxy_posts(http_request_t *request, void *arg) {
    s_forward(request, arg, WEB_POSTS);
}

void web_proxy_comments(http_request_t *request, void *arg) {
    s_forward(request, arg, WEB_COMMENTS);
}

void web_proxy_query(http_request_t *request, void *arg) {
    s_forward(request, arg, WEB_QUERY);
}
