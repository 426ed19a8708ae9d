/* weft_net: see weft_net.h. Option values that the protocol names come from weft_limits.h. */
#include "weft_net.h"

#include "weft_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* C4: the kernel asks a silent peer each 2 s and gives up after 6 s, also on data that nobody takes.
 * Not by ZeroMQ's own heartbeats: libzmq 4.3.4 ends the process (zmq_assert) when one is due on a
 * connection that failed while its receive queue was full. */
#define KEEPALIVE_S 2
#define KEEPALIVE_COUNT 3
#define CONNECT_MS 3000 /* the kernel alone would wait for minutes, with growing pauses */
#define RECONNECT_MS 100
#define RECONNECT_MS_MAX 1000

static bool s_starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The port of tcp://HOST:PORT, -1 if there is none. colon out: where it begins. */
static long s_port(const char *endpoint, const char **colon) {
    *colon = strrchr(endpoint + 6, ':');
    if (!*colon || *colon == endpoint + 6) return -1;
    const char *digits = *colon + 1;
    if (strcmp(digits, "*") == 0) return 0;
    char *end;
    if (*digits < '0' || *digits > '9') return -1;
    long port = strtol(digits, &end, 10);
    return *end || port > 65533 ? -1 : port; /* room for + 2 */
}

weft_err_t weft_endpoint_check(const char *endpoint, const char **reason) {
    const char *colon;
    *reason = "";
    if (strlen(endpoint) >= WEFT_ENDPOINT_BYTES - 8) {
        *reason = "endpoint is too long";
    } else if (s_starts(endpoint, "tcp://")) {
        if (s_port(endpoint, &colon) < 0) *reason = "want tcp://HOST:PORT with a port up to 65533";
    } else if (s_starts(endpoint, "ipc://")) {
        if (endpoint[6] == '\0') *reason = "want ipc://PATH";
        if (strlen(endpoint + 6) + 4 > 107)
            *reason = "ipc path is too long for a socket (103 bytes)";
    } else if (s_starts(endpoint, "inproc://")) {
        if (endpoint[9] == '\0') *reason = "want inproc://NAME";
    } else {
        *reason = "want tcp://HOST:PORT or ipc://PATH";
    }
    return **reason ? WEFT_E_ARG : WEFT_OK;
}

bool weft_endpoint_local(const char *endpoint) {
    return !s_starts(endpoint, "tcp://") || s_starts(endpoint, "tcp://127.") ||
           s_starts(endpoint, "tcp://localhost:") || s_starts(endpoint, "tcp://[::1]:");
}

weft_err_t weft_endpoint_derive(char out[WEFT_ENDPOINT_BYTES], const char *endpoint,
                                weft_port_t port) {
    static const char *const suffixes[] = {"", ".fan", ".in"};
    const char *colon;
    int size;
    if (s_starts(endpoint, "tcp://")) {
        long base = s_port(endpoint, &colon);
        if (base < 0) return WEFT_E_ARG;
        int host = (int) (colon - endpoint);
        size = base == 0 ? snprintf(out, WEFT_ENDPOINT_BYTES, "%.*s:*", host, endpoint)
                         : snprintf(out, WEFT_ENDPOINT_BYTES, "%.*s:%ld", host, endpoint,
                                    base + (long) port);
    } else {
        size = snprintf(out, WEFT_ENDPOINT_BYTES, "%s%s", endpoint, suffixes[port]);
    }
    return size > 0 && size < (int) WEFT_ENDPOINT_BYTES ? WEFT_OK : WEFT_E_ARG;
}

weft_err_t weft_endpoint_reach(char out[WEFT_ENDPOINT_BYTES], const char *told,
                               const char *control) {
    const char *told_colon, *control_colon;
    int size;
    if ((s_starts(told, "tcp://0.0.0.0:") || s_starts(told, "tcp://[::]:") ||
         s_starts(told, "tcp://*:")) &&
        s_starts(control, "tcp://") && s_port(told, &told_colon) > 0 &&
        s_port(control, &control_colon) >= 0)
        size = snprintf(out, WEFT_ENDPOINT_BYTES, "%.*s%s", (int) (control_colon - control),
                        control, told_colon);
    else
        size = snprintf(out, WEFT_ENDPOINT_BYTES, "%s", told);
    return size > 0 && size < (int) WEFT_ENDPOINT_BYTES ? WEFT_OK : WEFT_E_ARG;
}

static void s_set(void *socket, int option, int value) {
    (void) zmq_setsockopt(socket, option, &value, sizeof value); /* fails only on a wrong option */
}

void *weft_net_socket(void *context, int type, int hwm) {
    void *socket = zmq_socket(context, type);
    if (!socket) return NULL;
    int64_t max = WEFT_MESSAGE_BYTES_MAX;
    s_set(socket, ZMQ_LINGER, 0);
    s_set(socket, ZMQ_SNDHWM, hwm);
    s_set(socket, ZMQ_RCVHWM, hwm);
    s_set(socket, ZMQ_IPV6, 1);
    s_set(socket, ZMQ_TCP_KEEPALIVE, 1);
    s_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_S);
    s_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_S);
    s_set(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
    s_set(socket, ZMQ_TCP_MAXRT, KEEPALIVE_S * KEEPALIVE_COUNT * 1000);
    s_set(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_MS);
    s_set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    s_set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    (void) zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max);
    return socket;
}

void weft_net_close(void **socket) {
    if (!*socket) return;
    /* Its monitor, if it has one, ends now, and not only once every inproc peer has let go. */
    (void) zmq_socket_monitor(*socket, NULL, 0);
    zmq_close(*socket);
    *socket = NULL;
}

bool weft_net_readable(void *socket) {
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLIN;
}

static weft_err_t s_result(int rc) {
    if (rc >= 0) return WEFT_OK;
    return errno == EAGAIN || errno == EHOSTUNREACH || errno == EINTR ? WEFT_E_AGAIN : WEFT_E_IO;
}

weft_err_t weft_net_send(void *socket, const void *head, size_t head_size, const void *body,
                         size_t body_size) {
    weft_err_t rc = s_result(zmq_send(socket, head, head_size, ZMQ_SNDMORE | ZMQ_DONTWAIT));
    if (rc != WEFT_OK) return rc;
    return s_result(zmq_send(socket, body, body_size, ZMQ_DONTWAIT));
}

weft_err_t weft_net_recv(void *socket, zmq_msg_t *frames, unsigned max, unsigned *count) {
    zmq_msg_t extra;
    *count = 0;
    for (;;) {
        zmq_msg_t *frame = *count < max ? &frames[*count] : &extra;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            weft_err_t rc = s_result(-1);
            zmq_msg_close(frame);
            weft_net_close_frames(frames, *count, max);
            return rc;
        }
        bool more = zmq_msg_more(frame);
        if (*count >= max) zmq_msg_close(frame);
        ++*count;
        if (!more) return WEFT_OK;
    }
}

void weft_net_close_frames(zmq_msg_t *frames, unsigned count, unsigned max) {
    for (unsigned i = 0; i < count && i < max; i++) zmq_msg_close(&frames[i]);
}
