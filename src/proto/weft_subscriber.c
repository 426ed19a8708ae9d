/* weft_subscriber: see weft_subscriber.h for the rules. */
#include "weft_assert.h"
#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_subscriber_inner.h"
#include "weft_type.h"

#include <stdlib.h>
#include <string.h>

#define ERROR_PAUSE_MS 1000 /* the bus has a passing trouble */
#define BAD_PAGES_MAX 3     /* in a row: then something is broken for good */
#define TYPES_KNOWN_MAX (2 * WEFT_TYPES_MAX)

/* The only moves there are; the same list as the state chart in docs/protocol.md. */
static const struct {
    weft_subscriber_state_t from, to;
} s_edges[] = {
    {WEFT_SUBSCRIBER_GREETING, WEFT_SUBSCRIBER_CATCHUP}, /* WELCOME, behind its head */
    {WEFT_SUBSCRIBER_GREETING, WEFT_SUBSCRIBER_LIVE},    /* WELCOME, at its head */
    {WEFT_SUBSCRIBER_CATCHUP, WEFT_SUBSCRIBER_LIVE},     /* a page reached the target */
    {WEFT_SUBSCRIBER_LIVE, WEFT_SUBSCRIBER_CATCHUP},     /* gap */
    {WEFT_SUBSCRIBER_LIVE, WEFT_SUBSCRIBER_GREETING},    /* another boot, or silence */
    {WEFT_SUBSCRIBER_CATCHUP, WEFT_SUBSCRIBER_GREETING}, /* another boot, or no answer */
};

static void s_move(weft_subscriber_t *self, weft_subscriber_state_t to) {
    bool legal = to == WEFT_SUBSCRIBER_STOPPED;
    for (size_t i = 0; i < sizeof s_edges / sizeof *s_edges; i++)
        legal = legal || (s_edges[i].from == self->state && s_edges[i].to == to);
    WEFT_ASSERT(legal);
    self->state = to;
    if (to != WEFT_SUBSCRIBER_LIVE) weft_entries_clear(&self->held); /* S2, S3: empty and pull */
    WEFT_ASSERT(to != WEFT_SUBSCRIBER_LIVE || self->position >= self->target);
}

static void s_free_type(void *value) {
    weft_sub_type_t *type = value;
    free(type->name);
    free(type);
}

weft_subscriber_t *weft_subscriber_new(const char *const *filters, size_t filters_count,
                                       weft_start_t start, const weft_resume_t *resume) {
    weft_subscriber_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->start = start;
    self->request_wait_ms = WEFT_REQUEST_MS;
    self->page_bytes = WEFT_PAGE_BYTES_MAX;
    self->unsent_ms = WEFT_UNSENT_MS_MIN;
    self->types = weft_map_new();
    self->filters = calloc(filters_count, sizeof *self->filters);
    bool ok = self->types && self->filters;
    while (ok && self->filters_count < filters_count) {
        self->filters[self->filters_count] = strdup(filters[self->filters_count]);
        ok = self->filters[self->filters_count] != NULL;
        if (ok) self->filters_count++;
    }
    if (!ok) {
        weft_subscriber_destroy(&self);
        return NULL;
    }
    if (start == WEFT_START_RESUME || start == WEFT_START_POSITION) {
        self->started = start == WEFT_START_POSITION || resume->position.value > 0;
        self->checked = start == WEFT_START_RESUME && resume->position.value > 0;
        self->log = resume->log;
        self->position = self->handed_position = resume->position.value;
        self->chain = resume->chain;
        if (self->position == 0) { /* the place before the first event is the same in every log */
            self->started = self->checked = false;
            self->start = WEFT_START_BEGINNING;
        }
    }
    return self;
}

void weft_subscriber_destroy(weft_subscriber_t **self_p) {
    weft_subscriber_t *self = *self_p;
    if (!self) return;
    for (size_t i = 0; i < self->filters_count; i++) free(self->filters[i]);
    free(self->filters);
    weft_map_destroy(&self->types, s_free_type);
    weft_entries_free(&self->held);
    weft_entries_free(&self->filling);
    weft_entries_free(&self->out);
    free(self);
    *self_p = NULL;
}

