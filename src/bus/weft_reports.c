/* weft_reports: see weft_reports.h. Linear search: a report comes once in a while from each service. */
#include "weft_reports.h"

#include "weft_limits.h"
#include "weft_mp.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES 32u /* head of an entry: map, two keys, time */

_Static_assert(WEFT_REPORTS_BYTES_MAX >= WEFT_REPORT_BYTES_MAX + ENTRY_BYTES, "any report fits");
_Static_assert(WEFT_REPORTS_BYTES_MAX <= WEFT_MESSAGE_BYTES_MAX / 2, "STATE has room for the rest");

typedef struct {
    weft_uuid_t instance;
    int64_t seen_us;
    uint64_t stamp; /* order of arrival; the clock may jump */
    uint8_t *body;
    size_t size;
} weft_kept_report_t;

struct weft_reports {
    weft_kept_report_t items[WEFT_REPORTS_MAX];
    size_t count, bytes;
    uint64_t clock;
};

weft_reports_t *weft_reports_new(void) {
    return calloc(1, sizeof(weft_reports_t));
}

void weft_reports_destroy(weft_reports_t **self_p) {
    weft_reports_t *self = *self_p;
    if (!self) return;
    for (size_t i = 0; i < self->count; i++) free(self->items[i].body);
    free(self);
    *self_p = NULL;
}

static void s_remove(weft_reports_t *self, size_t at) {
    self->bytes -= self->items[at].size + ENTRY_BYTES;
    free(self->items[at].body);
    self->items[at] = self->items[--self->count];
}

static void s_remove_oldest(weft_reports_t *self) {
    size_t oldest = 0;
    for (size_t i = 1; i < self->count; i++)
        if (self->items[i].stamp < self->items[oldest].stamp) oldest = i;
    s_remove(self, oldest);
}

weft_err_t weft_reports_put(weft_reports_t *self, const weft_uuid_t *instance, int64_t seen_us,
                            const void *body, size_t size) {
    if (size > WEFT_REPORT_BYTES_MAX) return WEFT_E_TOO_BIG;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return WEFT_E_NOMEM;
    memcpy(copy, body, size);
    for (size_t i = 0; i < self->count; i++) {
        if (memcmp(&self->items[i].instance, instance, sizeof *instance) != 0) continue;
        s_remove(self, i);
        break;
    }
    while (self->count == WEFT_REPORTS_MAX ||
           (self->count && self->bytes + size + ENTRY_BYTES > WEFT_REPORTS_BYTES_MAX))
        s_remove_oldest(self);
    self->items[self->count++] = (weft_kept_report_t){.instance = *instance,
                                                      .seen_us = seen_us,
                                                      .stamp = ++self->clock,
                                                      .body = copy,
                                                      .size = size};
    self->bytes += size + ENTRY_BYTES;
    return WEFT_OK;
}

void weft_reports_encode(const weft_reports_t *self, weft_buf_t *w) {
    weft_mp_put_array(w, (uint32_t) self->count);
    for (size_t i = 0; i < self->count; i++) {
        weft_mp_put_map(w, 2);
        weft_mp_put_text(w, "seen");
        weft_mp_put_int(w, self->items[i].seen_us);
        weft_mp_put_text(w, "report");
        weft_buf_append(w, self->items[i].body, self->items[i].size);
    }
}

size_t weft_reports_count(const weft_reports_t *self) {
    return self->count;
}
