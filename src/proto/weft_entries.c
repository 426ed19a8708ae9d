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

static bool s_add(weft_entries_t *self, const weft_entry_t *entry, const uint8_t *bytes) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        weft_entry_t *items = realloc(self->items, capacity * sizeof *items);
        if (!items) return false;
        self->items = items;
        self->capacity = capacity;
    }
    size_t offset = self->bytes.size;
    weft_buf_append(&self->bytes, bytes, entry->layout.size);
    if (!weft_buf_ok(&self->bytes)) {
        self->bytes.failed = false; /* the content is still whole */
        return false;
    }
    self->items[self->count] = *entry;
    self->items[self->count].offset = offset;
    self->count++;
    return true;
}

bool weft_entries_add(weft_entries_t *self, const weft_entry_t *entry,
                      const weft_wire_event_t *event) {
    weft_entry_t full = *entry;
    full.layout = weft_wire_event_layout(event);
    return s_add(self, &full, event->bytes);
}

bool weft_entries_copy(weft_entries_t *self, const weft_entries_t *from, size_t i) {
    return s_add(self, &from->items[i], from->bytes.data + from->items[i].offset);
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

static bool s_same_text(const uint8_t *bytes, uint32_t at, uint32_t size, const uint8_t *text,
                        uint32_t text_size) {
    return size == text_size && memcmp(bytes + at, text, size) == 0;
}

/* source and subject: offsets in texts for now. before: the event before it, or NULL; the same source
 * is kept once. */
static void s_event(weft_entries_t *self, const weft_entry_t *entry, const weft_entry_t *before,
                    weft_event_t *out) {
    const weft_wire_layout_t *wire = &entry->layout;
    const uint8_t *bytes = self->bytes.data + entry->offset;
    *out = (weft_event_t){
        .position = {entry->stamp.position},
        .chain = entry->stamp.chain,
        .stored_us = entry->stamp.stored_us,
        .type = entry->type->name,
        .sequence = {wire->source_seq},
        .time_us = wire->time_us,
        .cause = {wire->cause},
        .traceparent = wire->traceparent ? bytes + wire->traceparent : NULL,
        .data = bytes + wire->data,
        .data_size = wire->size - wire->data,
        .raw = bytes,
        .raw_size = wire->size,
    };
    memcpy(out->origin.bytes, bytes + wire->origin, sizeof out->origin.bytes);
    if (before && s_same_text(bytes, wire->source, wire->source_size,
                              self->bytes.data + before->offset + before->layout.source,
                              before->layout.source_size))
        out->source = out[-1].source;
    else
        out->source = (const char *) (uintptr_t) s_keep_text(
            &self->texts, (const char *) bytes + wire->source, wire->source_size);
    out->subject = (const char *) (uintptr_t) s_keep_text(
        &self->texts, (const char *) bytes + wire->subject, wire->subject_size);
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
    for (size_t i = 0; i < self->count; i++)
        s_event(self, &self->items[i], i ? &self->items[i - 1] : NULL, &self->events[i]);
    if (!weft_buf_ok(&self->texts)) return NULL;
    for (size_t i = 0; i < self->count;
         i++) { /* offsets become pointers now that texts stands still */
        weft_event_t *event = &self->events[i];
        event->source = (const char *) self->texts.data + (uintptr_t) event->source;
        event->subject = (const char *) self->texts.data + (uintptr_t) event->subject;
    }
    return self->events;
}
