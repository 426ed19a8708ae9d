/* weft_bus_sockets: see weft_bus_sockets.h.
 * libzmq removes whatever lies at an ipc path before it binds, even the socket of a live process:
 * so the path is tried first. */
#include "weft_bus_sockets.h"

#include "weft_control_server.h"
#include "weft_limits.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* F2: what a stalled subscriber can hold. */
#define FANOUT_BYTES_MAX (64u << 20)
#define FANOUT_HWM ((int) (FANOUT_BYTES_MAX / WEFT_LIVE_MESSAGE_BYTES_MAX))
/* Messages of one publisher that wait here, of at most 1 MiB; the rest waits on its side. Two batches of
 * what weft_pub sends fit; with 64 the rate of acknowledged events is 15 % lower. */
#define INGEST_HWM 256
/* Nothing that a subscriber sends is longer: a topic of 255 bytes, or a greeting with an identity. */
#define FANOUT_REQUEST_BYTES_MAX 512
/* Who connects and says nothing is cut. */
#define HANDSHAKE_MS 5000

static const char *const s_names[] = {"control", "fan-out", "ingest"};

weft_err_t weft_bus_endpoint_check(const char *endpoint, bool bind_any, char *reason, size_t size) {
    const char *why;
    if (weft_endpoint_check(endpoint, &why) != WEFT_OK) {
        snprintf(reason, size, "endpoint \"%.200s\": %s", endpoint, why);
        return WEFT_E_ARG;
    }
    if (!bind_any && !weft_endpoint_local(endpoint)) {
        snprintf(reason, size,
                 "endpoint \"%s\" can be reached from other machines and the bus trusts whoever "
                 "reaches it: add --bind-any if that is meant",
                 endpoint);
        return WEFT_E_ARG;
    }
    return WEFT_OK;
}

/* Only a stale socket, or nothing, may lie where libzmq is about to bind. */
static weft_err_t s_check_ipc(const char *endpoint, char *reason, size_t size) {
    const char *path = endpoint + strlen("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (lstat(path, &st) != 0) return WEFT_OK; /* not there; bind tells what else is wrong */
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(reason, size, "%s exists and is no socket: remove it or choose another --endpoint",
                 path);
        return WEFT_E_IO;
    }
    if (strlen(path) >= sizeof address.sun_path) return WEFT_OK;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        snprintf(reason, size, "cannot make a socket: %s", strerror(errno));
        return WEFT_E_IO;
    }
    /* EAGAIN: somebody listens and is busy */
    bool live = connect(fd, (const struct sockaddr *) &address, sizeof address) == 0 ||
                errno == EAGAIN;
    close(fd);
    if (!live) return WEFT_OK;
    snprintf(reason, size,
             "%s is in use by a running process: stop it or choose another --endpoint", path);
    return WEFT_E_LOCKED;
}

static weft_err_t s_bind_failed(const char *address, int error, char *reason, size_t size) {
    const char *what = error == EADDRINUSE ? "is in use by another process: stop it or choose "
                                             "another --endpoint"
                       : error == ENODEV   ? "is no address of this machine: use a numeric one"
                       : error == EACCES
                           ? "may not be bound by this user: choose another --endpoint"
                       : error == ENOENT ? "is in a directory that does not exist: make it first"
                                         : zmq_strerror(error);
    snprintf(reason, size, "%s %s", address, what);
    return WEFT_E_IO;
}

/* What clients are told: the host as it was given, with the port that was picked. (libzmq itself
 * would say [::ffff:127.0.0.1] for 127.0.0.1.) */
static bool s_note_endpoint(weft_bus_sockets_t *self, void *socket, const char *address,
                            weft_port_t port) {
    char bound[WEFT_ENDPOINT_BYTES];
    size_t size = sizeof bound;
    char *out = self->endpoints[port];
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size) != 0) return false;
    const char *colon = strrchr(bound, ':'), *host_end = strrchr(address, ':');
    if (strncmp(address, "tcp://", 6) != 0 || !colon || !host_end)
        snprintf(out, WEFT_ENDPOINT_BYTES, "%s", address);
    else
        snprintf(out, WEFT_ENDPOINT_BYTES, "%.*s%s", (int) (host_end - address), address, colon);
    return true;
}

