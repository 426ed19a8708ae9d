/* weft_census: see weft_census.h. */
#include "weft_census.h"

#include <stdlib.h>
#include <string.h>

#define SOURCES_MAX 64u /* of one type: more names than that help nobody */

static weft_census_type_t *s_type(weft_census_t *self, const weft_text_t *type) {
    weft_census_type_t *entry = weft_map_get(self->types, type->data, type->size);
    if (entry) return entry;
    entry = calloc(1, sizeof *entry);
    if (!entry) return NULL;
    entry->type = strndup(type->data, type->size);
    if (entry->type && weft_map_put(self->types, type->data, type->size, entry)) return entry;
    free(entry->type);
    free(entry);
    return NULL;
}

static bool s_source(weft_census_type_t *entry, const char *source, size_t size) {
    for (size_t i = 0; i < entry->sources_count; i++)
        if (strlen(entry->sources[i]) == size && memcmp(entry->sources[i], source, size) == 0)
            return true;
    if (entry->sources_count == SOURCES_MAX) return true;
    char **sources = realloc(entry->sources, (entry->sources_count + 1) * sizeof *sources);
    if (!sources) return false;
    entry->sources = sources;
    sources[entry->sources_count] = strndup(source, size);
    return sources[entry->sources_count] && ++entry->sources_count;
}

static bool s_row(void *arg, const weft_ask_row_t *row) {
    weft_census_type_t *entry = s_type(arg, &row->type);
    if (!entry || !s_source(entry, row->event.source, row->event.source_size)) return false;
    if (!entry->count++) entry->first_us = row->stamp.stored_us;
    entry->last = row->stamp.position;
    entry->last_us = row->stamp.stored_us;
    return true;
}

static int s_compare(const void *a, const void *b) {
    const weft_census_type_t *const *one = a, *const *two = b;
    return strcmp((*one)->type, (*two)->type);
}

weft_err_t weft_census_take(weft_census_t *self, weft_past_t *past, const weft_args_t *args,
                            const char *from, const weft_filters_t *filters) {
    size_t cursor = 0;
    weft_census_type_t *entry;
    *self = (weft_census_t){.types = weft_map_new()};
    if (!self->types) return weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
    weft_err_t rc = weft_past_scan(past, args, from, filters, s_row, self);
    if (rc != WEFT_OK) return rc;
    self->sorted = calloc(weft_map_count(self->types) + 1, sizeof(weft_census_type_t *));
    if (!self->sorted) return weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
    while ((entry = weft_map_next(self->types, &cursor))) self->sorted[self->count++] = entry;
    qsort(self->sorted, self->count, sizeof(weft_census_type_t *), s_compare);
    return WEFT_OK;
}

static void s_free(void *value) {
    weft_census_type_t *entry = value;
    for (size_t i = 0; i < entry->sources_count; i++) free(entry->sources[i]);
    free(entry->sources);
    free(entry->type);
    free(entry);
}

void weft_census_free(weft_census_t *self) {
    weft_map_destroy(&self->types, s_free);
    free(self->sorted);
    *self = (weft_census_t){0};
}
