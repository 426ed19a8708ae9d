/* blog-query: the joined view of posts and comments, built from events alone (query_events.c). It
 * answers from its own database, whatever else is down.
 *
 * GET /posts is the whole view, an object by id. With ?limit=, ?after= or ?order= it is an array, a page
 * of it, and a header Link leads to the next. Both are in the order of the log; ?order=newest turns
 * that round, and tells each post's position. Weft-View is the version of the view that an answer shows:
 * what follows on that is told by GET /posts/stream (query_stream.c). */
#include "query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_POSTS 100u
#define PAGE_POSTS_MAX 1000u
#define ID_TEXT_BYTES 65u

/* The version of the view counts its changes, and a row keeps the version in which it changed. It is not
 * the position of an event: one that was parked and is applied later must come after what has been told. */
#define VERSION                                           \
    "max(coalesce((SELECT max(changed) FROM posts), 0), " \
    "coalesce((SELECT max(changed) FROM comments), 0))"
#define NEXT_VERSION VERSION " + 1"

/* A comment that was deleted keeps its row, for the stream to tell. */
#define VIEW_SELECT                                                                  \
    "SELECT posts.id, posts.title, comments.id, comments.content, comments.status, " \
    "posts.position FROM posts LEFT JOIN comments ON comments.post_id = posts.id "   \
    "AND comments.gone = 0 "

static const char *const s_sql[QUERY_STATEMENTS] = {
    [POST_CREATE] = "INSERT INTO posts (id, position, changed, title) "
                    "VALUES (?1, ?2, " NEXT_VERSION ", ?3) ON CONFLICT (id) DO NOTHING",
    [POST_UPDATE] = "UPDATE posts SET title = ?2, changed = " NEXT_VERSION
                    " WHERE id = ?1 AND title IS NOT NULL",
    [POST_DELETE] = "INSERT INTO posts (id, position, changed, title) "
                    "VALUES (?1, ?2, " NEXT_VERSION ", NULL) ON CONFLICT (id) DO UPDATE "
                    "SET title = NULL, changed = excluded.changed",
    [POST_CLEAR] = "DELETE FROM comments WHERE post_id = ?1",
    [POST_PLACE] = "SELECT position FROM posts WHERE id = ?1",
    [COMMENT_CREATE] = "INSERT INTO comments (id, post_id, position, changed, content, status) "
                       "SELECT ?1, ?2, ?3, " NEXT_VERSION ", ?4, ?5 WHERE NOT EXISTS "
                       "(SELECT 1 FROM posts WHERE id = ?2 AND title IS NULL) "
                       "ON CONFLICT (id) DO NOTHING",
    [COMMENT_UPDATE] = "UPDATE comments SET content = ?3, status = ?4, changed = " NEXT_VERSION
                       " WHERE id = ?1 AND post_id = ?2 AND gone = 0",
    [COMMENT_DELETE] = "UPDATE comments SET content = '', gone = 1, changed = " NEXT_VERSION
                       " WHERE id = ?1 AND post_id = ?2 AND gone = 0",
    [COMMENTS_TOUCH] = "UPDATE comments SET changed = " VERSION
                       " + (SELECT count(*) FROM comments AS "
                       "before WHERE before.post_id = ?1 AND before.position <= comments.position) "
                       "WHERE post_id = ?1",
    [VIEW_PAGE] = VIEW_SELECT
    "WHERE posts.position IN (SELECT position FROM posts WHERE position > ?1 AND title IS NOT NULL "
    "ORDER BY position LIMIT ?2) ORDER BY posts.position, comments.position",
    [VIEW_NEWEST] = VIEW_SELECT
    "WHERE posts.position IN (SELECT position FROM posts WHERE position < ?1 AND title IS NOT NULL "
    "ORDER BY position DESC LIMIT ?2) ORDER BY posts.position DESC, comments.position",
    [VIEW_ONE] = VIEW_SELECT
    "WHERE posts.id = ?1 AND posts.title IS NOT NULL ORDER BY comments.position",
    [VIEW_VERSION] = "SELECT " VERSION,
    [VIEW_CHANGES] =
        "SELECT changed, id, '' AS post_id, title AS text, '' AS status, title IS NULL AS gone, "
        "position FROM posts WHERE changed > ?1 "
        "UNION ALL SELECT changed, id, post_id, content, status, gone, position "
        "FROM comments WHERE changed > ?1 ORDER BY changed LIMIT ?2",
};

