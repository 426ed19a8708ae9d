/* weft_from: see weft_from.h. LAST walks back from the head in windows that grow, and keeps the
 * positions of one window at most: the newest events cost little, and a type that is rare costs
 * one scan. A time is found by halving, since stored_us never goes back along the log (I6). */
#include "weft_from.h"

#include "weft_limits.h"
#include "weft_options.h"
#include "weft_time.h"

#include <string.h>

#define WINDOW_MIN 1024u
#define WINDOW_MAX (1u << 20)

bool weft_from_parse(weft_from_t *out, const char *text) {
    *out = (weft_from_t){.kind = WEFT_FROM_START};
    if (strcmp(text, "start") == 0) return true;
    if (strcmp(text, "now") == 0) {
        out->kind = WEFT_FROM_NOW;
        return true;
    }
    if (strncmp(text, "last=", 5) == 0) {
        out->kind = WEFT_FROM_LAST;
        return weft_options_number(text + 5, 0, INT64_MAX, &out->number);
    }
    if (strncmp(text, "since=", 6) == 0) {
        out->kind = WEFT_FROM_SPAN;
        if (weft_time_span_parse(text + 6, &out->us)) return true;
        out->kind = WEFT_FROM_TIME;
        return weft_time_parse(text + 6, &out->us);
    }
    out->kind = WEFT_FROM_POSITION;
    return weft_options_number(text, 0, INT64_MAX, &out->number);
}

bool weft_from_wants_bus(const weft_from_t *self) {
    return self->kind == WEFT_FROM_LAST || self->kind == WEFT_FROM_TIME ||
           self->kind == WEFT_FROM_SPAN;
}

/* ---- the last N */

/* Append the positions of the matching events in (after, up_to] to found. */
static weft_err_t s_scan(weft_ask_t *ask, int timeout_ms, const weft_filters_t *filters,
                         uint64_t after, uint64_t up_to, weft_buf_t *found) {
    while (after < up_to) {
        weft_page_t page;
        weft_mp_t body;
        weft_ask_row_t row;
        weft_err_t rc = weft_ask_page(ask, timeout_ms, after, filters, WEFT_PAGE_EVENTS_MAX, &page,
                                      &body);
        if (rc != WEFT_OK) return rc;
        while (weft_ask_page_next(&body, &row) && row.stamp.position <= up_to)
            weft_buf_append(found, &row.stamp.position, sizeof row.stamp.position);
        if (!weft_buf_ok(found)) return WEFT_E_NOMEM;
        if (page.next <= after) return WEFT_E_PROTO; /* C2: a page moves on */
        after = page.next;
    }
    return WEFT_OK;
}

static weft_err_t s_last(weft_ask_t *ask, int timeout_ms, uint64_t first, uint64_t head,
                         const weft_filters_t *filters, uint64_t wanted, weft_position_t *out) {
    weft_err_t rc = WEFT_OK;
    uint64_t up_to = head, window = WINDOW_MIN;
    weft_buf_t found;
    weft_buf_init(&found);
    out->value = head;
    while (rc == WEFT_OK && wanted && up_to > first) {
        uint64_t after = up_to - first > window ? up_to - window : first;
        weft_buf_clear(&found);
        rc = s_scan(ask, timeout_ms, filters, after, up_to, &found);
        uint64_t count = found.size / sizeof(uint64_t), oldest;
        if (count >= wanted) {
            memcpy(&oldest, found.data + (count - wanted) * sizeof oldest, sizeof oldest);
            out->value = oldest - 1;
            break;
        }
        wanted -= count;
        up_to = out->value = after;
        window = window * 4 < WINDOW_MAX ? window * 4 : WINDOW_MAX;
    }
    weft_buf_free(&found);
    return rc;
}

/* ---- a time */

/* The position before the first event that was stored at or after that time; head if there is
 * none. */
static weft_err_t s_since(weft_ask_t *ask, int timeout_ms, uint64_t first, uint64_t head,
                          int64_t us, weft_position_t *out) {
    uint64_t older = first,
             newer = head + 1; /* events at or below older are, those from newer on are not */
    while (newer - older > 1) {
        weft_event_t event;
        weft_position_t middle = {older + (newer - older) / 2};
        weft_err_t rc = weft_ask_event(ask, timeout_ms, middle, &event);
        if (rc != WEFT_OK) return rc;
        if (event.stored_us >= us)
            newer = middle.value;
        else
            older = middle.value;
    }
    out->value = older;
    return WEFT_OK;
}

weft_err_t weft_from_find(const weft_from_t *self, weft_ask_t *ask, int timeout_ms,
                          const weft_welcome_t *welcome, const weft_filters_t *filters,
                          weft_position_t *out) {
    /* of the reply, before the next one takes its place */
    uint64_t first = welcome->first, head = welcome->head;
    int64_t us = self->kind == WEFT_FROM_SPAN ? welcome->at - self->us : self->us;
    if (self->kind == WEFT_FROM_LAST)
        return s_last(ask, timeout_ms, first, head, filters, self->number, out);
    return s_since(ask, timeout_ms, first, head, us, out);
}
