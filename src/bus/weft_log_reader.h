/* weft_log_reader: reads the store through a connection of its own. Whatever it hands out has been
 * checked against its checksum and its place in the chain (P6).
 *
 *   begin → any of head, place, origin, page → end        one read transaction (C2)
 *
 * Owned by one thread. After WEFT_E_CORRUPT, weft_log_reader_reason says which row. */
#ifndef WEFT_LOG_READER_H
#define WEFT_LOG_READER_H

#include "weft.h"
#include "weft_buf.h"
#include "weft_control.h"
#include "weft_log_trust.h"
#include "weft_readers.h"
#include "weft_turnstile.h"

typedef struct weft_log_reader weft_log_reader_t;

typedef struct {
    uint64_t position, chain;      /* of the last row, or the anchor */
    int64_t stored_us;             /* 0: there never was one */
    uint64_t anchor, anchor_chain; /* the place before the first row that is kept */
} weft_log_head_t;

typedef struct {
    uint64_t next, chain; /* where the reader stands after it */
    uint64_t count, sum;  /* events in it, their row checksums */
} weft_log_page_t;

/* The database must exist, with a schema of ours. WEFT_OK, WEFT_E_NOMEM or as weft_db_open. */
weft_err_t weft_log_reader_new(weft_log_reader_t **out, const char *path);
void weft_log_reader_destroy(weft_log_reader_t **self_p);

/* From now on transactions wait their turn; turnstile lives longer than self. */
void weft_log_reader_share(weft_log_reader_t *self, weft_turnstile_t *turnstile);

/* Start a read transaction; head is the log as it will be seen until end. */
weft_err_t weft_log_reader_begin(weft_log_reader_t *self, weft_log_head_t *head);
void weft_log_reader_end(weft_log_reader_t *self);
/* What stands beside the rows, as begin has checked it. Owned by self, until the next begin. */
const weft_log_meta_t *weft_log_reader_meta(const weft_log_reader_t *self);

/* Is the row at this position whole and in the chain? WEFT_OK, WEFT_E_CORRUPT, WEFT_E_STORE.
 * chain out: at that position. The anchor's own position is always whole. */
weft_err_t weft_log_reader_verify(weft_log_reader_t *self, uint64_t position, uint64_t *chain);
/* C1: may a reader that stands there go on? WEFT_OK, WEFT_E_OTHER_LOG, WEFT_E_LOG_BEHIND,
 * WEFT_E_GONE, WEFT_E_FORKED, WEFT_E_CORRUPT, WEFT_E_STORE; the reason names the numbers. */
weft_err_t weft_log_reader_place(weft_log_reader_t *self, const weft_uuid_t *log,
                                 const weft_place_t *place);
/* last is 0 if the origin is unknown. WEFT_OK, WEFT_E_CORRUPT, WEFT_E_STORE. */
weft_err_t weft_log_reader_origin(weft_log_reader_t *self, const weft_uuid_t *origin,
                                  weft_origin_state_t *out);
/* Call fn for each origin until it says false. WEFT_OK also then; WEFT_E_CORRUPT, WEFT_E_STORE. */
typedef bool (*weft_log_origin_fn)(void *arg, const weft_uuid_t *origin,
                                   const weft_origin_state_t *state);
weft_err_t weft_log_reader_origins(weft_log_reader_t *self, weft_log_origin_fn fn, void *arg);
/* Is the head's row whole, are all origins there and whole, and does none know of a row beyond it? WEFT_OK, WEFT_E_CORRUPT,
 * WEFT_E_STORE. */
weft_err_t weft_log_reader_verify_head(weft_log_reader_t *self);
/* C2: append matching rows after from to w, as type, stamp, event. max_events ≥ 1.
 * Each row that it passes is verified, also those that the filters skip; it ends before a damaged one.
 * WEFT_OK, WEFT_E_CORRUPT (the row after from is damaged), WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t weft_log_reader_page(weft_log_reader_t *self, uint64_t from,
                                const weft_filters_t *filters, uint64_t max_events,
                                uint64_t max_bytes, weft_buf_t *w, weft_log_page_t *out);

/* When a row was stored, and the size of its event. Not checked. WEFT_E_CORRUPT: it is not there. */
weft_err_t weft_log_reader_look(weft_log_reader_t *self, uint64_t position, int64_t *stored_us,
                                uint64_t *size);
/* Bytes that the database uses, without what is free in it. */
weft_err_t weft_log_reader_used(weft_log_reader_t *self, uint64_t *bytes);
/* The services that the store knows, last seen first; fn returns false to end. Also outside of a
 * transaction. */
weft_err_t weft_log_reader_readers(weft_log_reader_t *self,
                                   bool (*fn)(void *arg, const weft_reader_t *reader), void *arg);

const char *weft_log_reader_reason(const weft_log_reader_t *self);

#endif
