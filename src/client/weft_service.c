/* weft_service: one loop that serves a database, the bus and the user's descriptors.
 * The subscriber hands out batches, the applier applies them, the outbox sends what was emitted.
 * Everything runs on the thread that called weft_service_run. */
#include "weft_applier.h"
#include "weft_commands.h"
#include "weft_diag.h"
#include "weft_limits.h"
#include "weft_net.h"
#include "weft_notify.h"
#include "weft_options.h"
#include "weft_os.h"
#include "weft_outbox.h"
#include "weft_refusal.h"
#include "weft_service_metrics.h"
#include "weft_service_store.h"
#include "weft_sub_end.h"
#include "weft_waits.h"

#include <czmq.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#define SLICE_MS 20    /* applying gives way to other descriptors after this long */
#define SETTLE_MS 1000 /* acknowledgements are written down this often */
#define REPORT_MS 1000
#define TICK_MS 100   /* also: how soon a position that has moved is reported */
#define LEAVE_MS 1000 /* a clean stop waits this long for acknowledgements under way */

typedef struct {
    weft_service_t *service;
    int id; /* descriptor or timer */
    weft_fd_fn on_fd;
    weft_timer_fn on_timer;
    void *arg;
    unsigned times; /* timers: calls left, 0: without end */
} weft_watch_t;

struct weft_service {
    char *name;
    void *context;
    zloop_t *loop;
    weft_service_store_t store;
    weft_outbox_t *outbox;
    weft_applier_t *applier;
    weft_sub_t *sub;
    uint64_t past_gaps, past_drops[WEFT_SUB_DROP_COUNT]; /* of subscribers that have ended */
    weft_batch_t batch;                                  /* that the applier was given last */
    weft_waits_t *waits;
    int waits_timer; /* zloop's id; 0: none */
    int64_t waits_due_ms;
    const char *bus, *data, *filter_from, *park_after, *on_error, *diag_format;
    const char *adopt_log, *new_origin; /* NULL: not said, or done */
    bool adopting;                      /* the next place is the user's, not the database's */
    char *database;                     /* absolute path */
    int64_t commands_seen;              /* data version at which weft_commands was looked at */
    const char
        *backfill; /* filter that is brought up to date now; NULL: the service's own stream */
    weft_position_t limit; /* its end */
    bool sub_polled;
    int work_fd; /* readable: go on applying */
    int signal_fd;
    int again_timer; /* zloop's id; 0: none */
    int64_t report_at_ms;
    uint64_t reported;      /* position */
    uint64_t told_catch_up; /* applied_catch_up at the last diag line */
    weft_buf_t announced;
    weft_watch_t **watches;
    size_t watches_count;
    weft_timer_fn after_apply;
    void *after_apply_arg;
    bool running, stopping;
    weft_err_t result;
};

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
        {"diag-format", WEFT_DIAG_FORMS,
         "how diagnostics look (default $WEFT_DIAG_FORMAT, or text)", NULL, &self->diag_format},
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

static bool s_ask(void *arg, const weft_uuid_t *origin, uint64_t *id);
static uint64_t s_parked(void *arg, uint64_t upto);

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
    if (rc == WEFT_OK) {
        self->waits = weft_waits_new(
            &(weft_waits_config_t){.ask = s_ask, .parked = s_parked, .arg = self});
        if (!self->waits) rc = WEFT_E_NOMEM;
    }
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
                                  .publisher = weft_outbox_stopped(self->outbox)};
    if (self->sub) weft_sub_info(self->sub, &info->sub);
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

/* zloop ends when a handler returns -1. */
static int s_goes_on(const weft_service_t *self) {
    return self->stopping ? -1 : 0;
}

/* ---- the user's descriptors and timers */

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
    return s_goes_on(self);
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
    return s_goes_on(self);
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

/* Have s_work called from the loop. */
static void s_continue(weft_service_t *self) {
    uint64_t one = 1;
    ssize_t written = write(self->work_fd, &one, sizeof one);
    (void) written; /* full means that it is readable already */
}

/* ---- waiting for an event of somebody else (weft_waits) */

