/* bench_floor: the least that a lone publish takes over ZeroMQ on this machine: one process sends a row, another
 * one commits it in the bare table and sends it back. Nothing is checked, hashed or decoded, and both look
 * for what comes before they sleep. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "bench_crew.h"

typedef struct {
    void *context, *out, *in;
} bench_floor_t;

void bench_floor_start(bench_server_t *server, const char *dir);
/* For a role. Ready when a row has come back. */
void bench_floor_open(bench_floor_t *self, const bench_server_t *server);
void bench_floor_publish(bench_floor_t *self, const void *event);
void bench_floor_close(bench_floor_t *self);

#endif
