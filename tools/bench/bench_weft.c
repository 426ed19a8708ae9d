/* bench_weft: weft as a measured system: the real weft-bus and the public library. */
#include "bench_pub.h"
#include "bench_run.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define LOOK_MS 20 /* whether the index of causes has caught up */
#define TICK_NS \
    50000 /* a publisher in an open loop sleeps as long at least; what is due then, is late */

static void s_check(weft_err_t rc, const char *what) {
    if (rc != WEFT_OK) bench_fail("weft: %s: %s", what, weft_err_text(rc));
}

static void s_start(bench_server_t *server, const char *dir) {
    char program[4200], store[600], output[4096];
    char endpoint[] = "--endpoint", any[] = "tcp://127.0.0.1:*", at[] = "--store";
    const char *given = getenv("WEFT_BUS_PROGRAM");
    snprintf(program, sizeof program, "%s", given ? given : "");
    if (!given) snprintf(program, sizeof program, "%s/weft-bus", bench_run_bin());
    snprintf(store, sizeof store, "%s/store", dir);
    char *argv[] = {program, endpoint, any, at, store, NULL};
    bench_server_start(server, dir, argv);
    for (;;) {
        bool runs = bench_server_output(server, output, sizeof output);
        const char *ready = strstr(output, "control=");
        if (ready && strchr(ready, '\n') && sscanf(ready, "control=%63s", server->bus) == 1) return;
        if (!runs) bench_fail("weft-bus has ended: %s", output);
    }
}

/* Open loop: each event is due at its time, however long the one before took. Its data begins with
 * that time. */
static void s_pace(bench_pub_t *pub, const bench_load_t *load, const bench_data_t *data,
                   int64_t begin_ns) {
    int64_t end_ns = begin_ns + (int64_t) (load->seconds * 1e9);
    for (int64_t due = begin_ns; due < end_ns;) {
        for (int64_t now = bench_now_ns(); due <= now && due < end_ns;
             due += (int64_t) load->each_ns) {
            memcpy((char *) data->bytes + BENCH_DUE_AT, &due, sizeof due);
            bench_pub_send(pub, BENCH_TYPE, data, NULL);
        }
        s_check(weft_pub_step(pub->pub), "step");
        int64_t now = bench_now_ns();
        int64_t wait = due <= now ? 0 : due - now < TICK_NS ? TICK_NS : due - now;
        struct timespec left = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
        struct pollfd item = {.fd = weft_pub_fd(pub->pub), .events = POLLIN};
        if (wait > 0) (void) ppoll(&item, 1, &left, NULL);
    }
}

static void s_burst(bench_pub_t *pub, const bench_load_t *load, const bench_data_t *data,
                    int64_t begin_ns) {
    for (uint64_t sent = 0; bench_load_more(load, sent, begin_ns); sent++)
        bench_pub_send(pub,
                       load->rare && sent % BENCH_RARE_EACH == 0 ? BENCH_RARE_TYPE : BENCH_TYPE,
                       data, NULL);
}

static void s_publish(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    bench_data_t data = bench_data(load->data_size ? load->data_size : BENCH_DATA_BYTES);
    bench_pub_t pub;
    bench_pub_open(&pub, load->server->bus, &data);
    bench_role_ready(board, self);
    prctl(PR_SET_TIMERSLACK, 1ul);
    bench_role_begin(self);
    (load->each_ns ? s_pace : s_burst)(&pub, load, &data, self->begin_ns);
    uint64_t acked = bench_pub_flush(&pub);
    bench_role_end(self);
    atomic_store(&self->count, acked); /* with the first one */
    bench_pub_close(&pub);
}

static void s_lone(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    bench_data_t data = bench_data(BENCH_DATA_BYTES);
    bench_pub_t pub;
    bench_pub_open(&pub, load->server->bus, &data);
    bench_role_ready(board, self);
    bench_role_begin(self);
    for (uint64_t i = 0; i < load->warm + load->count; i++) {
        int64_t begin = bench_now_ns();
        bench_pub_send(&pub, BENCH_TYPE, &data, NULL);
        (void) bench_pub_flush(&pub);
        if (i >= load->warm) bench_hist_add(&self->hist, bench_now_ns() - begin);
    }
    bench_role_end(self);
    atomic_store(&self->count, bench_pub_flush(&pub));
    bench_pub_close(&pub);
}

/* Filters that match nothing, for the cost of many. */
static size_t s_filters(const bench_load_t *load, const char *filters[256]) {
    static char names[256][32];
    size_t count = 0;
    if (load->filter) filters[count++] = load->filter;
    if (load->filters && !count) filters[count++] = BENCH_TYPE;
    for (uint64_t i = 0; i < load->filters && count < 256; i++) {
        snprintf(names[i], sizeof names[i], "nothing.%u", (unsigned) i);
        filters[count++] = names[i];
    }
    return count;
}

static weft_sub_t *s_subscriber(const bench_load_t *load, weft_start_t start) {
    const char *filters[256];
    weft_sub_config_t config;
    weft_sub_t *sub = NULL;
    weft_sub_config_init(&config);
    config.bus = load->server->bus;
    config.name = "bench";
    config.filters = filters;
    config.filters_count = s_filters(load, filters);
    config.start = start;
    s_check(weft_sub_new(&sub, &config), "subscriber");
    return sub;
}

