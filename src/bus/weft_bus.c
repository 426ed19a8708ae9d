/* weft_bus: the loop of the bus: take → commit → publish → record → acks.
 *
 * I3 is the order of the calls in s_batch. A failed commit publishes nothing. Each turn takes one
 * bounded batch, so the heartbeat and the stop are never far. */
#include "weft_bus.h"

#include "weft_assert.h"
#include "weft_bus_sockets.h"
#include "weft_checkpointer.h"
#include "weft_control_server.h"
#include "weft_crash.h"
#include "weft_fanout.h"
#include "weft_indexer.h"
#include "weft_ingest.h"
#include "weft_limits.h"
#include "weft_os.h"
#include "weft_sequencer.h"
#include "weft_store.h"
#include "weft_trimmer.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_US 300  /* a publisher that waits for each event has sent the next one by then */
#define LEAVE_MS 200 /* at the end the last records and acks may still go out */

struct weft_bus {
    void *context;
    bool own_context;
    int stop_fd;
    uint64_t boot; /* F3 */
    weft_bus_sockets_t sockets;
    weft_store_t *store;
    weft_sequencer_t *sequencer;
    weft_ingest_t *ingest;
    weft_fanout_t *fanout;
    weft_indexer_t *indexer;
    weft_control_server_t *control;
    weft_bus_stats_t stats;
    weft_trimmer_t trimmer;
    int64_t record_due_ms;
    bool alone; /* the last batch was one event */
    weft_checkpointer_t *checkpointer;
    bool moving;             /* it has something in hand, or has ended with it */
    int64_t committed_us;    /* monotonic, the last batch */
    int64_t look_until_us;   /* for the event behind a lone one */
    void (*turn)(void *arg); /* may be NULL */
    void *turn_arg;
};

void weft_bus_config_init(weft_bus_config_t *config) {
    *config = (weft_bus_config_t){
        .endpoint = WEFT_DEFAULT_BUS, .full = true, .lately_us = WEFT_LATELY_US};
}

/* ---- opening */

static void s_on_refusal(void *arg, const weft_refusal_t *refusal) {
    weft_bus_t *self = arg;
    if (!weft_control_server_refuse(self->control, refusal))
        weft_bus_stat_add(&self->stats.refusals_lost, 1);
}

static weft_err_t s_open_core(weft_bus_t *self) {
    const weft_log_head_t *head = weft_store_head(self->store);
    int64_t now_ms = weft_os_monotonic_ms();
    weft_bus_stat_set(&self->stats.head, head->position);
    weft_bus_stat_set(&self->stats.first, head->anchor);
    weft_bus_stat_turn(&self->stats.bus_turn_ms, now_ms);
    weft_bus_stat_turn(&self->stats.control_turn_ms, now_ms);
    weft_trimmer_init(&self->trimmer, self->store);
    self->sequencer = weft_sequencer_new(head->position, head->chain, head->stored_us);
    if (!self->sequencer) return WEFT_E_NOMEM;
    weft_err_t rc = weft_store_load_types(self->store, self->sequencer);
    if (rc != WEFT_OK) return rc;
    weft_ingest_config_t config = {.socket = self->sockets.ingest,
                                   .sequencer = self->sequencer,
                                   .store = self->store,
                                   .refuse = s_on_refusal,
                                   .refuse_arg = self};
    rc = weft_ingest_new(&self->ingest, &config);
    if (rc != WEFT_OK) return rc;
    return weft_fanout_new(&self->fanout, self->sockets.fanout, self->boot,
                           weft_store_log(self->store), &self->stats);
}

static weft_err_t s_open_indexer(weft_bus_t *self) {
    weft_indexer_config_t config = {.store_path = weft_store_path(self->store),
                                    .turnstile = weft_store_turnstile(self->store),
                                    .log = *weft_store_log(self->store),
                                    .stats = &self->stats};
    return weft_indexer_new(&self->indexer, &config);
}

static weft_err_t s_open_control(weft_bus_t *self, const weft_bus_config_t *given) {
    weft_control_config_t config = {.context = self->context,
                                    .router = self->sockets.control,
                                    .store_path = weft_store_path(self->store),
                                    .turnstile = weft_store_turnstile(self->store),
                                    .boot = self->boot,
                                    .log = *weft_store_log(self->store),
                                    .started_us = weft_os_now_us(),
                                    .fanout = weft_bus_fanout(self),
                                    .ingest = weft_bus_ingest(self),
                                    .stats = &self->stats,
                                    .indexer = self->indexer,
                                    .keep = given->keep,
                                    .lately_us = given->lately_us};
    self->sockets.control = NULL; /* handed over */
    return weft_control_server_new(&self->control, &config);
}

