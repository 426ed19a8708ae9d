/* comments_events: what blog-comments learns from the log. */
#include "comments.h"

#include <string.h>

static weft_err_t s_on_post_created(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, POST_ADD);
        blog_bind_text(&query, 1, data.id);
        blog_bind_int(&query, 2, (int64_t) event->position.value);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

/* Its comments go with it. post.deleted says so for all of them: there is no event for each. */
static weft_err_t s_on_post_deleted(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    static const size_t steps[] = {POST_DELETE, POST_CLEAR};
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    for (size_t i = 0; i < 2 && rc == WEFT_OK; i++) {
        blog_query_t query = blog_query(arg, steps[i]);
        blog_bind_text(&query, 1, data.id);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

static weft_err_t s_judge(weft_tx_t *tx, blog_app_t *app, const blog_data_t *data) {
    int changes = 0;
    blog_query_t query = blog_query(app, COMMENT_JUDGE);
    blog_bind_text(&query, 1, data->id);
    blog_bind_text(&query, 2, data->post_id);
    blog_bind_text(&query, 3, data->content);
    blog_bind_text(&query, 4, data->status);
    weft_err_t rc = blog_run(&query, &changes);
    if (rc != WEFT_OK || !changes) return rc; /* deleted, edited since, or judged already */
    return blog_emit_comment(tx, "comment.updated", data->post_id, data->id, data->content,
                             data->status);
}

static weft_err_t s_on_moderated(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK && strcmp(data.status, BLOG_PENDING) == 0) {
        weft_tx_reason(tx, "a verdict is approved or rejected");
        rc = WEFT_E_BAD_EVENT;
    }
    if (rc == WEFT_OK) rc = s_judge(tx, arg, &data);
    blog_data_clear(&data);
    return rc;
}

weft_err_t comments_start(blog_app_t *app) {
    weft_err_t rc = weft_service_on(app->service, "post.created", s_on_post_created, app);
    if (rc == WEFT_OK) rc = weft_service_on(app->service, "post.deleted", s_on_post_deleted, app);
    if (rc == WEFT_OK) rc = weft_service_on(app->service, "comment.moderated", s_on_moderated, app);
    return rc;
}