static weft_err_t s_bind(weft_bus_sockets_t *self, void *socket, const char *endpoint,
                         weft_port_t port, char *reason, size_t size) {
    char address[WEFT_ENDPOINT_BYTES];
    if (weft_endpoint_derive(address, endpoint, port) != WEFT_OK) {
        snprintf(reason, size, "no %s endpoint follows from %s", s_names[port], endpoint);
        return WEFT_E_IO;
    }
    if (strncmp(address, "ipc://", 6) == 0) {
        weft_err_t rc = s_check_ipc(address, reason, size);
        if (rc != WEFT_OK) return rc;
    }
    if (zmq_bind(socket, address) != 0) return s_bind_failed(address, errno, reason, size);
    if (!s_note_endpoint(self, socket, address, port))
        return s_bind_failed(address, errno, reason, size);
    return WEFT_OK;
}

static void *s_socket(void *context, weft_port_t port) {
    static const int types[] = {ZMQ_ROUTER, ZMQ_XPUB, ZMQ_XSUB};
    static const int hwms[] = {WEFT_CONTROL_HWM, FANOUT_HWM, INGEST_HWM};
    void *socket = weft_net_socket(context, types[port], hwms[port]);
    static const int64_t maxima[] = {WEFT_CONTROL_REQUEST_BYTES_MAX, FANOUT_REQUEST_BYTES_MAX,
                                     WEFT_MESSAGE_BYTES_MAX};
    int handshake_ms = HANDSHAKE_MS;
    if (!socket) return NULL;
    /* both only fail on a wrong option */
    (void) zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &maxima[port], sizeof maxima[port]);
    (void) zmq_setsockopt(socket, ZMQ_HANDSHAKE_IVL, &handshake_ms, sizeof handshake_ms);
    return socket;
}

/* The sockets and who watches them, before anybody can connect. */
static weft_err_t s_make(weft_bus_sockets_t *self, void *context, unsigned cap, char *reason,
                         size_t reason_size) {
    void **sockets[] = {&self->control, &self->fanout, &self->ingest};
    for (weft_port_t port = WEFT_PORT_CONTROL; port <= WEFT_PORT_INGEST; port++) {
        *sockets[port] = s_socket(context, port);
        if (*sockets[port]) continue;
        snprintf(reason, reason_size, "cannot make the %s socket: %s", s_names[port],
                 zmq_strerror(errno));
        return WEFT_E_IO;
    }
    void *const made[] = {self->control, self->fanout, self->ingest};
    weft_err_t rc = weft_gate_new(&self->gate, context, made, cap);
    if (rc != WEFT_OK) snprintf(reason, reason_size, "cannot watch the sockets");
    return rc;
}

weft_err_t weft_bus_sockets_open(weft_bus_sockets_t *self, void *context, const char *endpoint,
                                 unsigned cap, char *reason, size_t reason_size) {
    *self = (weft_bus_sockets_t){0};
    weft_err_t rc = s_make(self, context, cap, reason, reason_size);
    if (rc != WEFT_OK) {
        weft_bus_sockets_close(self);
        return rc;
    }
    void *const sockets[] = {self->control, self->fanout, self->ingest};
    for (weft_port_t port = WEFT_PORT_CONTROL; port <= WEFT_PORT_INGEST; port++) {
        rc = s_bind(self, sockets[port], endpoint, port, reason, reason_size);
        if (rc != WEFT_OK) {
            weft_bus_sockets_close(self);
            return rc;
        }
    }
    if (zmq_send(self->ingest, "\1", 1, 0) < 0) { /* I1 */
        snprintf(reason, reason_size, "cannot subscribe to publishers: %s", zmq_strerror(errno));
        weft_bus_sockets_close(self);
        return WEFT_E_IO;
    }
    return WEFT_OK;
}

void weft_bus_sockets_close(weft_bus_sockets_t *self) {
    weft_net_close(&self->control);
    weft_net_close(&self->fanout);
    weft_net_close(&self->ingest);
    weft_gate_destroy(&self->gate);
}
