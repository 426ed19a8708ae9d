/* bench_jetstream: NATS JetStream as a measured system: file storage with its default sync (it does
 * not fsync before it acknowledges), 4096 publishes in flight, ordered consumers. */
#include "bench_run.h"
#include "bench_system.h"

#ifdef BENCH_NATS
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAM "bench"
#define IN_FLIGHT 4096
#define WAIT_MS 60000

typedef struct {
    natsConnection *connection;
    jsCtx *js;
} bench_nats_t;

static void s_check(natsStatus rc, const char *what) {
    if (rc != NATS_OK) bench_fail("JetStream: %s: %s", what, natsStatus_GetText(rc));
}

static void s_open(bench_nats_t *self, const bench_server_t *server) {
    char url[64];
    jsOptions options;
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", server->port);
    s_check(natsConnection_ConnectTo(&self->connection, url), "connect");
    s_check(jsOptions_Init(&options), "options");
    options.PublishAsync.MaxPending = IN_FLIGHT;
    options.PublishAsync.StallWait = WAIT_MS;
    s_check(natsConnection_JetStream(&self->js, self->connection, &options), "context");
}

static void s_close(bench_nats_t *self) {
    jsCtx_Destroy(self->js);
    natsConnection_Destroy(self->connection);
}

static void s_add_stream(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const char *subjects[] = {"bench.>"};
    bench_nats_t nats;
    jsStreamConfig config;
    (void) board;
    (void) self;
    s_open(&nats, arg);
    s_check(jsStreamConfig_Init(&config), "stream");
    config.Name = STREAM;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    s_check(js_AddStream(NULL, nats.js, &config, NULL, NULL), "add stream");
    s_close(&nats);
}

static void s_start(bench_server_t *server, const char *dir) {
    char program[] = "nats-server", js[] = "-js", sd[] = "-sd", a[] = "-a", p[] = "-p";
    char host[] = "127.0.0.1", port[16], store[600], output[4096];
    int number = bench_free_port();
    snprintf(port, sizeof port, "%d", number);
    snprintf(store, sizeof store, "%s/store", dir);
    char *argv[] = {program, js, sd, store, a, host, p, port, NULL};
    bench_server_start(server, dir, argv);
    server->port = number;
    do {
        if (!bench_server_output(server, output, sizeof output))
            bench_fail("nats-server has ended: %s", output);
    } while (!strstr(output, "Server is ready"));
    bench_crew_t crew;
    bench_crew_begin(&crew);
    bench_crew_join(&crew, bench_crew_add(&crew, s_add_stream, server));
    bench_crew_end(&crew);
}

static void s_publish(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    int size = (int) bench_event_size(load);
    char *event = calloc(1, (size_t) size);
    bench_nats_t nats;
    jsPubOptions options;
    uint64_t sent = 0;
    s_open(&nats, load->server);
    s_check(jsPubOptions_Init(&options), "options");
    options.MaxWait = WAIT_MS;
    s_check(js_Publish(NULL, nats.js, BENCH_TYPE, event, size, NULL, NULL), "first event");
    bench_role_ready(board, self);
    bench_role_begin(self);
    for (; bench_load_more(load, sent, self->begin_ns); sent++)
        s_check(js_PublishAsync(nats.js, BENCH_TYPE, event, size, NULL), "publish");
    s_check(js_PublishAsyncComplete(nats.js, &options), "acknowledgements");
    bench_role_end(self);
    atomic_store(&self->count, sent + 1);
    s_close(&nats);
    free(event);
}

static void s_lone(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    char event[BENCH_EVENT_BYTES] = {0};
    bench_nats_t nats;
    s_open(&nats, load->server);
    bench_role_ready(board, self);
    bench_role_begin(self);
    for (uint64_t i = 0; i < load->warm + load->count; i++) {
        int64_t begin = bench_now_ns();
        s_check(js_Publish(NULL, nats.js, BENCH_TYPE, event, sizeof event, NULL, NULL), "publish");
        if (i >= load->warm) bench_hist_add(&self->hist, bench_now_ns() - begin);
    }
    bench_role_end(self);
    s_close(&nats);
}

static void s_on_message(natsConnection *connection, natsSubscription *sub, natsMsg *message,
                         void *arg) {
    bench_slot_t *self = arg;
    (void) connection;
    (void) sub;
    if (natsMsg_GetDataLength(message) > 0) atomic_fetch_add(&self->count, 1);
    natsMsg_Destroy(message);
}

static natsSubscription *s_consume(bench_nats_t *nats, jsDeliverPolicy from, bench_slot_t *self) {
    natsSubscription *sub = NULL;
    jsSubOptions options;
    s_check(jsSubOptions_Init(&options), "options");
    options.Ordered = true;
    options.Config.DeliverPolicy = from;
    s_check(js_Subscribe(&sub, nats->js, "bench.>", s_on_message, self, NULL, &options, NULL),
            "ordered consumer");
    return sub;
}

static void s_subscribe(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    bench_nats_t nats;
    s_open(&nats, load->server);
    natsSubscription *sub = s_consume(&nats, js_DeliverNew, self);
    bench_role_begin(self);
    atomic_store(&self->ready, true);
    while (!bench_reader_done(board, self)) usleep(500);
    bench_role_end(self);
    natsSubscription_Destroy(sub);
    s_close(&nats);
}

static void s_replay(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    bench_nats_t nats;
    bench_role_ready(board, self);
    bench_role_begin(self);
    s_open(&nats, load->server);
    natsSubscription *sub = s_consume(&nats, js_DeliverAll, self);
    while (!bench_reader_done(board, self)) usleep(500);
    bench_role_end(self);
    natsSubscription_Destroy(sub);
    s_close(&nats);
}

const bench_system_t bench_jetstream = {.name = "JetStream",
                                        .program = "nats-server",
                                        .start = s_start,
                                        .publish = s_publish,
                                        .lone = s_lone,
                                        .subscribe = s_subscribe,
                                        .replay = s_replay};
#else
const bench_system_t bench_jetstream = {.name = "JetStream", .program = "nats-server"};
#endif
