/* bridge_post: see bridge_post.h.
 *
 * An event that the outbox refuses (its type, its size) undoes the transaction: its request is refused, and the
 * others are gone through again without it. That is rare, and the usual way costs nothing for it. */
#include "bridge_post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http_text.h>
#include <idempotency.h>

#include "bridge_post_read.h"

#define KEY_SCOPE "POST /events"
#define TYPE_BYTES_MAX 255u /* of the protocol */

static const char s_ok[] = "{\"status\":\"OK\"}";

typedef struct post {
    bridge_posts_t *owner;
    http_request_t *request; /* NULL: its client has left */
    bridge_post_t read;
    char *key; /* Idempotency-Key; NULL: none */
    uint64_t body_hash;
    size_t body_size;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    bool replayed;   /* all of it had been accepted before */
    unsigned status; /* 0: accepted */
    const char *field;
    char reason[BRIDGE_POST_REASON_BYTES];
    struct post *next;
} post_t;

struct bridge_posts {
    bridge_t *bridge;
    idempotency_t *idem;
    post_t *first, **last; /* in order of arrival */
};

static void s_post_destroy(post_t *post) {
    bridge_post_clear(&post->read);
    free(post->key);
    free(post);
}

/* ---------------------------------------------------------------------------------------------- */
/* The transaction */

static void s_refuse(post_t *post, unsigned status, const char *field, const char *reason) {
    post->status = status;
    post->field = field;
    snprintf(post->reason, sizeof post->reason, "%s", reason);
}

/* WEFT_OK: known, or refused (another body). WEFT_E_NOT_FOUND: go on. */
static weft_err_t s_known(post_t *post, const char *scope, const char *key, bool same_body) {
    idempotency_row_t row;
    weft_err_t rc = idempotency_find(post->owner->idem, scope, key, &row);
    if (rc == WEFT_OK && same_body &&
        (row.body_hash != post->body_hash || row.body_size != post->body_size))
        s_refuse(post, 422, "Idempotency-Key", "this key has been used with another body");
    idempotency_found(post->owner->idem);
    return rc;
}

static weft_err_t s_keep(post_t *post, const char *scope, const char *key) {
    const idempotency_row_t row = {.body_hash = post->body_hash,
                                   .body_size = post->body_size,
                                   .status = 200,
                                   .location = "",
                                   .answer = ""};
    return idempotency_keep(post->owner->idem, scope, key, &row);
}

/* The error of an event that is at fault itself becomes a refusal of its request. */
static weft_err_t s_emit(weft_tx_t *tx, post_t *post, const bridge_post_event_t *event) {
    weft_err_t rc = weft_tx_emit(tx, event->type, event->subject, event->data, event->data_size);
    bool too_big = rc == WEFT_E_TOO_BIG;
    if (rc == WEFT_E_BAD_TYPE || (too_big && strlen(event->type) > TYPE_BYTES_MAX)) {
        s_refuse(post, 400, "type",
                 "type must be dotted segments of A-Z a-z 0-9 _ -, at most 255 bytes");
    } else if (rc == WEFT_E_BAD_EVENT ||
               (too_big && strlen(event->subject) > BRIDGE_SUBJECT_BYTES - 1)) {
        s_refuse(post, 400, "subject", "subject has at most 1024 bytes and no control characters");
    } else if (too_big) {
        s_refuse(post, 413, "data", "the event is larger than 262144 bytes as it is stored");
    }
    return rc;
}

static weft_err_t s_event(weft_tx_t *tx, post_t *post, const bridge_post_event_t *event) {
    weft_err_t rc = event->key ? s_known(post, event->scope, event->key, false) : WEFT_E_NOT_FOUND;
    if (rc != WEFT_E_NOT_FOUND) return rc;
    post->replayed = false;
    rc = s_emit(tx, post, event);
    if (rc == WEFT_OK && event->key) rc = s_keep(post, event->scope, event->key);
    return rc;
}

static weft_err_t s_post_tx(weft_tx_t *tx, post_t *post) {
    weft_err_t rc = post->key ? s_known(post, KEY_SCOPE, post->key, true) : WEFT_E_NOT_FOUND;
    post->replayed = rc == WEFT_OK || post->read.count > 0;
    if (rc != WEFT_E_NOT_FOUND) return rc;
    weft_tx_trace(tx, post->trace);
    rc = WEFT_OK;
    for (size_t i = 0; i < post->read.count && rc == WEFT_OK; i++)
        rc = s_event(tx, post, &post->read.events[i]);
    if (rc == WEFT_OK && post->key) rc = s_keep(post, KEY_SCOPE, post->key);
    return rc;
}

