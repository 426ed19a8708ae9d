/* bench_proxy: raw zmq_proxy as a measured system: XSUB to XPUB, one event a message of two frames.
 * Nothing is stored, acknowledged or decoded; full queues block, so that nothing is lost. */
#include "bench_run.h"
#include "bench_system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define HWM 10000
#define WARM "warm"

static void *s_context; /* each role is a process */

static void s_check(int rc, const char *what) {
    if (rc < 0) bench_fail("zmq_proxy: %s: %s", what, zmq_strerror(zmq_errno()));
}

static void *s_socket(int type, int port, bool bind) {
    char endpoint[64];
    int hwm = HWM, on = 1;
    if (!s_context) s_context = zmq_ctx_new();
    void *socket = zmq_socket(s_context, type);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    s_check(zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm, sizeof hwm), "option");
    s_check(zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm), "option");
    if (type == ZMQ_XPUB)
        s_check(zmq_setsockopt(socket, ZMQ_XPUB_NODROP, &on, sizeof on), "option");
    s_check(bind ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint), endpoint);
    return socket;
}

static void s_serve(bench_server_t *server) {
    void *in = s_socket(ZMQ_XSUB, server->port, true);
    void *out = s_socket(ZMQ_XPUB, server->port2, true);
    s_check(zmq_proxy(in, out, NULL), "proxy");
}

static void s_start(bench_server_t *server, const char *dir) {
    int in = bench_free_port(), out = bench_free_port();
    *server = (bench_server_t){.port = in, .port2 = out};
    bench_server_fork(server, dir, s_serve);
}

static void s_send(void *socket, const char *type, const char *event, size_t size) {
    s_check(zmq_send(socket, type, strlen(type), ZMQ_SNDMORE), "send");
    s_check(zmq_send(socket, event, size, 0), "send");
}

static void s_publish(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    size_t size = bench_event_size(load);
    char *event = calloc(1, size);
    void *socket = s_socket(ZMQ_XPUB, load->server->port, false);
    uint64_t sent = 0;
    while (!bench_readers_ready(board, self)) {
        s_send(socket, WARM, event, size);
        usleep(5000);
    }
    bench_role_ready(board, self);
    bench_role_begin(self);
    for (; bench_load_more(load, sent, self->begin_ns); sent++)
        s_send(socket, BENCH_TYPE, event, size);
    bench_role_end(self);
    atomic_store(&self->count, sent);
    free(event);
    zmq_close(socket);
    zmq_ctx_term(s_context); /* when what is left has been sent */
}

static void s_subscribe(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    void *socket = s_socket(ZMQ_SUB, load->server->port2, false);
    int timeout_ms = 100;
    bool counts = false;
    s_check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), "subscribe");
    s_check(zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms), "option");
    bench_role_begin(self);
    while (!bench_reader_done(board, self)) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, 0) >= 0) {
            if (zmq_msg_more(&message))
                counts = zmq_msg_size(&message) == strlen(BENCH_TYPE);
            else if (counts)
                atomic_fetch_add(&self->count, 1);
            atomic_store(&self->ready, true);
        }
        zmq_msg_close(&message);
    }
    bench_role_end(self);
}

const bench_system_t bench_proxy = {.name = "zmq_proxy",
                                    .late_readers = true,
                                    .start = s_start,
                                    .publish = s_publish,
                                    .subscribe = s_subscribe};
