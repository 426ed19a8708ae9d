/* bench_drive: one load on one fresh server: publishers, live subscribers, and what came of it. */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include "bench_system.h"

typedef struct {
    const bench_system_t *system;
    unsigned publishers, subscribers; /* 0: 1 publisher, no subscriber */
    bench_load_t load;                /* without its server */
    bool watch;                       /* look at the server's memory meanwhile */
    bool index;                       /* of weft: wait for the index of causes afterwards */
} bench_drive_t;

typedef struct {
    uint64_t events;
    double acked_s;       /* events a second, from the first send to the last acknowledgement */
    double delivered_s;   /* over all subscribers, from the first send to the last delivery */
    double server_ns;     /* CPU time of the server, an event */
    double batch;         /* events a commit; 0 if the system does not tell */
    double memory_bytes;  /* most anonymous memory of the server; with watch */
    double wal_bytes;     /* largest WAL; with watch */
    double index_behind;  /* events that the index did not cover at the end; with index */
    double index_s;       /* until it did; with index */
    bench_hist_t latency; /* ns from the time an event was due until its handler; with each_ns */
} bench_driven_t;

void bench_drive(const bench_drive_t *what, bench_driven_t *out);

/* Acknowledged events a second of weft with one publisher and one live subscriber: what shares of
 * capacity refer to. _now: measured by this call; else once a run. */
double bench_capacity(void);
double bench_capacity_now(void);

/* CPU time of a process with all its threads, in ns. */
double bench_cpu_ns(const bench_server_t *server);
/* Anonymous memory of a process, in bytes. */
double bench_memory_bytes(const bench_server_t *server);
/* A role that looks at a server (arg is a bench_server_t) until it is asked to stop: the most of
 * memory goes to values[0], of the WAL to values[1]. */
void bench_role_watch(bench_board_t *board, bench_slot_t *self, const void *arg);

#endif
