/* weft_checkpointer: moves what the WAL holds into the database, on a thread and a connection of its own,
 * while the bus goes on writing. What was committed meanwhile stays in the WAL: the bus moves that little
 * itself, since only a WAL that is moved whole begins anew. */
#ifndef WEFT_CHECKPOINTER_H
#define WEFT_CHECKPOINTER_H

#include "weft.h"

typedef struct weft_checkpointer weft_checkpointer_t;

/* path  of the database, which exists
 * full  as for weft_db_open
 * WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO (no thread), or as weft_db_open. */
weft_err_t weft_checkpointer_new(weft_checkpointer_t **out, const char *path, bool full);
/* Waits for the move in hand. NULL-safe. */
void weft_checkpointer_destroy(weft_checkpointer_t **self_p);

/* On the thread of the owner: begin to move; not while one is in hand. */
void weft_checkpointer_start(weft_checkpointer_t *self);
/* Has the move ended?
 * wait  until it has
 * rc    out, when true: WEFT_OK; WEFT_E_LOCKED, WEFT_E_FULL (some of it stays in the WAL); else what
 *       reached the disk is unknown. */
bool weft_checkpointer_ended(weft_checkpointer_t *self, bool wait, weft_err_t *rc);

#endif
