/* weft_entries: see weft_entries.h. */
#include "weft_entries.h"

#include "weft_assert.h"

#include <stdlib.h>
#include <string.h>

void weft_entries_free(weft_entries_t *self) {
    weft_buf_free(&self->bytes);
    weft_buf_free(&self->texts);
    free(self->items);
    free(self->events);
    *self = (weft_entries_t){0};
}

void weft_entries_clear(weft_entries_t *self) {
    weft_buf_clear(&self->bytes);
    self->count = 0;
}

bool weft_entries_add(weft_entries_t *self, const weft_entry_t *entry, const void *event,
                      size_t event_size) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        weft_entry_t *items = realloc(self->items, capacity * sizeof *items);
        if (!items) return false;
        self->items = items;
        self->capacity = capacity;
    }
    size_t offset = self->bytes.size;
    weft_buf_append(&self->bytes, event, event_size);
    if (!weft_buf_ok(&self->bytes)) {
        self->bytes.failed = false; /* the content is still whole */
        return false;
    }
    self->items[self->count] = *entry;
    self->items[self->count].offset = offset;
    self->items[self->count].size = event_size;
    self->count++;
    return true;
}

void weft_entries_cut(weft_entries_t *self, size_t count, size_t bytes) {
    WEFT_ASSERT(count <= self->count && bytes <= self->bytes.size);
    self->count = count;
    self->bytes.size = bytes;
}

static int s_by_position(const void *a, const void *b) {
    uint64_t pa = ((const weft_entry_t *) a)->stamp.position;
    uint64_t pb = ((const weft_entry_t *) b)->stamp.position;
    return pa < pb ? -1 : pa > pb;
}

void weft_entries_sort(weft_entries_t *self) {
    for (size_t i = 1; i < self->count; i++) {
        if (self->items[i].stamp.position >= self->items[i - 1].stamp.position) continue;
        qsort(self->items, self->count, sizeof *self->items, s_by_position);
        return;
    }
}

void weft_entries_drop(weft_entries_t *self, uint64_t position) {
    size_t gone = 0, low = SIZE_MAX;
    while (gone < self->count && self->items[gone].stamp.position <= position) gone++;
    if (!gone) return;
    size_t left = self->count - gone;
    memmove(self->items, self->items + gone, left * sizeof *self->items);
    self->count = left;
    if (!left) {
        weft_buf_clear(&self->bytes);
        return;
    }
    for (size_t i = 0; i < left; i++)
        if (self->items[i].offset < low) low = self->items[i].offset;
    memmove(self->bytes.data, self->bytes.data + low, self->bytes.size - low);
    self->bytes.size -= low;
    for (size_t i = 0; i < left; i++) self->items[i].offset -= low;
}

/* Keep a text with a NUL behind it; offset in texts, since the buffer may still move. */
static size_t s_keep_text(weft_buf_t *texts, const char *text, size_t size) {
    size_t offset = texts->size;
    uint8_t *to = weft_buf_reserve(texts, size + 1);
    if (!to) return 0;
    if (size) memcpy(to, text, size);
    to[size] = '\0';
    texts->size += size + 1;
    return offset;
}

static weft_event_t s_event(weft_entries_t *self, const weft_entry_t *entry) {
    const uint8_t *bytes = self->bytes.data + entry->offset;
    weft_mp_t r = weft_mp_reader(bytes, entry->size);
    weft_wire_event_t wire;
    weft_err_t rc = weft_wire_event_take(&r, &wire);
    WEFT_ASSERT(rc == WEFT_OK); /* it was decoded once before it was added */
    weft_event_t event = {
        .position = {entry->stamp.position},
        .chain = entry->stamp.chain,
        .stored_us = entry->stamp.stored_us,
        .type = entry->type->name,
        .sequence = {wire.source_seq},
        .time_us = wire.time_us,
        .cause = {wire.cause},
        .traceparent = wire.traceparent,
        .data = wire.data,
        .data_size = wire.data_size,
        .raw = bytes,
        .raw_size = entry->size,
    };
    memcpy(event.origin.bytes, wire.origin, sizeof event.origin.bytes);
    event.source = (const char *) (uintptr_t) s_keep_text(&self->texts, wire.source,
                                                          wire.source_size);
    event.subject = (const char *) (uintptr_t) s_keep_text(&self->texts, wire.subject,
                                                           wire.subject_size);
    return event;
}

const weft_event_t *weft_entries_events(weft_entries_t *self) {
    if (self->events_capacity < self->count || !self->events) {
        free(self->events);
        self->events_capacity = self->count + 64;
        self->events = malloc(self->events_capacity * sizeof *self->events);
        if (!self->events) {
            self->events_capacity = 0;
            return NULL;
        }
    }
    weft_buf_clear(&self->texts);
    for (size_t i = 0; i < self->count; i++) self->events[i] = s_event(self, &self->items[i]);
    if (!weft_buf_ok(&self->texts)) return NULL;
    for (size_t i = 0; i < self->count;
         i++) { /* offsets become pointers now that texts stands still */
        weft_event_t *event = &self->events[i];
        event->source = (const char *) self->texts.data + (uintptr_t) event->source;
        event->subject = (const char *) self->texts.data + (uintptr_t) event->subject;
    }
    return self->events;
}
