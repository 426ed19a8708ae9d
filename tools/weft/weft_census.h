/* weft_census: what a stretch of the log says of types and their emitters. */
#ifndef WEFT_CENSUS_H
#define WEFT_CENSUS_H

#include "weft_map.h"
#include "weft_past.h"

typedef struct {
    char *type;
    uint64_t count, last; /* last: position */
    int64_t first_us, last_us;
    char **sources;
    size_t sources_count;
} weft_census_type_t;

typedef struct {
    weft_map_t *types;
    weft_census_type_t **sorted; /* by name, after weft_census_take */
    size_t count;
} weft_census_t;

/* Count what matches, as weft_past_scan. Free in any case. */
weft_err_t weft_census_take(weft_census_t *self, weft_past_t *past, const weft_args_t *args,
                            const char *from, const weft_filters_t *filters);
void weft_census_free(weft_census_t *self);

#endif
