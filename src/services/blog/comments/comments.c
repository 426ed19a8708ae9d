/* blog-comments: the comments of the blog, and what becomes of them. It owns content and status.
 *
 * It knows the posts by their events alone, so a comment may come before its post: see
 * comments_wait.c. An edited comment is pending again. A verdict of moderation counts only for a
 * pending comment with just the content that was judged: a late one cannot approve what was written
 * after it, and none can overturn an outcome. */
#include "comments.h"

#include <stdio.h>
#include <string.h>

#define DRAWS_MAX 16u /* of ids, before the random source is called broken */

static const char *const s_sql[COMMENTS_STATEMENTS] = {
    [POST_FIND] = "SELECT deleted FROM posts WHERE id = ?1",
    [POST_ADD] = "INSERT INTO posts (id, deleted, event) VALUES (?1, 0, ?2) "
                 "ON CONFLICT (id) DO UPDATE SET event = excluded.event",
    [POST_DELETE] = "INSERT INTO posts (id, deleted) VALUES (?1, 1) "
                    "ON CONFLICT (id) DO UPDATE SET deleted = 1",
    [POST_CLEAR] = "DELETE FROM comments WHERE post_id = ?1",
    [POST_EVENT] = "SELECT event FROM posts WHERE id = ?1",
    [COMMENT_ADD] = "INSERT INTO comments (id, post_id, content, status) "
                    "VALUES (?1, ?2, ?3, 'pending') ON CONFLICT (id) DO NOTHING",
    [COMMENT_FIND] = "SELECT id, content, status FROM comments WHERE id = ?1 AND post_id = ?2",
    [COMMENT_LIST] = "SELECT id, content, status FROM comments WHERE post_id = ?1 ORDER BY number",
    [COMMENT_EDIT] = "UPDATE comments SET content = ?2, status = 'pending' WHERE id = ?1",
    [COMMENT_JUDGE] = "UPDATE comments SET status = ?4 WHERE id = ?1 AND post_id = ?2 "
                      "AND content = ?3 AND status = 'pending'",
    [COMMENT_DELETE] = "DELETE FROM comments WHERE id = ?1 AND post_id = ?2",
};

/* A deleted post keeps its row: it is known not to take comments. event is the position of the event
 * that told of the post, 0 if that was not kept. */
static const char *const s_schema[] = {
    "CREATE TABLE posts (id TEXT PRIMARY KEY, deleted INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE comments (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, post_id TEXT NOT "
    "NULL, content TEXT NOT NULL, status TEXT NOT NULL);"
    "CREATE INDEX comments_post ON comments (post_id, number)",
    IDEMPOTENCY_SCHEMA,
    "ALTER TABLE posts ADD COLUMN event INTEGER NOT NULL DEFAULT 0",
};

weft_err_t comments_post_state(blog_app_t *app, const char *post_id, post_state_t *state) {
    blog_query_t query = blog_query(app, POST_FIND);
    blog_bind_text(&query, 1, post_id);
    weft_err_t rc = blog_step(&query);
    *state = POST_UNKNOWN;
    if (rc == WEFT_OK) *state = blog_column_int(&query, 0) ? POST_DELETED : POST_KNOWN;
    blog_end(&query);
    return rc == WEFT_E_NOT_FOUND ? WEFT_OK : rc;
}

/* The row at hand of COMMENT_FIND or COMMENT_LIST. */
static json_t *s_comment(const blog_query_t *query) {
    return json_pack("{s:s,s:s,s:s}", "id", blog_column_text(query, 0), "content",
                     blog_column_text(query, 1), "status", blog_column_text(query, 2));
}

/* All comments of a post, in the order of their making. */
static weft_err_t s_list(blog_app_t *app, const char *post_id, json_t **out) {
    json_t *comments = json_array();
    blog_query_t query = blog_query(app, COMMENT_LIST);
    blog_bind_text(&query, 1, post_id);
    weft_err_t rc;
    while ((rc = blog_step(&query)) == WEFT_OK) {
        if (json_array_append_new(comments, s_comment(&query)) == 0) continue;
        rc = WEFT_E_NOMEM;
        break;
    }
    blog_end(&query);
    if (rc == WEFT_E_NOT_FOUND) {
        *out = comments;
        return WEFT_OK;
    }
    json_decref(comments);
    return rc;
}

