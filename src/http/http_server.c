/* http_server: libmicrohttpd as a guest on somebody's loop.
 *
 * MHD keeps its sockets in an epoll set of its own; the loop watches that one descriptor. What MHD
 * wants to do later (a timeout, a connection it left in mid-work) is kept in one timer of the loop;
 * so is a resumed connection, which does not wake the set. Nothing blocks while the loop runs. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_private.h"

#define HTTP_MEMORY_BYTES \
    (32u << 10)            /* MHD's pool for one connection: headers, and reads of a body */
#define HTTP_TURNS_MAX 16u /* of MHD, before the rest of the loop has its turn */
#define HTTP_LOOK_US 100   /* for requests that share in a turn */
#define HTTP_HOST_BYTES 256u

int64_t http_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t s_now_ms(void) {
    return http_now_us() / 1000;
}

/* ---------------------------------------------------------------------------------------------- */
/* Loop */

static void s_run(http_server_t *self);

static void s_on_timer(void *arg) {
    http_server_t *self = arg;
    self->timer_due_ms = -1; /* it fires once and is gone */
    s_run(self);
}

/* An earlier timer is left alone: it comes round here again. */
static void s_arm(http_server_t *self, uint64_t wait_ms) {
    if (self->stopping) return;
    if (wait_ms > HTTP_IDLE_SECONDS * 1000) wait_ms = HTTP_IDLE_SECONDS * 1000;
    if (wait_ms == 0) wait_ms = 1;
    int64_t due_ms = s_now_ms() + (int64_t) wait_ms;
    if (self->timer_due_ms >= 0 && self->timer_due_ms <= due_ms) return;
    if (self->timer_due_ms >= 0) self->loop.timer_end(self->loop.loop, self->timer_id);
    self->timer_due_ms = due_ms;
    weft_err_t rc = self->loop.timer(self->loop.loop, (unsigned) wait_ms, s_on_timer, self,
                                     &self->timer_id);
    if (rc != WEFT_OK) {
        self->timer_due_ms = -1;
        weft_diag(WEFT_DIAG_ERROR, "http.timer", "error=%s", weft_err_name(rc));
    }
}

/* Clients that were answered together ask again together, but not in the same microsecond. While fewer are
 * there than lately, a short look for the rest is cheaper than a turn of their own. True: there is one. */
static bool s_more(http_server_t *self) {
    struct pollfd item = {.fd = self->epoll_fd, .events = POLLIN};
    if (!self->asked || self->asked >= self->expected) return false;
    int64_t end_us = http_now_us() + HTTP_LOOK_US;
    do {
        if (poll(&item, 1, 0) > 0) return true;
    } while (http_now_us() < end_us);
    return false;
}

/* Requests go to their handlers. What comes in meanwhile shares in what a turn does once for all. */
static void s_gather(http_server_t *self) {
    size_t begun;
    unsigned runs = 0;
    do {
        begun = self->begun;
        MHD_run(self->daemon);
    } while (self->turn && ++runs < HTTP_TURNS_MAX && (self->begun != begun || s_more(self)));
    if (!self->asked) return;
    size_t less = self->expected - (self->expected + 7) / 8; /* a look in vain shortens the next */
    self->expected = self->asked > less ? self->asked : less;
}

/* False: MHD has more to do. */
static bool s_turn(http_server_t *self) {
    MHD_UNSIGNED_LONG_LONG wait_ms;
    self->resumed = false;
    s_gather(self);
    if (self->turn && !self->stopping) self->turn(self->turn_arg);
    http_requests_suspend_held(self);
    if (self->resumed) return false;
    if (MHD_get_timeout(self->daemon, &wait_ms) != MHD_YES) return true;
    if (wait_ms) s_arm(self, wait_ms);
    return wait_ms > 0;
}

static void s_run(http_server_t *self) {
    bool done = false;
    self->running = true;
    for (unsigned turn = 0; turn < HTTP_TURNS_MAX && !done; turn++) done = s_turn(self);
    self->running = false;
    if (!done) http_server_wake(self);
}

