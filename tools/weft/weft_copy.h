/* weft_copy: a copy of a store with progress on the terminal, for backup and restore. */
#ifndef WEFT_COPY_H
#define WEFT_COPY_H

#include "weft_verb.h"

/* Copy, and print what came of it. A mistake has been told on stderr. */
weft_err_t weft_copy(const weft_args_t *args, const char *from, const char *to);

#endif
