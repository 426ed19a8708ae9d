/* comments_wait: a comment whose post is not known here.
 *
 * The post may be on its way, or not exist. W1 While the bus is there, the request is held up to
 * WAIT_MS for the post to arrive. W2 "No such post" is said only on knowledge: by a service that is
 * joined to a bus that lives. W3 Otherwise the comment is accepted (a service works while the bus is
 * down), and whoever joins comments to posts holds it back until the post comes.
 *
 * The library calls a bus connected until it has been silent for 3 s. Whether it still lived while
 * the request waited is certain if the log was seen to move, or if it counts as connected SILENCE_MS
 * after the request came. So a quiet log makes a refusal take that long. */
#include "comments.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 2000u
#define SILENCE_MS 3050u

struct waiting {
    blog_app_t *app;
    http_request_t *request;
    const char *post_id, *content; /* borrowed from the request */
    uint64_t head;                 /* of the log when the request came */
    bool timer, overtime;
    int timer_id;
    waiting_t *next;
};

static void s_end(waiting_t *self) {
    comments_t *comments = self->app->state;
    waiting_t **at = &comments->waiting;
    while (*at != self) at = &(*at)->next;
    *at = self->next;
    if (self->timer) weft_service_timer_end(self->app->service, self->timer_id);
    free(self);
}

static void s_accept(waiting_t *self) {
    comments_create(self->app, self->request, self->post_id, self->content);
    s_end(self);
}

static void s_refuse(waiting_t *self) {
    http_answer_error(self->request, 404, "no such post", NULL);
    s_end(self);
}

/* The client has left, or the server stops. */
static void s_on_cancel(http_request_t *request, void *arg) {
    (void) request;
    s_end(arg);
}

/* True if it has been answered, by what the database knows now. */
static bool s_settle(waiting_t *self) {
    post_state_t state;
    weft_err_t rc = comments_post_state(self->app, self->post_id, &state);
    if (rc == WEFT_OK && state == POST_UNKNOWN) return false;
    if (rc == WEFT_OK && state == POST_KNOWN) {
        s_accept(self);
    } else if (rc == WEFT_OK) {
        s_refuse(self);
    } else {
        blog_answer_failure(self->request, rc);
        s_end(self);
    }
    return true;
}

static void s_on_timer(void *arg);

static weft_err_t s_arm(waiting_t *self, unsigned delay_ms) {
    weft_err_t rc = weft_service_timer(self->app->service, delay_ms, 1, s_on_timer, self,
                                       &self->timer_id);
    self->timer = rc == WEFT_OK;
    return rc;
}

static void s_on_timer(void *arg) {
    waiting_t *self = arg;
    weft_service_info_t info;
    self->timer = false; /* it fires once and is gone */
    if (s_settle(self)) return;
    weft_service_info(self->app->service, &info);
    if (!info.sub.connected || !info.sub.live) {
        s_accept(self); /* W3 */
        return;
    }
    bool certain = self->overtime || info.sub.head.value != self->head;
    self->overtime = true;
    if (certain || s_arm(self, SILENCE_MS - WAIT_MS) != WEFT_OK) s_refuse(self); /* W2 */
}

void comments_wait(blog_app_t *app, http_request_t *request, const char *post_id,
                   const char *content) {
    comments_t *comments = app->state;
    weft_service_info_t info;
    weft_service_info(app->service, &info);
    if (!info.sub.connected) {
        comments_create(app, request, post_id, content); /* W3 */
        return;
    }
    waiting_t *self = calloc(1, sizeof *self);
    if (!self) {
        blog_answer_failure(request, WEFT_E_NOMEM);
        return;
    }
    *self = (waiting_t){.app = app,
                        .request = request,
                        .post_id = post_id,
                        .content = content,
                        .head = info.sub.head.value,
                        .next = comments->waiting};
    comments->waiting = self;
    weft_err_t rc = s_arm(self, WAIT_MS);
    if (rc != WEFT_OK) {
        blog_answer_failure(request, rc);
        s_end(self);
        return;
    }
    http_request_hold(request, s_on_cancel, self);
}

void comments_wait_again(blog_app_t *app) {
    comments_t *comments = app->state;
    for (waiting_t *at = comments->waiting, *next; at; at = next) {
        next = at->next;
        (void) s_settle(at);
    }
}
