/* weft_log_writer: a new log made of events that are at hand, without a bus: for imports.
 *
 *   new → put … put → finish → destroy
 *
 * Uses the bus' own sequencer and store, so what it makes is what a bus would have made. The store
 * appears under its name with finish, whole and on disk; without it nothing is left. Owned by one
 * thread. */
#ifndef WEFT_LOG_WRITER_H
#define WEFT_LOG_WRITER_H

#include "weft_log_check.h"
#include "weft_wire_event.h"

typedef struct weft_log_writer weft_log_writer_t;

/* to is made; it may exist if it is empty. reason out on error: one sentence; kept for the other calls,
 * so it must live as long. WEFT_OK, WEFT_E_STATE, WEFT_E_LOCKED, WEFT_E_IO, WEFT_E_FULL, WEFT_E_STORE,
 * WEFT_E_NOMEM. */
weft_err_t weft_log_writer_new(weft_log_writer_t **out, const char *to, char *reason,
                               size_t reason_size);
/* The next event. Its fields must be legal but for its source_seq: 0 stays (fire-and-forget), else it
 * becomes the next one of its origin. stored_us never goes back: an earlier one becomes that of the
 * event before. position out: where it lies.
 * WEFT_OK, WEFT_E_BAD_TYPE, WEFT_E_TOO_BIG, WEFT_E_FULL, WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t weft_log_writer_put(weft_log_writer_t *self, const char *type, size_t type_size,
                               const weft_wire_event_t *event, int64_t stored_us,
                               uint64_t *position);
/* check out: what the store that now is there holds. As new, and WEFT_E_CORRUPT. */
weft_err_t weft_log_writer_finish(weft_log_writer_t *self, weft_log_check_t *check);
void weft_log_writer_destroy(weft_log_writer_t **self_p);

#endif
