/* weft_last: see weft_last.h. Only positions are kept in the first pass; the events are fetched again
 * in the second, so that memory is bound by the number of subjects and not by their data. */
#include "weft_last.h"

#include "weft_map.h"

#include <stdlib.h>

typedef struct {
    weft_map_t *subjects; /* → position, kept as a number on the heap */
    weft_where_t *where;
    bool failed;
} weft_last_t;

static bool s_row(void *arg, const weft_ask_row_t *row) {
    weft_last_t *self = arg;
    const weft_wire_event_t *event = &row->event;
    if (!event->subject_size) return true;
    if (!weft_where_match(self->where, event->data, event->data_size)) return true;
    uint64_t *position = weft_map_get(self->subjects, event->subject, event->subject_size);
    if (!position) {
        position = malloc(sizeof *position);
        self->failed = !position ||
                       !weft_map_put(self->subjects, event->subject, event->subject_size, position);
        if (self->failed) {
            free(position);
            return false;
        }
    }
    *position = row->stamp.position;
    return true;
}

static int s_compare(const void *a, const void *b) {
    uint64_t one = **(const uint64_t *const *) a, two = **(const uint64_t *const *) b;
    return (one > two) - (one < two);
}

static weft_err_t s_print(weft_last_t *self, const weft_args_t *args, const weft_print_t *print,
                          uint64_t *count) {
    size_t total = weft_map_count(self->subjects), cursor = 0, n = 0;
    uint64_t **sorted = calloc(total + 1, sizeof *sorted), *position;
    weft_ask_t ask;
    if (!sorted) return weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
    while ((position = weft_map_next(self->subjects, &cursor))) sorted[n++] = position;
    qsort(sorted, n, sizeof *sorted, s_compare);
    weft_err_t rc = weft_ask_begin(&ask, args);
    if (rc != WEFT_OK) goto out;
    for (size_t i = 0; rc == WEFT_OK && i < n && *count; i++, --*count) {
        weft_event_t event;
        rc = weft_ask_event(&ask, args->timeout_ms, (weft_position_t){*sorted[i]}, &event);
        if (rc == WEFT_OK)
            weft_print_event(print, &event);
        else
            weft_ask_failed(&ask, args, rc);
    }
    weft_ask_close(&ask);
out:
    free(sorted);
    return rc;
}

weft_err_t weft_last_print(weft_past_t *past, const weft_args_t *args, const char *from,
                           const weft_filters_t *filters, weft_where_t *where,
                           const weft_print_t *print, uint64_t *count) {
    weft_last_t self = {.subjects = weft_map_new(), .where = where};
    *past = (weft_past_t){0};
    if (!self.subjects) return weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
    weft_err_t rc = weft_past_scan(past, args, from, filters, s_row, &self);
    if (rc == WEFT_OK && self.failed) rc = weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
    if (rc == WEFT_OK) rc = s_print(&self, args, print, count);
    weft_map_destroy(&self.subjects, free);
    return rc;
}
