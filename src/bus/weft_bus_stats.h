/* weft_bus_stats: what the threads of the bus know of each other. Atomics only; the bus thread writes
 * (indexed: that of the index), the control thread reads. */
#ifndef WEFT_BUS_STATS_H
#define WEFT_BUS_STATS_H

#include "weft.h"
#include "weft_counters.h"
#include "weft_histogram.h"

#include <stdatomic.h>

#define WEFT_BUS_COUNTERS(X)                                                             \
    X(taken, "events, or unreadable rests of messages, that came in")                    \
    X(stored, "events that were committed")                                              \
    X(commits, "transactions that stored events")                                        \
    X(records, "commit records published, heartbeats among them")                        \
    X(acks, "acknowledgements published")                                                \
    X(live_messages, "event messages published")                                         \
    X(live_failed, "messages that could not be published; subscribers pull what was in") \
    X(refusals_lost, "refusals that the control thread was not told of")                 \
    X(connections, "connections that are open now, of all three sockets")                \
    X(connections_refused, "connections shut down: beyond the cap of a socket")          \
    X(topics_cut, "connections shut down: too many topics")                              \
    X(indexed, "position up to which the index of causes knows the log")

typedef struct {
#define X(name, help) atomic_uint_least64_t name;
    WEFT_BUS_COUNTERS(X)
#undef X
    atomic_uint_least64_t drops[WEFT_DROP_COUNT];
    weft_histogram_t commit_us, batch_events;
    atomic_uint_least64_t head, cache_bytes; /* last committed position; SQLite's page cache */
    atomic_int trouble; /* weft_err_t: WEFT_OK, or why no events are accepted */
} weft_bus_stats_t;

static inline void weft_bus_stat_add(atomic_uint_least64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static inline void weft_bus_stat_set(atomic_uint_least64_t *figure, uint64_t value) {
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

static inline uint64_t weft_bus_stat(const atomic_uint_least64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
