/* weft_log_partial: the directory of a new store, which appears under its name only when it is complete
 * and on disk; until then it is NAME.partial. For copies and imports. */
#ifndef WEFT_LOG_PARTIAL_H
#define WEFT_LOG_PARTIAL_H

#include "weft.h"

#include <limits.h>

typedef struct {
    const char *to;         /* borrowed */
    char partial[PATH_MAX]; /* the directory until then */
    char path[PATH_MAX];    /* of log.db in it */
    int lock;               /* -1: not held */
    char *reason;           /* borrowed: one sentence on error */
    size_t reason_size;
} weft_log_partial_t;

/* Make the directory, take its lock, and remove what one that was killed left in it. to may exist if
 * it is empty. WEFT_OK, WEFT_E_STATE (to is not empty), WEFT_E_LOCKED (somebody else makes a store
 * there), WEFT_E_IO. */
weft_err_t weft_log_partial_enter(weft_log_partial_t *self, const char *to, char *reason,
                                  size_t reason_size);
/* Sync the file, give the directory its name, and sync that. WEFT_OK, WEFT_E_IO. */
weft_err_t weft_log_partial_appear(weft_log_partial_t *self);
/* Unlock; with remove, nothing is left of it. */
void weft_log_partial_leave(weft_log_partial_t *self, bool remove);

#endif