weft_err_t weft_bus_new(weft_bus_t **out, const weft_bus_config_t *config, char *reason,
                        size_t reason_size) {
    weft_err_t rc = weft_bus_endpoint_check(config->endpoint, config->bind_any, reason,
                                            reason_size);
    if (rc != WEFT_OK) return rc;
    weft_bus_t *self = calloc(1, sizeof *self);
    snprintf(reason, reason_size, "out of memory");
    rc = WEFT_E_NOMEM;
    if (!self) goto out;
    self->boot = weft_os_random();
    self->turn = config->turn;
    self->turn_arg = config->turn_arg;
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->own_context = !config->zmq_context;
    self->context = config->zmq_context ? config->zmq_context : zmq_ctx_new();
    if (self->stop_fd < 0 || !self->context) goto out;
    rc = weft_store_open(&self->store, config->store, config->full, reason, reason_size);
    if (rc != WEFT_OK) goto out;
    rc = weft_bus_sockets_open(&self->sockets, self->context, config->endpoint,
                               weft_gate_cap(config->connections), reason, reason_size);
    if (rc != WEFT_OK) goto out;
    rc = s_open_core(self);
    if (rc == WEFT_OK)
        rc = weft_checkpointer_new(&self->checkpointer, weft_store_path(self->store), config->full);
    if (rc == WEFT_OK) rc = s_open_indexer(self);
    if (rc == WEFT_OK) rc = s_open_control(self, config);
    if (rc != WEFT_OK) {
        snprintf(reason, reason_size, "cannot start on store %s: %s", config->store,
                 weft_err_text(rc));
        goto out;
    }
    *reason = '\0';
    *out = self;
    self = NULL; /* handed over */
out:
    weft_bus_destroy(&self);
    return rc;
}

void weft_bus_destroy(weft_bus_t **self_p) {
    weft_bus_t *self = *self_p;
    if (!self) return;
    int linger = LEAVE_MS;
    if (self->sockets.fanout)
        (void) zmq_setsockopt(self->sockets.fanout, ZMQ_LINGER, &linger,
                              sizeof linger); /* best effort */
    weft_control_server_destroy(
        &self->control); /* before the store: who closes it last tidies the WAL */
    weft_indexer_destroy(&self->indexer);
    weft_bus_sockets_close(&self->sockets);
    weft_ingest_destroy(&self->ingest);
    weft_fanout_destroy(&self->fanout);
    weft_sequencer_destroy(&self->sequencer);
    weft_checkpointer_destroy(&self->checkpointer);
    weft_store_destroy(&self->store);
    if (self->own_context && self->context)
        while (zmq_ctx_term(self->context) != 0 && errno == EINTR) continue;
    if (self->stop_fd >= 0) close(self->stop_fd);
    free(self);
    *self_p = NULL;
}

const char *weft_bus_control(const weft_bus_t *self) {
    return self->sockets.endpoints[WEFT_PORT_CONTROL];
}

const char *weft_bus_fanout(const weft_bus_t *self) {
    return self->sockets.endpoints[WEFT_PORT_FANOUT];
}

const char *weft_bus_ingest(const weft_bus_t *self) {
    return self->sockets.endpoints[WEFT_PORT_INGEST];
}

const weft_uuid_t *weft_bus_log(const weft_bus_t *self) {
    return weft_store_log(self->store);
}

weft_position_t weft_bus_head(const weft_bus_t *self) {
    return (weft_position_t){weft_sequencer_position(self->sequencer)};
}

const weft_bus_stats_t *weft_bus_stats(const weft_bus_t *self) {
    return &self->stats;
}

const char *weft_bus_database(const weft_bus_t *self) {
    return weft_store_path(self->store);
}

weft_turnstile_t *weft_bus_turnstile(const weft_bus_t *self) {
    return weft_store_turnstile(self->store);
}

uint64_t weft_bus_boot(const weft_bus_t *self) {
    return self->boot;
}

void weft_bus_reports(weft_bus_t *self, weft_buf_t *w) {
    weft_control_server_reports(self->control, w);
}

/* ---- the loop */

