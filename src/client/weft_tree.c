/* weft_tree: see weft_tree.h. The index is only believed after the event that it names has been read: its
 * cause or trace must be the one that was asked for. */
#include "weft_tree.h"

#include "weft_limits.h"
#include "weft_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 256u /* positions so close to one another are read with one page */

weft_err_t weft_tree_open(weft_tree_t *self, const weft_explain_config_t *config) {
    *self = (weft_tree_t){.config = config, .complete = true, .indexed = UINT64_MAX};
    weft_err_t rc = weft_ask_open(&self->ask, config->bus);
    self->ask.stop_fd = config->stop_fd;
    return rc;
}

void weft_tree_free(weft_tree_t *self) {
    for (size_t i = 0; i < self->count; i++) json_decref(self->nodes[i].event);
    free(self->nodes);
    free(self->added);
    weft_ask_close(&self->ask);
}

const char *weft_tree_reason(const weft_tree_t *self) {
    return *self->reason ? self->reason : weft_ask_reason(&self->ask);
}

static weft_err_t s_fail(weft_tree_t *self, weft_err_t rc, const char *format, ...)
    WEFT_PRINTF(3, 4);

static weft_err_t s_fail(weft_tree_t *self, weft_err_t rc, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self->reason, sizeof self->reason, format, args);
    va_end(args);
    return rc;
}

/* ---- nodes */

static int s_by_position(const void *a, const void *b) {
    uint64_t left = ((const weft_tree_node_t *) a)->position;
    uint64_t right = ((const weft_tree_node_t *) b)->position;
    return left < right ? -1 : left > right;
}

weft_tree_node_t *weft_tree_find(const weft_tree_t *self, uint64_t position) {
    weft_tree_node_t key = {.position = position};
    return self->count ? bsearch(&key, self->nodes, self->count, sizeof key, s_by_position) : NULL;
}

static json_t *s_number(uint64_t value) {
    return value ? json_integer((json_int_t) value) : json_null();
}

