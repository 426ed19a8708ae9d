/* query_events: the view is built from events alone, in the order of the log, so a view built anew
 * is the same to the byte.
 *
 * V1 A post keeps the place of its post.created. V2 A deleted post leaves its row without a title:
 * what comes later about it or its comments finds that and changes nothing. V3 A comment that comes
 * before its post is a row like any other; the join shows it once the post is there, and it counts as
 * changed together with the post, so that the stream tells it after that. V4 What is not
 * known, or known already, is passed over. */
#include "query.h"

#include <blog_event.h>

static weft_err_t s_on_post_created(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, POST_CREATE);
        blog_bind_text(&query, 1, data.id);
        blog_bind_int(&query, 2, (int64_t) event->position.value);
        blog_bind_text(&query, 3, data.title);
        rc = blog_run(&query, NULL);
    }
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, COMMENTS_TOUCH);
        blog_bind_text(&query, 1, data.id);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

static weft_err_t s_on_post_updated(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, POST_UPDATE);
        blog_bind_text(&query, 1, data.id);
        blog_bind_text(&query, 2, data.title);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

static weft_err_t s_on_post_deleted(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, POST_DELETE);
        blog_bind_text(&query, 1, data.id);
        blog_bind_int(&query, 2, (int64_t) event->position.value);
        rc = blog_run(&query, NULL);
    }
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, POST_CLEAR);
        blog_bind_text(&query, 1, data.id);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

static weft_err_t s_on_comment_created(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, COMMENT_CREATE);
        blog_bind_text(&query, 1, data.id);
        blog_bind_text(&query, 2, data.post_id);
        blog_bind_int(&query, 3, (int64_t) event->position.value);
        blog_bind_text(&query, 4, data.content);
        blog_bind_text(&query, 5, data.status);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

static weft_err_t s_on_comment_updated(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, COMMENT_UPDATE);
        blog_bind_text(&query, 1, data.id);
        blog_bind_text(&query, 2, data.post_id);
        blog_bind_text(&query, 3, data.content);
        blog_bind_text(&query, 4, data.status);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

static weft_err_t s_on_comment_deleted(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK) {
        blog_query_t query = blog_query(arg, COMMENT_DELETE);
        blog_bind_text(&query, 1, data.id);
        blog_bind_text(&query, 2, data.post_id);
        rc = blog_run(&query, NULL);
    }
    blog_data_clear(&data);
    return rc;
}

weft_err_t query_start(blog_app_t *app) {
    static const struct {
        const char *filter;
        weft_handler_fn fn;
    } handlers[] = {
        {"post.created", s_on_post_created},       {"post.updated", s_on_post_updated},
        {"post.deleted", s_on_post_deleted},       {"comment.created", s_on_comment_created},
        {"comment.updated", s_on_comment_updated}, {"comment.deleted", s_on_comment_deleted},
    };
    weft_err_t rc = WEFT_OK;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers && rc == WEFT_OK; i++)
        rc = weft_service_on(app->service, handlers[i].filter, handlers[i].fn, app);
    return rc;
}
