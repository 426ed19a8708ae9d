/* weft_last: of each subject only the last event. */
#ifndef WEFT_LAST_H
#define WEFT_LAST_H

#include "weft_past.h"
#include "weft_print_event.h"
#include "weft_where.h"

/* Print the last matching event of each subject, in the order of the log, *count of them at most; what
 * was printed is taken off it. past out; the rest as weft_past_scan. */
weft_err_t weft_last_print(weft_past_t *past, const weft_args_t *args, const char *from,
                           const weft_filters_t *filters, weft_where_t *where,
                           const weft_print_t *print, uint64_t *count);

#endif
