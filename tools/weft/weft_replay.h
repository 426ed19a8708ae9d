/* weft_replay: what reset and replay share: a service's database and the log that it reads. */
#ifndef WEFT_REPLAY_H
#define WEFT_REPLAY_H

#include "weft_database.h"
#include "weft_past.h"

typedef struct {
    weft_database_t database;
    weft_ask_t ask;
    weft_uuid_t log;      /* of the bus */
    uint64_t from;        /* where the service stands */
    uint64_t first, head; /* of the log */
    weft_resume_t place;  /* where it shall stand */
} weft_replay_t;

typedef struct {
    uint64_t again;    /* matching events that are handled a second time */
    uint64_t never;    /* matching events that are passed over */
    uint64_t unparked; /* parked events that come by the stream again */
    uint64_t emitted;  /* by this service, ever */
} weft_replay_counts_t;

/* Open the database (a dry run only reads it, and the service may run) and ask the bus, which must be on
 * the log that the service reads. Failures have been told. */
weft_err_t weft_replay_open(weft_replay_t *self, const weft_args_t *args, const char *which,
                            bool dry_run);
void weft_replay_close(weft_replay_t *self);
/* Find the position in the log. WEFT_E_LOG_BEHIND: beyond the head; WEFT_E_GONE: trimmed. */
weft_err_t weft_replay_place(weft_replay_t *self, const weft_args_t *args, uint64_t to);
/* What moving there means. */
weft_err_t weft_replay_count(weft_replay_t *self, const weft_args_t *args, uint64_t to,
                             weft_replay_counts_t *out);
/* Move in one transaction. */
weft_err_t weft_replay_move(weft_replay_t *self, const weft_args_t *args);
/* The same statements inside a transaction of the caller's. */
weft_err_t weft_replay_move_in(weft_replay_t *self);

#endif