static uint64_t s_applied(const weft_service_t *self) {
    weft_applier_info_t applier;
    weft_applier_info(self->applier, &applier);
    return weft_applier_busy(self->applier) ? applier.stored.value : weft_sub_passed(self->sub);
}

static weft_waits_view_t s_view(weft_service_t *self) {
    size_t filters;
    weft_sub_info_t sub = {0};
    (void) weft_applier_filters(self->applier, &filters);
    weft_waits_view_t view = {.applied = filters ? 0 : UINT64_MAX};
    weft_service_written(self, &view.own);
    if (!self->sub) return view;
    weft_sub_info(self->sub, &sub);
    view.head = sub.head.value;
    view.stopped = sub.stopped;
    if (!self->backfill) view.applied = s_applied(self); /* else a filter lacks older events */
    return view;
}

/* The answer may come while somebody's transaction is sent: waits end on a turn of their own. */
static void s_on_told(void *arg, uint64_t id, const weft_welcome_t *welcome) {
    weft_service_t *self = arg;
    weft_origin_state_t state = {0};
    if (welcome->origin.size &&
        weft_origin_state_decode(welcome->origin.data, welcome->origin.size, &state) != WEFT_OK)
        return; /* as good as lost: it is asked again */
    weft_waits_answer(self->waits, id, state.last, state.position, welcome->head);
    s_continue(self);
}

static bool s_ask(void *arg, const weft_uuid_t *origin, uint64_t *id) {
    weft_service_t *self = arg;
    return weft_outbox_ask(self->outbox, origin, s_on_told, self, id);
}

static uint64_t s_parked(void *arg, uint64_t upto) {
    weft_service_t *self = arg;
    weft_applier_info_t applier;
    uint64_t count = 0;
    weft_applier_info(self->applier, &applier);
    if (!applier.parked) return 0;
    weft_err_t rc = weft_service_store_parked_upto(&self->store, (weft_position_t){upto}, &count);
    return rc == WEFT_OK ? count : applier.parked;
}

static int s_on_waits(zloop_t *loop, int id, void *arg);

/* A timer that comes too early finds nothing to do and is set again. */
static void s_arm_waits(weft_service_t *self) {
    int64_t due_ms = weft_waits_deadline(self->waits), now = weft_os_monotonic_ms();
    if (due_ms == INT64_MAX || (self->waits_timer && self->waits_due_ms <= due_ms)) return;
    if (self->waits_timer) zloop_timer_end(self->loop, self->waits_timer);
    self->waits_due_ms = due_ms;
    self->waits_timer = zloop_timer(self->loop, due_ms > now ? (size_t) (due_ms - now) : 1, 1,
                                    s_on_waits, self);
    if (self->waits_timer < 0) self->waits_timer = 0; /* without memory the next event will do */
}

static void s_waits(weft_service_t *self) {
    weft_waits_view_t view = s_view(self);
    if (!self->stopping) weft_waits_step(self->waits, weft_os_monotonic_ms(), &view);
    s_arm_waits(self);
}

static int s_on_waits(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) id;
    self->waits_timer = 0;
    s_waits(self);
    return s_goes_on(self);
}

weft_err_t weft_service_wait(weft_service_t *self, const weft_after_t *after, unsigned timeout_ms,
                             weft_waited_fn fn, void *arg, uint64_t *id) {
    weft_waits_view_t view = s_view(self);
    weft_err_t rc = weft_waits_add(self->waits, weft_os_monotonic_ms(), &view, after, timeout_ms,
                                   fn, arg, id);
    s_arm_waits(self);
    return rc;
}

void weft_service_wait_end(weft_service_t *self, uint64_t id) {
    weft_waits_end(self->waits, id);
}

void weft_service_written(const weft_service_t *self, weft_after_t *out) {
    *out = (weft_after_t){.origin = *weft_outbox_origin(self->outbox),
                          .sequence = {weft_outbox_highest(self->outbox)}};
}

/* ---- applying */

static int s_on_sub(zloop_t *loop, zmq_pollitem_t *item, void *arg);