void weft_subscriber_stop(weft_subscriber_t *self, weft_err_t why) {
    WEFT_ASSERT(why != WEFT_OK);
    if (self->state == WEFT_SUBSCRIBER_STOPPED) return;
    self->stopped = why;
    s_move(self, WEFT_SUBSCRIBER_STOPPED);
}

void weft_subscriber_bad(weft_subscriber_t *self) {
    self->drops[WEFT_SUB_DROP_MALFORMED]++;
}

/* ---- types */

weft_sub_type_t *weft_subscriber_type(weft_subscriber_t *self, const char *name, size_t size) {
    weft_sub_type_t *type = weft_map_get(self->types, name, size);
    if (type) return type;
    if (weft_map_count(self->types) >= TYPES_KNOWN_MAX) {
        weft_subscriber_stop(self, WEFT_E_PROTO); /* F4: no bus has that many */
        return NULL;
    }
    type = calloc(1, sizeof *type);
    if (type) type->name = malloc(size + 1);
    if (!type || !type->name || !weft_map_put(self->types, name, size, type)) {
        if (type) s_free_type(type);
        weft_subscriber_stop(self, WEFT_E_NOMEM);
        return NULL;
    }
    memcpy(type->name, name, size);
    type->name[size] = '\0';
    type->size = size;
    type->hash = weft_hash(name, size);
    for (size_t i = 0; i < self->filters_count && !type->matched; i++)
        type->matched = weft_filter_match(self->filters[i], strlen(self->filters[i]), name, size);
    return type;
}

/* ---- requests */

static bool s_room(const weft_subscriber_t *self) {
    return self->filling.bytes.size < WEFT_READY_BYTES_MAX &&
           self->filling.count < WEFT_BATCH_READY_EVENTS_MAX;
}

void weft_subscriber_greet(weft_subscriber_t *self, int64_t at_ms) {
    if (self->state != WEFT_SUBSCRIBER_GREETING) s_move(self, WEFT_SUBSCRIBER_GREETING);
    self->request_id = 0;
    self->request_at = at_ms;
}

void weft_subscriber_catch_up(weft_subscriber_t *self, int64_t now_ms, uint64_t target) {
    self->target = target;
    s_move(self, WEFT_SUBSCRIBER_CATCHUP);
    self->request_id = 0;
    self->request_at = now_ms;
    self->request_wait_ms = WEFT_REQUEST_MS;
}

static void s_place(const weft_subscriber_t *self, weft_place_t *place) {
    *place = (weft_place_t){.kind = WEFT_PLACE_NONE};
    if (!self->started) return;
    place->kind = self->checked ? WEFT_PLACE_CHECKED : WEFT_PLACE_NUMBER;
    place->at = (weft_resume_t){
        .log = self->log, .position = {self->position}, .chain = self->chain};
    if (self->ahead) {
        place->kind = WEFT_PLACE_CHECKED;
        place->at.position.value = self->ahead->next;
        place->at.chain = self->ahead->chain;
    }
}

void weft_subscriber_next(weft_subscriber_t *self, int64_t now_ms, uint64_t random,
                          weft_subscriber_action_t *action) {
    action->kind = WEFT_SUBSCRIBER_NOTHING;
    if (self->state == WEFT_SUBSCRIBER_LIVE && now_ms - self->heard_ms >= WEFT_SILENCE_MS &&
        s_room(self)) {
        self->silent = true;
        weft_subscriber_greet(self, now_ms); /* S3 */
    }
    if (self->state == WEFT_SUBSCRIBER_GREETING && now_ms >= self->request_at) {
        action->kind = WEFT_SUBSCRIBER_HELLO;
        action->hello = (weft_hello_t){.id = random, .version = WEFT_PROTOCOL_VERSION};
        s_place(self, &action->hello.position);
    } else if (self->state == WEFT_SUBSCRIBER_CATCHUP && now_ms >= self->request_at &&
               s_room(self)) {
        if (self->request_id && !self->ahead)
            self->page_bytes = weft_page_bytes_less(self->page_bytes);
        action->kind = WEFT_SUBSCRIBER_FETCH;
        action->fetch = (weft_fetch_t){
            .id = random, .max_events = WEFT_BATCH_READY_EVENTS_MAX, .max_bytes = self->page_bytes};
        s_place(self, &action->fetch.position);
    }
}