void http_server_wake(http_server_t *self) {
    uint64_t one = 1;
    if (self->running) {
        self->resumed = true;
        return;
    }
    ssize_t written = write(self->wake_fd, &one, sizeof one);
    (void) written; /* full means that it is readable already */
}

static void s_on_wake(int fd, short revents, void *arg) {
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void) got;
    (void) revents;
    s_run(arg);
}

static void s_on_beat(void *arg) {
    http_server_t *self = arg;
    self->beat_ms = 0;
    http_server_beat(self, http_streams_beat(self));
}

/* Looking more often than the beat keeps each stream's pause near it. */
void http_server_beat(http_server_t *self, unsigned beat_ms) {
    if (!beat_ms || self->stopping || (self->beat_ms && self->beat_ms <= beat_ms)) return;
    if (self->beat_ms) self->loop.timer_end(self->loop.loop, self->beat_id);
    weft_err_t rc = self->loop.timer(self->loop.loop, beat_ms / 3 + 1, s_on_beat, self,
                                     &self->beat_id);
    self->beat_ms = rc == WEFT_OK ? beat_ms : 0;
}

static void s_on_readable(int fd, short revents, void *arg) {
    (void) fd;
    (void) revents;
    s_run(arg);
}

/* ---------------------------------------------------------------------------------------------- */
/* What MHD calls */

/* The first that MHD tells of a request; what is returned comes back as *context. */
static void *s_on_uri(void *arg, const char *uri, struct MHD_Connection *connection) {
    http_server_t *self = arg;
    http_request_t *request = http_request_new(self, connection, uri);
    if (request) {
        self->under_way++;
        self->begun++;
    }
    return request;
}

/* Escapes are undone after the path has been cut at its slashes, so not here. */
static size_t s_leave_escapes(void *arg, struct MHD_Connection *connection, char *text) {
    (void) arg;
    (void) connection;
    return strlen(text);
}

static enum MHD_Result s_on_access(void *arg, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **context) {
    (void) arg;
    (void) connection;
    (void) url;
    (void) version;
    http_request_t *request = *context;
    if (!request) return MHD_NO; /* no memory for it */
    if (!request->begun) {
        http_request_begin(request, method);
        if (!http_request_refuse_now(request)) return MHD_YES;
        http_request_refuse(request);
        return http_request_deliver(request);
    }
    if (*upload_size) {
        bool more = http_request_take(request, upload, *upload_size);
        *upload_size = 0;
        return more ? MHD_YES : MHD_NO;
    }
    if (!request->dispatched) http_request_dispatch(request);
    return http_request_deliver(request);
}

static const char *s_end_text(enum MHD_RequestTerminationCode how) {
    switch (how) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK: return "sent";
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED: return "timeout";
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN: return "stop";
    default: return "cut";
    }
}

static void s_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                           enum MHD_RequestTerminationCode how) {
    (void) connection;
    http_server_t *self = arg;
    http_request_t *request = *context;
    if (!request) return;
    char path[256];
    http_text_for_diag(request->uri, path, sizeof path);
    weft_diag(request->quiet ? WEFT_DIAG_DEBUG : WEFT_DIAG_INFO, "http.access",
              "method=%s path=%s status=%u bytes=%zu ms=%lld end=%s",
              request->method ? request->method : "-", path, request->status, request->answer_size,
              (long long) ((http_now_us() - request->started_us) / 1000), s_end_text(how));
    /* Its client may have left while it was held: its owner must not answer into the void. */
    if (request->held) request->cancel(request, request->cancel_arg);
    if (request->stream) http_stream_finish(request->stream, how);
    self->under_way--;
    http_request_destroy(&request);
    *context = NULL;
}

static void s_on_log(void *arg, const char *format, va_list args) WEFT_PRINTF(2, 0);
static void s_on_log(void *arg, const char *format, va_list args) {
    (void) arg;
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    size_t size = strcspn(text, "\n");
    text[size] = 0;
    weft_diag(WEFT_DIAG_DEBUG, "http.mhd", "text=\"%s\"", text);
}

