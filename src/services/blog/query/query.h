/* query: what the files of blog-query share. */
#ifndef QUERY_H
#define QUERY_H

#include <blog_app.h>
#include <blog_db.h>

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
    VIEW_PAGE,
    VIEW_ONE,
    QUERY_STATEMENTS
};

/* query_events.c: build the view. */
weft_err_t query_start(blog_app_t *app);

#endif
