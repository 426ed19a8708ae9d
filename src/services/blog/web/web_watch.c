/* web_watch: see web_watch.h. */
#include "web_watch.h"

#include <http_text.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_BYTES 256u
#define SUBJECT_BYTES 128u
#define SLOTS 512u         /* of the table of pairs: a power of two, at most half full */
#define BEHIND_MAX 200000u /* events: then it jumps to the end */
#define TURN_US 10000      /* reading, before the rest of the loop has its turn */

typedef struct {
    char source[NAME_BYTES], type[NAME_BYTES];
    uint64_t count, fresh; /* fresh: since the last take */
} pair_t;

typedef struct {
    uint64_t position, cause;
    int64_t stored_us;
    char source[NAME_BYTES], type[NAME_BYTES], subject[SUBJECT_BYTES];
} seen_t;

struct web_watch {
    weft_service_t *service;
    weft_sub_t *sub;
    pair_t pairs[WEB_WATCH_PAIRS_MAX];
    unsigned pairs_count;
    uint16_t slots[SLOTS]; /* index of a pair and 1; 0: free */
    seen_t last[WEB_WATCH_LAST];
    uint64_t events, fresh;
    int timer_id;
    bool timer, jumped;
};

static void s_read(web_watch_t *self);

static void s_copy(char *out, size_t out_size, const char *text) {
    size_t size = strlen(text);
    if (size >= out_size) {
        size = out_size - 1;
        while (size && ((unsigned char) text[size] & 0xC0) == 0x80) size--; /* no half character */
    }
    memcpy(out, text, size);
    out[size] = 0;
}

/* NULL: there are too many. */
static pair_t *s_pair(web_watch_t *self, const char *source, const char *type) {
    uint64_t hash = http_hash(source, strlen(source)) * 31 + http_hash(type, strlen(type));
    for (size_t i = hash % SLOTS;; i = (i + 1) % SLOTS) {
        if (!self->slots[i]) {
            if (self->pairs_count == WEB_WATCH_PAIRS_MAX) return NULL;
            pair_t *pair = &self->pairs[self->pairs_count++];
            s_copy(pair->source, sizeof pair->source, source);
            s_copy(pair->type, sizeof pair->type, type);
            self->slots[i] = (uint16_t) self->pairs_count;
            return pair;
        }
        pair_t *pair = &self->pairs[self->slots[i] - 1];
        if (strcmp(pair->type, type) == 0 && strcmp(pair->source, source) == 0) return pair;
    }
}

static void s_keep(web_watch_t *self, const weft_event_t *event) {
    seen_t *seen = &self->last[self->events % WEB_WATCH_LAST];
    seen->position = event->position.value;
    seen->cause = event->cause.value;
    seen->stored_us = event->stored_us;
    s_copy(seen->source, sizeof seen->source, event->source);
    s_copy(seen->type, sizeof seen->type, event->type);
    s_copy(seen->subject, sizeof seen->subject, event->subject);
}