static weft_err_t s_find(const blog_write_t *write, json_t **out) {
    blog_query_t query = blog_query(write->app, COMMENT_FIND);
    blog_bind_text(&query, 1, write->comment_id);
    blog_bind_text(&query, 2, write->post_id);
    weft_err_t rc = blog_step(&query);
    if (rc == WEFT_OK && !(*out = s_comment(&query))) rc = WEFT_E_NOMEM;
    blog_end(&query);
    return rc;
}

/* ---------------------------------------------------------------------------------------------- */
/* Create */

static weft_err_t s_insert(const blog_write_t *write, char id[BLOG_ID_BYTES]) {
    for (unsigned draw = 0; draw < DRAWS_MAX; draw++) {
        int changes = 0;
        weft_err_t rc = blog_id_draw(id);
        if (rc != WEFT_OK) return rc;
        blog_query_t query = blog_query(write->app, COMMENT_ADD);
        blog_bind_text(&query, 1, id);
        blog_bind_text(&query, 2, write->post_id);
        blog_bind_text(&query, 3, write->text);
        if ((rc = blog_run(&query, &changes)) != WEFT_OK || changes) return rc;
    }
    return WEFT_E_IO;
}

/* The event that told of the post is the cause of a comment on it: without it there were none. A post
 * that is not known here yet has none to name. */
static weft_err_t s_because_of_post(weft_tx_t *tx, const blog_write_t *write) {
    blog_query_t query = blog_query(write->app, POST_EVENT);
    blog_bind_text(&query, 1, write->post_id);
    weft_err_t rc = blog_step(&query);
    if (rc == WEFT_OK) weft_tx_cause(tx, (weft_position_t){(uint64_t) blog_column_int(&query, 0)});
    blog_end(&query);
    return rc == WEFT_E_NOT_FOUND ? WEFT_OK : rc;
}

static weft_err_t s_create_tx(weft_tx_t *tx, void *arg) {
    blog_write_t *write = arg;
    char id[BLOG_ID_BYTES];
    json_t *comments = NULL;
    weft_err_t rc = s_because_of_post(tx, write);
    if (rc == WEFT_OK) rc = s_insert(write, id);
    if (rc == WEFT_OK)
        rc = blog_emit_comment(tx, "comment.created", write->post_id, id, write->text,
                               BLOG_PENDING);
    if (rc == WEFT_OK) rc = s_list(write->app, write->post_id, &comments);
    if (rc != WEFT_OK) return rc;
    snprintf(write->location, sizeof write->location, "/posts/%s/comments/%s", write->post_id, id);
    return blog_write_done(write, 201, comments);
}

void comments_create(blog_app_t *app, http_request_t *request, const char *post_id,
                     const char *content) {
    blog_write_t write = {.app = app, .request = request, .post_id = post_id, .text = content};
    blog_write(&write, s_create_tx);
}

static void s_create(http_request_t *request, void *arg) {
    blog_app_t *app = arg;
    const char *post_id = http_request_param(request, "id"), *content;
    post_state_t state;
    if (!blog_idem_begin(app->idem, request)) return;
    if (!blog_write_text(request, "content", BLOG_CONTENT_CHARS_MAX, &content)) return;
    weft_err_t rc = comments_post_state(app, post_id, &state);
    if (rc != WEFT_OK)
        blog_answer_failure(request, rc);
    else if (state == POST_DELETED || !blog_id_ok(post_id))
        http_answer_error(request, 404, "no such post", NULL);
    else if (state == POST_KNOWN)
        comments_create(app, request, post_id, content);
    else
        comments_wait(app, request, post_id, content);
}

/* ---------------------------------------------------------------------------------------------- */
/* Change and delete */

/* The same content again changes nothing: no event, and the outcome stays. */
static weft_err_t s_update_tx(weft_tx_t *tx, void *arg) {
    blog_write_t *write = arg;
    json_t *comment = NULL;
    weft_err_t rc = s_find(write, &comment);
    if (rc != WEFT_OK) return rc;
    if (strcmp(json_string_value(json_object_get(comment, "content")), write->text) == 0)
        return blog_write_done(write, 200, comment);
    json_decref(comment);
    blog_query_t query = blog_query(write->app, COMMENT_EDIT);
    blog_bind_text(&query, 1, write->comment_id);
    blog_bind_text(&query, 2, write->text);
    rc = blog_run(&query, NULL);
    if (rc == WEFT_OK)
        rc = blog_emit_comment(tx, "comment.updated", write->post_id, write->comment_id,
                               write->text, BLOG_PENDING);
    if (rc == WEFT_OK) rc = s_find(write, &comment);
    return rc == WEFT_OK ? blog_write_done(write, 200, comment) : rc;
}

