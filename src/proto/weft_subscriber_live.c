/* weft_subscriber_live: live events, held until a record covers them (S1), and what a record makes of them:
 * it is passed over, applied, or a gap (S2). */
#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_subscriber_inner.h"
#include "weft_type.h"

#include <string.h>

void weft_subscriber_events(weft_subscriber_t *self, const char *name, size_t name_size,
                            const void *body, size_t size) {
    if (self->state != WEFT_SUBSCRIBER_LIVE) return;
    weft_mp_t r = weft_mp_reader(body, size);
    weft_sub_type_t *type = weft_type_check(name, name_size) == WEFT_OK
                                ? weft_subscriber_type(self, name, name_size)
                                : NULL;
    if (!type) {
        self->drops[WEFT_SUB_DROP_MALFORMED]++;
        return;
    }
    if (!type->matched) return; /* S1: ZeroMQ's prefixes match more */
    while (weft_mp_left(&r)) {
        weft_wire_event_t event;
        weft_entry_t entry = {.type = type, .live = true};
        if (!weft_stamp_take(&r, &entry.stamp) || weft_wire_event_take(&r, &event) != WEFT_OK) {
            self->drops
                [WEFT_SUB_DROP_MALFORMED]++; /* what follows cannot be read: the record will tell of a gap */
            return;
        }
        entry.checksum = weft_checksum_row(entry.stamp.position, entry.stamp.stored_us, type->hash,
                                           weft_hash(event.bytes, event.size));
        if (self->held.bytes.size + event.size > WEFT_HOLD_BYTES_MAX) { /* S1 */
            weft_entries_clear(&self->held);
            self->drops[WEFT_SUB_DROP_HELD_TOO_MUCH]++;
        }
        if (!weft_entries_add(&self->held, &entry, &event)) {
            weft_subscriber_stop(self, WEFT_E_NOMEM);
            return;
        }
    }
}

static bool s_in_record(const weft_entries_t *held, size_t i, const weft_record_t *record) {
    const weft_entry_t *entry = &held->items[i];
    if (entry->stamp.position <= record->prev || entry->stamp.position > record->last) return false;
    return i == 0 ||
           held->items[i - 1].stamp.position != entry->stamp.position; /* S1: doubles vanish */
}

/* Does what is held in (prev, last] agree with the record, for each type that a filter matches? */
static bool s_covers(weft_subscriber_t *self, const weft_record_t *record) {
    uint64_t held = 0, wanted = 0;
    self->round++;
    for (size_t i = 0; i < self->held.count; i++) {
        if (!s_in_record(&self->held, i, record)) continue;
        const weft_entry_t *entry = &self->held.items[i];
        weft_sub_type_t *type = entry->type;
        if (type->round != self->round) {
            type->round = self->round;
            type->count = type->sum = 0;
        }
        type->count++;
        type->sum += entry->checksum;
        held++;
    }
    for (size_t i = 0; i < record->types_count; i++) {
        const weft_record_type_t *want = &record->types[i];
        weft_sub_type_t *type = weft_subscriber_type(self, want->type, want->type_size);
        if (!type) return false;
        if (!type->matched || !want->count) continue;
        if (type->round != self->round || type->count != want->count || type->sum != want->sum)
            return false;
        wanted += want->count;
    }
    return held == wanted;
}

/* Is all that is held new, once each, and within the record? The list is sorted. */
static bool s_whole(const weft_subscriber_t *self, const weft_record_t *record) {
    const weft_entries_t *held = &self->held;
    uint64_t before = record->prev > self->position ? record->prev : self->position;
    for (size_t i = 0; i < held->count; i++) {
        if (held->items[i].stamp.position <= before) return false;
        before = held->items[i].stamp.position;
    }
    return before <= record->last;
}

static bool s_apply(weft_subscriber_t *self, const weft_record_t *record) {
    if (!self->filling.count && s_whole(self, record)) {
        weft_entries_t empty = self->filling;
        self->filling = self->held;
        self->held = empty;
        self->filling_live = self->filling.count;
        return true;
    }
    for (size_t i = 0; i < self->held.count; i++) {
        const weft_entry_t *entry = &self->held.items[i];
        if (!s_in_record(&self->held, i, record) || entry->stamp.position <= self->position)
            continue;
        if (!weft_entries_copy(&self->filling, &self->held, i)) {
            weft_subscriber_stop(self, WEFT_E_NOMEM);
            return false;
        }
        self->filling_live++;
    }
    return true;
}

void weft_subscriber_record(weft_subscriber_t *self, int64_t now_ms, const weft_record_t *record) {
    if (self->state != WEFT_SUBSCRIBER_LIVE) return;
    if (record->boot != self->boot || memcmp(&record->log, &self->log, sizeof self->log) != 0) {
        self->drops[WEFT_SUB_DROP_OTHER_BOOT]++;
        weft_subscriber_greet(self, now_ms); /* S3 */
        return;
    }
    self->heard_ms = now_ms;
    if (record->last > self->head) self->head = record->last;
    weft_entries_sort(&self->held);
    if (record->last <= self->position) { /* S2: seen */
        if (record->last == self->position && self->checked && record->chain != self->chain)
            weft_subscriber_stop(self, WEFT_E_FORKED);
        weft_entries_drop(&self->held, record->last);
        return;
    }
    if (record->prev == self->position && self->checked && record->prev_chain != self->chain) {
        weft_subscriber_stop(self, WEFT_E_FORKED); /* S2 */
        return;
    }
    if (record->prev > self->position || !s_covers(self, record)) {
        if (self->state == WEFT_SUBSCRIBER_STOPPED) return;
        self->gaps++;
        weft_subscriber_catch_up(self, now_ms, record->last); /* S2: a gap */
        return;
    }
    if (!s_apply(self, record)) return;
    self->position = record->last;
    self->chain = record->chain;
    self->checked = true;
    weft_entries_drop(&self->held, record->last);
}
