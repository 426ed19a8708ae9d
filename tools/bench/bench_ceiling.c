/* bench_ceiling: what a bare loop of weft's shape reaches on this machine: publisher → store →
 * subscriber as processes over ZeroMQ, grouped messages, a window of 8192 events, up to 4096 a commit,
 * the rows that the real bus stores. Nothing is checked, hashed or decoded; events have one size. */
#include "bench_run.h"
#include "bench_system.h"
#include "bench_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define WINDOW 8192u
#define BATCH 4096u
#define GROUP ((32u << 10) / BENCH_EVENT_BYTES) /* events a message */
#define STAMP_BYTES 28u
#define MESSAGES (BATCH + 1)
#define ACK "$ack"
#define HWM 65536

static void s_check(int rc, const char *what) {
    if (rc < 0) bench_fail("ceiling: %s: %s", what, zmq_strerror(zmq_errno()));
}

static void *s_socket(void *context, int type, int port, bool bind) {
    char endpoint[64];
    int hwm = HWM;
    void *socket = zmq_socket(context, type);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    s_check(zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm, sizeof hwm), "option");
    s_check(zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm), "option");
    s_check(bind ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint), endpoint);
    return socket;
}

/* ---- store */

typedef struct {
    void *ingest, *fanout;
    bench_table_t *table;
    zmq_msg_t messages[MESSAGES];
    size_t count;
    uint64_t published;
} bench_store_t;

static size_t s_drain(bench_store_t *self) {
    size_t events = 0;
    while (events < BATCH) {
        zmq_msg_t *message = &self->messages[self->count];
        zmq_msg_init(message);
        if (zmq_msg_recv(message, self->ingest, ZMQ_DONTWAIT) < 0) break;
        if (zmq_msg_more(message)) continue; /* the type */
        events += zmq_msg_size(message) / BENCH_EVENT_BYTES;
        self->count++;
    }
    return events;
}

static void s_store(bench_store_t *self) {
    bench_table_begin(self->table);
    for (size_t i = 0; i < self->count; i++) {
        const char *bytes = zmq_msg_data(&self->messages[i]);
        size_t size = zmq_msg_size(&self->messages[i]);
        for (size_t at = 0; at + BENCH_EVENT_BYTES <= size; at += BENCH_EVENT_BYTES)
            bench_table_add(self->table, bytes + at, BENCH_EVENT_BYTES);
    }
    bench_table_commit(self->table);
}

static void s_fan_out(bench_store_t *self) {
    uint64_t position = self->published;
    for (size_t i = 0; i < self->count; i++) {
        const char *from = zmq_msg_data(&self->messages[i]);
        size_t events = zmq_msg_size(&self->messages[i]) / BENCH_EVENT_BYTES;
        zmq_msg_t body;
        s_check(zmq_msg_init_size(&body, events * (STAMP_BYTES + BENCH_EVENT_BYTES)), "message");
        char *to = zmq_msg_data(&body);
        for (size_t j = 0; j < events; j++) {
            memset(to, 0, STAMP_BYTES);
            position++;
            memcpy(to, &position, sizeof position);
            memcpy(to + STAMP_BYTES, from, BENCH_EVENT_BYTES);
            to += STAMP_BYTES + BENCH_EVENT_BYTES;
            from += BENCH_EVENT_BYTES;
        }
        s_check(zmq_send(self->fanout, BENCH_TYPE, strlen(BENCH_TYPE), ZMQ_SNDMORE), "publish");
        s_check(zmq_msg_send(&body, self->fanout, 0), "publish");
    }
    self->published = position;
    s_check(zmq_send(self->fanout, ACK, strlen(ACK), ZMQ_SNDMORE), "ack");
    s_check(zmq_send(self->fanout, &position, sizeof position, 0), "ack");
}

static void s_serve(bench_server_t *server) {
    static bench_store_t self;
    char byte;
    void *context = zmq_ctx_new();
    self.table = bench_table_new(server->dir);
    self.ingest = s_socket(context, ZMQ_XSUB, server->port, true);
    self.fanout = s_socket(context, ZMQ_XPUB, server->port2, true);
    s_check(zmq_send(self.ingest, "\1", 1, 0), "subscribe");
    for (;;) {
        zmq_pollitem_t items[] = {{.socket = self.ingest, .events = ZMQ_POLLIN},
                                  {.socket = self.fanout, .events = ZMQ_POLLIN}};
        s_check(zmq_poll(items, 2, -1), "poll");
        if (items[1].revents) (void) zmq_recv(self.fanout, &byte, 1, ZMQ_DONTWAIT);
        self.count = 0;
        if (!s_drain(&self)) continue;
        s_store(&self);
        s_fan_out(&self);
        for (size_t i = 0; i < self.count; i++) zmq_msg_close(&self.messages[i]);
        bench_table_checkpoint(self.table);
    }
}

