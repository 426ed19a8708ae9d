/* weft_sequencer: see weft_sequencer.h for the rules.
 * Committed state moves in weft_sequencer_commit alone; all else works on the pending copies. */
#include "weft_sequencer.h"

#include "weft_assert.h"
#include "weft_checksum.h"
#include "weft_map.h"
#include "weft_type.h"

#include <stdlib.h>
#include <string.h>

#define ORIGINS_CACHED_MAX 65536u /* more are in the store and are asked for again */

struct weft_sequencer {
    uint64_t position, chain; /* committed */
    int64_t stored_us;
    uint64_t pending_position, pending_chain;
    int64_t batch_us;
    uint64_t prev, prev_chain; /* before the batch that was committed last */
    weft_map_t *types;
    weft_map_t *origins;
    size_t taken; /* in this batch */
    size_t bytes;
    size_t rows_count, types_count, touched_count, touched_capacity;
    weft_row_t *rows;
    weft_batch_type_t batch_types[WEFT_BATCH_TYPES_MAX];
    weft_seq_origin_t **touched;
    weft_books_t books;
};

static void s_free_type(void *value) {
    weft_seq_type_t *type = value;
    free(type->name);
    free(type);
}

weft_sequencer_t *weft_sequencer_new(uint64_t position, uint64_t chain, int64_t stored_us) {
    weft_sequencer_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->position = self->pending_position = self->prev = position;
    self->chain = self->pending_chain = self->prev_chain = chain;
    self->stored_us = stored_us;
    self->types = weft_map_new();
    self->origins = weft_map_new();
    self->rows = calloc(WEFT_BATCH_EVENTS_MAX, sizeof *self->rows);
    self->touched_capacity = WEFT_BATCH_EVENTS_MAX;
    self->touched = calloc(self->touched_capacity, sizeof *self->touched);
    if (!self->types || !self->origins || !self->rows || !self->touched)
        weft_sequencer_destroy(&self);
    return self;
}

void weft_sequencer_destroy(weft_sequencer_t **self_p) {
    weft_sequencer_t *self = *self_p;
    if (!self) return;
    weft_map_destroy(&self->types, s_free_type);
    weft_map_destroy(&self->origins, free);
    free(self->rows);
    free(self->touched);
    free(self);
    *self_p = NULL;
}

/* ---- types */

static weft_seq_type_t *s_new_type(weft_sequencer_t *self, const char *name, size_t size) {
    weft_seq_type_t *type = calloc(1, sizeof *type);
    if (!type) return NULL;
    type->name = malloc(size + 1);
    if (type->name) {
        memcpy(type->name, name, size);
        type->name[size] = '\0';
        type->size = size;
        type->hash = weft_hash(name, size);
        if (weft_map_put(self->types, name, size, type)) return type;
    }
    s_free_type(type);
    return NULL;
}

bool weft_sequencer_load_type(weft_sequencer_t *self, const char *name, size_t size,
                              int64_t store_id) {
    weft_seq_type_t *type = s_new_type(self, name, size);
    if (type) type->store_id = store_id;
    return type != NULL;
}

weft_err_t weft_sequencer_type(weft_sequencer_t *self, const char *name, size_t size,
                               weft_seq_type_t **out) {
    weft_seq_type_t *type = weft_map_get(self->types, name, size);
    if (!type) {
        weft_err_t rc = weft_type_check(name, size);
        if (rc != WEFT_OK) return rc;
        if (weft_map_count(self->types) >= WEFT_TYPES_MAX) return WEFT_E_FULL;
    }
    if ((!type || !type->in_batch) && self->types_count == WEFT_BATCH_TYPES_MAX)
        return WEFT_E_AGAIN;
    if (!type) {
        type = s_new_type(self, name, size);
        if (!type) return WEFT_E_NOMEM;
    }
    *out = type;
    return WEFT_OK;
}

static weft_batch_type_t *s_batch_type(weft_sequencer_t *self, weft_seq_type_t *type) {
    if (!type->in_batch) {
        WEFT_ASSERT(self->types_count < WEFT_BATCH_TYPES_MAX);
        self->batch_types[self->types_count++] = (weft_batch_type_t){.type = type};
        type->in_batch = (uint32_t) self->types_count;
        type->is_new = type->store_id == 0;
    }
    return &self->batch_types[type->in_batch - 1];
}

/* ---- origins */

weft_seq_origin_t *weft_sequencer_origin(const weft_sequencer_t *self, const uint8_t uuid[16]) {
    return weft_map_get(self->origins, uuid, 16);
}

