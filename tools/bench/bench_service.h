/* bench_service: a service as a measured role, and the same statements in a plain loop. */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include "bench_crew.h"

/* What either does. */
typedef struct {
    const char *bus; /* control endpoint; for the plain loop unused */
    const char *dir; /* empty: the database comes here */
    uint64_t count;  /* events to handle, or transactions to make */
    uint64_t batch;  /* plain loop: events a transaction */
    bool emit;       /* each event, or transaction, emits one */
    bool drain;      /* end once all that was emitted is acknowledged */
} bench_work_t;

/* A service whose handler writes one row for each event of the log. Ready when it runs, begins at once.
 * Checks in the end that each event is there once. */
void bench_role_service(bench_board_t *board, bench_slot_t *self, const void *arg);
/* The same statements in a plain loop. */
void bench_role_plain(bench_board_t *board, bench_slot_t *self, const void *arg);
/* A service that makes one transaction each turn of its loop, as for requests from outside: one row,
 * one event. */
void bench_role_requests(bench_board_t *board, bench_slot_t *self, const void *arg);

#endif
