/* weft_service: one loop that serves a database, the bus and the user's descriptors. Here is its life:
 * what it is made of, what it tells, and how it runs. See weft_service_inner.h for its parts. */
#include "weft_limits.h"
#include "weft_net.h"
#include "weft_notify.h"
#include "weft_service_inner.h"
#include "weft_service_metrics.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#define LEAVE_MS 1000 /* a clean stop waits this long for acknowledgements under way */

/* ---- lifecycle */

static bool s_on_error(const char *text, weft_on_error_t *out) {
    static const char *const names[] = {[WEFT_ON_ERROR_PARK] = "park",
                                        [WEFT_ON_ERROR_SKIP] = "skip",
                                        [WEFT_ON_ERROR_STOP] = "stop"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], text) != 0) continue;
        *out = (weft_on_error_t) i;
        return true;
    }
    return false;
}

static weft_err_t s_parse(weft_service_t *self, int argc, char **argv, const weft_option_t *more,
                          size_t more_count) {
    const char *bus = getenv("WEFT_BUS");
    uint64_t number;
    weft_on_error_t on_error;
    const weft_option_t own[] = {
        {"bus", "ENDPOINT", "control endpoint of the bus", bus && *bus ? bus : WEFT_DEFAULT_BUS,
         &self->bus},
        {"data", "DIR", "where the database lives", ".", &self->data},
        {"filter-from", "start|now", "what a filter that is new on an old database gets", NULL,
         &self->filter_from},
        {"park-after", "N", "attempts before a failing event is given up", "5", &self->park_after},
        {"on-error", "park|skip|stop", "what becomes of it then", "park", &self->on_error},
        {"adopt-log", "now|start|N",
         "if the log refuses this database's position: go on after that one", NULL,
         &self->adopt_log},
        {"new-origin", NULL, "if the log refuses this database's events: send on as a new origin",
         NULL, &self->new_origin},
        {"diag-format", "FORM", WEFT_DIAG_FORMS " (default $WEFT_DIAG_FORMAT, or text)", NULL,
         &self->diag_format},
    };
    weft_diag_form_t form;
    weft_err_t rc = weft_options_parse(self->name, "A weft service.", argc, argv, own,
                                       sizeof own / sizeof *own, more, more_count);
    if (rc != WEFT_OK) return rc;
    const char *reason = "";
    if (weft_endpoint_check(self->bus, &reason) != WEFT_OK) {
        fprintf(stderr, "%s: --bus '%s': %s\n", self->name, self->bus, reason);
        return WEFT_E_USAGE;
    }
    if (self->filter_from && strcmp(self->filter_from, "start") != 0 &&
        strcmp(self->filter_from, "now") != 0) {
        fprintf(stderr, "%s: --filter-from '%s': want start or now\n", self->name,
                self->filter_from);
        return WEFT_E_USAGE;
    }
    if (self->adopt_log && strcmp(self->adopt_log, "start") != 0 &&
        strcmp(self->adopt_log, "now") != 0 &&
        !weft_options_number(self->adopt_log, 0, INT64_MAX, &number)) {
        fprintf(stderr, "%s: --adopt-log '%s': want now, start or a position\n", self->name,
                self->adopt_log);
        return WEFT_E_USAGE;
    }
    if (self->diag_format && !weft_diag_form_parse(self->diag_format, &form)) {
        fprintf(stderr, "%s: --diag-format '%s': want text, logfmt or json\n", self->name,
                self->diag_format);
        return WEFT_E_USAGE;
    }
    if (self->diag_format) weft_diag_set_form(form);
    if (!weft_options_number(self->park_after, 1, 1000000, &number)) {
        fprintf(stderr, "%s: --park-after '%s': want a number from 1 to 1000000\n", self->name,
                self->park_after);
        return WEFT_E_USAGE;
    }
    if (!s_on_error(self->on_error, &on_error)) {
        fprintf(stderr, "%s: --on-error '%s': want park, skip or stop\n", self->name,
                self->on_error);
        return WEFT_E_USAGE;
    }
    return WEFT_OK;
}

static bool s_name_ok(const char *name) {
    size_t size = strlen(name);
    if (!size || size > WEFT_SOURCE_BYTES_MAX) return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
           size;
}

