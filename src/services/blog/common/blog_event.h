/* blog_event: the events of the blog. Their data is a map, built and read as JSON.
 *
 *   post.created post.updated                     id title
 *   post.deleted                                  id
 *   comment.created .moderated .updated           id postId content status
 *   comment.deleted                               id postId
 * The subject is post/ID for all of them: what belongs to one post stays in order. */
#ifndef BLOG_EVENT_H
#define BLOG_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include <weft.h>

#define BLOG_TITLE_CHARS_MAX 200u
#define BLOG_CONTENT_CHARS_MAX 10000u

#define BLOG_PENDING "pending"
#define BLOG_APPROVED "approved"
#define BLOG_REJECTED "rejected"

/* True for an id that a post or comment of the blog can have: 1 to 64 of A-Z a-z 0-9 _ -, of which
 * ours use 8. What has another form is in no database, and is no part of a subject. */
bool blog_id_ok(const char *id);

/* data is taken; NULL (no memory) gives WEFT_E_NOMEM. Else as weft_tx_emit. */
weft_err_t blog_emit(weft_tx_t *tx, const char *type, const char *post_id, json_t *data);
/* The same for what has all four fields of a comment. */
weft_err_t blog_emit_comment(weft_tx_t *tx, const char *type, const char *post_id, const char *id,
                             const char *content, const char *status);

/* An event's fields as texts, borrowed from json. */
typedef struct {
    json_t *json; /* owned */
    const char *id;
    const char *post_id; /* "" for posts */
    const char *title;   /* "" unless the type has it */
    const char *content;
    const char *status;
} blog_data_t;

/* Read the data of one of the types above. WEFT_E_BAD_EVENT, with its reason kept in tx, for what
 * is not of the shape: such an event is parked, nobody ends because of it. Clear out in any case. */
weft_err_t blog_data_read(blog_data_t *out, weft_tx_t *tx, const weft_event_t *event);
void blog_data_clear(blog_data_t *data);

#endif
