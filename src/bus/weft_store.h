/* weft_store: the log on disk, for writing. DIR/log.db (SQLite, WAL) and DIR/lock.
 *
 * Rules (docs/protocol.md, Ingest): I3 what weft_store_append returned WEFT_OK for is on disk, all of
 * it; after an error none of it is there. I4 origins are never forgotten.
 * A full disk is a state that passes, and so is another program's lock; any other failure is for
 * good (weft_store_trouble): what reached the disk is then unknown until a restart has looked.
 * Owned by one thread. */
#ifndef WEFT_STORE_H
#define WEFT_STORE_H

#include "weft.h"
#include "weft_log_reader.h"
#include "weft_readers.h"
#include "weft_sequencer.h"
#include "weft_turnstile.h"

typedef struct weft_store weft_store_t;

/* Open or make the store in dir, take its lock, and check its head.
 * full    every commit waits for the disk (P1); false survives the death of the process only.
 * reason  out on error: one sentence, what is wrong and what to do.
 * Returns WEFT_OK, WEFT_E_LOCKED, WEFT_E_SCHEMA, WEFT_E_CORRUPT, WEFT_E_STORE, WEFT_E_FULL,
 *         WEFT_E_IO, WEFT_E_NOMEM. */
weft_err_t weft_store_open(weft_store_t **out, const char *dir, bool full, char *reason,
                           size_t reason_size);
void weft_store_destroy(weft_store_t **self_p);

const char *weft_store_path(const weft_store_t *self); /* of the database */
const weft_uuid_t *weft_store_log(const weft_store_t *self);
const weft_log_head_t *weft_store_head(const weft_store_t *self); /* as found when it was opened */

/* Tell the sequencer all types. WEFT_OK, WEFT_E_STORE, WEFT_E_CORRUPT, WEFT_E_NOMEM. */
weft_err_t weft_store_load_types(weft_store_t *self, weft_sequencer_t *sequencer);
/* last out: 0 if the origin is unknown. WEFT_OK, WEFT_E_CORRUPT (this origin alone), or an error for good. */
weft_err_t weft_store_origin(weft_store_t *self, const uint8_t uuid[16], uint64_t *last,
                             uint64_t *position, uint64_t *chain);
/* Write the batch in hand in one transaction. Sets store_id of new types; the caller then calls
 * weft_sequencer_commit or weft_sequencer_rollback. WEFT_OK, WEFT_E_FULL, or an error for good. */
weft_err_t weft_store_append(weft_store_t *self, weft_sequencer_t *sequencer);
/* While the disk is full or locked: does it take a small write again? Publishers that were told of the
 * trouble send nothing that could try. WEFT_OK if there is no trouble any more, else the trouble. */
weft_err_t weft_store_retry(weft_store_t *self);
/* Forget the events up to that position, which is in the log and beyond the anchor: it becomes the
 * anchor, with its chain and its time, so that all checks go on from there (P6) and positions go on
 * even when no row is left. Origins stay (I4). Not synced: after a power loss they may be there again.
 * WEFT_OK, WEFT_E_FULL, WEFT_E_LOCKED, WEFT_E_CORRUPT (no such row: nothing is done), or an error for good. */
weft_err_t weft_store_trim(weft_store_t *self, uint64_t to);
uint64_t weft_store_anchor(const weft_store_t *self);
/* SQLite's setting as it is now: 2 is FULL. For tests. */
int weft_store_synchronous(const weft_store_t *self);
/* Write down what is known of services that read. Not synced. WEFT_OK or as weft_store_append. */
weft_err_t weft_store_put_readers(weft_store_t *self, const weft_reader_t *readers, size_t count);
/* For the reads of another thread (weft_log_reader_share). Owned by the store. */
weft_turnstile_t *weft_store_turnstile(const weft_store_t *self);
/* Move what is in the WAL into the database once it has grown enough, so that it begins anew. To be called
 * after the acks. From WEFT_STORE_WAL_TARGET bytes on it does so if nobody reads just then; from
 * WEFT_STORE_WAL_MOST on it waits for the read in hand. */
weft_err_t weft_store_checkpoint(weft_store_t *self);
/* Would it? must out: also wait for a read. */
bool weft_store_checkpoint_due(weft_store_t *self, bool *must);
/* How another thread's checkpoint ended (weft_checkpointer). Busy readers and a full disk pass: what is
 * committed stays in the WAL. A failed sync does not. */
weft_err_t weft_store_moved(weft_store_t *self, weft_err_t rc);
/* Bytes in the WAL after the last commit. */
uint64_t weft_store_wal_bytes(const weft_store_t *self);
/* The events of a moment wait for a checkpoint: with 16 MiB that was the p99 of a bus close to its capacity,
 * with 4 MiB it acknowledged fewer a second (weft-bench, rows live and ack). */
#define WEFT_STORE_WAL_TARGET (8u << 20)
#define WEFT_STORE_WAL_MOST (16u << 20)
/* Another target, and twice that as the most; for tests of small stores. */
void weft_store_set_wal_target(weft_store_t *self, unsigned bytes);

/* WEFT_OK; WEFT_E_FULL (disk) or WEFT_E_LOCKED (another program holds the database) until an append
 * or a retry goes well; else the error that closed it for good. */
weft_err_t weft_store_trouble(const weft_store_t *self);

#endif
