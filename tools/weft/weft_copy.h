/* weft_copy: a copy of a store with progress on the terminal, for backup, restore and fork. */
#ifndef WEFT_COPY_H
#define WEFT_COPY_H

#include "weft_log_copy.h"
#include "weft_verb.h"

/* Copy up to a position, or WEFT_LOG_COPY_ALL, and print what came of it. A mistake has been told on
 * stderr. */
weft_err_t weft_copy(const weft_args_t *args, const char *from, uint64_t up_to, const char *to);

#endif