static const char *const s_schema[] = {
    "CREATE TABLE posts (id TEXT PRIMARY KEY, position INTEGER NOT NULL, title TEXT);"
    "CREATE INDEX posts_position ON posts (position);"
    "CREATE TABLE comments (id TEXT PRIMARY KEY, post_id TEXT NOT NULL, position INTEGER NOT NULL, "
    "content TEXT NOT NULL, status TEXT NOT NULL);"
    "CREATE INDEX comments_post ON comments (post_id, position)",
    "ALTER TABLE posts ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE comments ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE comments ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;"
    "UPDATE posts SET changed = position; UPDATE comments SET changed = position;"
    "CREATE INDEX posts_changed ON posts (changed);"
    "CREATE INDEX comments_changed ON comments (changed)",
};

/* ---------------------------------------------------------------------------------------------- */
/* From rows to posts */

/* The row at hand, as a post without comments; its list of comments is borrowed. */
static json_t *s_post(const blog_query_t *query, bool placed, json_t **comments) {
    *comments = json_array();
    json_t *post = json_pack("{s:s,s:s,s:o}", "id", blog_column_text(query, 0), "title",
                             blog_column_text(query, 1), "comments", *comments);
    if (placed && json_object_set_new(post, "position", json_integer(blog_column_int(query, 5)))) {
        json_decref(post);
        return NULL;
    }
    return post;
}

static bool s_add_comment(const blog_query_t *query, json_t *comments) {
    const char *id = blog_column_text(query, 2);
    if (!*id) return true; /* the outer join's way to say that there is none */
    return json_array_append_new(comments, json_pack("{s:s,s:s,s:s}", "id", id, "content",
                                                     blog_column_text(query, 3), "status",
                                                     blog_column_text(query, 4))) == 0;
}

