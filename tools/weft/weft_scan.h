/* weft_scan: go through a stretch of the log by pages, with progress on the terminal. */
#ifndef WEFT_SCAN_H
#define WEFT_SCAN_H

#include "weft_online.h"

/* False: enough. */
typedef bool (*weft_scan_fn)(void *arg, const weft_ask_row_t *row);

/* The matching events in (after, up_to], in order. Failures have been told.
 * WEFT_OK, WEFT_E_INTERRUPTED, and as weft_ask. */
weft_err_t weft_scan(weft_ask_t *ask, const weft_args_t *args, const weft_filters_t *filters,
                     uint64_t after, uint64_t up_to, weft_scan_fn fn, void *arg);

#endif
