/* bench_crew: the processes of one measurement. Roles are forked children that answer through shared
 * memory; servers are programs (weft-bus, nats-server, redis-server). Parents never open a socket of
 * a library, so that children start clean. Children die with their parent. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "bench_stats.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a role tells. */
typedef struct {
    _Atomic bool ready;
    _Atomic uint64_t count; /* events so far */
    int64_t begin_ns, end_ns;
    double values[4]; /* what else it has to tell */
    bench_hist_t hist;
} bench_slot_t;

#define BENCH_ROLES_MAX 40

typedef struct {
    _Atomic bool go;
    _Atomic bool stop;
    _Atomic uint64_t target; /* readers end once they have so many; 0: not known yet */
    bench_slot_t slots[BENCH_ROLES_MAX];
} bench_board_t;

typedef struct {
    bench_board_t *board;
    pid_t pids[BENCH_ROLES_MAX]; /* 0: ended */
    unsigned count;
} bench_crew_t;

typedef void (*bench_role_fn)(bench_board_t *board, bench_slot_t *self, const void *arg);

void bench_crew_begin(bench_crew_t *self);
/* Fork a role; returns its slot. */
bench_slot_t *bench_crew_add(bench_crew_t *self, bench_role_fn fn, const void *arg);
/* Wait until all roles so far are ready. */
void bench_crew_ready(bench_crew_t *self);
void bench_crew_go(bench_crew_t *self);
/* Wait until the role in this slot has ended well. */
void bench_crew_join(bench_crew_t *self, const bench_slot_t *slot);
/* Ask all to stop, wait for them, free the board. */
void bench_crew_end(bench_crew_t *self);

/* For roles: say ready, wait for go. */
void bench_role_ready(bench_board_t *board, bench_slot_t *self);
void bench_role_begin(bench_slot_t *self);
void bench_role_end(bench_slot_t *self);

/* A program; its output goes to a file in its directory. */
typedef struct {
    pid_t pid; /* 0: not running */
    int port, port2;
    char dir[512];
    char bus[64]; /* of a weft-bus: its control endpoint */
} bench_server_t;

void bench_server_start(bench_server_t *self, const char *dir, char *const argv[]);
/* The same for a function of this program, which never returns. */
void bench_server_fork(bench_server_t *self, const char *dir, void (*serve)(bench_server_t *));
/* Reads what it has printed; false: it has ended. */
bool bench_server_output(bench_server_t *self, char *text, size_t size);
void bench_server_stop(bench_server_t *self);
bool bench_port_open(int port);
int bench_free_port(void);
bool bench_program_there(const char *name);

void bench_crew_stop_all(void);

#endif
