/* weft_readers: see weft_readers.h. Linear search: a report comes once a second from each service. */
#include "weft_readers.h"

#include <stdlib.h>
#include <string.h>

#define SEEN_US_STEP INT64_C(60000000) /* a seen_us is written down again after this much */

typedef struct {
    weft_reader_t reader;
    uint64_t saved_resume;
    int64_t saved_seen_us; /* INT64_MIN: never saved */
} weft_kept_reader_t;

struct weft_readers {
    weft_kept_reader_t items[WEFT_REPORTS_MAX];
    size_t count;
};

weft_readers_t *weft_readers_new(void) {
    return calloc(1, sizeof(weft_readers_t));
}

void weft_readers_destroy(weft_readers_t **self_p) {
    free(*self_p);
    *self_p = NULL;
}

static weft_kept_reader_t *s_slot(weft_readers_t *self, const weft_uuid_t *instance) {
    weft_kept_reader_t *oldest = &self->items[0];
    for (size_t i = 0; i < self->count; i++) {
        weft_kept_reader_t *item = &self->items[i];
        if (memcmp(&item->reader.instance, instance, sizeof *instance) == 0) return item;
        if (item->reader.seen_us < oldest->reader.seen_us) oldest = item;
    }
    weft_kept_reader_t *item = self->count < WEFT_REPORTS_MAX ? &self->items[self->count++]
                                                              : oldest;
    *item = (weft_kept_reader_t){.reader = {.instance = *instance}, .saved_seen_us = INT64_MIN};
    return item;
}

void weft_readers_load(weft_readers_t *self, const weft_reader_t *reader) {
    weft_kept_reader_t *item = s_slot(self, &reader->instance);
    item->reader = *reader;
    item->saved_resume = reader->resume;
    item->saved_seen_us = reader->seen_us;
}

void weft_readers_report(weft_readers_t *self, const weft_report_t *report, int64_t now_us) {
    weft_kept_reader_t *item = s_slot(self, &report->instance);
    size_t size = report->name.size;
    if (size > WEFT_SOURCE_BYTES_MAX) size = WEFT_SOURCE_BYTES_MAX;
    while (size && size < report->name.size &&
           ((unsigned char) report->name.data[size] & 0xc0) == 0x80)
        size--; /* not within a character */
    memcpy(item->reader.name, report->name.data, size);
    item->reader.name[size] = '\0';
    item->reader.resume = report->resume;
    item->reader.seen_us = now_us;
}

const weft_reader_t *weft_readers_slowest(const weft_readers_t *self, int64_t since_us) {
    const weft_reader_t *slowest = NULL;
    for (size_t i = 0; i < self->count; i++) {
        const weft_reader_t *reader = &self->items[i].reader;
        if (reader->seen_us >= since_us && (!slowest || reader->resume < slowest->resume))
            slowest = reader;
    }
    return slowest;
}

const weft_reader_t *weft_readers_unsaved(weft_readers_t *self) {
    for (size_t i = 0; i < self->count; i++) {
        weft_kept_reader_t *item = &self->items[i];
        const weft_reader_t *reader = &item->reader;
        if (item->saved_seen_us != INT64_MIN && item->saved_resume == reader->resume &&
            reader->seen_us - item->saved_seen_us < SEEN_US_STEP)
            continue;
        item->saved_resume = reader->resume;
        item->saved_seen_us = reader->seen_us;
        return reader;
    }
    return NULL;
}

void weft_readers_unsave(weft_readers_t *self) {
    for (size_t i = 0; i < self->count; i++) self->items[i].saved_seen_us = INT64_MIN;
}