/* ---------------------------------------------------------------------------------------------- */
/* Listening */

/* HOST:PORT of a bound socket. */
static bool s_address(int fd, char *out, size_t out_size) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[HTTP_HOST_BYTES], port[16];
    if (getsockname(fd, (struct sockaddr *) &address, &size) != 0 ||
        getnameinfo((struct sockaddr *) &address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    snprintf(out, out_size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return true;
}

static int s_bind(const struct addrinfo *info) {
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static weft_err_t s_listen(const char *listen_text, int *out) {
    char host[HTTP_HOST_BYTES], port_text[8];
    uint16_t port;
    if (!http_listen_parse(listen_text, host, sizeof host, &port)) {
        weft_diag(WEFT_DIAG_ERROR, "http.listen", "wanted=HOST:PORT got=\"%s\"", listen_text);
        return WEFT_E_USAGE;
    }
    snprintf(port_text, sizeof port_text, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *info = NULL;
    int resolved = getaddrinfo(host, port_text, &hints, &info);
    if (resolved != 0) {
        weft_diag(WEFT_DIAG_ERROR, "http.listen", "address=\"%s\" error=\"%s\"", listen_text,
                  gai_strerror(resolved));
        return WEFT_E_IO;
    }
    int fd = s_bind(info);
    if (fd < 0)
        weft_diag(WEFT_DIAG_ERROR, "http.listen", "address=\"%s\" error=\"%s\"", listen_text,
                  strerror(errno));
    freeaddrinfo(info);
    *out = fd;
    return fd < 0 ? WEFT_E_IO : WEFT_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

/* MHD takes fd only if it starts. */
static struct MHD_Daemon *s_start(http_server_t *self, int fd, unsigned connections) {
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, s_on_access,
        self, MHD_OPTION_EXTERNAL_LOGGER, s_on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, s_on_uri, self, MHD_OPTION_UNESCAPE_CALLBACK, s_leave_escapes,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, s_on_completed, self, MHD_OPTION_CONNECTION_LIMIT,
        connections, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTP_MEMORY_BYTES, MHD_OPTION_END);
}

static weft_err_t s_join_loop(http_server_t *self) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info) return WEFT_E_IO;
    self->epoll_fd = info->epoll_fd;
    weft_err_t rc = self->loop.fd(self->loop.loop, self->epoll_fd, s_on_readable, self);
    if (rc == WEFT_OK) rc = self->loop.fd(self->loop.loop, self->wake_fd, s_on_wake, self);
    return rc;
}

/* As many connections as there may be open files: those of the process itself need some, too. */
static unsigned s_room_for(unsigned connections, unsigned beside) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return connections;
    rlim_t wanted = (rlim_t) connections + beside;
    if (files.rlim_cur < wanted) {
        files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) (void) getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur >= wanted) return connections;
    rlim_t few = files.rlim_cur > 2 * (rlim_t) beside ? files.rlim_cur - beside
                                                      : files.rlim_cur / 2;
    weft_diag(WEFT_DIAG_WARN, "http.connections", "wanted=%u most=%llu reason=\"open files\"",
              connections, (unsigned long long) few);
    return (unsigned) few;
}

static weft_err_t s_set_limits(http_server_t *self, const http_limits_t *limits) {
    self->body_bytes_max = limits->body_bytes_max ? limits->body_bytes_max : HTTP_BODY_BYTES_MAX;
    snprintf(self->body_refusal, sizeof self->body_refusal, "body is larger than %zu bytes",
             self->body_bytes_max);
    self->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return self->wake_fd < 0 ? WEFT_E_IO : WEFT_OK;
}

weft_err_t http_server_new(http_server_t **out, const http_loop_t *loop, const char *listen_text,
                           const http_route_t *routes, size_t routes_count) {
    const http_limits_t usual = {0};
    return http_server_new_limits(out, loop, listen_text, routes, routes_count, &usual);
}