static blog_write_t s_write_of(http_request_t *request, blog_app_t *app) {
    return (blog_write_t){.app = app,
                          .request = request,
                          .post_id = http_request_param(request, "id"),
                          .comment_id = http_request_param(request, "cid"),
                          .missing = "no such comment"};
}

static void s_update(http_request_t *request, void *arg) {
    blog_write_t write = s_write_of(request, arg);
    if (!blog_write_text(request, "content", BLOG_CONTENT_CHARS_MAX, &write.text)) return;
    blog_write(&write, s_update_tx);
}

static weft_err_t s_delete_tx(weft_tx_t *tx, void *arg) {
    blog_write_t *write = arg;
    int changes = 0;
    blog_query_t query = blog_query(write->app, COMMENT_DELETE);
    blog_bind_text(&query, 1, write->comment_id);
    blog_bind_text(&query, 2, write->post_id);
    weft_err_t rc = blog_run(&query, &changes);
    if (rc == WEFT_OK && !changes) rc = WEFT_E_NOT_FOUND;
    if (rc == WEFT_OK)
        rc = blog_emit(tx, "comment.deleted", write->post_id,
                       json_pack("{s:s,s:s}", "id", write->comment_id, "postId", write->post_id));
    return rc == WEFT_OK ? blog_write_done(write, 204, NULL) : rc;
}

static void s_delete(http_request_t *request, void *arg) {
    blog_write_t write = s_write_of(request, arg);
    blog_write(&write, s_delete_tx);
}

/* ---------------------------------------------------------------------------------------------- */
/* Reads: they never wait. A post that isn't known has no comments yet; a deleted one is gone. */

static void s_read_all(http_request_t *request, void *arg) {
    blog_app_t *app = arg;
    const char *post_id = http_request_param(request, "id");
    json_t *comments = NULL;
    post_state_t state;
    weft_err_t rc = comments_post_state(app, post_id, &state);
    if (rc == WEFT_OK && state == POST_DELETED) {
        http_answer_error(request, 404, "no such post", NULL);
        return;
    }
    if (rc == WEFT_OK) rc = s_list(app, post_id, &comments);
    if (rc == WEFT_OK)
        http_answer_json(request, 200, comments);
    else
        blog_answer_failure(request, rc);
}

static void s_read_one(http_request_t *request, void *arg) {
    blog_write_t what = s_write_of(request, arg);
    json_t *comment = NULL;
    weft_err_t rc = s_find(&what, &comment);
    if (rc == WEFT_OK)
        http_answer_json(request, 200, comment);
    else if (rc == WEFT_E_NOT_FOUND)
        http_answer_error(request, 404, what.missing, NULL);
    else
        blog_answer_failure(request, rc);
}

int main(int argc, char **argv) {
    static comments_t comments;
    static const http_route_t routes[] = {
        {"GET", "/posts/:id/comments", HTTP_BODY_NONE, s_read_all, NULL},
        {"POST", "/posts/:id/comments", HTTP_BODY_JSON, s_create, NULL},
        {"GET", "/posts/:id/comments/:cid", HTTP_BODY_NONE, s_read_one, NULL},
        {"PUT", "/posts/:id/comments/:cid", HTTP_BODY_JSON, s_update, NULL},
        {"DELETE", "/posts/:id/comments/:cid", HTTP_BODY_NONE, s_delete, NULL},
    };
    static const blog_config_t config = {
        .name = "blog-comments",
        .listen = "127.0.0.1:4001",
        .schema = s_schema,
        .schema_count = sizeof s_schema / sizeof *s_schema,
        .sql = s_sql,
        .sql_count = COMMENTS_STATEMENTS,
        .routes = routes,
        .routes_count = sizeof routes / sizeof *routes,
        .idempotency = true,
        .start = comments_start,
        .after_apply = comments_wait_again,
        .state = &comments,
    };
    return blog_main(&config, argc, argv);
}