void weft_subscriber_sent(weft_subscriber_t *self, int64_t now_ms, uint64_t id, bool sent) {
    self->request_id = sent ? id : 0;
    self->request_at = now_ms + (sent ? self->request_wait_ms : self->unsent_ms);
    self->unsent_ms = sent ? WEFT_UNSENT_MS_MIN : weft_unsent_longer(self->unsent_ms);
    if (self->state == WEFT_SUBSCRIBER_CATCHUP) { /* C3: a slow bus gets more time at each repeat */
        if (sent) self->request_wait_ms *= 2;
        if (self->request_wait_ms > 16 * WEFT_REQUEST_MS) weft_subscriber_greet(self, now_ms);
    }
}

bool weft_subscriber_wants_renewal(weft_subscriber_t *self) {
    bool renew = self->renew;
    self->renew = false;
    return renew;
}

bool weft_subscriber_wants_live(const weft_subscriber_t *self) {
    return self->state == WEFT_SUBSCRIBER_LIVE && s_room(self); /* S5 */
}

/* ---- answers */

static void s_start(weft_subscriber_t *self, const weft_welcome_t *welcome) {
    bool now = self->start == WEFT_START_NOW;
    self->log = welcome->log;
    self->position = now ? welcome->head : welcome->first;
    self->chain = now ? welcome->chain : welcome->first_chain;
    self->checked = true;
    self->handed_position = self->position;
    self->started = true;
}

/* A position that came without its chain may get it here. */
static void s_know_chain(weft_subscriber_t *self, const weft_welcome_t *welcome) {
    bool first = self->position == welcome->first, head = self->position == welcome->head;
    if (!self->checked && (first || head)) {
        self->chain = head ? welcome->chain : welcome->first_chain;
        self->checked = true;
    }
    if (self->begun) return;
    self->begun = true;
    self->began = self->position;
    self->began_chain = self->chain;
    self->began_known = self->checked;
}

void weft_subscriber_welcome(weft_subscriber_t *self, int64_t now_ms,
                             const weft_welcome_t *welcome) {
    if (self->state != WEFT_SUBSCRIBER_GREETING || !self->request_id ||
        welcome->id != self->request_id) {
        self->drops[WEFT_SUB_DROP_UNASKED]++; /* C3 */
        return;
    }
    self->request_id = 0; /* C3: answered */
    if (!self->started) s_start(self, welcome);
    s_know_chain(self, welcome);
    if (welcome->head <
        self->position) { /* HELLO said where we stand: the bus ought to have refused */
        weft_subscriber_stop(self, WEFT_E_PROTO);
        return;
    }
    self->renew = self->silent;
    self->silent = false;
    self->log = welcome->log;
    self->boot = welcome->boot;
    self->head = welcome->head;
    self->heard = true;
    self->heard_ms = now_ms;
    self->request_wait_ms = WEFT_REQUEST_MS;
    self->target = self->head;
    if (self->position < self->head)
        weft_subscriber_catch_up(self, now_ms, self->head);
    else
        s_move(self, WEFT_SUBSCRIBER_LIVE);
}

static bool s_refuses(uint64_t code) {
    switch (code) {
    case WEFT_E_OTHER_LOG:
    case WEFT_E_LOG_BEHIND:
    case WEFT_E_FORKED:
    case WEFT_E_GONE:
    case WEFT_E_VERSION:
    case WEFT_E_CORRUPT:
    case WEFT_E_BAD_FIELD:
    case WEFT_E_BAD_COMMAND:
    case WEFT_E_BAD_FILTER:
    case WEFT_E_TOO_BIG: return true;
    default: return false;
    }
}

