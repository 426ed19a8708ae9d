/* bench_floor: see bench_floor.h. The sockets are those of weft: PUB to SUB, and back. */
#include "bench_floor.h"

#include "bench_run.h"
#include "bench_system.h"
#include "bench_table.h"

#include <sched.h>
#include <stdio.h>
#include <zmq.h>

#define LOOK_NS 300000 /* as weft */
#define AGAIN_MS 20    /* a first row may come before the subscription */

static void s_check(int rc, const char *what) {
    if (rc < 0) bench_fail("floor: %s: %s", what, zmq_strerror(zmq_errno()));
}

static void *s_socket(void *context, int type, int port, bool bind) {
    char endpoint[64];
    void *socket = zmq_socket(context, type);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    if (type == ZMQ_SUB) s_check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), "subscribe");
    s_check(bind ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint), endpoint);
    return socket;
}

/* Takes a row: true. Nothing for so long: false. */
static bool s_take(void *socket, char *event, int timeout_ms) {
    int64_t until = bench_now_ns() + LOOK_NS;
    while (bench_now_ns() < until) {
        if (zmq_recv(socket, event, BENCH_EVENT_BYTES, ZMQ_DONTWAIT) >= 0) return true;
        sched_yield();
    }
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    s_check(zmq_poll(&item, 1, timeout_ms), "poll");
    return zmq_recv(socket, event, BENCH_EVENT_BYTES, ZMQ_DONTWAIT) >= 0;
}

static void s_serve(bench_server_t *server) {
    char event[BENCH_EVENT_BYTES];
    void *context = zmq_ctx_new();
    void *in = s_socket(context, ZMQ_SUB, server->port, true);
    void *out = s_socket(context, ZMQ_PUB, server->port2, true);
    bench_table_t *table = bench_table_new(server->dir);
    for (;;) {
        if (!s_take(in, event, -1)) continue;
        bench_table_begin(table);
        bench_table_add(table, event, sizeof event);
        bench_table_commit(table);
        s_check(zmq_send(out, event, sizeof event, 0), "send");
        bench_table_checkpoint(table);
    }
}

void bench_floor_start(bench_server_t *server, const char *dir) {
    int in = bench_free_port(), out = bench_free_port();
    *server = (bench_server_t){.port = in, .port2 = out};
    bench_server_fork(server, dir, s_serve);
}

void bench_floor_open(bench_floor_t *self, const bench_server_t *server) {
    char event[BENCH_EVENT_BYTES] = {0};
    self->context = zmq_ctx_new();
    self->out = s_socket(self->context, ZMQ_PUB, server->port, false);
    self->in = s_socket(self->context, ZMQ_SUB, server->port2, false);
    do s_check(zmq_send(self->out, event, sizeof event, 0), "send");
    while (!s_take(self->in, event, AGAIN_MS));
    while (s_take(self->in, event, AGAIN_MS)) continue; /* those that came late */
}

void bench_floor_publish(bench_floor_t *self, const void *event) {
    char back[BENCH_EVENT_BYTES];
    s_check(zmq_send(self->out, event, BENCH_EVENT_BYTES, 0), "send");
    while (!s_take(self->in, back, -1)) continue;
}

void bench_floor_close(bench_floor_t *self) {
    zmq_close(self->out);
    zmq_close(self->in);
    zmq_ctx_term(self->context);
}