static void s_note_latency(const weft_batch_t *batch, bench_hist_t *hist) {
    for (size_t i = 0; i < batch->count; i++) {
        int64_t due;
        memcpy(&due, (const char *) batch->events[i].data + BENCH_DUE_AT, sizeof due);
        if (due) bench_hist_add(hist, bench_now_ns() - due);
    }
}

/* In msgpack. */
static size_t s_number_bytes(uint64_t number) {
    return number < 128 ? 1 : number < 256 ? 2 : number < 65536 ? 3 : number <= UINT32_MAX ? 5 : 9;
}

/* Is it as large as peers' messages, but for numbers that are still small? A publisher's first event has
 * no cause and no trace. */
static void s_check_envelope(const weft_event_t *event, const bench_load_t *load) {
    if (load->data_size || event->sequence.value == 1) return;
    size_t wanted = BENCH_EVENT_BYTES - 2 * s_number_bytes(UINT32_MAX) +
                    s_number_bytes(event->sequence.value) + s_number_bytes(event->cause.value);
    if (event->raw_size != wanted || !event->cause.value || !event->traceparent)
        bench_fail("an event of %zu bytes instead of %zu", event->raw_size, wanted);
}

static void s_receive(weft_sub_t *sub, const bench_load_t *load, bench_slot_t *self) {
    weft_batch_t batch;
    weft_err_t rc = weft_sub_recv(sub, 100, &batch);
    if (rc == WEFT_OK && load->each_ns) s_note_latency(&batch, &self->hist);
    if (rc == WEFT_OK && batch.count) s_check_envelope(&batch.events[batch.count - 1], load);
    if (rc == WEFT_OK) atomic_fetch_add(&self->count, batch.count);
    if (rc != WEFT_OK && rc != WEFT_E_TIMEOUT) s_check(rc, "receive");
}

static void s_subscribe(bench_board_t *board, bench_slot_t *self, const void *arg) {
    weft_sub_t *sub = s_subscriber(arg, WEFT_START_NOW);
    weft_sub_info_t info;
    do {
        s_receive(sub, arg, self);
        weft_sub_info(sub, &info);
    } while (!info.live);
    bench_role_begin(self);
    atomic_store(&self->ready, true);
    while (!bench_reader_done(board, self)) s_receive(sub, arg, self);
    bench_role_end(self);
    weft_sub_destroy(&sub);
}

static void s_replay(bench_board_t *board, bench_slot_t *self, const void *arg) {
    bench_role_ready(board, self);
    bench_role_begin(self);
    weft_sub_t *sub = s_subscriber(arg, WEFT_START_BEGINNING);
    while (!bench_reader_done(board, self)) s_receive(sub, arg, self);
    bench_role_end(self);
    weft_sub_destroy(&sub);
}

/* The number of a counter in the bus' answer. */
static double s_counter(const char *json, const char *name) {
    const char *found = strstr(json, name);
    return found ? strtod(found + strlen(name), NULL) : 0;
}

typedef struct {
    double stored, commits, head, indexed;
} bench_state_t;

static void s_state(const bench_server_t *server, bench_state_t *out) {
    char *json = NULL;
    s_check(weft_bus_status(server->bus, BENCH_WAIT_MS, &json), "status");
    *out = (bench_state_t){.stored = s_counter(json, "\"stored\":"),
                           .commits = s_counter(json, "\"commits\":"),
                           .head = s_counter(json, "\"head\":"),
                           .indexed = s_counter(json, "\"indexed\":")};
    free(json);
}

static void s_ask(bench_board_t *board, bench_slot_t *self, const void *arg) {
    bench_state_t state;
    (void) board;
    s_state(arg, &state);
    self->values[0] = state.stored;
    self->values[1] = state.commits;
}

static double s_batch(const bench_server_t *server) {
    bench_crew_t crew;
    bench_crew_begin(&crew);
    const bench_slot_t *slot = bench_crew_add(&crew, s_ask, server);
    bench_crew_join(&crew, slot);
    double batch = slot->values[1] > 0 ? slot->values[0] / slot->values[1] : 0;
    bench_crew_end(&crew);
    return batch;
}

/* Looks until the index of causes has caught up; values[0]: how far behind it was. */
static void s_await_index(bench_board_t *board, bench_slot_t *self, const void *arg) {
    bench_state_t state;
    (void) board;
    bench_role_begin(self);
    s_state(arg, &state);
    self->values[0] = state.head - state.indexed;
    while (state.indexed < state.head) {
        poll(NULL, 0, LOOK_MS);
        s_state(arg, &state);
    }
    bench_role_end(self);
}

double bench_weft_index(const bench_server_t *server, double *behind) {
    bench_crew_t crew;
    bench_crew_begin(&crew);
    const bench_slot_t *slot = bench_crew_add(&crew, s_await_index, server);
    bench_crew_join(&crew, slot);
    double seconds = (double) (slot->end_ns - slot->begin_ns) / 1e9;
    if (behind) *behind = slot->values[0];
    bench_crew_end(&crew);
    return seconds;
}

static void s_settle(const bench_server_t *server) {
    bench_weft_index(server, NULL);
}

const bench_system_t bench_weft = {.name = "weft",
                                   .start = s_start,
                                   .settle = s_settle,
                                   .batch = s_batch,
                                   .publish = s_publish,
                                   .lone = s_lone,
                                   .subscribe = s_subscribe,
                                   .replay = s_replay};
