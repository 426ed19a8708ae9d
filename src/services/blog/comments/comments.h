/* comments: what the files of blog-comments share. */
#ifndef COMMENTS_H
#define COMMENTS_H

#include <blog_app.h>
#include <blog_db.h>
#include <blog_event.h>
#include <blog_write.h>

/* Statements; the texts are in comments.c. */
enum {
    POST_FIND,
    POST_ADD,
    POST_DELETE,
    POST_CLEAR,
    POST_EVENT,
    COMMENT_ADD,
    COMMENT_FIND,
    COMMENT_LIST,
    COMMENT_EDIT,
    COMMENT_JUDGE,
    COMMENT_DELETE,
    COMMENTS_STATEMENTS
};

typedef enum { POST_UNKNOWN, POST_KNOWN, POST_DELETED } post_state_t;

typedef struct waiting waiting_t;

typedef struct {
    waiting_t *waiting; /* requests held until their post arrives; list */
} comments_t;

weft_err_t comments_post_state(blog_app_t *app, const char *post_id, post_state_t *state);
/* Write a comment and answer. A post that isn't known is no hindrance here. */
void comments_create(blog_app_t *app, http_request_t *request, const char *post_id,
                     const char *content);

/* comments_events.c: follow the posts, take the verdicts. */
weft_err_t comments_start(blog_app_t *app);

/* comments_wait.c: hold a request until its post is known, or time tells that it isn't there. */
void comments_wait(blog_app_t *app, http_request_t *request, const char *post_id,
                   const char *content);
/* Events were applied: go through those that wait. */
void comments_wait_again(blog_app_t *app);

#endif