static weft_err_t s_all_tx(weft_tx_t *tx, void *arg) {
    bridge_posts_t *self = arg;
    for (post_t *post = self->first; post; post = post->next) {
        if (post->status) continue;
        weft_err_t rc = s_post_tx(tx, post);
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

/* Whether a request was refused for what it says, and not the whole for the database. */
static size_t s_refused(const bridge_posts_t *self) {
    size_t count = 0;
    for (const post_t *post = self->first; post; post = post->next) count += post->status != 0;
    return count;
}

static weft_err_t s_commit(bridge_posts_t *self) {
    for (;;) {
        size_t refused = s_refused(self);
        weft_err_t rc = weft_service_transaction(self->bridge->service, s_all_tx, self);
        if (rc == WEFT_OK || s_refused(self) == refused) return rc;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Answers */

static void s_answer(post_t *post, weft_err_t rc) {
    http_request_t *request = post->request;
    if (post->status) {
        http_answer_error(request, post->status, post->reason, post->field);
    } else if (rc == WEFT_E_FULL) {
        http_answer_error(request, 507, "disk is full: nothing was accepted", NULL);
    } else if (rc != WEFT_OK) {
        http_answer_error(request, 500, weft_err_text(rc), NULL);
    } else {
        if (post->replayed) http_answer_header(request, "Idempotency-Replayed", "true");
        http_answer_data(request, 200, "application/json; charset=utf-8", s_ok, sizeof s_ok - 1);
    }
}

void bridge_posts_turn(void *arg) {
    bridge_posts_t *self = arg;
    if (!self->first) return;
    weft_err_t rc = s_commit(self);
    if (rc != WEFT_OK) weft_diag(WEFT_DIAG_ERROR, "bridge.post", "error=%s", weft_err_name(rc));
    while (self->first) {
        post_t *post = self->first;
        self->first = post->next;
        if (post->request) s_answer(post, rc);
        s_post_destroy(post);
    }
    self->last = &self->first;
}

/* Its client has left, or the server stops: what was read is stored or not, as an answer that got lost. */
static void s_cancel(http_request_t *request, void *arg) {
    post_t *post = arg;
    (void) request;
    post->request = NULL;
}

static void s_post(http_request_t *request, void *arg) {
    bridge_posts_t *self = arg;
    const char *key = http_request_header(request, "Idempotency-Key"), *field = NULL;
    char reason[BRIDGE_POST_REASON_BYTES];
    unsigned status = 500;
    post_t *post = calloc(1, sizeof *post);
    if (key && !idempotency_key_ok(key)) {
        http_answer_error(request, 400, "must be 1 to 255 visible ASCII characters",
                          "Idempotency-Key");
        free(post);
        return;
    }
    snprintf(reason, sizeof reason, "out of memory");
    weft_err_t rc = WEFT_E_NOMEM;
    if (post && (!key || (post->key = strdup(key))))
        rc = bridge_post_read(&post->read, request, self->bridge->names, &status, &field, reason);
    if (rc != WEFT_OK) {
        http_answer_error(request, status, reason, field);
        if (post) s_post_destroy(post);
        return;
    }
    const void *body = http_request_body(request, &post->body_size);
    if (key) post->body_hash = http_hash(body, post->body_size);
    memcpy(post->trace, http_request_trace(request), sizeof post->trace);
    post->owner = self;
    post->request = request;
    *self->last = post;
    self->last = &post->next;
    http_request_hold(request, s_cancel, post);
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

weft_err_t bridge_posts_new(bridge_posts_t **out, bridge_t *bridge, int64_t keep_us) {
    bridge_posts_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->bridge = bridge;
    self->last = &self->first;
    weft_err_t rc = idempotency_new(&self->idem, bridge->service, keep_us);
    if (rc != WEFT_OK) {
        bridge_posts_destroy(&self);
        return rc;
    }
    bridge_route(bridge, "POST", "/events", HTTP_BODY_ANY, s_post, self);
    *out = self;
    return WEFT_OK;
}

void bridge_posts_destroy(bridge_posts_t **self_p) {
    bridge_posts_t *self = *self_p;
    if (!self) return;
    while (self->first) {
        post_t *post = self->first;
        self->first = post->next;
        s_post_destroy(post);
    }
    idempotency_destroy(&self->idem);
    free(self);
    *self_p = NULL;
}
