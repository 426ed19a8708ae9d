/* bridge_hook: one hook: a durable subscription whose events are POSTed to a URL.
 *
 * H1 The place moves past an event only when a 2xx came for it and for all before it, or when it is parked in
 *    the same database (or skipped, in mode course). It is written a moment later: after a crash some events
 *    come again, none is left out.
 * H2 Of one subject there is one event under way; with parallel 1, of the whole hook.
 * H3 While a batch is in hand the log is not read. Who waits for long lets go of batch and subscription.
 * H4 A receiver that is not there is waited for without end; one that answers, but refuses, gets the event
 *    spec.attempts times, then it is parked. */
#include "bridge_hook.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <http_text.h>

#include "bridge_hook_body.h"
#include "bridge_hook_parked.h"

#define LOOK_AHEAD 256u /* events beyond the first unfinished one */
#define SLICE_MS 20     /* skipping gives way to the rest of the loop after this long */
#define WAIT_FIRST_MS 100u
#define WAIT_REFUSED_MS 30000u /* longest pause */
#define WAIT_AWAY_MS 5000u
#define WAIT_TOLD_MS 60000u /* longest that a Retry-After is believed */
#define LET_GO_MS 2000u     /* who waits that long holds nothing (H3) */

typedef enum { ITEM_PENDING, ITEM_FLYING, ITEM_DONE } item_state_t;

typedef struct {
    uint64_t subject; /* hash */
    unsigned attempts;
    item_state_t state;
} item_t;

typedef struct delivery {
    bridge_hook_t *hook;
    http_call_t *call;
    size_t index; /* in the batch */
    bridge_hook_body_t body;
    struct delivery *next;
} delivery_t;

struct bridge_hook {
    bridge_hook_env_t env;
    char name[BRIDGE_HOOK_NAME_CHARS_MAX + 1], sub_name[BRIDGE_HOOK_NAME_CHARS_MAX + 16];
    bridge_hook_spec_t spec;
    bridge_start_t start;
    bool placed, dirty, renew, ending;
    weft_resume_t at;
    weft_sub_t *sub;
    bool watched; /* the loop looks at sub */
    bool busy;    /* batch is in hand */
    weft_batch_t batch;
    item_t *items;
    size_t items_room, first;
    delivery_t *flying;
    size_t flying_count;
    bool waiting;
    int wait_timer;
    unsigned away; /* times in a row that nobody was there */
    struct {
        uint64_t position;
        unsigned attempts;
    } kept;                 /* of the first event, over a wait without a batch */
    int64_t skip_before_us; /* mode course: stored before that is skipped */
    uint64_t delivered, retried, skipped;
    bridge_hook_parked_t *retry;
    weft_err_t stopped;
    char error[BRIDGE_HOOK_REASON_BYTES]; /* "" if the last request was taken */
};

static void s_on_readable(int fd, short revents, void *arg);
static void s_pump(bridge_hook_t *self);
static void s_wait(bridge_hook_t *self, unsigned ms);

static int64_t s_now_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const weft_event_t *s_event(const bridge_hook_t *self, size_t index) {
    return &self->batch.events[index];
}

/* ---------------------------------------------------------------------------------------------- */
/* Subscription */

static void s_watch(bridge_hook_t *self, bool on) {
    if (self->watched == on) return;
    self->watched = on;
    if (on)
        (void) weft_service_fd(self->env.service, weft_sub_fd(self->sub), POLLIN, s_on_readable,
                               self);
    else
        weft_service_fd_end(self->env.service, weft_sub_fd(self->sub));
}

/* Batch and subscription go; what was under way has ended. */
static void s_close(bridge_hook_t *self) {
    if (self->busy && self->first < self->batch.count) {
        self->kept.position = s_event(self, self->first)->position.value;
        self->kept.attempts = self->items[self->first].attempts;
    }
    self->busy = false;
    if (!self->sub) return;
    s_watch(self, false);
    weft_sub_destroy(&self->sub);
}

/* The log is not to be had: for good, or until there are memory and descriptors again. */
static void s_stop(bridge_hook_t *self, weft_err_t rc) {
    snprintf(self->error, sizeof self->error, "%s: %s", weft_err_name(rc), weft_err_text(rc));
    s_close(self);
    if (rc == WEFT_E_IO || rc == WEFT_E_NOMEM) s_wait(self, WAIT_AWAY_MS);
    if (self->waiting) return;
    self->stopped = rc;
    weft_diag(WEFT_DIAG_ERROR, "hook.stopped",
              "hook=%s position=%" PRIu64
              " error=%s ways=\"start it at another place: weft hook put %s"
              " --start start|now|N\"",
              self->name, self->at.position.value, weft_err_name(rc), self->name);
}