/* Rows of a view statement to an array of posts, with their positions if placed. Ends the statement. */
static weft_err_t s_collect(blog_query_t *query, bool placed, json_t **out) {
    json_t *posts = json_array(), *comments = NULL;
    char last[ID_TEXT_BYTES] = "";
    weft_err_t rc;
    while ((rc = blog_step(query)) == WEFT_OK) {
        const char *id = blog_column_text(query, 0);
        if (strcmp(id, last) != 0) {
            snprintf(last, sizeof last, "%s", id);
            if (json_array_append_new(posts, s_post(query, placed, &comments)) != 0) break;
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
static weft_err_t s_page(blog_app_t *app, bool newest, int64_t after, int64_t limit, json_t **out) {
    blog_query_t query = blog_query(app, newest ? VIEW_NEWEST : VIEW_PAGE);
    blog_bind_int(&query, 1, after);
    blog_bind_int(&query, 2, limit);
    return s_collect(&query, newest, out);
}

weft_err_t query_version(blog_app_t *app, int64_t *version) {
    blog_query_t query = blog_query(app, VIEW_VERSION);
    weft_err_t rc = blog_step(&query);
    if (rc == WEFT_OK) *version = blog_column_int(&query, 0);
    blog_end(&query);
    return rc;
}

weft_err_t query_post(blog_app_t *app, const char *id, bool placed, json_t **out) {
    json_t *posts = NULL;
    blog_query_t query = blog_query(app, VIEW_ONE);
    blog_bind_text(&query, 1, id);
    weft_err_t rc = s_collect(&query, placed, &posts);
    if (rc == WEFT_OK && json_array_size(posts) == 0) rc = WEFT_E_NOT_FOUND;
    if (rc == WEFT_OK) *out = json_incref(json_array_get(posts, 0));
    json_decref(posts);
    return rc;
}

static const char *s_id(const json_t *post) {
    return json_string_value(json_object_get(post, "id"));
}

/* ---------------------------------------------------------------------------------------------- */
/* Routes */

/* False: answered. */
static bool s_tell_version(blog_app_t *app, http_request_t *request) {
    char text[24];
    int64_t version;
    weft_err_t rc = query_version(app, &version);
    if (rc != WEFT_OK) {
        blog_answer_failure(request, rc);
        return false;
    }
    snprintf(text, sizeof text, "%" PRId64, version);
    http_answer_header(request, "Weft-View", text);
    return true;
}

static void s_answer_all(blog_app_t *app, http_request_t *request) {
    json_t *posts = NULL, *by_id = json_object(), *post;
    size_t i;
    weft_err_t rc = s_page(app, false, 0, -1, &posts);
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

/* Place in the log of the post to go on after; without one, that of the start. False: answered. */
static bool s_after(blog_app_t *app, http_request_t *request, bool newest, int64_t *after) {
    char id[ID_TEXT_BYTES];
    *after = newest ? INT64_MAX : 0;
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

/* False: answered. */
static bool s_order(http_request_t *request, bool *newest) {
    char text[8];
    http_query_t asked = http_request_query(request, "order", text, sizeof text);
    *newest = asked == HTTP_QUERY_OK && strcmp(text, "newest") == 0;
    if (*newest || asked == HTTP_QUERY_ABSENT) return true;
    if (asked == HTTP_QUERY_OK && strcmp(text, "oldest") == 0) return true;
    http_answer_error(request, 400, "order must be oldest or newest", "order");
    return false;
}

/* One post more than asked for is read, to see whether there is a next page. */
static void s_answer_page(blog_app_t *app, http_request_t *request) {
    int64_t after;
    bool newest;
    uint64_t limit;
    json_t *posts = NULL;
    if (!s_limit(request, &limit) || !s_order(request, &newest) ||
        !s_after(app, request, newest, &after))
        return;
    weft_err_t rc = s_page(app, newest, after, (int64_t) limit + 1, &posts);
    if (rc != WEFT_OK) {
        blog_answer_failure(request, rc);
        return;
    }
    if (json_array_size(posts) > limit) {
        char link[128 + ID_TEXT_BYTES];
        json_array_remove(posts, (size_t) limit);
        snprintf(link, sizeof link, "</posts?%slimit=%" PRIu64 "&after=%s>; rel=\"next\"",
                 newest ? "order=newest&" : "", limit,
                 s_id(json_array_get(posts, (size_t) limit - 1)));
        http_answer_header(request, "Link", link);
    }
    http_answer_json(request, 200, posts);
}

static bool s_asked(const http_request_t *request, const char *name) {
    char ignored[1];
    return http_request_query(request, name, ignored, sizeof ignored) != HTTP_QUERY_ABSENT;
}

static void s_list(http_request_t *request, void *arg) {
    if (!s_tell_version(arg, request)) return;
    if (s_asked(request, "limit") || s_asked(request, "after") || s_asked(request, "order"))
        s_answer_page(arg, request);
    else
        s_answer_all(arg, request);
}

static void s_read(http_request_t *request, void *arg) {
    json_t *post = NULL;
    weft_err_t rc = query_post(arg, http_request_param(request, "id"), false, &post);
    if (rc == WEFT_OK)
        http_answer_json(request, 200, post);
    else if (rc == WEFT_E_NOT_FOUND)
        http_answer_error(request, 404, "no such post", NULL);
    else
        blog_answer_failure(request, rc);
}

int main(int argc, char **argv) {
    static query_t query;
    static const http_route_t routes[] = {
        {"GET", "/posts", HTTP_BODY_NONE, s_list, NULL},
        {"GET", "/posts/stream", HTTP_BODY_NONE, query_stream_open, NULL},
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
        .after_apply = query_stream_tell,
        .state = &query,
    };
    return blog_main(&config, argc, argv);
}