static void s_start(bench_server_t *server, const char *dir) {
    int ingest = bench_free_port(), fanout = bench_free_port();
    *server = (bench_server_t){.port = ingest, .port2 = fanout};
    bench_server_fork(server, dir, s_serve);
}

/* ---- publisher and subscriber */

typedef struct {
    void *ingest, *acks;
    uint64_t sent, acked;
} bench_sender_t;

static void s_take_ack(bench_sender_t *self, int flags) {
    char topic[16];
    uint64_t position;
    if (zmq_recv(self->acks, topic, sizeof topic, flags) < 0) return;
    s_check(zmq_recv(self->acks, &position, sizeof position, 0), "ack");
    self->acked = position;
}

static void s_send(bench_sender_t *self, const char *event, size_t events) {
    zmq_msg_t body;
    s_check(zmq_msg_init_size(&body, events * BENCH_EVENT_BYTES), "message");
    for (size_t i = 0; i < events; i++)
        memcpy((char *) zmq_msg_data(&body) + i * BENCH_EVENT_BYTES, event, BENCH_EVENT_BYTES);
    s_check(zmq_send(self->ingest, BENCH_TYPE, strlen(BENCH_TYPE), ZMQ_SNDMORE), "send");
    s_check(zmq_msg_send(&body, self->ingest, 0), "send");
    self->sent += events;
}

static void s_publish(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    char event[BENCH_EVENT_BYTES], byte;
    bench_sender_t sender = {0};
    void *context = zmq_ctx_new();
    memset(event, 'e', sizeof event);
    sender.acks = s_socket(context, ZMQ_SUB, load->server->port2, false);
    s_check(zmq_setsockopt(sender.acks, ZMQ_SUBSCRIBE, ACK, strlen(ACK)), "subscribe");
    sender.ingest = s_socket(context, ZMQ_XPUB, load->server->port, false);
    s_check(zmq_recv(sender.ingest, &byte, 1, 0), "subscription");
    /* until its own subscription and those of the readers have arrived */
    while (!sender.acked || !bench_readers_ready(board, self)) {
        s_send(&sender, event, 1);
        usleep(5000);
        s_take_ack(&sender, ZMQ_DONTWAIT);
    }
    while (sender.acked < sender.sent) s_take_ack(&sender, 0);
    uint64_t before = sender.sent;
    bench_role_ready(board, self);
    bench_role_begin(self);
    while (bench_load_more(load, (sender.sent - before) / GROUP * 64, self->begin_ns)) {
        s_take_ack(&sender, ZMQ_DONTWAIT);
        while (sender.sent - sender.acked + GROUP > WINDOW) s_take_ack(&sender, 0);
        s_send(&sender, event, GROUP);
    }
    while (sender.acked < sender.sent) s_take_ack(&sender, 0);
    bench_role_end(self);
    atomic_store(&self->count, sender.acked);
}

static void s_subscribe(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    void *context = zmq_ctx_new();
    void *socket = s_socket(context, ZMQ_SUB, load->server->port2, false);
    int timeout_ms = 100;
    s_check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, BENCH_TYPE, strlen(BENCH_TYPE)), "subscribe");
    s_check(zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms), "option");
    bench_role_begin(self);
    while (!bench_reader_done(board, self)) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, 0) >= 0 && !zmq_msg_more(&message)) {
            const char *end = (char *) zmq_msg_data(&message) + zmq_msg_size(&message);
            uint64_t position;
            memcpy(&position, end - STAMP_BYTES - BENCH_EVENT_BYTES, sizeof position);
            atomic_store(&self->count, position);
            atomic_store(&self->ready, true);
        }
        zmq_msg_close(&message);
    }
    bench_role_end(self);
}

const bench_system_t bench_ceiling = {.name = "ceiling",
                                      .late_readers = true,
                                      .start = s_start,
                                      .publish = s_publish,
                                      .subscribe = s_subscribe};