/* Of a large batch only the end can be among the last. */
static void s_count(web_watch_t *self, const weft_batch_t *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const weft_event_t *event = &batch->events[i];
        pair_t *pair = s_pair(self, event->source, event->type);
        if (pair) {
            pair->count++;
            pair->fresh++;
        }
        if (batch->count - i <= WEB_WATCH_LAST) s_keep(self, event);
        self->events++;
        self->fresh++;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Reading */

static int64_t s_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void s_on_readable(int fd, short revents, void *arg) {
    (void) fd;
    (void) revents;
    s_read(arg);
}

static void s_on_timer(void *arg) {
    web_watch_t *self = arg;
    self->timer = false; /* it fires once and is gone */
    if (self->sub) s_read(self);
}

/* The next opening begins at the end of the log. */
static void s_jump(web_watch_t *self, const char *why) {
    weft_diag(WEFT_DIAG_INFO, "web.watch.jump", "why=%s", why);
    web_watch_close(self);
    self->jumped = true;
}

static bool s_left_behind(const web_watch_t *self) {
    weft_sub_info_t info;
    weft_sub_info(self->sub, &info);
    return info.head.value > info.position.value &&
           info.head.value - info.position.value > BEHIND_MAX;
}

static void s_read(web_watch_t *self) {
    weft_batch_t batch;
    weft_err_t rc;
    int64_t end_us = s_now_us() + TURN_US;
    while ((rc = weft_sub_recv(self->sub, 0, &batch)) == WEFT_OK) {
        s_count(self, &batch);
        if (s_now_us() < end_us) continue;
        if (s_left_behind(self)) {
            s_jump(self, "BEHIND");
            return;
        }
        if (!self->timer)
            self->timer = weft_service_timer(self->service, 1, 1, s_on_timer, self,
                                             &self->timer_id) == WEFT_OK;
        return;
    }
    if (rc != WEFT_E_TIMEOUT) s_jump(self, weft_err_name(rc));
}

/* ---------------------------------------------------------------------------------------------- */
/* Telling */

static json_t *s_pairs(const web_watch_t *self, bool fresh) {
    json_t *pairs = json_array();
    for (unsigned i = 0; i < self->pairs_count; i++) {
        const pair_t *pair = &self->pairs[i];
        uint64_t count = fresh ? pair->fresh : pair->count;
        if (count)
            json_array_append_new(
                pairs, json_pack("[s,s,I]", pair->source, pair->type, (json_int_t) count));
    }
    return pairs;
}

static json_t *s_last(const web_watch_t *self, uint64_t most) {
    json_t *last = json_array();
    uint64_t count = self->events < most ? self->events : most;
    for (uint64_t i = self->events - count; i < self->events; i++) {
        const seen_t *seen = &self->last[i % WEB_WATCH_LAST];
        json_array_append_new(last, json_pack("{s:I,s:s,s:s,s:s,s:I,s:I}", "position",
                                              (json_int_t) seen->position, "type", seen->type,
                                              "source", seen->source, "subject", seen->subject,
                                              "stored", (json_int_t) seen->stored_us, "cause",
                                              (json_int_t) seen->cause));
    }
    return last;
}

json_t *web_watch_all(const web_watch_t *self) {
    return json_pack("{s:I,s:o,s:o}", "events", (json_int_t) self->events, "pairs",
                     s_pairs(self, false), "last", s_last(self, WEB_WATCH_LAST));
}

json_t *web_watch_take(web_watch_t *self, unsigned last) {
    if (!self->fresh) return NULL;
    json_t *taken = json_pack("{s:I,s:o,s:o}", "events", (json_int_t) self->fresh, "pairs",
                              s_pairs(self, true), "last",
                              s_last(self, self->fresh < last ? self->fresh : last));
    self->fresh = 0;
    for (unsigned i = 0; i < self->pairs_count; i++) self->pairs[i].fresh = 0;
    return taken;
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

weft_err_t web_watch_new(web_watch_t **out, weft_service_t *service) {
    web_watch_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->service = service;
    *out = self;
    return WEFT_OK;
}

void web_watch_open(web_watch_t *self, weft_position_t position) {
    if (self->sub) return;
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    config.bus = weft_service_bus(self->service);
    config.zmq_context = weft_service_zmq_context(self->service);
    config.name = "blog-web";
    config.start = self->jumped ? WEFT_START_NOW : WEFT_START_POSITION;
    config.resume.position = position;
    weft_err_t rc = weft_sub_new(&self->sub, &config);
    if (rc == WEFT_OK)
        rc = weft_service_fd(self->service, weft_sub_fd(self->sub), POLLIN, s_on_readable, self);
    if (rc == WEFT_OK) {
        s_read(self);
        return;
    }
    weft_diag(WEFT_DIAG_WARN, "web.watch", "error=%s", weft_err_name(rc));
    weft_sub_destroy(&self->sub);
}

void web_watch_close(web_watch_t *self) {
    if (self->timer) weft_service_timer_end(self->service, self->timer_id);
    self->timer = false;
    if (self->sub) weft_service_fd_end(self->service, weft_sub_fd(self->sub));
    weft_sub_destroy(&self->sub);
    self->jumped = false;
}

void web_watch_destroy(web_watch_t **self_p) {
    web_watch_t *self = *self_p;
    if (!self) return;
    web_watch_close(self);
    free(self);
    *self_p = NULL;
}