/* In mode course there is no backlog: a hook that has begun once goes on at the end of the log. */
static bool s_open(bridge_hook_t *self) {
    const char *filters[BRIDGE_HOOK_FILTERS_MAX];
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    for (size_t i = 0; i < self->spec.filters_count; i++)
        filters[i] = bridge_names_in(self->env.names, self->spec.filters[i]);
    config.bus = weft_service_bus(self->env.service);
    config.zmq_context = weft_service_zmq_context(self->env.service);
    config.name = self->sub_name;
    config.filters = filters;
    config.filters_count = self->spec.filters_count;
    config.start = self->start.kind;
    config.resume.position.value = self->start.position;
    if (self->placed) {
        config.start = self->spec.mode == BRIDGE_MODE_COURSE ? WEFT_START_NOW : WEFT_START_RESUME;
        config.resume = self->at;
    }
    weft_err_t rc = weft_sub_new(&self->sub, &config);
    if (rc != WEFT_OK) s_stop(self, rc);
    return rc == WEFT_OK;
}

/* "now" is a moment: as soon as it is known where that lies, the hook begins there, also if it lets go, or the
 * bridge ends, before the first event is taken (H1). In mode course there is no backlog to come back for. */
static void s_fix_start(bridge_hook_t *self, uint64_t position) {
    if (self->placed || self->start.kind != WEFT_START_NOW || self->spec.mode == BRIDGE_MODE_COURSE)
        return;
    self->start = (bridge_start_t){.kind = WEFT_START_POSITION, .position = position};
    self->dirty = true;
}

static void s_place(bridge_hook_t *self, const weft_resume_t *at) {
    self->at = *at;
    self->placed = self->dirty = true;
}

static bool s_items(bridge_hook_t *self) {
    size_t count = self->batch.count;
    if (count > self->items_room) {
        item_t *items = realloc(self->items, count * sizeof *items);
        if (!items) return false;
        self->items = items;
        self->items_room = count;
    }
    memset(self->items, 0, count * sizeof *self->items);
    if (self->kept.attempts && s_event(self, 0)->position.value == self->kept.position)
        self->items[0].attempts = self->kept.attempts;
    self->kept.attempts = 0;
    for (size_t i = 0; self->spec.parallel > 1 && i < count; i++)
        self->items[i].subject = http_hash(s_event(self, i)->subject,
                                           strlen(s_event(self, i)->subject));
    return true;
}

/* Take the next batch. False: there is none now, or never more. */
static bool s_take(bridge_hook_t *self) {
    if (!self->sub && !s_open(self)) return false;
    weft_err_t rc = weft_sub_recv(self->sub, 0, &self->batch);
    if (rc == WEFT_E_TIMEOUT) {
        weft_sub_info_t info;
        weft_sub_info(self->sub, &info);
        if (info.connected) s_fix_start(self, info.position.value);
        s_watch(self, true);
        return false;
    }
    self->first = 0;
    if (rc == WEFT_OK && self->batch.count) s_fix_start(self, s_event(self, 0)->position.value - 1);
    if (rc == WEFT_OK && self->batch.count && !s_items(self)) rc = WEFT_E_NOMEM;
    if (rc != WEFT_OK) {
        s_stop(self, rc);
        return false;
    }
    self->busy = self->batch.count > 0;
    if (!self->busy) s_place(self, &self->batch.next);
    return true;
}

/* ---------------------------------------------------------------------------------------------- */
/* What becomes of an event */

/* Move past all that is done (H1). */
static void s_advance(bridge_hook_t *self) {
    size_t before = self->first;
    while (self->first < self->batch.count && self->items[self->first].state == ITEM_DONE)
        self->first++;
    if (self->first == before) return;
    if (self->first == self->batch.count) {
        self->busy = false;
        s_place(self, &self->batch.next);
        return;
    }
    const weft_event_t *last = s_event(self, self->first - 1);
    weft_resume_t at = {
        .log = self->batch.next.log, .position = last->position, .chain = last->chain};
    s_place(self, &at);
}

static bool s_done_out_of_order(const bridge_hook_t *self) {
    for (size_t i = self->first; i < self->batch.count && i < self->first + LOOK_AHEAD; i++)
        if (self->items[i].state == ITEM_DONE) return true;
    return false;
}

static void s_on_waited(void *arg) {
    bridge_hook_t *self = arg;
    self->waiting = false;
    s_pump(self);
}

