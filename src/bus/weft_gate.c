/* weft_gate: see weft_gate.h.
 * A descriptor that libzmq reports may be closed, and its number taken again, before it is shut down here:
 * then another connection is cut, which comes again; on anything but a socket shutdown does nothing. */
#include "weft_gate.h"

#include "weft_limits.h"
#include "weft_net.h"
#include "weft_os.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define CAP_DEFAULT 4096u
#define CAP_MIN 16u
#define FILES_MAX (1u << 20)
#define EVENTS (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_MONITOR_STOPPED)
#define WARN_MS 10000

typedef struct {
    uint8_t socket; /* index + 1; 0: none of ours. The gate's thread alone */
    atomic_uint topic_bytes;
} weft_gate_fd_t;

struct weft_gate {
    void *monitors[WEFT_GATE_SOCKETS];
    unsigned running; /* monitors that are still to stop */
    unsigned cap;
    unsigned open[WEFT_GATE_SOCKETS];
    size_t fds_count;
    weft_gate_fd_t *fds; /* by descriptor */
    pthread_t thread;
    bool started;
    int64_t warn_ms; /* not again before */
    atomic_uint connections;
    atomic_uint_least64_t refused, cut;
};

static unsigned s_files_max(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    return limit.rlim_cur > FILES_MAX ? FILES_MAX : (unsigned) limit.rlim_cur;
}

unsigned weft_gate_cap(unsigned wanted) {
    unsigned files = s_files_max();
    /* A quarter stays free: for the store, and for what comes faster than it is shut down. */
    unsigned most = (files - files / 4) / WEFT_GATE_SOCKETS;
    if (most < CAP_MIN) most = CAP_MIN;
    unsigned cap = wanted ? wanted : CAP_DEFAULT;
    return cap < most ? cap : most;
}

/* ---- the thread */

static void s_count(weft_gate_t *self) {
    unsigned sum = 0;
    for (unsigned i = 0; i < WEFT_GATE_SOCKETS; i++) sum += self->open[i];
    atomic_store_explicit(&self->connections, sum, memory_order_relaxed);
}

static void s_refuse(weft_gate_t *self, int fd) {
    (void) shutdown(fd, SHUT_RDWR); /* gone already: all the better */
    uint64_t n = atomic_fetch_add_explicit(&self->refused, 1, memory_order_relaxed) + 1;
    int64_t now_ms = weft_os_monotonic_ms();
    if (now_ms < self->warn_ms) return;
    self->warn_ms = now_ms + WARN_MS;
    weft_diag(WEFT_DIAG_WARN, "bus.connections", "cap=%u refused=%llu", self->cap,
              (unsigned long long) n);
}

static void s_accepted(weft_gate_t *self, unsigned socket, int fd) {
    weft_gate_fd_t *of = &self->fds[fd];
    if (of->socket) self->open[of->socket - 1]--; /* its end is still on the way */
    of->socket = (uint8_t) (socket + 1);
    atomic_store_explicit(&of->topic_bytes, 0, memory_order_relaxed);
    if (++self->open[socket] > self->cap) s_refuse(self, fd);
}

static void s_disconnected(weft_gate_t *self, unsigned socket, int fd) {
    weft_gate_fd_t *of = &self->fds[fd];
    if (of->socket != socket + 1) return; /* the number has been taken again */
    of->socket = 0;
    self->open[socket]--;
}

static void s_event(weft_gate_t *self, unsigned socket) {
    zmq_msg_t frames[2];
    unsigned count;
    uint16_t event = 0;
    uint32_t value = 0;
    if (weft_net_recv(self->monitors[socket], frames, 2, &count) != WEFT_OK) return;
    if (zmq_msg_size(&frames[0]) == sizeof event + sizeof value) {
        memcpy(&event, zmq_msg_data(&frames[0]), sizeof event);
        memcpy(&value, (const char *) zmq_msg_data(&frames[0]) + sizeof event, sizeof value);
    }
    weft_net_close_frames(frames, count, 2);
    if (event == ZMQ_EVENT_MONITOR_STOPPED) {
        weft_net_close(&self->monitors[socket]);
        self->running--;
    } else if (value < self->fds_count) {
        if (event == ZMQ_EVENT_ACCEPTED) s_accepted(self, socket, (int) value);
        if (event == ZMQ_EVENT_DISCONNECTED) s_disconnected(self, socket, (int) value);
        s_count(self);
    }
}

