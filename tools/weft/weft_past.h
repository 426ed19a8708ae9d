/* weft_past: what verbs that read a stretch of the log have in common: filters as words, --from, the
 * head as it is now, and the scan. */
#ifndef WEFT_PAST_H
#define WEFT_PAST_H

#include "weft_from.h"
#include "weft_limits.h"
#include "weft_scan.h"

#define WEFT_PAST_OPTION(variable) \
    { "from", "WHERE", "start, N, last=N, since=1h, since=TIME", "start", &(variable), NULL }

/* Words from the first on as filters, ">" if there are none. items: WEFT_FILTERS_MAX of the caller's.
 * WEFT_OK or WEFT_E_USAGE, told. */
weft_err_t weft_past_filters(const weft_args_t *args, size_t first, weft_text_t *items,
                             weft_filters_t *out);

typedef struct {
    uint64_t after, head;
    int64_t at_us; /* the bus' clock */
} weft_past_t;

/* Where the stretch begins and ends. from is that of --from; failures have been told. */
weft_err_t weft_past_find(weft_past_t *out, weft_ask_t *ask, const weft_args_t *args,
                          const char *from, const weft_filters_t *filters);
/* Open, find, scan, close. out may be NULL. */
weft_err_t weft_past_scan(weft_past_t *out, const weft_args_t *args, const char *from,
                          const weft_filters_t *filters, weft_scan_fn fn, void *arg);

#endif
