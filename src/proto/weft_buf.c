/* weft_buf: growable bytes, doubling; nothing is ever shrunk but by weft_buf_free. */
#include "weft_buf.h"

#include <stdlib.h>
#include <string.h>

void weft_buf_init(weft_buf_t *self) {
    *self = (weft_buf_t){0};
}

void weft_buf_free(weft_buf_t *self) {
    free(self->data);
    weft_buf_init(self);
}

void weft_buf_clear(weft_buf_t *self) {
    self->size = 0;
    self->failed = false;
}

uint8_t *weft_buf_reserve(weft_buf_t *self, size_t size) {
    if (self->failed || size > SIZE_MAX / 4 - self->size) {
        self->failed = true;
        return NULL;
    }
    if (self->size + size > self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 256;
        while (capacity < self->size + size) capacity *= 2;
        uint8_t *data = realloc(self->data, capacity);
        if (!data) {
            self->failed = true;
            return NULL;
        }
        self->data = data;
        self->capacity = capacity;
    }
    return self->data + self->size;
}

void weft_buf_append(weft_buf_t *self, const void *bytes, size_t size) {
    uint8_t *to = size ? weft_buf_reserve(self, size) : NULL;
    if (!to) return;
    memcpy(to, bytes, size);
    self->size += size;
}