static json_t *s_hex(const uint8_t *bytes, size_t size) {
    char text[33];
    for (size_t i = 0; i < size; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

static json_t *s_event(const weft_ask_row_t *row) {
    const weft_wire_event_t *event = &row->event;
    const uint8_t *trace = event->traceparent;
    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "position",
        (json_int_t) row->stamp.position, "type", json_stringn(row->type.data, row->type.size),
        "subject", json_stringn(event->subject ? event->subject : "", event->subject_size),
        "source", json_stringn(event->source, event->source_size), "origin",
        s_hex(event->origin, 16), "sequence", (json_int_t) event->source_seq, "time",
        (json_int_t) event->time_us, "stored", (json_int_t) row->stamp.stored_us, "cause",
        s_number(event->cause), "trace", trace ? s_hex(trace, 16) : json_null(), "span",
        trace ? s_hex(trace + 16, 8) : json_null());
}

static bool s_make_room(weft_tree_t *self) {
    if (self->count < self->room) return true;
    size_t room = self->room ? 2 * self->room : 64;
    weft_tree_node_t *nodes = realloc(self->nodes, room * sizeof *nodes);
    if (nodes) self->nodes = nodes;
    uint64_t *added = realloc(self->added, room * sizeof *added);
    if (added) self->added = added;
    if (!nodes || !added) return false;
    self->room = room;
    return true;
}

/* In its place, nearly always the last one. AGAIN: there is no room for more, the tree is not complete. */
static weft_err_t s_add(weft_tree_t *self, const weft_ask_row_t *row) {
    uint64_t position = row->stamp.position;
    if (weft_tree_find(self, position)) return WEFT_OK;
    if (self->count == self->config->events) {
        self->complete = false;
        return WEFT_E_AGAIN;
    }
    json_t *event = s_event(row);
    if (!event || !s_make_room(self)) {
        json_decref(event);
        return s_fail(self, WEFT_E_NOMEM, "out of memory");
    }
    size_t at = self->count;
    while (at && self->nodes[at - 1].position > position) at--;
    memmove(self->nodes + at + 1, self->nodes + at, (self->count - at) * sizeof *self->nodes);
    self->nodes[at] = (weft_tree_node_t){
        .position = position, .cause = row->event.cause, .event = event};
    self->added[self->count++] = position;
    return WEFT_OK;
}

/* ---- reading */

typedef bool (*s_wanted_fn)(void *arg, const weft_ask_row_t *row);

static weft_err_t s_page(weft_tree_t *self, uint64_t after, uint64_t max_events, weft_page_t *page,
                         weft_mp_t *body) {
    weft_text_t everything = weft_text(">");
    weft_filters_t filters = {.count = 1, .items = &everything};
    return weft_ask_page(&self->ask, self->config->timeout_ms, after, &filters, max_events, page,
                         body);
}

/* Read the events at these positions, ascending, and add those that are wanted. */
static weft_err_t s_read(weft_tree_t *self, const uint64_t *positions, size_t count,
                         s_wanted_fn wanted, void *arg) {
    size_t i = 0;
    while (i < count) {
        weft_page_t page;
        weft_mp_t body;
        weft_ask_row_t row;
        size_t end = i + 1;
        while (end < count && positions[end] - positions[i] < NEAR) end++;
        weft_err_t rc = s_page(self, positions[i] - 1, positions[end - 1] - positions[i] + 1, &page,
                               &body);
        if (rc != WEFT_OK) return rc;
        if (page.next < positions[i]) return s_fail(self, WEFT_E_PROTO, "malformed reply");
        for (; rc == WEFT_OK && weft_ask_page_next(&body, &row);) {
            while (i < end && positions[i] < row.stamp.position) i++; /* else it was not told */
            if (i == end || positions[i] != row.stamp.position) continue;
            if (wanted(arg, &row)) rc = s_add(self, &row);
            i++;
        }
        if (rc != WEFT_OK) return rc;
        while (i < end && positions[i] <= page.next) i++; /* the rest with another page */
    }
    return WEFT_OK;
}

/* Read through the part of the log that the index does not cover, beyond after. */
static weft_err_t s_scan(weft_tree_t *self, uint64_t after, s_wanted_fn wanted, void *arg) {
    const weft_explain_config_t *config = self->config;
    weft_err_t rc = WEFT_OK;
    uint64_t start = after, total = self->head > after ? self->head - after : 0;
    while (rc == WEFT_OK && after < self->head) {
        weft_page_t page;
        weft_mp_t body;
        weft_ask_row_t row;
        if (config->progress && !config->progress(config->arg, after - start, total))
            return s_fail(self, WEFT_E_INTERRUPTED, "interrupted");
        rc = s_page(self, after, WEFT_PAGE_EVENTS_MAX, &page, &body);
        if (rc != WEFT_OK) break;
        while (rc == WEFT_OK && weft_ask_page_next(&body, &row) && row.stamp.position <= self->head)
            if (wanted(arg, &row)) rc = s_add(self, &row);
        if (page.next <= after) break; /* C2: a page moves on */
        after = page.next < self->head ? page.next : self->head;
        self->scanned = after - start;
    }
    if (config->progress) config->progress(config->arg, self->scanned, total);
    return rc == WEFT_E_AGAIN ? WEFT_OK : rc;
}

/* Behind what the index covers, or behind where the tree begins. */
static weft_err_t s_scan_rest(weft_tree_t *self, uint64_t from, s_wanted_fn wanted, void *arg) {
    uint64_t after = self->indexed == UINT64_MAX ? self->first : self->indexed;
    if (!self->complete) return WEFT_OK;
    return s_scan(self, after > from ? after : from, wanted, arg);
}

static void s_note_found(weft_tree_t *self, const weft_found_t *found) {
    if (found->indexed < self->indexed) self->indexed = found->indexed;
}

static weft_err_t s_welcome(weft_tree_t *self) {
    weft_welcome_t welcome;
    weft_err_t rc = weft_ask_welcome(&self->ask, self->config->timeout_ms, &welcome);
    if (rc != WEFT_OK) return rc;
    self->log = welcome.log;
    self->first = welcome.first;
    self->head = welcome.head;
    return rc;
}

/* ---- an event */

static bool s_any(void *arg, const weft_ask_row_t *row) {
    (void) arg;
    (void) row;
    return true;
}

/* The event itself, its cause, the cause of that, … as long as the log has them. */
static weft_err_t s_up(weft_tree_t *self, uint64_t position) {
    weft_err_t rc = WEFT_OK;
    while (position > self->first && (rc = s_read(self, &position, 1, s_any, NULL)) == WEFT_OK) {
        const weft_tree_node_t *node = weft_tree_find(self, position);
        if (!node || !node->cause || node->cause >= position) break; /* a later one is none */
        position = node->cause;
    }
    return rc == WEFT_E_AGAIN ? WEFT_OK : rc;
}

typedef struct {
    const weft_tree_t *tree;
    uint64_t least; /* effects of causes below lead elsewhere */
} s_effect_t;

/* Is its cause in the tree? A later one is none. */
static bool s_is_effect(void *arg, const weft_ask_row_t *row) {
    const s_effect_t *self = arg;
    uint64_t cause = row->event.cause;
    return cause >= self->least && cause < row->stamp.position && weft_tree_find(self->tree, cause);
}

static int s_by_number(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *) a, right = *(const uint64_t *) b;
    return left < right ? -1 : left > right;
}