weft_seq_origin_t *weft_sequencer_load_origin(weft_sequencer_t *self, const uint8_t uuid[16],
                                              uint64_t last, uint64_t position, uint64_t chain) {
    weft_seq_origin_t *origin = calloc(1, sizeof *origin);
    if (!origin) return NULL;
    memcpy(origin->uuid.bytes, uuid, 16);
    origin->last = origin->pending_last = last;
    origin->position = origin->pending_position = position;
    origin->chain = origin->pending_chain = chain;
    origin->stored = last > 0;
    if (!weft_map_put(self->origins, uuid, 16, origin)) {
        free(origin);
        return NULL;
    }
    return origin;
}

static void s_touch(weft_sequencer_t *self, weft_seq_origin_t *origin) {
    if (origin->touched) return;
    WEFT_ASSERT(self->touched_count < self->touched_capacity); /* at most one for each taken */
    origin->touched = true;
    self->touched[self->touched_count++] = origin;
}

/* ---- the batch */

static void s_forget_batch(weft_sequencer_t *self) {
    for (size_t i = 0; i < self->types_count; i++) self->batch_types[i].type->in_batch = 0;
    for (size_t i = 0; i < self->touched_count; i++) {
        self->touched[i]->touched = false;
        self->touched[i]->source = NULL;
    }
    self->taken = self->bytes = 0;
    self->rows_count = self->types_count = self->touched_count = 0;
}

void weft_sequencer_begin(weft_sequencer_t *self, int64_t now_us) {
    WEFT_ASSERT(self->pending_position == self->position);
    s_forget_batch(self);
    if (weft_map_count(self->origins) > ORIGINS_CACHED_MAX) weft_map_clear(self->origins, free);
    self->batch_us = now_us > self->stored_us ? now_us : self->stored_us; /* I6 */
}

bool weft_sequencer_full(const weft_sequencer_t *self) {
    return self->taken >= WEFT_BATCH_EVENTS_MAX || self->bytes >= WEFT_BATCH_BYTES_MAX;
}

void weft_sequencer_drop(weft_sequencer_t *self, weft_drop_t why) {
    self->taken++;
    self->books.taken++;
    self->books.drops[why]++;
}

static bool s_in_order(weft_sequencer_t *self, weft_seq_origin_t *origin,
                       const weft_wire_event_t *event, weft_drop_t *drop) {
    if (event->source_seq == 0) return true; /* I4 */
    WEFT_ASSERT(origin);
    s_touch(self, origin);
    if (event->source_seq == origin->pending_last + 1) return true; /* I2 */
    *drop = event->source_seq <= origin->pending_last ? WEFT_DROP_DUPLICATE : WEFT_DROP_GAP;
    return false;
}

bool weft_sequencer_take(weft_sequencer_t *self, weft_seq_type_t *type, weft_seq_origin_t *origin,
                         const weft_wire_event_t *event, weft_drop_t *drop) {
    WEFT_ASSERT(!weft_sequencer_full(self));
    if (!s_in_order(self, origin, event, drop)) {
        weft_sequencer_drop(self, *drop);
        return false;
    }
    self->taken++;
    self->books.taken++;
    self->bytes += event->size;
    uint64_t event_hash = weft_hash(event->bytes, event->size);
    weft_row_t *row = &self->rows[self->rows_count++];
    *row = (weft_row_t){.position = ++self->pending_position,
                        .stored_us = self->batch_us,
                        .event = event->bytes,
                        .size = event->size};
    row->checksum = weft_checksum_row(row->position, row->stored_us, type->hash, event_hash);
    row->chain = self->pending_chain = weft_checksum_chain(self->pending_chain, row->checksum);

    weft_batch_type_t *of_type = s_batch_type(self, type);
    row->type = type->in_batch - 1;
    if (of_type->last)
        self->rows[of_type->last - 1].next = (uint32_t) self->rows_count;
    else
        of_type->first = (uint32_t) self->rows_count;
    of_type->last = (uint32_t) self->rows_count;
    of_type->count++;
    of_type->sum += row->checksum;

    if (event->source_seq) {
        origin->pending_last = event->source_seq;
        origin->pending_position = row->position;
        origin->pending_chain = weft_checksum_origin(origin->pending_chain, type->hash, event_hash);
        if (!origin->source) {
            origin->source = event->source;
            origin->source_size = event->source_size;
        }
    }
    return true;
}

const weft_row_t *weft_sequencer_rows(const weft_sequencer_t *self, size_t *count) {
    *count = self->rows_count;
    return self->rows;
}

