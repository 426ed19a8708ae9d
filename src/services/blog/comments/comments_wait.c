/* comments_wait: a comment whose post is not known here.
 *
 * The post may be on its way, or not exist. W1 While the bus is there, the request is held up to
 * WAIT_MS for the post to arrive. W2 "No such post" is said only on knowledge: once all is applied that
 * the log holds then, and nothing of it was set aside. W3 Otherwise the comment is accepted (a service works while the bus is
 * down), and whoever joins comments to posts holds it back until the post comes.
 */
#include "comments.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 2000u
#define PROOF_MS 1000u

struct waiting {
    blog_app_t *app;
    http_request_t *request;
    const char *post_id, *content; /* borrowed from the request */
    bool timer;
    int timer_id;
    uint64_t wait_id; /* for W2; 0: none */
    waiting_t *next;
};

static void s_end(waiting_t *self) {
    comments_t *comments = self->app->state;
    waiting_t **at = &comments->waiting;
    while (*at != self) at = &(*at)->next;
    *at = self->next;
    if (self->timer) weft_service_timer_end(self->app->service, self->timer_id);
    weft_service_wait_end(self->app->service, self->wait_id);
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

static void s_on_head(const weft_waited_t *waited, void *arg) {
    waiting_t *self = arg;
    self->wait_id = 0;
    if (s_settle(self)) return;
    if (waited->rc == WEFT_OK && !waited->parked)
        s_refuse(self); /* W2 */
    else
        s_accept(self); /* W3 */
}

static void s_on_timer(void *arg) {
    waiting_t *self = arg;
    self->timer = false; /* it fires once and is gone */
    if (s_settle(self)) return;
    weft_err_t rc = weft_service_wait(self->app->service, NULL, PROOF_MS, s_on_head, self,
                                      &self->wait_id);
    if (rc != WEFT_OK) s_accept(self); /* W3; else s_on_head ends it */
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
                        .next = comments->waiting};
    comments->waiting = self;
    weft_err_t rc = weft_service_timer(app->service, WAIT_MS, 1, s_on_timer, self, &self->timer_id);
    if (rc != WEFT_OK) {
        blog_answer_failure(request, rc);
        s_end(self);
        return;
    }
    self->timer = true;
    http_request_hold(request, s_on_cancel, self);
}

void comments_wait_again(blog_app_t *app) {
    comments_t *comments = app->state;
    for (waiting_t *at = comments->waiting, *next; at; at = next) {
        next = at->next;
        (void) s_settle(at);
    }
}