/* The descriptor stays readable while a batch waits for another attempt: look away meanwhile. */
static void s_poll_sub(weft_service_t *self, bool on) {
    if (on == self->sub_polled) return;
    zmq_pollitem_t item = {.fd = weft_sub_fd(self->sub), .events = ZMQ_POLLIN};
    if (on)
        zloop_poller(self->loop, &item, s_on_sub, self);
    else
        zloop_poller_end(self->loop, &item);
    self->sub_polled = on;
}

static int s_on_again(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) id;
    self->again_timer = 0;
    s_poll_sub(self, true);
    s_continue(self);
    return s_goes_on(self);
}

static weft_err_t s_next_stream(weft_service_t *self);
static weft_err_t s_adopt(weft_service_t *self);

/* Run the batch at hand to its end. False: it waits, or the service stops. */
static bool s_apply(weft_service_t *self) {
    int64_t again_ms, now = weft_os_monotonic_ms();
    bool backfill = self->backfill != NULL;
    weft_err_t rc = weft_applier_run(self->applier, now, &again_ms);
    if (rc == WEFT_E_AGAIN) {
        s_poll_sub(self, false);
        if (!self->again_timer)
            self->again_timer = zloop_timer(self->loop, (size_t) (again_ms - now), 1, s_on_again,
                                            self);
        return false;
    }
    if (rc != WEFT_OK) {
        weft_diag(WEFT_DIAG_ERROR, "service.stop", "name=%s error=%s text=\"%s\"", self->name,
                  weft_err_name(rc), weft_err_text(rc));
        weft_service_stop(self, rc);
        return false;
    }
    if (!backfill) weft_waits_applied(self->waits, self->batch.events, self->batch.count);
    if (self->after_apply) self->after_apply(self->after_apply_arg);
    if (!backfill) return true;
    weft_sub_info_t info;
    weft_sub_info(self->sub, &info);
    if (info.position.value < self->limit.value) return true;
    rc = s_next_stream(self);
    if (rc != WEFT_OK) weft_service_stop(self, rc);
    return false; /* another subscriber from here on */
}

static void s_tell_joined(weft_service_t *self) {
    weft_service_info_t info;
    weft_service_info(self, &info);
    if (!info.sub.live || self->backfill || info.applied_catch_up == self->told_catch_up) return;
    weft_diag(WEFT_DIAG_INFO, "service.joined",
              "name=%s position=%llu head=%llu catch_up=%llu live=%llu gaps=%llu", self->name,
              (unsigned long long) info.sub.position.value,
              (unsigned long long) info.sub.head.value, (unsigned long long) info.applied_catch_up,
              (unsigned long long) info.applied_live, (unsigned long long) info.sub.gaps);
    self->told_catch_up = info.applied_catch_up;
}

/* The place that the user wants becomes the database's. With a batch in hand it does so when that is
 * applied. False: it cannot be, and the service stops. */
static bool s_adopted(weft_service_t *self, bool batch) {
    weft_resume_t at;
    bool known = weft_sub_began(self->sub, &at);
    if (!known && !batch) return true; /* the bus has not said yet */
    self->adopting = false;
    weft_err_t rc = known ? weft_applier_adopt(self->applier, &at) : WEFT_OK;
    if (rc == WEFT_OK) return true;
    weft_diag(WEFT_DIAG_ERROR, "service.stop", "name=%s error=%s text=\"cannot adopt the log\"",
              self->name, weft_err_name(rc));
    weft_service_stop(self, rc);
    return false;
}

/* The subscriber has stopped. */
static void s_refused(weft_service_t *self, weft_err_t rc) {
    bool adopt = self->adopt_log && weft_refusal_of_place(rc);
    weft_refusal_tell(self->name, self->store.path, rc, adopt ? self->adopt_log : NULL);
    if (adopt) rc = s_adopt(self);
    if (rc != WEFT_OK) weft_service_stop(self, rc);
}