weft_err_t http_server_new_limits(http_server_t **out, const http_loop_t *loop,
                                  const char *listen_text, const http_route_t *routes,
                                  size_t routes_count, const http_limits_t *limits) {
    int fd = -1;
    unsigned connections = limits->connections_max ? limits->connections_max : HTTP_CONNECTIONS_MAX;
    unsigned beside = limits->files_beside ? limits->files_beside : HTTP_FILES_BESIDE;
    weft_err_t rc = WEFT_E_NOMEM;
    http_server_t *self = calloc(1, sizeof *self);
    if (!self) goto out;
    self->loop = *loop;
    self->routes = routes;
    self->routes_count = routes_count;
    self->epoll_fd = self->wake_fd = -1;
    self->timer_due_ms = -1;
    if ((rc = s_set_limits(self, limits)) != WEFT_OK) goto out;
    if ((rc = s_listen(listen_text, &fd)) != WEFT_OK) goto out;
    rc = WEFT_E_IO;
    if (!s_address(fd, self->address, sizeof self->address)) goto out;
    self->daemon = s_start(self, fd, s_room_for(connections, beside));
    if (!self->daemon) goto out;
    fd = -1; /* handed over */
    if ((rc = s_join_loop(self)) != WEFT_OK) goto out;
    *out = self;
    self = NULL;
out:
    if (rc != WEFT_OK) weft_diag(WEFT_DIAG_ERROR, "http.start", "error=%s", weft_err_name(rc));
    if (fd >= 0) close(fd);
    http_server_destroy(&self);
    return rc;
}

void http_server_on_turn(http_server_t *self, http_turn_fn fn, void *arg) {
    self->turn = fn;
    self->turn_arg = arg;
}

void http_server_one_origin(http_server_t *self) {
    self->one_origin = true;
}

const char *http_server_address(const http_server_t *self) {
    return self->address;
}

/* Requests that have arrived are read and refused, answers are sent to their last byte. */
static void s_drain(http_server_t *self) {
    int64_t end_ms = s_now_ms() + HTTP_LEAVE_MS;
    /* A connection is let in on one turn, read on the next, and answered on the one after that. */
    for (unsigned turn = 0; (turn < 3 || self->under_way) && s_now_ms() < end_ms; turn++) {
        struct pollfd item = {.fd = self->epoll_fd, .events = POLLIN};
        MHD_run(self->daemon);
        poll(&item, 1, 10);
    }
}

void http_server_stop(http_server_t *self) {
    if (!self || self->stopping) return;
    self->stopping = true;
    if (self->epoll_fd >= 0) self->loop.fd_end(self->loop.loop, self->epoll_fd);
    if (self->wake_fd >= 0) self->loop.fd_end(self->loop.loop, self->wake_fd);
    if (self->beat_ms) self->loop.timer_end(self->loop.loop, self->beat_id);
    self->beat_ms = 0;
    if (self->timer_due_ms >= 0) self->loop.timer_end(self->loop.loop, self->timer_id);
    self->timer_due_ms = -1;
    if (!self->daemon) return;
    MHD_run(self->daemon); /* whoever waits at the door is let in, to hear the refusal */
    int fd = MHD_quiesce_daemon(self->daemon);
    if (fd >= 0) close(fd);
    while (self->held) http_request_cancel(self->held);
    http_streams_stop(self);
    s_drain(self);
}

void http_server_gate(http_server_t *self, http_gate_fn fn, void *arg) {
    self->gate = fn;
    self->gate_arg = arg;
}

size_t http_server_held(const http_server_t *self) {
    size_t count = 0;
    for (const http_request_t *at = self->held; at; at = at->next_held) count++;
    return count;
}

void http_server_destroy(http_server_t **self_p) {
    http_server_t *self = *self_p;
    if (!self) return;
    http_server_stop(self);
    if (self->daemon) MHD_stop_daemon(self->daemon);
    if (self->wake_fd >= 0) close(self->wake_fd);
    free(self);
    *self_p = NULL;
}
