/* weft_bus_stats: what the threads of the bus know of each other. Atomics only: each figure is written by
 * one thread, and read by control (STATUS) and by metrics. */
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
    X(live_skipped, "events too large for the live stream; subscribers pull them")       \
    X(refusals_lost, "refusals that the control thread was not told of")                 \
    X(connections, "connections that are open now, of all three sockets")                \
    X(connections_refused, "connections shut down: beyond the cap of a socket")          \
    X(topics_cut, "connections shut down: too many topics")                              \
    X(indexed, "position up to which the index of causes knows the log")

/* The control thread writes these. */
#define WEFT_CONTROL_COUNTERS(X)                                         \
    X(hello, "HELLO requests")                                           \
    X(fetch, "FETCH requests")                                           \
    X(status, "STATUS requests")                                         \
    X(report, "REPORT messages")                                         \
    X(effects, "EFFECTS requests")                                       \
    X(trace, "TRACE requests")                                           \
    X(trim, "TRIM requests")                                             \
    X(pages, "PAGE replies")                                             \
    X(pages_again, "those of them that had been read before, or ahead")  \
    X(events_served, "events in them")                                   \
    X(place_refused, "positions of another log, behind, forked or gone") \
    X(bad_request, "malformed or unknown requests")                      \
    X(version_refused, "HELLO requests of another protocol version")     \
    X(replies_lost, "replies that did not fit the peer's queue, or peer gone")

typedef struct {
#define X(name, help) atomic_uint_least64_t name;
    WEFT_BUS_COUNTERS(X)
    WEFT_CONTROL_COUNTERS(X)
#undef X
    atomic_uint_least64_t drops[WEFT_DROP_COUNT];
    weft_histogram_t commit_us, batch_events;
    atomic_uint_least64_t head,
        first; /* last committed position; the place before the oldest event */
    atomic_uint_least64_t wal_bytes; /* that the last commit left in the WAL */
    atomic_int trouble;              /* weft_err_t: WEFT_OK, or why no events are accepted */
    atomic_int_least64_t bus_turn_ms,
        control_turn_ms; /* monotonic: when each loop last went round */
} weft_bus_stats_t;

static inline void weft_bus_stat_add(atomic_uint_least64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static inline void weft_bus_stat_set(atomic_uint_least64_t *figure, uint64_t value) {
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

static inline void weft_bus_stat_turn(atomic_int_least64_t *turn, int64_t now_ms) {
    atomic_store_explicit(turn, now_ms, memory_order_relaxed);
}

static inline weft_err_t weft_bus_stat_trouble(const weft_bus_stats_t *stats) {
    return (weft_err_t) atomic_load_explicit(&stats->trouble, memory_order_relaxed);
}

static inline uint64_t weft_bus_stat(const atomic_uint_least64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
