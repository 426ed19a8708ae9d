/* weft_causes: the index of causes, an SQLite file of its own beside the log: cause → effects, and
 * trace → events.
 *
 * Derived data that may be thrown away: it is never synced while it grows, and knows of which log it
 * tells and how far it came, (log, position, chain). Who opens it holds that against the log. An index
 * that was not closed before the machine went down is refused as WEFT_E_CORRUPT: what was not synced
 * may be half there. The log's own rows are the truth: what is found here is to be looked up there.
 * Of a trace only the last 8 bytes are kept, so events of another one may be found, too.
 * One connection; the caller sees to it that one thread at a time calls. */
#ifndef WEFT_CAUSES_H
#define WEFT_CAUSES_H

#include "weft.h"

typedef struct weft_causes weft_causes_t;

/* Open, or make an empty index of that log. WEFT_OK, WEFT_E_CORRUPT and WEFT_E_OTHER_LOG (remove it and
 * open again), WEFT_E_SCHEMA (a newer program's), WEFT_E_FULL, WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t weft_causes_open(weft_causes_t **out, const char *path, const weft_uuid_t *log);
/* Syncs it and notes that it is whole. NULL-safe. */
void weft_causes_close(weft_causes_t **self_p);
/* Delete the file and what belongs to it. */
void weft_causes_remove(const char *path);

/* How far it came: all events up to there that the log still has are in it. */
weft_resume_t weft_causes_at(const weft_causes_t *self);

/* What the index keeps of an event. */
typedef struct {
    uint64_t position, cause; /* cause 0: none */
    uint64_t trace;           /* key of it, if traced */
    bool traced;
} weft_causes_note_t;

/* False: it has neither cause nor trace, and out is untouched. traceparent may be NULL. */
bool weft_causes_note(weft_causes_note_t *out, uint64_t position, uint64_t cause,
                      const uint8_t *traceparent);
/* Add events in one transaction, and how far that is. The more at once, the cheaper each, and the longer
 * others wait. Leaves notes in another order. After an error nothing of it is there. */
weft_err_t weft_causes_add(weft_causes_t *self, weft_causes_note_t *notes, size_t count,
                           uint64_t position, uint64_t chain);

/* Forget some of what lies at or below the anchor of the log. more out: call again. */
weft_err_t weft_causes_forget(weft_causes_t *self, uint64_t anchor, bool *more);

/* Effects of one cause beyond after, ascending. out: room for max. count: found, at most max. */
weft_err_t weft_causes_effects(weft_causes_t *self, uint64_t cause, uint64_t after, uint64_t *out,
                               size_t max, size_t *count);
/* Events of a trace beyond after, ascending. */
weft_err_t weft_causes_trace(weft_causes_t *self, const weft_uuid_t *trace, uint64_t after,
                             uint64_t *out, size_t max, size_t *count);

#endif
