/* weft_pages: see weft_pages.h. A page that was read before is served only to a request that is the same
 * in each field, and whose place in the log is checked like any other's (C1). */
#include "weft_pages.h"

#include "weft_limits.h"

#include <stdlib.h>
#include <string.h>

#define KEPT 32 /* pages of at most WEFT_PAGE_BYTES_MAX */

typedef struct {
    bool there;
    uint64_t from, max_events, max_bytes;
    weft_buf_t filters; /* as they came */
    zmq_msg_t body;     /* shared with ZeroMQ's queues: no copy for each reader */
    weft_log_page_t page;
    uint64_t used; /* when it was last served */
    uint64_t read; /* when: the one that was read first makes room */
} weft_pages_slot_t;

struct weft_pages {
    weft_log_reader_t *reader;
    weft_uuid_t log;
    weft_text_t filters[WEFT_FILTERS_MAX];
    weft_pages_slot_t slots[KEPT];
    weft_pages_slot_t *last; /* served last: the next page is that behind it; NULL: none */
    uint64_t clock, ticked;  /* now, and at the last tick */
    uint64_t again;
    size_t size; /* of the last page: the next one will be as large */
};

weft_pages_t *weft_pages_new(weft_log_reader_t *reader, const weft_uuid_t *log) {
    weft_pages_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->reader = reader;
    self->log = *log;
    for (size_t i = 0; i < KEPT; i++) zmq_msg_init(&self->slots[i].body);
    return self;
}

void weft_pages_destroy(weft_pages_t **self_p) {
    weft_pages_t *self = *self_p;
    if (!self) return;
    for (size_t i = 0; i < KEPT; i++) {
        weft_buf_free(&self->slots[i].filters);
        zmq_msg_close(&self->slots[i].body);
    }
    free(self);
    *self_p = NULL;
}

/* The slot that holds this page, or the one to read it into. */
static weft_pages_slot_t *s_find(weft_pages_t *self, uint64_t from, uint64_t max_events,
                                 uint64_t max_bytes, weft_bytes_t filters) {
    weft_pages_slot_t *oldest = NULL;
    for (size_t i = 0; i < KEPT; i++) {
        weft_pages_slot_t *slot = &self->slots[i];
        if (slot->there && slot->from == from && slot->max_events == max_events &&
            slot->max_bytes == max_bytes && slot->filters.size == filters.size &&
            memcmp(slot->filters.data, filters.data, filters.size) == 0)
            return slot;
        /* by use, what the last of four readers has passed would push out what he wants next */
        if (slot != self->last && (!oldest || slot->read < oldest->read)) oldest = slot;
    }
    oldest->there = false;
    oldest->read = ++self->clock;
    oldest->from = from;
    oldest->max_events = max_events;
    oldest->max_bytes = max_bytes;
    weft_buf_clear(&oldest->filters);
    weft_buf_append(&oldest->filters, filters.data, filters.size);
    return oldest;
}

static void s_free(void *data, void *hint) {
    (void) hint;
    free(data);
}

/* The buffer's bytes become the message's. False: out of memory. */
static bool s_hand_over(weft_buf_t *buf, zmq_msg_t *to) {
    zmq_msg_close(to);
    zmq_msg_init(to);
    if (!weft_buf_ok(buf)) return false;
    if (!buf->data) return true; /* no events */
    if (zmq_msg_init_data(to, buf->data, buf->size, s_free, NULL) != 0) {
        zmq_msg_init(to);
        return false;
    }
    weft_buf_init(buf);
    return true;
}

/* Within the reader's transaction. A page that reached the head is not there for others: there may be
 * more when they ask. */
static weft_err_t s_fill(weft_pages_t *self, weft_pages_slot_t *slot, const weft_filters_t *filters,
                         const weft_log_head_t *head) {
    weft_buf_t body;
    weft_buf_init(&body);
    (void) weft_buf_reserve(&body, slot->max_bytes < self->size ? slot->max_bytes : self->size);
    weft_err_t rc = weft_log_reader_page(self->reader, slot->from, filters, slot->max_events,
                                         slot->max_bytes, &body, &slot->page);
    self->size = body.size;
    if (rc == WEFT_OK && !s_hand_over(&body, &slot->body)) rc = WEFT_E_NOMEM;
    weft_buf_free(&body);
    slot->there = rc == WEFT_OK && weft_buf_ok(&slot->filters) && slot->page.next < head->position;
    return rc;
}

static uint64_t s_within(uint64_t wanted, uint64_t least, uint64_t most) {
    return wanted < least ? least : wanted > most ? most : wanted;
}

weft_err_t weft_pages_get(weft_pages_t *self, const weft_fetch_t *fetch,
                          const weft_filters_t *filters, weft_log_head_t *head,
                          weft_log_page_t *page, zmq_msg_t **body) {
    weft_pages_slot_t *slot = NULL;
    weft_err_t rc = weft_log_reader_begin(self->reader, head);
    if (rc == WEFT_OK) rc = weft_log_reader_place(self->reader, &self->log, &fetch->position);
    if (rc == WEFT_OK) {
        slot = s_find(self, fetch->position.at.position.value,
                      s_within(fetch->max_events, 1, WEFT_PAGE_EVENTS_MAX),
                      s_within(fetch->max_bytes, 0, WEFT_PAGE_BYTES_MAX), fetch->filters);
        if (slot->there)
            self->again++;
        else
            rc = s_fill(self, slot, filters, head);
    }
    weft_log_reader_end(self->reader);
    if (rc != WEFT_OK) return rc;
    slot->used = ++self->clock;
    self->last = slot->there ? slot : NULL;
    *page = slot->page;
    *body = &slot->body;
    return WEFT_OK;
}

void weft_pages_ahead(weft_pages_t *self) {
    weft_log_head_t head;
    weft_filters_t filters = {.items = self->filters};
    const weft_pages_slot_t *last = self->last;
    if (!last) return;
    weft_bytes_t raw = {.data = last->filters.data, .size = last->filters.size};
    weft_pages_slot_t *slot = s_find(self, last->page.next, last->max_events, last->max_bytes, raw);
    self->last = NULL;
    if (slot->there || weft_filters_decode(raw, &filters) != WEFT_OK) return;
    weft_err_t rc = weft_log_reader_begin(self->reader, &head);
    /* trimmed meanwhile, or damaged: whoever asks is told */
    if (rc == WEFT_OK && slot->from >= head.anchor) (void) s_fill(self, slot, &filters, &head);
    weft_log_reader_end(self->reader);
    slot->used = ++self->clock;
}

void weft_pages_tick(weft_pages_t *self) {
    for (size_t i = 0; i < KEPT; i++) {
        weft_pages_slot_t *slot = &self->slots[i];
        if (slot->used > self->ticked) continue;
        slot->there = false;
        slot->read = 0;
        (void) s_hand_over(&(weft_buf_t){0}, &slot->body);
        if (slot == self->last) self->last = NULL;
    }
    self->ticked = self->clock;
}

uint64_t weft_pages_again(const weft_pages_t *self) {
    return self->again;
}
