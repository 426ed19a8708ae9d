/* weft_entries: stamped events kept by a subscriber: their bytes in one buffer, their places in a list. */
#ifndef WEFT_ENTRIES_H
#define WEFT_ENTRIES_H

#include "weft.h"
#include "weft_buf.h"
#include "weft_wire_event.h"

/* A type that the subscriber has seen, with the sums of the range under check. */
typedef struct {
    char *name; /* NUL-terminated */
    size_t size;
    uint64_t hash;
    bool matched;   /* by a filter */
    uint64_t round; /* the check that count and sum belong to */
    uint64_t count;
    uint64_t sum;
} weft_sub_type_t;

typedef struct {
    weft_stamp_t stamp;
    uint64_t checksum;
    weft_sub_type_t *type;
    size_t offset; /* of the event's bytes */
    weft_wire_layout_t layout;
    bool live;
} weft_entry_t;

typedef struct {
    weft_buf_t bytes;
    weft_entry_t *items;
    size_t count, capacity;
    weft_event_t *events; /* made by weft_entries_events */
    size_t events_capacity;
    weft_buf_t texts; /* sources and subjects, NUL-terminated, for events */
} weft_entries_t;

void weft_entries_free(weft_entries_t *self);
void weft_entries_clear(weft_entries_t *self);
/* Sets layout and offset, copies the event's bytes. False: out of memory. */
bool weft_entries_add(weft_entries_t *self, const weft_entry_t *entry,
                      const weft_wire_event_t *event);
/* Add what another list has at index i. False: out of memory. */
bool weft_entries_copy(weft_entries_t *self, const weft_entries_t *from, size_t i);
/* Back to an earlier count and size of bytes. */
void weft_entries_cut(weft_entries_t *self, size_t count, size_t bytes);
void weft_entries_sort(weft_entries_t *self); /* by position */
/* Forget all at or below position. They are sorted. */
void weft_entries_drop(weft_entries_t *self, uint64_t position);
/* All of them as a reader gets them; valid until the entries change. NULL: out of memory. */
const weft_event_t *weft_entries_events(weft_entries_t *self);

#endif