static void s_work(weft_service_t *self) {
    int64_t end_ms = weft_os_monotonic_ms() + SLICE_MS;
    while (!self->stopping && !self->again_timer) {
        if (weft_applier_busy(self->applier) && !s_apply(self)) return;
        weft_batch_t batch;
        weft_err_t rc = weft_sub_recv(self->sub, 0, &batch);
        if (self->adopting && !s_adopted(self, rc == WEFT_OK)) return;
        if (rc == WEFT_E_TIMEOUT) {
            s_tell_joined(self);
            return;
        }
        if (rc != WEFT_OK) {
            s_refused(self, rc);
            return;
        }
        self->batch = batch;
        weft_applier_begin(self->applier, &batch, self->backfill, self->limit);
        if (!s_apply(self)) return;
        if (weft_os_monotonic_ms() < end_ms) continue;
        s_continue(self);
        return;
    }
}

static int s_on_sub(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) item;
    s_work(self);
    s_waits(self);
    return s_goes_on(self);
}

static int s_on_work(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    uint64_t count;
    ssize_t got = read(item->fd, &count, sizeof count);
    (void) got;
    (void) loop;
    if (self->sub) s_work(self);
    s_waits(self);
    return s_goes_on(self);
}

static void s_check_origin(weft_service_t *self);

static weft_err_t s_poll(weft_service_t *self, int fd, zloop_fn *fn) {
    zmq_pollitem_t item = {.fd = fd, .events = ZMQ_POLLIN};
    return zloop_poller(self->loop, &item, fn, self) == 0 ? WEFT_OK : WEFT_E_NOMEM;
}

static int s_on_outbox(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) item;
    (void) weft_outbox_step(self->outbox); /* s_check_origin looks whether it has stopped */
    s_check_origin(self);
    return s_goes_on(self);
}

/* The log refuses this origin: go on as a new one if the user said so. Other stops of the publisher show
 * in weft_service_info, and the rest goes on (P4). */
static void s_check_origin(weft_service_t *self) {
    weft_err_t rc = weft_outbox_stopped(self->outbox);
    uint64_t sent;
    if (self->stopping || !weft_refusal_of_origin(rc)) return;
    weft_refusal_tell(self->name, self->store.path, rc, self->new_origin);
    if (self->new_origin) {
        self->new_origin = NULL;
        zmq_pollitem_t item = {.fd = weft_outbox_fd(self->outbox)};
        zloop_poller_end(self->loop, &item);
        rc = weft_outbox_renew(self->outbox, &sent);
        if (rc == WEFT_OK) rc = s_poll(self, weft_outbox_fd(self->outbox), s_on_outbox);
        if (rc == WEFT_OK)
            weft_diag(WEFT_DIAG_INFO, "service.new_origin", "name=%s events_to_send=%llu",
                      self->name, (unsigned long long) sent);
    }
    if (rc == WEFT_OK) return;
    weft_diag(WEFT_DIAG_ERROR, "service.stop", "name=%s error=%s text=\"%s\"", self->name,
              weft_err_name(rc), weft_err_text(rc));
    weft_service_stop(self, rc);
}

/* ---- filters and streams (S7) */

static weft_err_t s_new_filter(weft_service_t *self, const char *filter) {
    static const weft_resume_t start;
    if (self->filter_from)
        return weft_service_store_filter_set(
            &self->store, filter, strcmp(self->filter_from, "start") == 0 ? &start : NULL);
    weft_diag(
        WEFT_DIAG_ERROR, "service.new_filter",
        "name=%s filter=\"%s\" database=\"%s\" reason=\"the database has a position without this"
        " filter\" ways=\"--filter-from start: its older events first; --filter-from now: only new"
        " ones; or stop, remove the database and let the service build it anew\"",
        self->name, filter, self->store.path);
    return WEFT_E_NEW_FILTER;
}

static weft_err_t s_check_filters(weft_service_t *self) {
    size_t count;
    const char *const *filters = weft_applier_filters(self->applier, &count);
    weft_resume_t position, at;
    weft_filter_state_t state;
    weft_err_t rc = weft_service_store_position(&self->store, &position);
    for (size_t i = 0; i < count && rc == WEFT_OK; i++) {
        rc = weft_service_store_filter(&self->store, filters[i], &state, &at);
        if (rc != WEFT_OK || state != WEFT_FILTER_UNKNOWN) continue;
        rc = position.position.value
                 ? s_new_filter(self, filters[i])
                 : weft_service_store_filter_set(&self->store, filters[i], NULL);
    }
    if (rc == WEFT_OK) rc = weft_service_store_filters_keep(&self->store, filters, count);
    return rc;
}

