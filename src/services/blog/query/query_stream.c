/* query_stream: GET /posts/stream tells by server-sent events what changes in the view.
 *
 *   post           {id, title, position}             new, or changed
 *   post-gone      {id}                              its comments are gone with it
 *   comment        {id, postId, content, status}     new, or changed
 *   comment-gone   {id, postId}
 *   reset          {}                                the view is another one: begin anew
 *
 * Each carries as its id the version of the view up to which all is told; whoever comes back with it
 * (Last-Event-ID, or ?after=) misses nothing. Told are states and not steps: what changed twice since
 * is told once, as it is by now. So nothing is kept for a client but its version, a slow one is told
 * less often, and one that was away for a week is told what is different. */
#include "query.h"

#include <http_stream.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAMS_MAX 256u
#define CHANGES_AT_ONCE 32
#define AHEAD_BYTES (64u << 10) /* what may wait for a client before the next changes are read */

struct query_stream {
    blog_app_t *app;
    http_stream_t *out;
    int64_t version; /* told up to here */
    query_stream_t *next;
};

static const char *s_name(const blog_query_t *row, bool post) {
    if (blog_column_int(row, 5)) return post ? "post-gone" : "comment-gone";
    return post ? "post" : "comment";
}

/* The row at hand of VIEW_CHANGES; NULL without memory. */
static json_t *s_data(const blog_query_t *row) {
    const char *id = blog_column_text(row, 1), *post_id = blog_column_text(row, 2);
    bool post = !*post_id, gone = blog_column_int(row, 5);
    if (post && gone) return json_pack("{s:s}", "id", id);
    if (post)
        return json_pack("{s:s,s:s,s:I}", "id", id, "title", blog_column_text(row, 3), "position",
                         (json_int_t) blog_column_int(row, 6));
    if (gone) return json_pack("{s:s,s:s}", "id", id, "postId", post_id);
    return json_pack("{s:s,s:s,s:s,s:s}", "id", id, "postId", post_id, "content",
                     blog_column_text(row, 3), "status", blog_column_text(row, 4));
}

static bool s_send(query_stream_t *self, int64_t version, const char *name, json_t *data) {
    char id[24];
    char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
    json_decref(data);
    snprintf(id, sizeof id, "%" PRId64, version);
    bool sent = text && http_sse_send(self->out, id, name, text);
    if (!text) http_stream_cut(self->out); /* it comes back and asks again */
    free(text);
    if (sent) self->version = version;
    return sent;
}

/* Some changes. True: there may be more, and the client takes them. */
static bool s_tell(query_stream_t *self) {
    weft_err_t rc = WEFT_OK;
    bool sent = true;
    int count = 0;
    blog_query_t row = blog_query(self->app, VIEW_CHANGES);
    blog_bind_int(&row, 1, self->version);
    blog_bind_int(&row, 2, CHANGES_AT_ONCE);
    while (sent && (rc = blog_step(&row)) == WEFT_OK) {
        bool post = !*blog_column_text(&row, 2);
        sent = s_send(self, blog_column_int(&row, 0), s_name(&row, post), s_data(&row));
        count++;
        if (http_stream_waiting(self->out) > AHEAD_BYTES) break;
    }
    blog_end(&row);
    if (sent && rc != WEFT_OK && rc != WEFT_E_NOT_FOUND) http_stream_cut(self->out);
    return sent && count == CHANGES_AT_ONCE;
}

static void s_on_more(http_stream_t *stream, void *arg) {
    query_stream_t *self = arg;
    while (http_stream_waiting(stream) <= AHEAD_BYTES && s_tell(self)) continue;
}

static void s_on_over(http_stream_t *stream, http_stream_over_t why, void *arg) {
    (void) stream;
    (void) why;
    query_stream_t *self = arg;
    query_t *query = self->app->state;
    query_stream_t **at = &query->streams;
    while (*at != self) at = &(*at)->next;
    *at = self->next;
    query->streams_count--;
    free(self);
}

void query_stream_tell(blog_app_t *app) {
    query_t *query = app->state;
    for (query_stream_t *at = query->streams; at; at = at->next) s_on_more(at->out, at);
}

/* The version after which to begin: without any it is the one there is. False: answered. */
static bool s_after(http_request_t *request, int64_t version, int64_t *after) {
    char text[24];
    uint64_t number;
    const char *from = http_request_header(request, "Last-Event-ID");
    *after = version;
    if (!from) {
        http_query_t asked = http_request_query(request, "after", text, sizeof text);
        if (asked == HTTP_QUERY_ABSENT) return true;
        from = asked == HTTP_QUERY_OK ? text : "";
    }
    if (!http_text_number(from, 0, INT64_MAX, &number)) {
        http_answer_error(request, 400, "after must be a version of the view", "after");
        return false;
    }
    *after = (int64_t) number;
    return true;
}

void query_stream_open(http_request_t *request, void *arg) {
    blog_app_t *app = arg;
    query_t *query = app->state;
    int64_t version, after;
    weft_err_t rc = query_version(app, &version);
    if (rc == WEFT_OK && !s_after(request, version, &after)) return;
    if (rc == WEFT_OK && query->streams_count == STREAMS_MAX) {
        http_answer_header(request, "Retry-After", "5");
        http_answer_error(request, 503, "too many streams are open", NULL);
        return;
    }
    query_stream_t *self = rc == WEFT_OK ? calloc(1, sizeof *self) : NULL;
    if (!self) {
        blog_answer_failure(request, rc == WEFT_OK ? WEFT_E_NOMEM : rc);
        return;
    }
    const http_stream_config_t config = {.more = s_on_more, .over = s_on_over, .arg = self};
    *self = (query_stream_t){.app = app, .version = after, .out = http_sse_begin(request, &config)};
    if (!self->out) {
        free(self);
        return;
    }
    self->next = query->streams;
    query->streams = self;
    query->streams_count++;
    if (after <= version || s_send(self, version, "reset", json_object()))
        s_on_more(self->out, self);
}
