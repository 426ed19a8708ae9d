/* weft_link: see weft_link.h. ZeroMQ's descriptors are edge-triggered and hide work that came in
 * while sending, so users read until nothing is left whenever they wake up. */
#include "weft_link.h"

#include "weft_limits.h"
#include "weft_os.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONTROL_HWM 1000
#define AT_ONCE_US 1000

static int s_fd(void *socket) {
    int fd = -1;
    size_t size = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0) return -1;
    return fd;
}

static bool s_watch(weft_link_t *self, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ZeroMQ's threads mask all signals, but only once they run: one that is sent before that would end the
 * process. So they are born with all of them masked. */
static void *s_control(weft_link_t *self) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    void *control = weft_link_socket(self, ZMQ_DEALER, CONTROL_HWM, true);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return control;
}

weft_err_t weft_link_open(weft_link_t *self, const char *endpoint, void *context) {
    const char *reason;
    *self = (weft_link_t){.epoll_fd = -1, .timer_fd = -1};
    if (weft_endpoint_check(endpoint, &reason) != WEFT_OK) {
        weft_diag(WEFT_DIAG_ERROR, "link.endpoint", "endpoint=\"%s\" reason=\"%s\"", endpoint,
                  reason);
        return WEFT_E_ARG;
    }
    memcpy(self->endpoint, endpoint, strlen(endpoint) + 1);
    self->request_ids = weft_os_random();
    self->own_context = context == NULL;
    self->context = context ? context : zmq_ctx_new();
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    bool ok = self->context && self->epoll_fd >= 0 && self->timer_fd >= 0 &&
              s_watch(self, self->timer_fd);
    if (ok) self->control = s_control(self);
    ok = ok && self->control && zmq_connect(self->control, endpoint) == 0;
    if (ok) return WEFT_OK;
    weft_diag(WEFT_DIAG_ERROR, "link.open", "endpoint=\"%s\" reason=\"%s\"", endpoint,
              zmq_strerror(errno));
    weft_link_close(self);
    return WEFT_E_IO;
}

void weft_link_close(weft_link_t *self) {
    weft_link_drop(self, &self->control);
    if (self->timer_fd >= 0) close(self->timer_fd);
    if (self->epoll_fd >= 0) close(self->epoll_fd);
    if (self->own_context && self->context)
        while (zmq_ctx_term(self->context) != 0 && errno == EINTR) continue;
    *self = (weft_link_t){.epoll_fd = -1, .timer_fd = -1};
}

void *weft_link_socket(weft_link_t *self, int type, int hwm, bool immediate) {
    void *socket = weft_net_socket(self->context, type, hwm);
    int on =
        immediate; /* queue only where a connection stands: nothing piles up for a bus that is away */
    if (!socket) return NULL;
    if (zmq_setsockopt(socket, ZMQ_IMMEDIATE, &on, sizeof on) == 0 && s_watch(self, s_fd(socket)))
        return socket;
    weft_net_close(&socket);
    return NULL;
}

void weft_link_drop(weft_link_t *self, void **socket) {
    if (*socket) epoll_ctl(self->epoll_fd, EPOLL_CTL_DEL, s_fd(*socket), NULL);
    weft_net_close(socket);
}

void weft_link_arm_us(weft_link_t *self, int64_t at_us) {
    uint64_t expired;
    int64_t now_us = weft_os_monotonic_us();
    if (at_us == self->armed_us && now_us < at_us) return;
    ssize_t got = read(self->timer_fd, &expired, sizeof expired); /* no longer readable */
    (void) got;
    struct itimerspec when = {.it_value = {0, 0}};
    if (at_us != INT64_MAX) {
        if (at_us <= now_us) at_us = now_us + AT_ONCE_US; /* zero would switch it off */
        when.it_value.tv_sec = at_us / 1000000;
        when.it_value.tv_nsec = at_us % 1000000 * 1000;
    }
    timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    self->armed_us = at_us;
}

void weft_link_arm(weft_link_t *self, int64_t at_ms) {
    int64_t last_ms = INT64_MAX / 1000;
    weft_link_arm_us(self, at_ms > last_ms ? INT64_MAX : at_ms < 0 ? 0 : at_ms * 1000);
}

bool weft_link_wait(weft_link_t *self, int timeout_ms) {
    struct pollfd item = {.fd = self->epoll_fd, .events = POLLIN};
    return poll(&item, 1, timeout_ms) > 0;
}

uint64_t weft_link_request_id(weft_link_t *self) {
    uint64_t z = self->request_ids += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z ? z : 1; /* 0 means no request */
}

weft_err_t weft_link_send(weft_link_t *self, weft_command_t command, const weft_buf_t *body) {
    const char *name = weft_command_name(command);
    if (!weft_buf_ok(body)) return WEFT_E_NOMEM;
    return weft_net_send(self->control, name, strlen(name), body->data, body->size);
}

weft_err_t weft_link_recv(weft_link_t *self, zmq_msg_t frames[3], unsigned *count,
                          weft_command_t *command) {
    weft_err_t rc = weft_net_recv(self->control, frames, 3, count);
    if (rc != WEFT_OK) return rc;
    *command = weft_command_parse(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]));
    if (*count != (*command == WEFT_COMMAND_PAGE ? 3 : 2)) *command = WEFT_COMMAND_NONE;
    return WEFT_OK;
}
