/* weft_sequencer: gives events their place in the log, a batch at a time. Pure: the bus writes the
 * batch to disk and then says whether that went well.
 *
 *   begin → take … take → commit or rollback → begin …
 *
 * Rules (docs/protocol.md, Ingest): I2 of an origin only last + 1 is accepted; I3 a rollback takes
 * back positions, chain and origins; I4 source_seq 0 is fire-and-forget; I6 stored_us never goes
 * back; batches are bounded by what is taken, not by what is accepted. */
#ifndef WEFT_SEQUENCER_H
#define WEFT_SEQUENCER_H

#include "weft.h"
#include "weft_buf.h"
#include "weft_counters.h"
#include "weft_limits.h"
#include "weft_record.h"
#include "weft_wire_event.h"

/* A type that has been seen. Owned by the sequencer, address stable. */
typedef struct {
    char *name; /* NUL-terminated */
    size_t size;
    uint64_t hash;
    int64_t store_id;  /* the store's key; 0: not stored yet */
    bool is_new;       /* first seen in this batch */
    uint32_t in_batch; /* index + 1 into the batch' types; 0: none */
} weft_seq_type_t;

/* What is known of an origin. last, position and chain are as committed; the pending ones include
 * the batch in hand. Owned by the sequencer, address stable until forgotten. */
typedef struct {
    weft_uuid_t uuid;
    uint64_t last, position, chain;
    uint64_t pending_last, pending_position, pending_chain;
    bool touched;       /* in this batch: gets an ack */
    bool stored;        /* has a row in the store */
    const char *source; /* of its first event in this batch; points into the batch' bytes */
    size_t source_size;
} weft_seq_origin_t;

/* An accepted event; points into the message it came in. */
typedef struct {
    uint64_t position;
    uint64_t chain;
    uint64_t checksum;
    int64_t stored_us;
    const uint8_t *event;
    size_t size;
    uint32_t type; /* index into the batch' types */
    uint32_t next; /* next row of the same type, index + 1; 0: last */
} weft_row_t;

typedef struct {
    weft_seq_type_t *type;
    uint64_t count;
    uint64_t sum;
    uint32_t first, last; /* rows, index + 1 */
} weft_batch_type_t;

typedef struct weft_sequencer weft_sequencer_t;

/* Continues after the last row of the store. NULL: out of memory. */
weft_sequencer_t *weft_sequencer_new(uint64_t position, uint64_t chain, int64_t stored_us);
void weft_sequencer_destroy(weft_sequencer_t **self_p);

/* Types known to the store, told at start. False: out of memory. */
bool weft_sequencer_load_type(weft_sequencer_t *self, const char *name, size_t size,
                              int64_t store_id);
/* An origin that the store was asked about (last 0: it knows none). NULL: out of memory. */
weft_seq_origin_t *weft_sequencer_load_origin(weft_sequencer_t *self, const uint8_t uuid[16],
                                              uint64_t last, uint64_t position, uint64_t chain);
weft_seq_origin_t *weft_sequencer_origin(const weft_sequencer_t *self, const uint8_t uuid[16]);

void weft_sequencer_begin(weft_sequencer_t *self, int64_t now_us);
/* No more may be taken: commit first. */
bool weft_sequencer_full(const weft_sequencer_t *self);

/* Look up a type by name, new ones included. type out: set on WEFT_OK. Returns WEFT_OK,
 * WEFT_E_BAD_TYPE, WEFT_E_TOO_BIG (name), WEFT_E_FULL (65,536 types), WEFT_E_AGAIN (the batch has
 * 256 types: commit first), WEFT_E_NOMEM. */
weft_err_t weft_sequencer_type(weft_sequencer_t *self, const char *name, size_t size,
                               weft_seq_type_t **type);
/* Take one event of that type. origin must be that of the event, or NULL if its source_seq is 0.
 * True: it has a place. False: drop says why it has none. */
bool weft_sequencer_take(weft_sequencer_t *self, weft_seq_type_t *type, weft_seq_origin_t *origin,
                         const weft_wire_event_t *event, weft_drop_t *drop);
/* Count something that was taken and dropped before it got here. */
void weft_sequencer_drop(weft_sequencer_t *self, weft_drop_t why);

/* The batch in hand. */
const weft_row_t *weft_sequencer_rows(const weft_sequencer_t *self, size_t *count);
weft_batch_type_t *weft_sequencer_types(weft_sequencer_t *self, size_t *count);
weft_seq_origin_t **weft_sequencer_touched(weft_sequencer_t *self, size_t *count);

/* The batch is on disk. Rows, types and touched origins stay readable until the next begin. */
void weft_sequencer_commit(weft_sequencer_t *self);
/* The batch is not on disk: back to the state before begin; its rows are counted as dropped. The
 * touched origins stay readable, they are to be acked from the old state. */
void weft_sequencer_rollback(weft_sequencer_t *self, weft_drop_t why);

/* Committed state. */
uint64_t weft_sequencer_position(const weft_sequencer_t *self);
uint64_t weft_sequencer_chain(const weft_sequencer_t *self);

/* The record for the batch that was just committed, or a heartbeat if it was empty. types point
 * into the sequencer. */
void weft_sequencer_record(weft_sequencer_t *self, uint64_t boot, const weft_uuid_t *log,
                           int64_t at, weft_record_t *out);
/* F1, F2: the next fan-out body of one type of the batch: stamps and events up to the size of a live
 * message. cursor starts at the type's first. False: no more; *size is not set. Returns the size in
 * *size and the first row in *row, to be written with weft_sequencer_body. */
bool weft_sequencer_group(const weft_sequencer_t *self, uint32_t *cursor, uint32_t *row,
                          size_t *size);
/* Write the body that weft_sequencer_group measured: size bytes. */
void weft_sequencer_body(const weft_sequencer_t *self, uint32_t row, size_t size, uint8_t *to);

typedef struct {
    uint64_t taken;
    uint64_t stored;
    uint64_t drops[WEFT_DROP_COUNT];
} weft_books_t;
const weft_books_t *weft_sequencer_books(const weft_sequencer_t *self);

#endif