static void s_wait(bridge_hook_t *self, unsigned ms) {
    if (self->waiting) return;
    self->waiting = weft_service_timer(self->env.service, ms, 1, s_on_waited, self,
                                       &self->wait_timer) == WEFT_OK;
    if (ms >= LET_GO_MS && !self->flying && self->busy && !s_done_out_of_order(self)) s_close(self);
}

static void s_wait_no_more(bridge_hook_t *self) {
    if (self->waiting) weft_service_timer_end(self->env.service, self->wait_timer);
    self->waiting = false;
}

static unsigned s_pause_ms(unsigned times, unsigned most) {
    return times > 16 || (WAIT_FIRST_MS << (times - 1)) > most ? most
                                                               : WAIT_FIRST_MS << (times - 1);
}

/* The event leaves the row, for the table of parked ones. The place follows with the others' (H1). */
static bool s_park(bridge_hook_t *self, size_t index, const bridge_hook_body_t *body) {
    weft_err_t rc = bridge_hook_park(&self->env, self->name, s_event(self, index), body,
                                     self->items[index].attempts, self->error);
    if (rc != WEFT_OK) return false;
    self->items[index].state = ITEM_DONE;
    return true;
}

/* Refused once more: wait, or give it up. */
static void s_refused(bridge_hook_t *self, size_t index, const bridge_hook_body_t *body) {
    item_t *item = &self->items[index];
    item->attempts++;
    if (self->spec.attempts && item->attempts >= self->spec.attempts && s_park(self, index, body))
        return;
    self->retried++;
    s_wait(self, s_pause_ms(item->attempts, WAIT_REFUSED_MS));
}

static void s_away(bridge_hook_t *self, uint64_t told_ms) {
    unsigned ms = s_pause_ms(++self->away, WAIT_AWAY_MS);
    if (told_ms > WAIT_TOLD_MS) told_ms = WAIT_TOLD_MS;
    if (told_ms > ms) ms = (unsigned) told_ms;
    self->retried++;
    if ((self->away & (self->away - 1)) == 0)
        weft_diag(WEFT_DIAG_WARN, "hook.waits",
                  "hook=%s position=%" PRIu64 " times=%u reason=\"%s\"", self->name,
                  self->at.position.value, self->away, self->error);
    s_wait(self, ms);
}

