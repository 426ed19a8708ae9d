/* blog_write: a request that changes something: one transaction holds the row, the event, and the
 * answer kept for a repeated key. The client hears only of what is committed. */
#ifndef BLOG_WRITE_H
#define BLOG_WRITE_H

#include "blog_app.h"

#define BLOG_LOCATION_BYTES 256u

typedef struct {
    blog_app_t *app;
    http_request_t *request;
    const char *post_id;    /* in; for a new post: out, borrowed from location */
    const char *comment_id; /* in; "" if there is none yet */
    const char *text;       /* in: title or content */
    const char *missing;    /* message of the 404, if the transaction returns WEFT_E_NOT_FOUND */
    char location[BLOG_LOCATION_BYTES]; /* "" if none */
    unsigned status;                    /* out */
    char *answer;                       /* out: one line of JSON, owned; NULL: no body */
} blog_write_t;

/* Take a text field of the body. False: answered with 400. */
bool blog_write_text(http_request_t *request, const char *field, size_t max, const char **value);
/* Last step inside the transaction. json is taken; NULL with status 204 means no body, else no
 * memory. */
weft_err_t blog_write_done(blog_write_t *write, unsigned status, json_t *json);
/* Run the transaction and answer the request, whatever comes of it. fn gets the blog_write_t. */
void blog_write(blog_write_t *write, weft_transaction_fn fn);
/* The answer to a request that failed in the database. */
void blog_answer_failure(http_request_t *request, weft_err_t rc);

#endif