/* Its figures are the service's: they go on counting. */
static void s_end_sub(weft_service_t *self) {
    weft_sub_info_t info;
    if (!self->sub) return;
    weft_sub_info(self->sub, &info);
    self->past_gaps += info.gaps;
    for (size_t i = 0; i < WEFT_SUB_DROP_COUNT; i++)
        self->past_drops[i] += weft_sub_drops(self->sub)[i];
    weft_sub_destroy(&self->sub);
}

static weft_err_t s_subscribe(weft_service_t *self, weft_sub_config_t *config) {
    config->bus = self->bus;
    config->name = self->name;
    config->zmq_context = self->context;
    weft_err_t rc = weft_sub_new(&self->sub, config);
    if (rc == WEFT_OK) s_poll_sub(self, true);
    return rc;
}

/* Subscribe to what comes next: an added filter that is behind, or in the end all filters. */
static weft_err_t s_next_stream(weft_service_t *self) {
    size_t count;
    const char *const *filters = weft_applier_filters(self->applier, &count);
    weft_resume_t at;
    weft_filter_state_t state = WEFT_FILTER_CURRENT;
    weft_sub_config_t config;
    if (self->sub) s_poll_sub(self, false);
    s_end_sub(self);
    weft_sub_config_init(&config);
    self->backfill = NULL;
    for (size_t i = 0; i < count; i++) {
        weft_err_t rc = weft_service_store_filter(&self->store, filters[i], &state, &at);
        if (rc != WEFT_OK) return rc;
        if (state != WEFT_FILTER_BEHIND) continue;
        self->backfill = filters[i];
        break;
    }
    weft_err_t rc = weft_service_store_position(&self->store, &config.resume);
    if (rc != WEFT_OK) return rc;
    self->limit = config.resume.position;
    if (self->backfill) {
        config.resume = at;
        weft_diag(WEFT_DIAG_INFO, "service.filter", "name=%s filter=\"%s\" from=%llu to=%llu",
                  self->name, self->backfill, (unsigned long long) at.position.value,
                  (unsigned long long) self->limit.value);
    }
    config.filters = self->backfill ? &self->backfill : filters;
    config.filters_count = self->backfill ? 1 : count;
    config.start = WEFT_START_RESUME;
    return s_subscribe(self, &config);
}

/* All filters from where the user wants, not from where the database stands. */
static weft_err_t s_adopt(weft_service_t *self) {
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    config.filters = weft_applier_filters(self->applier, &config.filters_count);
    config.start = WEFT_START_POSITION;
    if (strcmp(self->adopt_log, "now") == 0)
        config.start = WEFT_START_NOW;
    else if (strcmp(self->adopt_log, "start") == 0)
        config.start = WEFT_START_BEGINNING;
    else
        (void) weft_options_number(self->adopt_log, 0, INT64_MAX, &config.resume.position.value);
    self->adopt_log = NULL; /* once: what is refused then stops the service */
    weft_waits_forget(self->waits);
    self->adopting = true;
    self->backfill = NULL;
    s_poll_sub(self, false);
    s_end_sub(self);
    return s_subscribe(self, &config);
}

/* ---- upkeep */

/* What reports call applied; an added filter that is behind is told by resume. */
static uint64_t s_position(const weft_service_t *self) {
    if (!self->sub) return 0;
    return self->backfill && !weft_applier_busy(self->applier) ? self->limit.value
                                                               : s_applied(self);
}