void weft_subscriber_error(weft_subscriber_t *self, int64_t now_ms, const weft_error_t *error) {
    if (!self->request_id || error->id != self->request_id) {
        self->drops[WEFT_SUB_DROP_UNASKED]++;
        return;
    }
    if (error->code == WEFT_E_GONE && self->state == WEFT_SUBSCRIBER_CATCHUP &&
        self->start == WEFT_START_BEGINNING && self->position == self->began) {
        /* trimmed since WELCOME: begin at what is kept now */
        self->started = self->checked = self->begun = false;
        weft_subscriber_greet(self, now_ms + WEFT_UNSENT_MS_MAX);
        return;
    }
    if (s_refuses(error->code)) {
        weft_subscriber_stop(self, (weft_err_t) error->code);
        return;
    }
    self->request_id = 0;
    self->request_at = now_ms + ERROR_PAUSE_MS;
}

/* ---- pages */

/* Take the page's events into filling, checked against count, sum and as much of the chain as the
 * filters let through. */
static bool s_take_page(weft_subscriber_t *self, const weft_page_t *page, const void *body,
                        size_t size) {
    weft_mp_t r = weft_mp_reader(body, size);
    uint64_t at = page->from, chain = self->chain, count = 0, sum = 0;
    bool known = self->checked;
    weft_sub_type_t *type = NULL; /* mostly that of the event before */
    while (weft_mp_left(&r)) {
        const char *name;
        size_t name_size;
        weft_wire_event_t event;
        weft_entry_t entry = {.live = false};
        if (!weft_mp_str(&r, &name, &name_size)) return false;
        if (!type || type->size != name_size || memcmp(type->name, name, name_size) != 0) {
            if (weft_type_check(name, name_size) != WEFT_OK) return false;
            type = weft_subscriber_type(self, name, name_size);
            if (!type || !type->matched) return false;
        }
        entry.type = type;
        if (!weft_stamp_take(&r, &entry.stamp) || weft_wire_event_take(&r, &event) != WEFT_OK)
            return false;
        if (entry.stamp.position <= at || entry.stamp.position > page->next) return false;
        entry.checksum = weft_checksum_row(entry.stamp.position, entry.stamp.stored_us,
                                           entry.type->hash, weft_hash(event.bytes, event.size));
        if (known && entry.stamp.position == at + 1 &&
            entry.stamp.chain != weft_checksum_chain(chain, entry.checksum))
            return false;
        at = entry.stamp.position;
        chain = entry.stamp.chain;
        known = true;
        sum += entry.checksum;
        count++;
        if (!weft_entries_add(&self->filling, &entry, &event)) {
            weft_subscriber_stop(self, WEFT_E_NOMEM);
            return false;
        }
    }
    return count == page->count && sum == page->sum &&
           !(known && at == page->next && chain != page->chain);
}

static bool s_answers(const weft_subscriber_t *self, const weft_page_t *page) {
    return self->state == WEFT_SUBSCRIBER_CATCHUP && self->request_id &&
           page->id == self->request_id && page->from == self->position &&
           page->next >= page->from && page->head >= page->next;
}

static bool s_of_this_boot(const weft_subscriber_t *self, const weft_page_t *page) {
    return page->boot == self->boot && memcmp(&page->log, &self->log, sizeof self->log) == 0;
}

bool weft_subscriber_ahead(weft_subscriber_t *self, int64_t now_ms, const weft_page_t *page) {
    if (!s_answers(self, page) || !s_of_this_boot(self, page) || page->next == page->from ||
        page->next >= self->target || !s_room(self))
        return false;
    self->ahead = page;
    self->request_at = now_ms;
    self->request_wait_ms = WEFT_REQUEST_MS;
    return true;
}

