/* query: what the files of blog-query share. */
#ifndef QUERY_H
#define QUERY_H

#include <blog_app.h>
#include <blog_db.h>
#include <blog_write.h>
#include <jansson.h>

/* Statements; the texts are in query.c. */
enum {
    POST_CREATE,
    POST_UPDATE,
    POST_DELETE,
    POST_CLEAR,
    POST_PLACE,
    COMMENT_CREATE,
    COMMENT_UPDATE,
    COMMENT_DELETE,
    COMMENTS_TOUCH,
    VIEW_PAGE,
    VIEW_NEWEST,
    VIEW_ONE,
    VIEW_VERSION,
    VIEW_CHANGES,
    QUERY_STATEMENTS
};

typedef struct query_stream query_stream_t;

typedef struct {
    query_stream_t *streams; /* list */
    size_t streams_count;
} query_t;

/* Grows with each change of the view. */
weft_err_t query_version(blog_app_t *app, int64_t *version);
/* A post with its comments; placed: with its position. WEFT_E_NOT_FOUND if it isn't in the view. */
weft_err_t query_post(blog_app_t *app, const char *id, bool placed, json_t **out);

/* query_stream.c: tell what changes. A handler, and what to do after the view has changed. */
void query_stream_open(http_request_t *request, void *arg);
void query_stream_tell(blog_app_t *app);

/* query_events.c: build the view. */
weft_err_t query_start(blog_app_t *app);

#endif
