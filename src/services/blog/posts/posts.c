/* blog-posts: the posts of the blog. It owns their titles, and tells of each change by an event in
 * the transaction of its row. It needs nobody: with the bus away it works on.
 *
 * A deleted post leaves its row without a title, so that its id is never given to another. */
#include <stdio.h>
#include <string.h>

#include <blog_db.h>
#include <blog_event.h>
#include <blog_write.h>

#define DRAWS_MAX 16u /* of ids, before the random source is called broken */

enum { INSERT, FIND, LIST, UPDATE, DELETE };

static const char *const s_sql[] = {
    [INSERT] = "INSERT INTO posts (id, title) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
    [FIND] = "SELECT title FROM posts WHERE id = ?1 AND title IS NOT NULL",
    [LIST] = "SELECT id, title FROM posts WHERE title IS NOT NULL ORDER BY number",
    [UPDATE] = "UPDATE posts SET title = ?2 WHERE id = ?1",
    [DELETE] = "UPDATE posts SET title = NULL WHERE id = ?1 AND title IS NOT NULL",
};

static const char *const s_schema[] = {
    "CREATE TABLE posts (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT)",
    IDEMPOTENCY_SCHEMA,
};

static json_t *s_post(const char *id, const char *title) {
    return json_pack("{s:s,s:s}", "id", id, "title", title);
}

/* ---------------------------------------------------------------------------------------------- */
/* Writes */

static weft_err_t s_insert(blog_app_t *app, const char *title, char id[BLOG_ID_BYTES]) {
    for (unsigned draw = 0; draw < DRAWS_MAX; draw++) {
        int changes = 0;
        weft_err_t rc = blog_id_draw(id);
        if (rc != WEFT_OK) return rc;
        blog_query_t query = blog_query(app, INSERT);
        blog_bind_text(&query, 1, id);
        blog_bind_text(&query, 2, title);
        if ((rc = blog_run(&query, &changes)) != WEFT_OK || changes) return rc;
    }
    return WEFT_E_IO;
}

static weft_err_t s_create_tx(weft_tx_t *tx, void *arg) {
    blog_write_t *write = arg;
    char id[BLOG_ID_BYTES];
    weft_err_t rc = s_insert(write->app, write->text, id);
    if (rc == WEFT_OK) rc = blog_emit(tx, "post.created", id, s_post(id, write->text));
    if (rc != WEFT_OK) return rc;
    snprintf(write->location, sizeof write->location, "/posts/%s", id);
    return blog_write_done(write, 201, s_post(id, write->text));
}

static void s_create(http_request_t *request, void *arg) {
    blog_write_t write = {.app = arg, .request = request};
    if (!blog_idem_begin(write.app->idem, request)) return;
    if (!blog_write_text(request, "title", BLOG_TITLE_CHARS_MAX, &write.text)) return;
    blog_write(&write, s_create_tx);
}

/* The same title again changes nothing, so it is no event. */
static weft_err_t s_find_same(blog_write_t *write, bool *same) {
    blog_query_t query = blog_query(write->app, FIND);
    blog_bind_text(&query, 1, write->post_id);
    weft_err_t rc = blog_step(&query);
    if (rc == WEFT_OK) *same = strcmp(blog_column_text(&query, 0), write->text) == 0;
    blog_end(&query);
    return rc;
}

static weft_err_t s_update_tx(weft_tx_t *tx, void *arg) {
    blog_write_t *write = arg;
    bool same = false;
    weft_err_t rc = s_find_same(write, &same);
    if (rc == WEFT_OK && !same) {
        blog_query_t query = blog_query(write->app, UPDATE);
        blog_bind_text(&query, 1, write->post_id);
        blog_bind_text(&query, 2, write->text);
        rc = blog_run(&query, NULL);
        if (rc == WEFT_OK)
            rc = blog_emit(tx, "post.updated", write->post_id, s_post(write->post_id, write->text));
    }
    return rc == WEFT_OK ? blog_write_done(write, 200, s_post(write->post_id, write->text)) : rc;
}

static void s_update(http_request_t *request, void *arg) {
    blog_write_t write = {.app = arg,
                          .request = request,
                          .post_id = http_request_param(request, "id"),
                          .missing = "no such post"};
    if (!blog_write_text(request, "title", BLOG_TITLE_CHARS_MAX, &write.text)) return;
    blog_write(&write, s_update_tx);
}

static weft_err_t s_delete_tx(weft_tx_t *tx, void *arg) {
    blog_write_t *write = arg;
    int changes = 0;
    blog_query_t query = blog_query(write->app, DELETE);
    blog_bind_text(&query, 1, write->post_id);
    weft_err_t rc = blog_run(&query, &changes);
    if (rc == WEFT_OK && !changes) rc = WEFT_E_NOT_FOUND;
    if (rc == WEFT_OK)
        rc = blog_emit(tx, "post.deleted", write->post_id,
                       json_pack("{s:s}", "id", write->post_id));
    return rc == WEFT_OK ? blog_write_done(write, 204, NULL) : rc;
}

static void s_delete(http_request_t *request, void *arg) {
    blog_write_t write = {.app = arg,
                          .request = request,
                          .post_id = http_request_param(request, "id"),
                          .missing = "no such post"};
    blog_write(&write, s_delete_tx);
}

/* ---------------------------------------------------------------------------------------------- */
/* Reads */

static void s_read(http_request_t *request, void *arg) {
    const char *id = http_request_param(request, "id");
    blog_query_t query = blog_query(arg, FIND);
    blog_bind_text(&query, 1, id);
    weft_err_t rc = blog_step(&query);
    if (rc == WEFT_OK)
        http_answer_json(request, 200, s_post(id, blog_column_text(&query, 0)));
    else if (rc == WEFT_E_NOT_FOUND)
        http_answer_error(request, 404, "no such post", NULL);
    else
        blog_answer_failure(request, rc);
    blog_end(&query);
}

static void s_list(http_request_t *request, void *arg) {
    json_t *posts = json_object();
    blog_query_t query = blog_query(arg, LIST);
    weft_err_t rc;
    while ((rc = blog_step(&query)) == WEFT_OK) {
        const char *id = blog_column_text(&query, 0);
        if (json_object_set_new(posts, id, s_post(id, blog_column_text(&query, 1))) == 0) continue;
        rc = WEFT_E_NOMEM;
        break;
    }
    blog_end(&query);
    if (rc == WEFT_E_NOT_FOUND) {
        http_answer_json(request, 200, posts);
        return;
    }
    json_decref(posts);
    blog_answer_failure(request, rc);
}

int main(int argc, char **argv) {
    static const http_route_t routes[] = {
        {"GET", "/posts", HTTP_BODY_NONE, s_list, NULL},
        {"POST", "/posts", HTTP_BODY_JSON, s_create, NULL},
        {"POST", "/posts/create", HTTP_BODY_JSON, s_create, NULL},
        {"GET", "/posts/:id", HTTP_BODY_NONE, s_read, NULL},
        {"PUT", "/posts/:id", HTTP_BODY_JSON, s_update, NULL},
        {"DELETE", "/posts/:id", HTTP_BODY_NONE, s_delete, NULL},
    };
    static const blog_config_t config = {
        .name = "blog-posts",
        .listen = "127.0.0.1:4000",
        .schema = s_schema,
        .schema_count = sizeof s_schema / sizeof *s_schema,
        .sql = s_sql,
        .sql_count = sizeof s_sql / sizeof *s_sql,
        .routes = routes,
        .routes_count = sizeof routes / sizeof *routes,
        .idempotency = true,
    };
    return blog_main(&config, argc, argv);
}
