/* weft_map: linear probing over a power-of-two table at most two thirds full; no single removal. */
#include "weft_map.h"

#include "weft_assert.h"
#include "weft_checksum.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t hash;
    void *value; /* NULL: empty */
    uint8_t *key;
    size_t size;
} weft_slot_t;

struct weft_map {
    weft_slot_t *slots;
    size_t capacity;
    size_t count;
};

weft_map_t *weft_map_new(void) {
    weft_map_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->capacity = 16;
    self->slots = calloc(self->capacity, sizeof *self->slots);
    if (!self->slots) {
        free(self);
        return NULL;
    }
    return self;
}

void weft_map_clear(weft_map_t *self, void (*free_value)(void *)) {
    for (size_t i = 0; i < self->capacity; i++) {
        weft_slot_t *slot = &self->slots[i];
        if (!slot->value) continue;
        free(slot->key);
        if (free_value) free_value(slot->value);
        *slot = (weft_slot_t){0};
    }
    self->count = 0;
}

void weft_map_destroy(weft_map_t **self_p, void (*free_value)(void *)) {
    weft_map_t *self = *self_p;
    if (!self) return;
    weft_map_clear(self, free_value);
    free(self->slots);
    free(self);
    *self_p = NULL;
}

static weft_slot_t *s_find(weft_slot_t *slots, size_t capacity, uint64_t hash, const void *key,
                           size_t size) {
    size_t at = (size_t) hash & (capacity - 1);
    for (;;) {
        weft_slot_t *slot = &slots[at];
        if (!slot->value) return slot;
        if (slot->hash == hash && slot->size == size && memcmp(slot->key, key, size) == 0)
            return slot;
        at = (at + 1) & (capacity - 1);
    }
}

void *weft_map_get(const weft_map_t *self, const void *key, size_t size) {
    return s_find(self->slots, self->capacity, weft_hash(key, size), key, size)->value;
}

static bool s_grow(weft_map_t *self) {
    size_t capacity = self->capacity * 2;
    weft_slot_t *slots = calloc(capacity, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < self->capacity; i++) {
        weft_slot_t *old = &self->slots[i];
        if (old->value) *s_find(slots, capacity, old->hash, old->key, old->size) = *old;
    }
    free(self->slots);
    self->slots = slots;
    self->capacity = capacity;
    return true;
}

bool weft_map_put(weft_map_t *self, const void *key, size_t size, void *value) {
    WEFT_ASSERT(value);
    if ((self->count + 1) * 3 > self->capacity * 2 && !s_grow(self)) return false;
    uint64_t hash = weft_hash(key, size);
    weft_slot_t *slot = s_find(self->slots, self->capacity, hash, key, size);
    WEFT_ASSERT(!slot->value);
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return false;
    if (size) memcpy(copy, key, size);
    *slot = (weft_slot_t){.hash = hash, .value = value, .key = copy, .size = size};
    self->count++;
    return true;
}

size_t weft_map_count(const weft_map_t *self) {
    return self->count;
}

void *weft_map_next(const weft_map_t *self, size_t *cursor) {
    while (*cursor < self->capacity) {
        weft_slot_t *slot = &self->slots[(*cursor)++];
        if (slot->value) return slot->value;
    }
    return NULL;
}