void weft_subscriber_page(weft_subscriber_t *self, int64_t now_ms, const weft_page_t *page,
                          const void *body, size_t size) {
    bool ahead = self->ahead == page;
    self->ahead = NULL;
    if (!ahead && !s_answers(self, page)) {
        self->drops[WEFT_SUB_DROP_UNASKED]++; /* C3 */
        return;
    }
    if (!s_of_this_boot(self, page)) {
        weft_subscriber_greet(self, now_ms); /* S3 */
        return;
    }
    size_t count = self->filling.count, bytes = self->filling.bytes.size;
    if (!s_take_page(self, page, body, size)) {
        weft_entries_cut(&self->filling, count, bytes);
        self->drops[WEFT_SUB_DROP_BAD_PAGE]++;
        if (++self->bad_pages >= BAD_PAGES_MAX) weft_subscriber_stop(self, WEFT_E_PROTO);
        self->request_id = 0; /* also what was asked for behind it */
        self->request_at = now_ms;
        return;
    }
    self->bad_pages = 0;
    self->page_bytes = self->page_bytes * 2 < WEFT_PAGE_BYTES_MAX ? self->page_bytes * 2
                                                                  : WEFT_PAGE_BYTES_MAX;
    bool stuck = page->next == self->position && page->next < page->head;
    self->position = page->next;
    self->chain = page->chain;
    self->checked = true;
    if (page->head > self->head) self->head = page->head;
    self->heard_ms = now_ms;
    if (!ahead) {
        self->request_id = 0;
        self->request_wait_ms = WEFT_REQUEST_MS;
        self->request_at = stuck ? now_ms + ERROR_PAUSE_MS : now_ms;
    }
    if (self->position >= self->target) s_move(self, WEFT_SUBSCRIBER_LIVE);
}

/* ---- handing out */

bool weft_subscriber_take(weft_subscriber_t *self, weft_batch_t *batch) {
    if (!self->filling.count && self->position == self->handed_position) return false;
    weft_entries_t empty = self->out;
    weft_entries_clear(&empty);
    self->out = self->filling;
    self->filling = empty;
    *batch = (weft_batch_t){
        .events = weft_entries_events(&self->out),
        .count = self->out.count,
        .next = {.log = self->log, .position = {self->position}, .chain = self->chain},
        .live_count = self->filling_live,
    };
    if (!batch->events) {
        weft_subscriber_stop(self, WEFT_E_NOMEM);
        return false;
    }
    self->from_live += self->filling_live;
    self->from_catch_up += self->out.count - self->filling_live;
    self->filling_live = 0;
    self->handed_position = self->position;
    return true;
}

bool weft_subscriber_began(const weft_subscriber_t *self, weft_resume_t *out) {
    if (!self->begun || !self->began_known) return false;
    *out = (weft_resume_t){.log = self->log, .position = {self->began}, .chain = self->began_chain};
    return true;
}

uint64_t weft_subscriber_passed(const weft_subscriber_t *self) {
    return self->filling.count ? self->handed_position : self->position;
}

size_t weft_subscriber_ready(const weft_subscriber_t *self) {
    return self->filling.count;
}

int64_t weft_subscriber_deadline(const weft_subscriber_t *self) {
    switch (self->state) {
    case WEFT_SUBSCRIBER_GREETING: return self->request_at;
    case WEFT_SUBSCRIBER_CATCHUP: return s_room(self) ? self->request_at : INT64_MAX;
    case WEFT_SUBSCRIBER_LIVE: return s_room(self) ? self->heard_ms + WEFT_SILENCE_MS : INT64_MAX;
    case WEFT_SUBSCRIBER_STOPPED: break;
    }
    return INT64_MAX;
}

weft_subscriber_state_t weft_subscriber_state(const weft_subscriber_t *self) {
    return self->state;
}

const uint64_t *weft_subscriber_drops(const weft_subscriber_t *self) {
    return self->drops;
}

void weft_subscriber_info(const weft_subscriber_t *self, int64_t now_ms, weft_sub_info_t *info) {
    *info = (weft_sub_info_t){
        .connected = self->heard && now_ms - self->heard_ms < WEFT_SILENCE_MS,
        .live = self->state == WEFT_SUBSCRIBER_LIVE,
        .position = {self->handed_position},
        .head = {self->head},
        .from_catch_up = self->from_catch_up,
        .from_live = self->from_live,
        .gaps = self->gaps,
        .stopped = self->stopped,
    };
    for (unsigned i = 0; i < WEFT_SUB_DROP_COUNT; i++) info->dropped += self->drops[i];
}