static void s_note_trouble(weft_bus_t *self) {
    atomic_store_explicit(&self->stats.trouble, (int) weft_store_trouble(self->store),
                          memory_order_relaxed);
}

static void s_note_books(weft_bus_t *self) {
    const weft_books_t *books = weft_sequencer_books(self->sequencer);
    uint64_t sum = books->stored;
    for (unsigned i = 0; i < WEFT_DROP_COUNT; i++) {
        sum += books->drops[i];
        atomic_store_explicit(&self->stats.drops[i], books->drops[i], memory_order_relaxed);
    }
    WEFT_ASSERT(books->taken == sum); /* every item ends in one place */
    atomic_store_explicit(&self->stats.taken, books->taken, memory_order_relaxed);
    atomic_store_explicit(&self->stats.stored, books->stored, memory_order_relaxed);
    s_note_trouble(self);
}

static void s_note_gate(weft_bus_t *self) {
    const weft_gate_t *gate = self->sockets.gate;
    atomic_store_explicit(&self->stats.connections, weft_gate_connections(gate),
                          memory_order_relaxed);
    atomic_store_explicit(&self->stats.connections_refused, weft_gate_refused(gate),
                          memory_order_relaxed);
    atomic_store_explicit(&self->stats.topics_cut, weft_gate_cut(gate), memory_order_relaxed);
}

static void s_record(weft_bus_t *self) {
    s_note_gate(self);
    weft_fanout_record(self->fanout, self->sequencer, weft_os_now_us());
    self->record_due_ms = weft_os_monotonic_ms() + WEFT_HEARTBEAT_MS;
}

/* True: the batch holds events and they are on disk. */
static bool s_commit(weft_bus_t *self) {
    size_t count;
    (void) weft_sequencer_rows(self->sequencer, &count);
    if (!count) return false;
    int64_t began_us = weft_os_monotonic_us();
    if (weft_store_append(self->store, self->sequencer) != WEFT_OK) {
        weft_sequencer_rollback(self->sequencer, WEFT_DROP_STORE_FAILED);
        return false;
    }
    weft_sequencer_commit(self->sequencer);
    int64_t now_us = weft_os_monotonic_us(), took_us = now_us - began_us;
    self->alone = count == 1;
    /* a publisher that waits for each event? then the next one comes as soon as this one did */
    if (self->alone && began_us - self->committed_us < LOOK_US)
        self->look_until_us = now_us + LOOK_US;
    self->committed_us = now_us;
    weft_bus_stat_add(&self->stats.commits, 1);
    weft_histogram_add(&self->stats.commit_us, (uint64_t) took_us);
    weft_histogram_add(&self->stats.batch_events, count);
    weft_bus_stat_set(&self->stats.head, weft_sequencer_position(self->sequencer));
    weft_bus_stat_set(&self->stats.wal_bytes, weft_store_wal_bytes(self->store));
    weft_diag(WEFT_DIAG_DEBUG, "bus.commit", "events=%zu us=%lld", count, (long long) took_us);
    return true;
}

/* I3: commit, then publish, then record, then ack. Acks also go out for what was there already (I2).
 * The books are closed before anybody can hear of the batch. */
static void s_batch(weft_bus_t *self, bool receive) {
    weft_sequencer_begin(self->sequencer, weft_os_now_us());
    weft_ingest_take(self->ingest, receive);
    WEFT_CRASH_POINT("bus.taken");
    bool committed = s_commit(self);
    s_note_books(self);
    if (committed) {
        WEFT_CRASH_POINT("bus.committed");
        weft_fanout_events(self->fanout, self->sequencer);
        WEFT_CRASH_POINT("bus.published");
        s_record(self);
        WEFT_CRASH_POINT("bus.recorded");
    }
    weft_fanout_acks(self->fanout, self->sequencer);
    WEFT_CRASH_POINT("bus.acked");
    weft_ingest_release(self->ingest);
}

static void s_heartbeat(weft_bus_t *self) {
    if (weft_os_monotonic_ms() < self->record_due_ms) return;
    (void) weft_store_retry(self->store); /* else the trouble stays noted */
    s_note_trouble(self);
    weft_sequencer_begin(self->sequencer, weft_os_now_us()); /* an empty batch: a heartbeat */
    s_record(self);
}

/* ---- upkeep: what the control thread wants written */

#define READERS_IN_A_ROW 64

static void s_put_readers(weft_bus_t *self, const weft_reader_t *readers, size_t count) {
    if (count)
        (void) weft_store_put_readers(self->store, readers, count); /* or with its next report */
}

