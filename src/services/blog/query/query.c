/* blog-query: the joined view of posts and comments, built from events alone (query_events.c). It
 * answers from its own database, whatever else is down.
 *
 * GET /posts is the whole view, an object by id. With ?limit= or ?after= it is an array, a page of
 * it, and a header Link leads to the next. Both are in the order of the log. */
#include "query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <blog_write.h>

#define PAGE_POSTS 100u
#define PAGE_POSTS_MAX 1000u
#define ID_TEXT_BYTES 65u

#define VIEW_SELECT                                                                 \
    "SELECT posts.id, posts.title, comments.id, comments.content, comments.status " \
    "FROM posts LEFT JOIN comments ON comments.post_id = posts.id "

static const char *const s_sql[QUERY_STATEMENTS] = {
    [POST_CREATE] = "INSERT INTO posts (id, position, title) VALUES (?1, ?2, ?3) "
                    "ON CONFLICT (id) DO NOTHING",
    [POST_UPDATE] = "UPDATE posts SET title = ?2 WHERE id = ?1 AND title IS NOT NULL",
    [POST_DELETE] = "INSERT INTO posts (id, position, title) VALUES (?1, ?2, NULL) "
                    "ON CONFLICT (id) DO UPDATE SET title = NULL",
    [POST_CLEAR] = "DELETE FROM comments WHERE post_id = ?1",
    [POST_PLACE] = "SELECT position FROM posts WHERE id = ?1",
    [COMMENT_CREATE] = "INSERT INTO comments (id, post_id, position, content, status) "
                       "SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS "
                       "(SELECT 1 FROM posts WHERE id = ?2 AND title IS NULL) "
                       "ON CONFLICT (id) DO NOTHING",
    [COMMENT_UPDATE] = "UPDATE comments SET content = ?3, status = ?4 WHERE id = ?1 AND "
                       "post_id = ?2",
    [COMMENT_DELETE] = "DELETE FROM comments WHERE id = ?1 AND post_id = ?2",
    [VIEW_PAGE] = VIEW_SELECT
    "WHERE posts.position IN (SELECT position FROM posts WHERE position > ?1 AND title IS NOT NULL "
    "ORDER BY position LIMIT ?2) ORDER BY posts.position, comments.position",
    [VIEW_ONE] = VIEW_SELECT
    "WHERE posts.id = ?1 AND posts.title IS NOT NULL ORDER BY comments.position",
};

static const char *const s_schema[] = {
    "CREATE TABLE posts (id TEXT PRIMARY KEY, position INTEGER NOT NULL, title TEXT);"
    "CREATE INDEX posts_position ON posts (position);"
    "CREATE TABLE comments (id TEXT PRIMARY KEY, post_id TEXT NOT NULL, position INTEGER NOT NULL, "
    "content TEXT NOT NULL, status TEXT NOT NULL);"
    "CREATE INDEX comments_post ON comments (post_id, position)",
};

/* ---------------------------------------------------------------------------------------------- */
/* From rows to posts */

/* The row at hand, as a post without comments; its list of comments is borrowed. */
static json_t *s_post(const blog_query_t *query, json_t **comments) {
    *comments = json_array();
    return json_pack("{s:s,s:s,s:o}", "id", blog_column_text(query, 0), "title",
                     blog_column_text(query, 1), "comments", *comments);
}

static bool s_add_comment(const blog_query_t *query, json_t *comments) {
    const char *id = blog_column_text(query, 2);
    if (!*id) return true; /* the outer join's way to say that there is none */
    return json_array_append_new(comments, json_pack("{s:s,s:s,s:s}", "id", id, "content",
                                                     blog_column_text(query, 3), "status",
                                                     blog_column_text(query, 4))) == 0;
}

/* Rows of a view statement to an array of posts. Ends the statement. */
static weft_err_t s_collect(blog_query_t *query, json_t **out) {
    json_t *posts = json_array(), *comments = NULL;
    char last[ID_TEXT_BYTES] = "";
    weft_err_t rc;
    while ((rc = blog_step(query)) == WEFT_OK) {
        const char *id = blog_column_text(query, 0);
        if (strcmp(id, last) != 0) {
            snprintf(last, sizeof last, "%s", id);
            if (json_array_append_new(posts, s_post(query, &comments)) != 0) break;
        }
        if (!s_add_comment(query, comments)) break;
    }
    blog_end(query);
    if (rc == WEFT_E_NOT_FOUND) {
        *out = posts;
        return WEFT_OK;
    }
    json_decref(posts);
    return rc == WEFT_OK ? WEFT_E_NOMEM : rc;
}

/* limit  -1: all. */
static weft_err_t s_page(blog_app_t *app, int64_t after, int64_t limit, json_t **out) {
    blog_query_t query = blog_query(app, VIEW_PAGE);
    blog_bind_int(&query, 1, after);
    blog_bind_int(&query, 2, limit);
    return s_collect(&query, out);
}

