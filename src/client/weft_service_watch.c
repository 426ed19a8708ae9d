/* weft_service_watch: the user's descriptors and timers on the service's loop. */
#include "weft_service_inner.h"

#include <poll.h>

struct weft_watch {
    weft_service_t *service;
    int id; /* descriptor or timer */
    weft_fd_fn on_fd;
    weft_timer_fn on_timer;
    void *arg;
    unsigned times; /* timers: calls left, 0: without end */
};

static weft_watch_t *s_watch(weft_service_t *self, weft_watch_t watch) {
    weft_watch_t *copy = malloc(sizeof *copy);
    weft_watch_t **all = realloc(self->watches, (self->watches_count + 1) * sizeof *all);
    if (all) self->watches = all;
    if (!copy || !all) {
        free(copy);
        return NULL;
    }
    *copy = watch;
    copy->service = self;
    self->watches[self->watches_count++] = copy;
    return copy;
}

static void s_unwatch(weft_service_t *self, bool timer, int id) {
    for (size_t i = 0; i < self->watches_count; i++) {
        weft_watch_t *watch = self->watches[i];
        if (watch->id != id || timer != (watch->on_timer != NULL)) continue;
        self->watches[i] = self->watches[--self->watches_count];
        free(watch);
        return;
    }
}

static int s_on_fd(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_watch_t *watch = arg;
    weft_service_t *self = watch->service;
    short revents = (short) ((item->revents & ZMQ_POLLIN ? POLLIN : 0) |
                             (item->revents & ZMQ_POLLOUT ? POLLOUT : 0) |
                             (item->revents & ZMQ_POLLERR ? POLLERR : 0));
    (void) loop;
    watch->on_fd(watch->id, revents, watch->arg);
    return weft_service_goes_on(self);
}

weft_err_t weft_service_fd(weft_service_t *self, int fd, short events, weft_fd_fn fn, void *arg) {
    weft_service_fd_end(self, fd);
    weft_watch_t *watch = s_watch(self, (weft_watch_t){.id = fd, .on_fd = fn, .arg = arg});
    if (!watch) return WEFT_E_NOMEM;
    zmq_pollitem_t item = {.fd = fd,
                           .events = (short) ((events & POLLIN ? ZMQ_POLLIN : 0) |
                                              (events & POLLOUT ? ZMQ_POLLOUT : 0))};
    return zloop_poller(self->loop, &item, s_on_fd, watch) == 0 ? WEFT_OK : WEFT_E_NOMEM;
}

void weft_service_fd_end(weft_service_t *self, int fd) {
    zmq_pollitem_t item = {.fd = fd};
    zloop_poller_end(self->loop, &item);
    s_unwatch(self, false, fd);
}

static int s_on_timer(zloop_t *loop, int id, void *arg) {
    weft_watch_t *watch = arg;
    weft_service_t *self = watch->service;
    weft_timer_fn fn = watch->on_timer;
    void *fn_arg = watch->arg;
    (void) loop;
    if (watch->times == 1)
        s_unwatch(self, true, id);
    else if (watch->times)
        watch->times--;
    fn(fn_arg);
    return weft_service_goes_on(self);
}

weft_err_t weft_service_timer(weft_service_t *self, unsigned delay_ms, unsigned times,
                              weft_timer_fn fn, void *arg, int *id) {
    weft_watch_t *watch = s_watch(
        self, (weft_watch_t){.id = -1, .on_timer = fn, .arg = arg, .times = times});
    if (!watch) return WEFT_E_NOMEM;
    int timer = zloop_timer(self->loop, delay_ms, times, s_on_timer, watch);
    watch->id = timer;
    if (timer == -1) {
        s_unwatch(self, true, -1);
        return WEFT_E_NOMEM;
    }
    if (id) *id = timer;
    return WEFT_OK;
}

void weft_service_timer_end(weft_service_t *self, int id) {
    zloop_timer_end(self->loop, id);
    s_unwatch(self, true, id);
}