static weft_err_t s_open(weft_service_t *self) {
    uint64_t park_after = 0;
    weft_on_error_t on_error = WEFT_ON_ERROR_PARK;
    (void) s_on_error(self->on_error, &on_error); /* checked by s_parse, as is the number */
    (void) weft_options_number(self->park_after, 1, 1000000, &park_after);
    weft_err_t rc = weft_service_store_open(&self->store, self->data, self->name);
    if (rc != WEFT_OK) return rc;
    self->database = realpath(self->store.path, NULL);
    self->context = zmq_ctx_new();
    self->loop = zloop_new();
    self->work_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!self->context || !self->loop || self->work_fd < 0) return WEFT_E_IO;
    zloop_set_nonstop(self->loop, true); /* signals are ours, not CZMQ's */
    rc = weft_outbox_new(&self->outbox, self->store.db, self->name, self->bus, self->context);
    if (rc == WEFT_OK)
        rc = weft_applier_new(&self->applier, &self->store, self->outbox, (unsigned) park_after,
                              on_error);
    if (rc == WEFT_OK) rc = weft_service_waits_open(self);
    return rc;
}

weft_err_t weft_service_new_options(weft_service_t **out, const char *name, int argc, char **argv,
                                    const weft_option_t *options, size_t options_count) {
    if (!s_name_ok(name)) return WEFT_E_ARG;
    weft_service_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->store.lock_fd = self->work_fd = self->signal_fd = -1;
    self->name = strdup(name);
    weft_err_t rc = self->name ? s_parse(self, argc, argv, options, options_count) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = s_open(self);
    if (rc == WEFT_OK) {
        *out = self;
        self = NULL;
    }
    weft_service_destroy(&self);
    return rc;
}

weft_err_t weft_service_new(weft_service_t **out, const char *name, int argc, char **argv) {
    return weft_service_new_options(out, name, argc, argv, NULL, 0);
}

void weft_service_destroy(weft_service_t **self_p) {
    weft_service_t *self = *self_p;
    if (!self) return;
    weft_waits_destroy(&self->waits);
    weft_sub_destroy(&self->sub);
    weft_applier_destroy(&self->applier);
    weft_outbox_destroy(&self->outbox);
    zloop_destroy(&self->loop);
    if (self->context)
        while (zmq_ctx_term(self->context) != 0 && errno == EINTR) continue;
    weft_service_store_close(&self->store);
    if (self->work_fd >= 0) close(self->work_fd);
    if (self->signal_fd >= 0) close(self->signal_fd);
    for (size_t i = 0; i < self->watches_count; i++) free(self->watches[i]);
    free(self->watches);
    weft_buf_free(&self->announced);
    free(self->database);
    free(self->name);
    free(self);
    *self_p = NULL;
}

weft_err_t weft_service_schema(weft_service_t *self, const char *const *steps, size_t count) {
    return weft_service_store_schema(&self->store, steps, count);
}

weft_err_t weft_service_on(weft_service_t *self, const char *filter, weft_handler_fn fn,
                           void *arg) {
    if (self->running) return WEFT_E_STATE;
    return weft_applier_on(self->applier, filter, fn, arg);
}

weft_err_t weft_service_announce(weft_service_t *self, const char *key, const char *value) {
    weft_buf_append(&self->announced, " ", 1);
    weft_buf_append(&self->announced, key, strlen(key));
    weft_buf_append(&self->announced, "=", 1);
    weft_buf_append(&self->announced, value, strlen(value));
    return weft_buf_ok(&self->announced) ? WEFT_OK : WEFT_E_NOMEM;
}

weft_err_t weft_service_transaction(weft_service_t *self, weft_transaction_fn fn, void *arg) {
    return weft_applier_transaction(self->applier, fn, arg);
}

struct sqlite3 *weft_service_db(weft_service_t *self) {
    return self->store.db;
}

const char *weft_service_bus(const weft_service_t *self) {
    return self->bus;
}

void *weft_service_zmq_context(const weft_service_t *self) {
    return self->context;
}

void weft_service_stop(weft_service_t *self, weft_err_t rc) {
    if (!self->stopping) self->result = rc;
    self->stopping = true;
}

weft_err_t weft_service_after_apply(weft_service_t *self, weft_timer_fn fn, void *arg) {
    self->after_apply = fn;
    self->after_apply_arg = arg;
    return WEFT_OK;
}

weft_err_t weft_service_retry_parked(weft_service_t *self, const char *subject, uint64_t *done) {
    return weft_applier_retry(self->applier, subject, done);
}

void weft_service_info(weft_service_t *self, weft_service_info_t *info) {
    weft_applier_info_t applier;
    weft_applier_info(self->applier, &applier);
    *info = (weft_service_info_t){.stored = applier.stored,
                                  .applied_catch_up = applier.applied_catch_up,
                                  .applied_live = applier.applied_live,
                                  .parked = applier.parked,
                                  .parked_oldest_us = applier.parked_oldest_us,
                                  .skipped = applier.skipped,
                                  .outbox = weft_outbox_depth(self->outbox),
                                  .publisher = weft_outbox_stopped(self->outbox),
                                  .trouble = applier.trouble};
    if (!self->sub) return;
    weft_sub_info(self->sub, &info->sub);
    if (!weft_applier_busy(self->applier)) return;
    /* While a batch waits nobody listens at that end: whether the bus is there tells the other one. */
    info->sub.position = applier.stored;
    info->sub.connected |= weft_outbox_heard(self->outbox);
}

