/* bench_log: a server with a log of so many events, for rows that read it. */
#ifndef BENCH_LOG_H
#define BENCH_LOG_H

#include "bench_system.h"

typedef struct {
    const bench_system_t *system;
    bench_server_t server;
    uint64_t events;
    uint64_t rare; /* of them */
} bench_log_t;

/* On a fresh directory. */
void bench_log_open(bench_log_t *self, const bench_system_t *system);
/* Publish until the log has so many events, of which one in BENCH_RARE_EACH is rare if asked for.
 * Publishers' own first events are counted.
 * Returns once the server is at rest. */
void bench_log_fill(bench_log_t *self, uint64_t events, bool rare);
/* Ends the server; the directory stays. */
void bench_log_stop(bench_log_t *self);
/* Start it again; returns the seconds until it was ready. */
double bench_log_start(bench_log_t *self);
void bench_log_close(bench_log_t *self);

/* Readers from the beginning, all at once, each until it has target events that the filter lets
 * through (NULL: all); returns the seconds from the first begin to the last end. */
double bench_log_read(const bench_log_t *self, unsigned readers, const char *filter,
                      uint64_t target);

/* weft's log of 10^7 events (fewer by scale) with rare ones among them. Made once a run; whoever needs
 * it shorter gets to look at it while it grows. */
typedef void (*bench_log_look_fn)(bench_log_t *log);
bench_log_t *bench_log_big(bench_log_look_fn look);
uint64_t bench_log_big_events(void);

#endif
