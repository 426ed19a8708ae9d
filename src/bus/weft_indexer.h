/* weft_indexer: keeps the index of causes behind the log, on a thread of its own with a low priority.
 *
 * It reads the log as a reader does, through a read-only connection and in short transactions, so it
 * costs the commit path nothing but the machine's time; while the bus is busy it waits, and catches up
 * after. Not there, damaged, of another log or of another history of this one: the file is made anew.
 * Without an index the bus works as ever, and whoever asks scans what it does not cover. */
#ifndef WEFT_INDEXER_H
#define WEFT_INDEXER_H

#include "weft_bus_stats.h"
#include "weft_turnstile.h"

typedef struct weft_indexer weft_indexer_t;

typedef struct {
    const char *store_path;      /* of the log's database; the index lies beside it. Copied */
    weft_turnstile_t *turnstile; /* of the store */
    weft_uuid_t log;
    weft_bus_stats_t *stats; /* sets indexed, reads stored */
} weft_indexer_config_t;

/* Start the thread; it opens what it needs. WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t weft_indexer_new(weft_indexer_t **out, const weft_indexer_config_t *config);
/* Stops the thread, waits for it, closes the index. NULL-safe. */
void weft_indexer_destroy(weft_indexer_t **self_p);

/* Both from any thread. A damaged index is made anew, and counts as none meanwhile.
 * out      room for max numbers, max even.
 * indexed  out: how far the index came; 0: there is none, and nothing was found. */

/* Cause and effect in turn, for each cause in the order given, its effects ascending; of the first one
 * those beyond after. */
void weft_indexer_effects(weft_indexer_t *self, const uint64_t *causes, size_t causes_count,
                          uint64_t after, uint64_t *out, size_t max, size_t *count,
                          uint64_t *indexed);
/* As weft_causes_trace. */
void weft_indexer_trace(weft_indexer_t *self, const weft_uuid_t *trace, uint64_t after,
                        uint64_t *out, size_t max, size_t *count, uint64_t *indexed);

#endif