weft_err_t weft_service_metrics(weft_service_t *self, char **text) {
    weft_buf_t buf = {0};
    weft_applier_info_t applier;
    weft_applier_info(self->applier, &applier);
    weft_service_figures_t figures = {.name = self->name,
                                      .database = self->store.path,
                                      .gaps = self->past_gaps,
                                      .failures = applier.failures,
                                      .resent = weft_outbox_resent(self->outbox),
                                      .outbox_oldest_us = weft_outbox_oldest_us(self->outbox),
                                      .now_us = weft_os_now_us(),
                                      .commits = weft_applier_commits(self->applier)};
    weft_service_info(self, &figures.info);
    figures.gaps += figures.info.sub.gaps;
    for (size_t i = 0; i < WEFT_SUB_DROP_COUNT; i++)
        figures.drops[i] = self->past_drops[i] + (self->sub ? weft_sub_drops(self->sub)[i] : 0);
    weft_service_metrics_put(&buf, &figures);
    weft_buf_append(&buf, "", 1);
    if (!weft_buf_ok(&buf)) {
        weft_buf_free(&buf);
        return WEFT_E_NOMEM;
    }
    *text = (char *) buf.data; /* handed over */
    return WEFT_OK;
}

/* ---- running */

/* zloop ends when a handler returns -1. */
int weft_service_goes_on(const weft_service_t *self) {
    return self->stopping ? -1 : 0;
}

weft_err_t weft_service_poll(weft_service_t *self, int fd, zloop_fn *fn) {
    zmq_pollitem_t item = {.fd = fd, .events = ZMQ_POLLIN};
    return zloop_poller(self->loop, &item, fn, self) == 0 ? WEFT_OK : WEFT_E_NOMEM;
}

static int s_on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    struct signalfd_siginfo info;
    (void) loop;
    if (read(item->fd, &info, sizeof info) != (ssize_t) sizeof info)
        return weft_service_goes_on(self);
    if (info.ssi_signo == SIGUSR1)
        weft_diag_more();
    else if (info.ssi_signo == SIGUSR2)
        weft_diag_back();
    else
        weft_service_stop(self, WEFT_OK);
    return weft_service_goes_on(self);
}

static weft_err_t s_start(weft_service_t *self, const sigset_t *signals) {
    weft_err_t rc = weft_service_stream_start(self);
    if (rc != WEFT_OK) return rc;
    self->signal_fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self->signal_fd < 0) return WEFT_E_IO;
    rc = weft_service_poll(self, self->signal_fd, s_on_signal);
    if (rc == WEFT_OK) rc = weft_service_poll(self, self->work_fd, weft_service_on_work);
    if (rc == WEFT_OK) rc = weft_service_upkeep_start(self);
    if (rc != WEFT_OK) return rc;
    printf("ready service=%s database=%s bus=%s%.*s\n", self->name, self->store.path, self->bus,
           (int) self->announced.size, (const char *) self->announced.data);
    fflush(stdout);
    weft_notify_ready();
    return WEFT_OK;
}

/* What is under way gets a moment; what is not acknowledged stays in the outbox. */
static void s_leave(weft_service_t *self) {
    bool more = true;
    int64_t end_ms = weft_os_monotonic_ms() + LEAVE_MS;
    weft_notify_stopping();
    (void) weft_applier_flush(
        self->applier); /* S6; a failure only means to look at some events again */
    while (weft_outbox_depth(self->outbox) && weft_os_monotonic_ms() < end_ms &&
           weft_outbox_stopped(self->outbox) == WEFT_OK && weft_outbox_linked(self->outbox)) {
        weft_outbox_wait(self->outbox, 50);
        (void) weft_outbox_step(self->outbox);
    }
    while (more && weft_outbox_settle(self->outbox, &more) == WEFT_OK) continue;
}

weft_err_t weft_service_run(weft_service_t *self) {
    sigset_t signals, before;
    if (self->running) return WEFT_E_STATE;
    self->running = true;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    weft_err_t rc = s_start(self, &signals);
    if (rc == WEFT_OK) {
        while (!self->stopping && zloop_start(self->loop) == 0) continue;
        rc = self->result;
        s_leave(self);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    self->running = false;
    return rc;
}
