/* weft_where: an expression of jq that decides about an event by its data. Numbers are jq's: floats. */
#ifndef WEFT_WHERE_H
#define WEFT_WHERE_H

#include "weft_verb.h"

typedef struct weft_where weft_where_t;

#define WEFT_WHERE_OPTION(variable)                                                     \
    {                                                                                   \
        "where", "EXPR", "only events for whose data this jq expression is true", NULL, \
            &(variable), NULL                                                           \
    }

/* text NULL: *out is NULL, which matches everything. WEFT_OK, WEFT_E_USAGE (told), WEFT_E_NOMEM. */
weft_err_t weft_where_new(weft_where_t **out, const weft_verb_t *verb, const char *text);
void weft_where_destroy(weft_where_t **self_p);
/* The first result is neither false nor null. Data without a JSON form and errors do not match. */
bool weft_where_match(weft_where_t *self, const void *data, size_t size);

#endif