/* libzmq's own thread waits for this one when a monitor is not read: so it goes on until they stop. */
static void *s_thread(void *arg) {
    weft_gate_t *self = arg;
    while (self->running) {
        zmq_pollitem_t items[WEFT_GATE_SOCKETS];
        unsigned of[WEFT_GATE_SOCKETS];
        int count = 0;
        for (unsigned i = 0; i < WEFT_GATE_SOCKETS; i++) {
            if (!self->monitors[i]) continue;
            of[count] = i;
            items[count++] = (zmq_pollitem_t){.socket = self->monitors[i], .events = ZMQ_POLLIN};
        }
        if (zmq_poll(items, count, -1) < 0) {
            if (errno == EINTR) continue;
            weft_diag(WEFT_DIAG_ERROR, "gate.poll", "error=\"%s\"", zmq_strerror(errno));
            return NULL;
        }
        for (int i = 0; i < count; i++)
            if (items[i].revents) s_event(self, of[i]);
    }
    return NULL;
}

/* ---- the object */

static weft_err_t s_follow(weft_gate_t *self, void *context, void *socket, unsigned i) {
    char name[64];
    snprintf(name, sizeof name, "inproc://weft-bus-gate-%016llx",
             (unsigned long long) weft_os_random());
    if (zmq_socket_monitor(socket, name, EVENTS) != 0) return WEFT_E_IO;
    self->monitors[i] = weft_net_socket(context, ZMQ_PAIR, 0);
    if (!self->monitors[i] || zmq_connect(self->monitors[i], name) != 0) return WEFT_E_IO;
    self->running++;
    return WEFT_OK;
}

weft_err_t weft_gate_new(weft_gate_t **out, void *context, void *const sockets[WEFT_GATE_SOCKETS],
                         unsigned cap) {
    weft_gate_t *self = calloc(1, sizeof *self);
    weft_err_t rc = WEFT_E_NOMEM;
    if (!self) return rc;
    self->cap = cap;
    self->fds_count = s_files_max();
    self->fds = calloc(self->fds_count, sizeof *self->fds);
    if (!self->fds) goto out;
    rc = WEFT_OK;
    for (unsigned i = 0; i < WEFT_GATE_SOCKETS && rc == WEFT_OK; i++)
        rc = s_follow(self, context, sockets[i], i);
    if (rc != WEFT_OK) goto out;
    rc = pthread_create(&self->thread, NULL, s_thread, self) == 0 ? WEFT_OK : WEFT_E_IO;
    if (rc != WEFT_OK) goto out;
    self->started = true;
    *out = self;
    self = NULL; /* handed over */
out:
    weft_gate_destroy(&self);
    return rc;
}

void weft_gate_destroy(weft_gate_t **self_p) {
    weft_gate_t *self = *self_p;
    if (!self) return;
    if (self->started) pthread_join(self->thread, NULL);
    for (unsigned i = 0; i < WEFT_GATE_SOCKETS; i++) weft_net_close(&self->monitors[i]);
    free(self->fds);
    free(self);
    *self_p = NULL;
}

void weft_gate_topic(weft_gate_t *self, int fd, bool more, size_t bytes) {
    if (fd < 0 || (size_t) fd >= self->fds_count) return;
    atomic_uint *sum = &self->fds[fd].topic_bytes;
    unsigned before = atomic_load_explicit(sum, memory_order_relaxed), after;
    do { /* the gate's thread may set it to 0 meanwhile */
        after = more ? before + (unsigned) bytes : before < bytes ? 0 : before - (unsigned) bytes;
    } while (!atomic_compare_exchange_weak_explicit(sum, &before, after, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (after <= WEFT_TOPIC_BYTES_MAX || before > WEFT_TOPIC_BYTES_MAX) return;
    (void) shutdown(fd, SHUT_RDWR);
    uint64_t n = atomic_fetch_add_explicit(&self->cut, 1, memory_order_relaxed) + 1;
    if ((n & (n - 1)) == 0)
        weft_diag(WEFT_DIAG_WARN, "bus.topics", "max_bytes=%u cut=%llu", WEFT_TOPIC_BYTES_MAX,
                  (unsigned long long) n);
}

unsigned weft_gate_connections(const weft_gate_t *self) {
    return atomic_load_explicit(&self->connections, memory_order_relaxed);
}

uint64_t weft_gate_refused(const weft_gate_t *self) {
    return atomic_load_explicit(&self->refused, memory_order_relaxed);
}

uint64_t weft_gate_cut(const weft_gate_t *self) {
    return atomic_load_explicit(&self->cut, memory_order_relaxed);
}
