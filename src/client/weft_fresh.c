/* weft_fresh: see weft_fresh.h. */
#include "weft_fresh.h"

static size_t s_begin(const weft_fresh_t *self, size_t index) {
    return index ? self->ends[index - 1] : 0;
}

static void s_clear(weft_fresh_t *self) {
    weft_buf_clear(&self->bytes);
    self->count = 0;
}

void weft_fresh_add(weft_fresh_t *self, const char *type, size_t type_size,
                    const weft_wire_event_t *event) {
    if (self->count == WEFT_FRESH_EVENTS_MAX || self->bytes.size > WEFT_FRESH_BYTES_MAX ||
        event->source_seq != self->first + self->count)
        s_clear(self);
    if (event->data_size > WEFT_FRESH_EVENT_BYTES_MAX) {
        s_clear(self);
        return;
    }
    if (!self->count) self->first = event->source_seq;
    weft_buf_append(&self->bytes, type, type_size);
    weft_wire_event_put(&self->bytes, event);
    if (!weft_buf_ok(&self->bytes)) {
        s_clear(self);
        return;
    }
    self->type_sizes[self->count] = type_size;
    self->ends[self->count++] = self->bytes.size;
}

bool weft_fresh_get(const weft_fresh_t *self, uint64_t sequence, weft_relay_event_t *out) {
    if (!self->count || sequence < self->first || sequence - self->first >= self->count)
        return false;
    size_t index = (size_t) (sequence - self->first), begin = s_begin(self, index);
    *out = (weft_relay_event_t){.type = (const char *) self->bytes.data + begin,
                                .type_size = self->type_sizes[index],
                                .event = self->bytes.data + begin + self->type_sizes[index],
                                .size = self->ends[index] - begin - self->type_sizes[index]};
    return true;
}

void weft_fresh_cut(weft_fresh_t *self, uint64_t last) {
    while (self->count && self->first + self->count - 1 > last) self->count--;
    self->bytes.size = s_begin(self, self->count);
}

void weft_fresh_free(weft_fresh_t *self) {
    weft_buf_free(&self->bytes);
    self->count = 0;
}