weft_batch_type_t *weft_sequencer_types(weft_sequencer_t *self, size_t *count) {
    *count = self->types_count;
    return self->batch_types;
}

weft_seq_origin_t **weft_sequencer_touched(weft_sequencer_t *self, size_t *count) {
    *count = self->touched_count;
    return self->touched;
}

void weft_sequencer_commit(weft_sequencer_t *self) {
    self->prev = self->position;
    self->prev_chain = self->chain;
    self->position = self->pending_position;
    self->chain = self->pending_chain;
    if (self->rows_count) self->stored_us = self->batch_us;
    self->books.stored += self->rows_count;
    for (size_t i = 0; i < self->types_count; i++) self->batch_types[i].type->is_new = false;
    for (size_t i = 0; i < self->touched_count; i++) {
        weft_seq_origin_t *origin = self->touched[i];
        origin->last = origin->pending_last;
        origin->position = origin->pending_position;
        origin->chain = origin->pending_chain;
        origin->stored = origin->stored || origin->last;
    }
}

void weft_sequencer_rollback(weft_sequencer_t *self, weft_drop_t why) {
    self->books.drops[why] += self->rows_count;
    self->pending_position = self->position;
    self->pending_chain = self->chain;
    self->prev = self->position;
    self->prev_chain = self->chain;
    for (size_t i = 0; i < self->types_count; i++) {
        weft_seq_type_t *type = self->batch_types[i].type;
        if (type->is_new) type->store_id = 0; /* its row was taken back, too */
        type->is_new = false;
        type->in_batch = 0;
    }
    for (size_t i = 0; i < self->touched_count; i++) {
        weft_seq_origin_t *origin = self->touched[i];
        origin->pending_last = origin->last;
        origin->pending_position = origin->position;
        origin->pending_chain = origin->chain;
    }
    self->rows_count = self->types_count = 0;
}

uint64_t weft_sequencer_position(const weft_sequencer_t *self) {
    return self->position;
}

uint64_t weft_sequencer_chain(const weft_sequencer_t *self) {
    return self->chain;
}

void weft_sequencer_record(weft_sequencer_t *self, uint64_t boot, const weft_uuid_t *log,
                           int64_t at, weft_record_t *out) {
    memset(out, 0, offsetof(weft_record_t, types));
    out->boot = boot;
    out->log = *log;
    out->prev = self->rows_count ? self->prev : self->position;
    out->prev_chain = self->rows_count ? self->prev_chain : self->chain;
    out->last = self->position;
    out->chain = self->chain;
    out->at = at;
    out->types_count = self->types_count;
    for (size_t i = 0; i < self->types_count; i++) {
        const weft_batch_type_t *t = &self->batch_types[i];
        out->types[i] = (weft_record_type_t){
            .type = t->type->name, .type_size = t->type->size, .count = t->count, .sum = t->sum};
    }
}

bool weft_sequencer_group(const weft_sequencer_t *self, uint32_t *cursor, uint32_t *row,
                          size_t *size) {
    while (*cursor &&
           self->rows[*cursor - 1].size + WEFT_STAMP_BYTES_MAX > WEFT_LIVE_MESSAGE_BYTES_MAX)
        *cursor = self->rows[*cursor - 1].next; /* F2 */
    if (!*cursor) return false;
    *row = *cursor - 1;
    *size = 0;
    while (*cursor) {
        const weft_row_t *r = &self->rows[*cursor - 1];
        size_t more = r->size + WEFT_STAMP_BYTES_MAX;
        if (more > WEFT_LIVE_MESSAGE_BYTES_MAX || (*size && *size + more > WEFT_GROUP_BYTES_TARGET))
            break;
        *size += more;
        *cursor = r->next;
    }
    return true;
}

void weft_sequencer_body(const weft_sequencer_t *self, uint32_t row, size_t size, uint8_t *to) {
    for (const weft_row_t *r = &self->rows[row]; size; r = &self->rows[r->next - 1]) {
        weft_stamp_t stamp = {
            .position = r->position, .stored_us = r->stored_us, .chain = r->chain};
        weft_stamp_write(to, &stamp);
        memcpy(to + WEFT_STAMP_BYTES_MAX, r->event, r->size);
        size_t used = WEFT_STAMP_BYTES_MAX + r->size;
        WEFT_ASSERT(used <= size);
        to += used;
        size -= used;
        WEFT_ASSERT(!size || r->next);
    }
}

const weft_books_t *weft_sequencer_books(const weft_sequencer_t *self) {
    return &self->books;
}