static void s_orders(weft_bus_t *self) {
    weft_order_t order;
    weft_reader_t readers[READERS_IN_A_ROW];
    size_t count = 0;
    while (weft_control_server_order(self->control, &order)) {
        if (order.kind == WEFT_ORDER_TRIM) {
            weft_trimmer_order(&self->trimmer, order.to);
            continue;
        }
        readers[count++] = order.reader;
        if (count < READERS_IN_A_ROW) continue;
        s_put_readers(self, readers, count);
        count = 0;
    }
    s_put_readers(self, readers, count);
}

/* Failures are the store's trouble. Most of the WAL is moved while commits go on, if they have to: for a publisher
 * that waits for each event, a pause between two is better than some that take longer. */
static void s_checkpoint(weft_bus_t *self) {
    weft_err_t rc;
    bool must, due = weft_store_checkpoint_due(self->store, &must);
    if (due && !self->moving && !self->alone) {
        weft_checkpointer_start(self->checkpointer);
        self->moving = true;
    }
    if (self->moving) {
        if (!weft_checkpointer_ended(self->checkpointer, must, &rc)) return;
        (void) weft_store_moved(self->store, rc);
    }
    (void) weft_store_checkpoint(self->store);
    self->moving = self->moving && weft_store_checkpoint_due(self->store, &must);
}

static void s_upkeep(weft_bus_t *self, bool orders) {
    if (orders) s_orders(self);
    weft_trimmer_step(&self->trimmer, weft_sequencer_position(self->sequencer));
    weft_bus_stat_set(&self->stats.first, weft_store_anchor(self->store));
    s_checkpoint(self);
    s_note_trouble(self);
}

static bool s_stopped(weft_bus_t *self) {
    uint64_t value;
    return read(self->stop_fd, &value, sizeof value) == (ssize_t) sizeof value;
}

/* As zmq_poll. Behind a lone event it looks for a moment before it sleeps: to be woken takes a good part of
 * what such an event takes in all. */
static int s_poll(const weft_bus_t *self, zmq_pollitem_t *items, int count, int64_t wait_ms) {
    while (wait_ms && weft_os_monotonic_us() < self->look_until_us) {
        int ready = zmq_poll(items, count, 0);
        if (ready) return ready;
        sched_yield();
    }
    return zmq_poll(items, count, wait_ms);
}

weft_err_t weft_bus_run(weft_bus_t *self) {
    zmq_pollitem_t items[] = {
        {.socket = self->sockets.ingest, .events = ZMQ_POLLIN},
        {.socket = self->sockets.fanout, .events = ZMQ_POLLIN},
        {.fd = self->stop_fd, .events = ZMQ_POLLIN},
        {.socket = weft_control_server_orders(self->control), .events = ZMQ_POLLIN}};
    self->record_due_ms = weft_os_monotonic_ms();
    for (;;) {
        int64_t now_ms = weft_os_monotonic_ms(), wait_ms = self->record_due_ms - now_ms;
        weft_bus_stat_turn(&self->stats.bus_turn_ms, now_ms);
        if (self->turn) self->turn(self->turn_arg);
        int64_t trim_ms = weft_trimmer_wait_ms(&self->trimmer);
        if (trim_ms >= 0 && trim_ms < wait_ms) wait_ms = trim_ms;
        if (wait_ms < 0 || weft_ingest_pending(self->ingest)) wait_ms = 0;
        if (s_poll(self, items, 4, wait_ms) < 0) {
            if (errno == EINTR) continue;
            weft_diag(WEFT_DIAG_ERROR, "bus.poll", "error=\"%s\"", zmq_strerror(errno));
            return WEFT_E_IO;
        }
        bool stop = items[2].revents && s_stopped(self);
        if (items[1].revents) weft_fanout_drain(self->fanout, self->sockets.gate);
        if (items[0].revents || weft_ingest_pending(self->ingest)) s_batch(self, !stop);
        if (stop) break;
        s_upkeep(self, items[3].revents != 0);
        s_heartbeat(self);
    }
    while (weft_ingest_pending(self->ingest)) s_batch(self, false);
    return WEFT_OK;
}

void weft_bus_stop(weft_bus_t *self) {
    const uint64_t one = 1;
    ssize_t written = write(self->stop_fd, &one,
                            sizeof one); /* can only fail if it is set already */
    (void) written;
}
