/* web_stream: GET /api/posts/stream, handed on from query to the browser piece by piece. What the
 * browser does not take is not taken from query either. */
#include "web.h"

#include <http_stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 2000u
#define IDLE_MS 45000u /* query gives a sign of life more often */

typedef struct {
    http_request_t *request;
    http_stream_t *out; /* NULL until query has begun to answer, and when the browser has left */
    http_call_t *call;
    bool paused;
} pipe_t;

static void s_on_more(http_stream_t *stream, void *arg) {
    pipe_t *self = arg;
    (void) stream;
    if (!self->paused || !self->call) return;
    self->paused = false;
    http_call_resume(self->call);
}

static void s_on_over(http_stream_t *stream, http_stream_over_t why, void *arg) {
    pipe_t *self = arg;
    (void) stream;
    (void) why;
    if (self->call) http_call_cancel(&self->call);
    free(self);
}

static http_flow_t s_on_head(http_call_t *call, unsigned status, void *arg) {
    pipe_t *self = arg;
    (void) call;
    if (status != 200) return HTTP_GO;
    const http_stream_config_t config = {.more = s_on_more, .over = s_on_over, .arg = self};
    self->out = http_sse_begin(self->request, &config);
    return self->out ? HTTP_GO : HTTP_STOP;
}

static http_flow_t s_on_part(http_call_t *call, const void *data, size_t size, void *arg) {
    pipe_t *self = arg;
    (void) call;
    if (!self->out) return HTTP_GO; /* a refusal: its status says enough */
    if (http_stream_waiting(self->out) && http_stream_room(self->out) < size) {
        self->paused = true;
        return HTTP_PAUSE;
    }
    return http_stream_write(self->out, data, size) ? HTTP_GO : HTTP_STOP;
}

static void s_on_done(http_call_t *call, const http_result_t *result, void *arg) {
    pipe_t *self = arg;
    (void) call;
    self->call = NULL;
    if (self->out) {
        http_stream_end(self->out); /* the browser comes back by itself */
        return;
    }
    if (result->end == HTTP_END_ANSWERED && result->status != 200) {
        http_answer_error(self->request, result->status, "the query service refuses the stream",
                          NULL);
    } else if (result->end != HTTP_END_STOPPED) { /* then it has been answered */
        http_answer_header(self->request, "Retry-After", "1");
        http_answer_error(self->request, 503, "the query service is not there just now", NULL);
    }
    free(self);
}

static void s_on_cancel(http_request_t *request, void *arg) {
    pipe_t *self = arg;
    (void) request;
    http_call_cancel(&self->call);
    free(self);
}

void web_stream_posts(http_request_t *request, void *arg) {
    const blog_app_t *app = arg;
    const web_t *web = app->state;
    char url[1024], last[64];
    const char *headers[] = {last}, *id = http_request_header(request, "Last-Event-ID");
    const char *query = http_request_query_text(request);
    pipe_t *self = calloc(1, sizeof *self);
    weft_err_t rc = self ? WEFT_OK : WEFT_E_NOMEM;
    int used = snprintf(url, sizeof url, "%s/posts/stream%s%s", web->urls[WEB_QUERY],
                        *query ? "?" : "", query);
    int said = snprintf(last, sizeof last, "Last-Event-ID: %s", id ? id : "");
    if (used < 0 || (size_t) used >= sizeof url || said < 0 || (size_t) said >= sizeof last) {
        http_answer_error(request, 400, "after must be a version of the view", "after");
        free(self);
        return;
    }
    const http_call_config_t config = {.url = url,
                                       .headers = headers,
                                       .headers_count = id ? 1 : 0,
                                       .connect_ms = CONNECT_MS,
                                       .idle_ms = IDLE_MS,
                                       .on_head = s_on_head,
                                       .on_part = s_on_part,
                                       .on_done = s_on_done,
                                       .arg = self};
    if (rc == WEFT_OK) {
        self->request = request;
        rc = http_client_call(web->client, &config, &self->call);
    }
    if (rc == WEFT_OK) {
        http_request_hold(request, s_on_cancel, self);
        return;
    }
    free(self);
    http_answer_error(request, 500, weft_err_text(rc), NULL);
}