static void s_report(weft_service_t *self, int64_t now_ms) {
    static const uint8_t no_filters = 0x90; /* an empty array */
    weft_service_info_t info;
    self->report_at_ms = now_ms + REPORT_MS;
    weft_service_info(self, &info);
    weft_report_t report = {
        .name = weft_text(self->name),
        .instance = *weft_outbox_origin(self->outbox),
        .software = weft_text(WEFT_VERSION_STRING),
        .position = s_position(self),
        .outbox = info.outbox,
        .parked = info.parked,
        .parked_oldest = info.parked_oldest_us,
        .skipped = info.skipped,
        .applied_catch_up = info.applied_catch_up,
        .applied_live = info.applied_live,
        .live = info.sub.live && !self->backfill,
        .on_error = weft_text(self->on_error),
        .database = weft_text(self->database ? self->database : ""),
        .filters = {.data = &no_filters, .size = 1},
    };
    weft_position_t resume = info.stored;
    if (self->backfill && weft_service_store_resume(&self->store, &resume) != WEFT_OK)
        resume.value = 0;
    self->reported = report.position;
    report.resume = resume.value < report.position ? resume.value : report.position;
    if (self->sub)
        weft_sub_report(self->sub, &report);
    else
        weft_outbox_report(self->outbox, &report);
}

/* ---- what an operator asks */

static void s_command(weft_service_t *self, const weft_command_row_t *row) {
    uint64_t count = 0;
    weft_err_t rc = WEFT_E_BAD_COMMAND;
    if (strcmp(row->verb, "retry") == 0)
        rc = weft_applier_retry(self->applier, row->subject, &count);
    else if (strcmp(row->verb, "drop") == 0)
        rc = weft_applier_drop(self->applier, row->subject, row->position, &count);
    weft_diag(WEFT_DIAG_INFO, "service.command",
              "name=%s verb=%s subject=\"%s\" position=%llu count=%llu error=%s", self->name,
              row->verb, row->subject ? row->subject : "", (unsigned long long) row->position.value,
              (unsigned long long) count, weft_err_name(rc));
    rc = weft_commands_finish(self->store.db, row->id, count,
                              rc == WEFT_OK ? "" : weft_err_text(rc));
    if (rc != WEFT_OK)
        self->commands_seen = 0; /* look again: it is asked for as long as it is not done */
}

static void s_commands(weft_service_t *self) {
    weft_command_row_t row;
    if (!weft_commands_changed(self->store.db, &self->commands_seen)) return;
    while (self->commands_seen && weft_commands_next(self->store.db, &row) == WEFT_OK) {
        s_command(self, &row);
        weft_commands_free(&row);
        self->report_at_ms = 0;
    }
}

static int s_on_tick(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    int64_t now = weft_os_monotonic_ms();
    (void) loop;
    (void) id;
    weft_notify_beat(now);
    weft_applier_tick(self->applier, now);
    s_check_origin(self);
    s_commands(self);
    if (now >= self->report_at_ms || s_position(self) != self->reported) s_report(self, now);
    return s_goes_on(self);
}

static int s_on_settle(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    bool more;
    (void) id;
    (void) weft_outbox_settle(self->outbox, &more); /* a failure is tried again at the next turn */
    zloop_timer(loop, more ? 1 : SETTLE_MS, 1, s_on_settle, self);
    return s_goes_on(self);
}

static int s_on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    struct signalfd_siginfo info;
    (void) loop;
    if (read(item->fd, &info, sizeof info) != (ssize_t) sizeof info) return s_goes_on(self);
    if (info.ssi_signo == SIGUSR1)
        weft_diag_more();
    else if (info.ssi_signo == SIGUSR2)
        weft_diag_back();
    else
        weft_service_stop(self, WEFT_OK);
    return s_goes_on(self);
}

/* ---- running */

static weft_err_t s_start(weft_service_t *self, const sigset_t *signals) {
    size_t count;
    (void) weft_applier_filters(self->applier, &count);
    weft_err_t rc = s_check_filters(self);
    if (rc == WEFT_OK && count) rc = s_next_stream(self);
    if (rc != WEFT_OK) return rc;
    self->signal_fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self->signal_fd < 0) return WEFT_E_IO;
    rc = s_poll(self, self->signal_fd, s_on_signal);
    if (rc == WEFT_OK) rc = s_poll(self, self->work_fd, s_on_work);
    if (rc == WEFT_OK) rc = s_poll(self, weft_outbox_fd(self->outbox), s_on_outbox);
    if (rc != WEFT_OK) return rc;
    zloop_timer(self->loop, TICK_MS, 0, s_on_tick, self);
    zloop_timer(self->loop, SETTLE_MS, 1, s_on_settle, self);
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
