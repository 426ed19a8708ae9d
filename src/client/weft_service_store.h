/* weft_service_store: a service's database file and the library's tables in it.
 *
 *   weft_meta      schema, name, origin, steps (user's schema)
 *   weft_position  one row: where the service stands in the log (S6)
 *   weft_filters   filters it has a position for, and how far an added one has come (S7)
 *   weft_outbox, weft_acked   see weft_outbox.h
 *   weft_parked    events set aside after their handler failed
 *   weft_commands  see weft_commands.h
 *
 * One process a file: a lock beside it is held as long as the store is open. */
#ifndef WEFT_SERVICE_STORE_H
#define WEFT_SERVICE_STORE_H

#include "weft.h"
#include "weft_stmt.h"

typedef struct {
    sqlite3 *db;
    int lock_fd;
    char *path;
    weft_stmt_t position_write, filter_write, park, park_failed, unpark, parked_next;
} weft_service_store_t;

/* Open or create DIR/NAME.db and lock it. The cause of an error has gone to weft_diag.
 * WEFT_OK, WEFT_E_LOCKED, WEFT_E_SCHEMA, WEFT_E_CORRUPT, WEFT_E_STORE, WEFT_E_FULL, WEFT_E_IO, WEFT_E_NOMEM,
 * WEFT_E_ARG (the file belongs to a service of another name). */
weft_err_t weft_service_store_open(weft_service_store_t *self, const char *dir, const char *name);
void weft_service_store_close(weft_service_store_t *self);
/* See weft_service_schema. */
weft_err_t weft_service_store_schema(weft_service_store_t *self, const char *const *steps,
                                     size_t count);

weft_err_t weft_service_store_position(weft_service_store_t *self, weft_resume_t *out);
/* Inside a transaction. */
weft_err_t weft_service_store_move(weft_service_store_t *self, const weft_resume_t *to);

/* The user adopts another log, or another place in it: the position is put there and all filters are
 * current. Events that are parked must not lie beyond it: WEFT_E_STATE. In a transaction. */
weft_err_t weft_service_store_adopt(weft_service_store_t *self, const weft_resume_t *to);

/* S7: what the database knows of a filter. */
typedef enum { WEFT_FILTER_UNKNOWN, WEFT_FILTER_CURRENT, WEFT_FILTER_BEHIND } weft_filter_state_t;
/* at out: for WEFT_FILTER_BEHIND, how far it has come. */
weft_err_t weft_service_store_filter(weft_service_store_t *self, const char *filter,
                                     weft_filter_state_t *state, weft_resume_t *at);
/* at NULL: current from now on. Also inside a transaction. */
weft_err_t weft_service_store_filter_set(weft_service_store_t *self, const char *filter,
                                         const weft_resume_t *at);
/* The lowest position that the database may still ask the log for: its own, or that of a filter which
 * is behind. */
weft_err_t weft_service_store_resume(weft_service_store_t *self, weft_position_t *out);
/* Forget the filters that are not among these. */
weft_err_t weft_service_store_filters_keep(weft_service_store_t *self, const char *const *filters,
                                           size_t count);

/* Parked events; filter "" means: for all handlers. park, failed and unpark inside a transaction. */
weft_err_t weft_service_store_park(weft_service_store_t *self, const weft_event_t *event,
                                   const char *filter, unsigned attempts, const char *error);
typedef struct {
    weft_position_t position;
    uint64_t chain;
    int64_t stored_us;
    char *filter, *type, *subject;
    uint8_t *event;
    size_t event_size;
} weft_parked_t;
/* The subject's first parked event after that position and filter; subject NULL: of any.
 * WEFT_E_NOT_FOUND: none. Free with weft_parked_free. */
weft_err_t weft_service_store_parked_next(weft_service_store_t *self, const char *subject,
                                          weft_position_t after, const char *after_filter,
                                          weft_parked_t *out);
void weft_parked_free(weft_parked_t *self);
weft_err_t weft_service_store_parked_failed(weft_service_store_t *self, const weft_parked_t *parked,
                                            const char *error);
weft_err_t weft_service_store_unpark(weft_service_store_t *self, const weft_parked_t *parked);
/* How many parked events lie at or below that position. */
weft_err_t weft_service_store_parked_upto(weft_service_store_t *self, weft_position_t upto,
                                          uint64_t *count);
/* All subjects with parked events, "" among them if there are; fn is called for each. oldest_us: when
 * the first of them was parked. */
typedef bool (*weft_subject_fn)(void *arg, const char *subject, uint64_t count, int64_t oldest_us);
weft_err_t weft_service_store_subjects(weft_service_store_t *self, weft_subject_fn fn, void *arg);
/* Forget parked events for good: of a subject (NULL: of any), at a position (0: at any). */
weft_err_t weft_service_store_drop(weft_service_store_t *self, const char *subject,
                                   weft_position_t position, uint64_t *dropped);

#endif