/* Effects of up to WEFT_CAUSES_MAX causes, by the index; read and added. */
static weft_err_t s_effects(weft_tree_t *self, const uint64_t *causes, size_t count,
                            s_effect_t *effect) {
    uint64_t after = 0, *numbers = malloc(WEFT_FOUND_MAX * sizeof *numbers);
    if (!numbers) return s_fail(self, WEFT_E_NOMEM, "out of memory");
    weft_found_t found = {.more = true};
    weft_err_t rc = WEFT_OK;
    while (rc == WEFT_OK && count && found.more) {
        size_t got, effects = 0;
        rc = weft_ask_effects(&self->ask, self->config->timeout_ms, causes, count, after, &found,
                              numbers, &got);
        if (rc != WEFT_OK) break;
        s_note_found(self, &found);
        if (found.more && got >= 2) { /* on from the last cause that was told of */
            while (count && *causes != numbers[got - 2]) causes++, count--;
            after = numbers[got - 1];
        }
        for (size_t i = 1; i < got; i += 2)
            if (numbers[i] <= self->head) numbers[effects++] = numbers[i];
        qsort(numbers, effects, sizeof *numbers, s_by_number);
        rc = s_read(self, numbers, effects, s_is_effect, effect);
    }
    free(numbers);
    return rc;
}

/* Round by round: the effects of what was found before. */
static weft_err_t s_down(weft_tree_t *self, s_effect_t *effect) {
    uint64_t causes[WEFT_CAUSES_MAX] = {effect->least};
    size_t count = 1,
           next = self->count; /* of added: the first whose effects are still to be asked for */
    weft_err_t rc = WEFT_OK;
    while (rc == WEFT_OK && count) {
        rc = s_effects(self, causes, count, effect);
        for (count = 0; count < WEFT_CAUSES_MAX && next < self->count;)
            causes[count++] = self->added[next++];
    }
    return rc == WEFT_E_AGAIN ? WEFT_OK : rc;
}

weft_err_t weft_tree_of_event(weft_tree_t *self, uint64_t position) {
    weft_err_t rc = s_welcome(self);
    if (rc != WEFT_OK) return rc;
    if (!position || position > self->head)
        return s_fail(self, WEFT_E_NOT_FOUND,
                      "no event at position %" PRIu64 ": the log has 1 to %" PRIu64, position,
                      self->head);
    if (position <= self->first)
        return s_fail(self, WEFT_E_GONE,
                      "event %" PRIu64 " is gone: the log keeps those after %" PRIu64, position,
                      self->first);
    s_effect_t effect = {.tree = self, .least = position};
    rc = s_up(self, position);
    if (rc == WEFT_OK) rc = s_down(self, &effect);
    return rc == WEFT_OK ? s_scan_rest(self, position, s_is_effect, &effect) : rc;
}

/* ---- a trace */

static bool s_is_of_trace(void *arg, const weft_ask_row_t *row) {
    const weft_uuid_t *trace = arg;
    return row->event.traceparent &&
           memcmp(row->event.traceparent, trace->bytes, sizeof trace->bytes) == 0;
}

static weft_err_t s_indexed_trace(weft_tree_t *self, const weft_uuid_t *trace) {
    uint64_t after = 0, *positions = malloc(WEFT_FOUND_MAX * sizeof *positions);
    weft_uuid_t wanted = *trace;
    weft_found_t found = {.more = true};
    if (!positions) return s_fail(self, WEFT_E_NOMEM, "out of memory");
    weft_err_t rc = WEFT_OK;
    while (rc == WEFT_OK && found.more) {
        size_t count, kept = 0;
        rc = weft_ask_trace(&self->ask, self->config->timeout_ms, trace, after, &found, positions,
                            &count);
        if (rc != WEFT_OK) break;
        s_note_found(self, &found);
        if (count) after = positions[count - 1];
        for (size_t i = 0; i < count; i++)
            if (positions[i] <= self->head) positions[kept++] = positions[i];
        rc = s_read(self, positions, kept, s_is_of_trace, &wanted);
    }
    free(positions);
    return rc == WEFT_E_AGAIN ? WEFT_OK : rc;
}

weft_err_t weft_tree_of_trace(weft_tree_t *self, const weft_uuid_t *trace) {
    weft_uuid_t wanted = *trace;
    weft_err_t rc = s_welcome(self);
    if (rc == WEFT_OK) rc = s_indexed_trace(self, trace);
    if (rc == WEFT_OK) rc = s_scan_rest(self, self->first, s_is_of_trace, &wanted);
    if (rc == WEFT_OK && !self->count)
        return s_fail(self, WEFT_E_NOT_FOUND, "no event of that trace in the log");
    return rc;
}
