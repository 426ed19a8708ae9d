/* http_thread: see http_thread.h. A server watches a few descriptors and timers, so there is room for a
 * few. */
#include "http_thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "http_private.h"

#define PLACES 4u /* descriptors, and timers */

struct http_thread {
    pthread_t thread;
    bool running;
    int stop_fd;
    int nice;
    http_server_t *server;
    struct {
        int fd; /* -1: free */
        weft_fd_fn fn;
        void *arg;
    } fds[PLACES];
    struct {
        int64_t due_us; /* -1: free */
        weft_timer_fn fn;
        void *arg;
    } timers[PLACES];
};

static weft_err_t s_fd(void *loop, int fd, weft_fd_fn fn, void *arg) {
    http_thread_t *self = loop;
    for (size_t i = 0; i < PLACES; i++) {
        if (self->fds[i].fd >= 0) continue;
        self->fds[i].fd = fd;
        self->fds[i].fn = fn;
        self->fds[i].arg = arg;
        return WEFT_OK;
    }
    return WEFT_E_FULL;
}

static void s_fd_end(void *loop, int fd) {
    http_thread_t *self = loop;
    for (size_t i = 0; i < PLACES; i++)
        if (self->fds[i].fd == fd) self->fds[i].fd = -1;
}

static weft_err_t s_timer(void *loop, unsigned delay_ms, weft_timer_fn fn, void *arg, int *id) {
    http_thread_t *self = loop;
    for (size_t i = 0; i < PLACES; i++) {
        if (self->timers[i].due_us >= 0) continue;
        self->timers[i].due_us = http_now_us() + (int64_t) delay_ms * 1000;
        self->timers[i].fn = fn;
        self->timers[i].arg = arg;
        *id = (int) i;
        return WEFT_OK;
    }
    return WEFT_E_FULL;
}

static void s_timer_end(void *loop, int id) {
    ((http_thread_t *) loop)->timers[id].due_us = -1;
}

/* ms until the next timer, -1: there is none. */
static int s_wait(const http_thread_t *self) {
    int64_t due_us = INT64_MAX, now_us = http_now_us();
    for (size_t i = 0; i < PLACES; i++)
        if (self->timers[i].due_us >= 0 && self->timers[i].due_us < due_us)
            due_us = self->timers[i].due_us;
    if (due_us == INT64_MAX) return -1;
    return due_us > now_us ? (int) ((due_us - now_us + 999) / 1000) : 0;
}

static void s_call_timers(http_thread_t *self) {
    int64_t now_us = http_now_us();
    for (size_t i = 0; i < PLACES; i++) {
        if (self->timers[i].due_us < 0 || self->timers[i].due_us > now_us) continue;
        self->timers[i].due_us = -1; /* it fires once and may be set anew meanwhile */
        self->timers[i].fn(self->timers[i].arg);
    }
}

static void *s_run(void *arg) {
    http_thread_t *self = arg;
    (void) pthread_setname_np(pthread_self(), "weft-http");
    /* Of this thread alone, as Linux has it; without the right it stays as it is. */
    (void) setpriority(PRIO_PROCESS, (id_t) gettid(), self->nice);
    for (;;) {
        struct pollfd items[PLACES + 1] = {{.fd = self->stop_fd, .events = POLLIN}};
        for (size_t i = 0; i < PLACES; i++)
            items[i + 1] = (struct pollfd){.fd = self->fds[i].fd, .events = POLLIN};
        if (poll(items, PLACES + 1, s_wait(self)) < 0 && errno != EINTR) {
            weft_diag(WEFT_DIAG_ERROR, "http.poll", "error=\"%s\"", strerror(errno));
            return NULL;
        }
        if (items[0].revents) return NULL;
        s_call_timers(self);
        for (size_t i = 0; i < PLACES; i++)
            if (items[i + 1].revents && self->fds[i].fd == items[i + 1].fd)
                self->fds[i].fn(items[i + 1].fd, items[i + 1].revents, self->fds[i].arg);
    }
}

weft_err_t http_thread_new(http_thread_t **out, const char *listen, const http_route_t *routes,
                           size_t routes_count, int nice) {
    http_thread_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    const http_loop_t loop = {s_fd, s_fd_end, s_timer, s_timer_end, self};
    for (size_t i = 0; i < PLACES; i++) {
        self->fds[i].fd = -1;
        self->timers[i].due_us = -1;
    }
    self->nice = nice;
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    weft_err_t rc = self->stop_fd < 0 ? WEFT_E_IO : WEFT_OK;
    if (rc == WEFT_OK) rc = http_server_new(&self->server, &loop, listen, routes, routes_count);
    if (rc == WEFT_OK && pthread_create(&self->thread, NULL, s_run, self) != 0) rc = WEFT_E_IO;
    self->running = rc == WEFT_OK;
    if (rc == WEFT_OK)
        *out = self;
    else
        http_thread_destroy(&self);
    return rc;
}

const char *http_thread_address(const http_thread_t *self) {
    return http_server_address(self->server);
}

void http_thread_destroy(http_thread_t **self_p) {
    http_thread_t *self = *self_p;
    if (!self) return;
    const uint64_t one = 1;
    if (self->running) {
        while (write(self->stop_fd, &one, sizeof one) < 0 && errno == EINTR) continue;
        pthread_join(self->thread, NULL);
    }
    http_server_destroy(&self->server); /* from here on this thread is the server's */
    if (self->stop_fd >= 0) close(self->stop_fd);
    free(self);
    *self_p = NULL;
}