static const char *s_id(const json_t *post) {
    return json_string_value(json_object_get(post, "id"));
}

/* ---------------------------------------------------------------------------------------------- */
/* Routes */

static void s_answer_all(blog_app_t *app, http_request_t *request) {
    json_t *posts = NULL, *by_id = json_object(), *post;
    size_t i;
    weft_err_t rc = s_page(app, 0, -1, &posts);
    if (rc != WEFT_OK) {
        json_decref(by_id);
        blog_answer_failure(request, rc);
        return;
    }
    json_array_foreach(posts, i, post) {
        if (json_object_set(by_id, s_id(post), post) == 0) continue;
        json_decref(by_id);
        by_id = NULL; /* no memory: 500 */
        break;
    }
    json_decref(posts);
    http_answer_json(request, 200, by_id);
}

/* Place in the log of the post to go on after; 0 for the start. False: answered. */
static bool s_after(blog_app_t *app, http_request_t *request, int64_t *after) {
    char id[ID_TEXT_BYTES];
    *after = 0;
    http_query_t asked = http_request_query(request, "after", id, sizeof id);
    if (asked == HTTP_QUERY_ABSENT) return true;
    weft_err_t rc = WEFT_E_NOT_FOUND;
    if (asked == HTTP_QUERY_OK) {
        blog_query_t query = blog_query(app, POST_PLACE); /* deleted ones keep their place */
        blog_bind_text(&query, 1, id);
        rc = blog_step(&query);
        if (rc == WEFT_OK) *after = blog_column_int(&query, 0);
        blog_end(&query);
    }
    if (rc == WEFT_E_NOT_FOUND)
        http_answer_error(request, 400, "after must be the id of a post", "after");
    else if (rc != WEFT_OK)
        blog_answer_failure(request, rc);
    return rc == WEFT_OK;
}

static bool s_limit(http_request_t *request, uint64_t *limit) {
    char text[24];
    *limit = PAGE_POSTS;
    http_query_t asked = http_request_query(request, "limit", text, sizeof text);
    if (asked == HTTP_QUERY_ABSENT) return true;
    if (asked == HTTP_QUERY_OK && http_text_number(text, 1, PAGE_POSTS_MAX, limit)) return true;
    http_answer_error(request, 400, "limit must be a number from 1 to 1000", "limit");
    return false;
}

/* One post more than asked for is read, to see whether there is a next page. */
static void s_answer_page(blog_app_t *app, http_request_t *request) {
    int64_t after;
    uint64_t limit;
    json_t *posts = NULL;
    if (!s_limit(request, &limit) || !s_after(app, request, &after)) return;
    weft_err_t rc = s_page(app, after, (int64_t) limit + 1, &posts);
    if (rc != WEFT_OK) {
        blog_answer_failure(request, rc);
        return;
    }
    if (json_array_size(posts) > limit) {
        char link[128 + ID_TEXT_BYTES];
        json_array_remove(posts, (size_t) limit);
        snprintf(link, sizeof link, "</posts?limit=%" PRIu64 "&after=%s>; rel=\"next\"", limit,
                 s_id(json_array_get(posts, (size_t) limit - 1)));
        http_answer_header(request, "Link", link);
    }
    http_answer_json(request, 200, posts);
}

static void s_list(http_request_t *request, void *arg) {
    char ignored[1];
    if (http_request_query(request, "limit", ignored, sizeof ignored) == HTTP_QUERY_ABSENT &&
        http_request_query(request, "after", ignored, sizeof ignored) == HTTP_QUERY_ABSENT)
        s_answer_all(arg, request);
    else
        s_answer_page(arg, request);
}

static void s_read(http_request_t *request, void *arg) {
    json_t *posts = NULL;
    blog_query_t query = blog_query(arg, VIEW_ONE);
    blog_bind_text(&query, 1, http_request_param(request, "id"));
    weft_err_t rc = s_collect(&query, &posts);
    if (rc != WEFT_OK)
        blog_answer_failure(request, rc);
    else if (json_array_size(posts) == 0)
        http_answer_error(request, 404, "no such post", NULL);
    else
        http_answer_json(request, 200, json_incref(json_array_get(posts, 0)));
    json_decref(posts);
}

int main(int argc, char **argv) {
    static const http_route_t routes[] = {
        {"GET", "/posts", HTTP_BODY_NONE, s_list, NULL},
        {"GET", "/posts/:id", HTTP_BODY_NONE, s_read, NULL},
    };
    static const blog_config_t config = {
        .name = "blog-query",
        .listen = "127.0.0.1:4002",
        .schema = s_schema,
        .schema_count = sizeof s_schema / sizeof *s_schema,
        .sql = s_sql,
        .sql_count = QUERY_STATEMENTS,
        .routes = routes,
        .routes_count = sizeof routes / sizeof *routes,
        .start = query_start,
    };
    return blog_main(&config, argc, argv);
}