static void s_taken(bridge_hook_t *self, size_t index) {
    self->items[index].state = ITEM_DONE;
    self->delivered++;
    self->error[0] = 0;
    if (self->away)
        weft_diag(WEFT_DIAG_INFO, "hook.goes_on", "hook=%s position=%" PRIu64 " after=%u",
                  self->name, self->at.position.value, self->away);
    self->away = 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Sending */

static void s_delivery_free(delivery_t *delivery) {
    bridge_hook_body_clear(&delivery->body);
    free(delivery);
}

static void s_unlink(delivery_t *delivery) {
    delivery_t **at = &delivery->hook->flying;
    while (*at != delivery) at = &(*at)->next;
    *at = delivery->next;
    delivery->hook->flying_count--;
}

static uint64_t s_retry_after_ms(const http_call_t *call) {
    const char *text = http_call_header(call, "Retry-After");
    uint64_t seconds = 0;
    return text && http_text_number(text, 0, 3600, &seconds) ? seconds * 1000 : 0;
}

static void s_on_done(http_call_t *call, const http_result_t *result, void *arg) {
    delivery_t *delivery = arg;
    bridge_hook_t *self = delivery->hook;
    size_t index = delivery->index;
    bridge_outcome_t outcome = bridge_hook_outcome(result, self->error);
    s_unlink(delivery);
    self->dirty = true;
    self->items[index].state = ITEM_PENDING;
    if (outcome == BRIDGE_TAKEN) {
        s_taken(self, index);
    } else if (self->spec.mode == BRIDGE_MODE_COURSE) {
        self->items[index].state = ITEM_DONE;
        self->skipped++;
        if (result->end == HTTP_END_TIMEOUT) self->skip_before_us = s_now_us(CLOCK_REALTIME);
    } else if (outcome == BRIDGE_AWAY) {
        s_away(self, s_retry_after_ms(call));
    } else {
        s_refused(self, index, &delivery->body);
    }
    s_delivery_free(delivery);
    if (self->busy) s_advance(self);
    s_pump(self);
}

/* An event that cannot be sent is refused for good. */
static void s_unsendable(bridge_hook_t *self, size_t index, weft_err_t rc) {
    static const bridge_hook_body_t nothing = {.text = NULL};
    snprintf(self->error, sizeof self->error, "%s", weft_err_text(rc));
    self->items[index].attempts++;
    if (self->spec.mode == BRIDGE_MODE_COURSE) {
        self->items[index].state = ITEM_DONE;
        self->skipped++;
    } else if (rc == WEFT_E_NOMEM || !s_park(self, index, &nothing)) {
        s_wait(self, WAIT_AWAY_MS);
    }
}

static void s_send(bridge_hook_t *self, size_t index) {
    const weft_event_t *event = s_event(self, index);
    delivery_t *delivery = calloc(1, sizeof *delivery);
    if (!delivery) {
        s_unsendable(self, index, WEFT_E_NOMEM);
        return;
    }
    delivery->hook = self;
    delivery->index = index;
    weft_err_t rc = bridge_hook_body_make(&delivery->body, self->spec.format, self->env.names,
                                          event, &self->batch.next.log, self->name);
    if (rc == WEFT_OK) {
        http_call_config_t config = {.method = "POST",
                                     .url = self->spec.url,
                                     .headers = (const char *const *) delivery->body.headers,
                                     .headers_count = delivery->body.headers_count,
                                     .body = delivery->body.text,
                                     .body_size = delivery->body.size,
                                     .timeout_ms = self->spec.timeout_ms,
                                     .on_part = bridge_hook_on_part,
                                     .on_done = s_on_done,
                                     .arg = delivery};
        rc = http_client_call(self->env.client, &config, &delivery->call);
    }
    if (rc != WEFT_OK) {
        s_delivery_free(delivery);
        s_unsendable(self, index, rc);
        return;
    }
    self->items[index].state = ITEM_FLYING;
    delivery->next = self->flying;
    self->flying = delivery;
    self->flying_count++;
}

/* True if an unfinished event before it has the same subject (H2). */
static bool s_blocked(const bridge_hook_t *self, size_t index) {
    for (size_t i = self->first; i < index; i++)
        if (self->items[i].state != ITEM_DONE &&
            self->items[i].subject == self->items[index].subject)
            return true;
    return false;
}

/* The next that may be sent; false if none may. */
static bool s_next(const bridge_hook_t *self, size_t *index) {
    size_t end = self->first + (self->spec.parallel > 1 ? LOOK_AHEAD : 1);
    if (self->flying_count >= self->spec.parallel) return false;
    for (size_t i = self->first; i < self->batch.count && i < end; i++) {
        if (self->items[i].state != ITEM_PENDING || s_blocked(self, i)) continue;
        *index = i;
        return true;
    }
    return false;
}

static void s_launch(bridge_hook_t *self) {
    size_t index;
    while (self->busy && !self->waiting && s_next(self, &index)) {
        if (s_event(self, index)->stored_us < self->skip_before_us) {
            self->items[index].state = ITEM_DONE;
            self->skipped++;
        } else {
            s_send(self, index);
        }
        s_advance(self);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Turning */

static void s_renew(bridge_hook_t *self) {
    self->renew = false;
    s_close(self);
    if (self->start.kind == WEFT_START_RESUME) return;
    self->placed = false;
    self->kept.attempts = 0;
    self->skip_before_us = 0;
}

static void s_pump(bridge_hook_t *self) {
    int64_t end_us = s_now_us(CLOCK_MONOTONIC) + SLICE_MS * 1000;
    for (;;) {
        if (self->renew && self->flying) return;
        if (self->renew) s_renew(self);
        if (self->spec.paused || self->waiting || self->ending || self->stopped != WEFT_OK) return;
        if (!self->busy && !s_take(self)) return;
        if (self->busy) s_launch(self);
        if (self->flying) return;
        if (s_now_us(CLOCK_MONOTONIC) < end_us) continue;
        s_wait(self, 1); /* the rest of the loop has its turn */
        return;
    }
}

static void s_on_readable(int fd, short revents, void *arg) {
    bridge_hook_t *self = arg;
    (void) fd;
    (void) revents;
    if (self->busy || self->waiting || self->spec.paused)
        s_watch(self, false); /* not now (H3) */
    else
        s_pump(self);
}

/* ---------------------------------------------------------------------------------------------- */
/* What users call */

weft_err_t bridge_hook_new(bridge_hook_t **out, const bridge_hook_env_t *env,
                           bridge_hook_spec_t *spec, const bridge_hook_row_t *row) {
    bridge_hook_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->env = *env;
    snprintf(self->name, sizeof self->name, "%s", row->name);
    snprintf(self->sub_name, sizeof self->sub_name, "weft-bridge/%s", row->name);
    self->start = row->start;
    self->placed = row->placed;
    self->at = row->at;
    self->delivered = row->delivered;
    self->retried = row->retried;
    self->skipped = row->skipped;
    weft_err_t rc = bridge_hook_parked_new(&self->retry, env, self->name);
    if (rc != WEFT_OK) {
        free(self);
        return rc;
    }
    self->spec = *spec;
    *spec = (bridge_hook_spec_t){0};
    *out = self;
    return WEFT_OK;
}

void bridge_hook_destroy(bridge_hook_t **self_p) {
    bridge_hook_t *self = *self_p;
    if (!self) return;
    bridge_hook_parked_destroy(&self->retry);
    s_wait_no_more(self);
    while (self->flying) {
        delivery_t *delivery = self->flying;
        self->flying = delivery->next;
        http_call_cancel(&delivery->call);
        s_delivery_free(delivery);
    }
    s_close(self);
    bridge_hook_spec_clear(&self->spec);
    free(self->items);
    free(self);
    *self_p = NULL;
}

void bridge_hook_end(bridge_hook_t *self) {
    self->ending = true;
}

void bridge_hook_go(bridge_hook_t *self) {
    s_pump(self);
}

const char *bridge_hook_name(const bridge_hook_t *self) {
    return self->name;
}

const bridge_hook_spec_t *bridge_hook_spec(const bridge_hook_t *self) {
    return &self->spec;
}

void bridge_hook_change(bridge_hook_t *self, bridge_hook_spec_t *spec,
                        const bridge_start_t *start) {
    /* an earlier change may still wait for what is under way */
    bool begins_again = self->renew && self->start.kind != WEFT_START_RESUME;
    bridge_hook_spec_clear(&self->spec);
    self->spec = *spec;
    *spec = (bridge_hook_spec_t){0};
    self->renew = true;
    if (start->kind != WEFT_START_RESUME)
        self->start = *start;
    else if (self->placed && !begins_again)
        self->start.kind = WEFT_START_RESUME;
    self->stopped = WEFT_OK;
    self->error[0] = 0;
    self->away = 0;
    s_wait_no_more(self);
    s_pump(self);
}

bool bridge_hook_dirty(const bridge_hook_t *self) {
    return self->dirty;
}

void bridge_hook_written(bridge_hook_t *self) {
    self->dirty = false;
}

void bridge_hook_row(const bridge_hook_t *self, bridge_hook_row_t *out) {
    *out = (bridge_hook_row_t){.name = self->name,
                               .start = self->start,
                               .placed = self->placed,
                               .at = self->at,
                               .delivered = self->delivered,
                               .retried = self->retried,
                               .skipped = self->skipped};
    if (self->renew && self->start.kind != WEFT_START_RESUME) out->placed = false;
}

void bridge_hook_retry(bridge_hook_t *self) {
    bridge_hook_parked_retry(self->retry, self->spec.url, self->spec.timeout_ms);
}

static const char *s_state(const bridge_hook_t *self) {
    weft_sub_info_t info = {0};
    if (self->sub) weft_sub_info(self->sub, &info);
    if (self->stopped != WEFT_OK) return "stopped";
    if (self->spec.paused) return "paused";
    if (self->waiting && *self->error) return "waiting";
    if (!info.connected) return "bus away";
    return info.live ? "live" : "catching up";
}

json_t *bridge_hook_json(const bridge_hook_t *self) {
    weft_service_info_t info;
    weft_service_info(self->env.service, &info);
    uint64_t position = self->placed                              ? self->at.position.value
                        : self->start.kind == WEFT_START_POSITION ? self->start.position
                                                                  : 0;
    uint64_t head = info.sub.head.value > position ? info.sub.head.value : position;
    uint64_t parked = bridge_hook_store_parked_count(self->env.db, self->name);
    json_t *json = json_pack("{s:s}", "name", self->name);
    json_t *spec = bridge_hook_spec_json(&self->spec);
    json_t *state = json_pack(
        "{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "state", s_state(self), "position",
        (json_int_t) position, "head", (json_int_t) head, "behind", (json_int_t) (head - position),
        "delivered", (json_int_t) self->delivered, "retried", (json_int_t) self->retried, "skipped",
        (json_int_t) self->skipped, "parked", (json_int_t) parked, "error", self->error);
    if (json_object_update(json, spec) != 0 || json_object_update(json, state) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(spec);
    json_decref(state);
    return json;
}
