/* weft_service_stream: what the service reads and applies. The subscriber hands out batches, the applier
 * applies them in slices; an added filter that is behind gets a subscriber of its own first (S7). */
#include "weft_service_inner.h"

#define SLICE_MS 20 /* applying gives way to other descriptors after this long */

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

weft_err_t weft_service_stream_start(weft_service_t *self) {
    size_t count;
    (void) weft_applier_filters(self->applier, &count);
    weft_err_t rc = s_check_filters(self);
    if (rc == WEFT_OK && count) rc = s_next_stream(self);
    return rc;
}

/* ---- applying */

void weft_service_continue(weft_service_t *self) {
    uint64_t one = 1;
    ssize_t written = write(self->work_fd, &one, sizeof one);
    (void) written; /* full means that it is readable already */
}

uint64_t weft_service_applied(const weft_service_t *self) {
    weft_applier_info_t applier;
    weft_applier_info(self->applier, &applier);
    return weft_applier_busy(self->applier) ? applier.stored.value : weft_sub_passed(self->sub);
}

static int s_on_again(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) id;
    self->again_timer = 0;
    s_poll_sub(self, true);
    weft_service_continue(self);
    return weft_service_goes_on(self);
}

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
        weft_service_continue(self);
        return;
    }
}

static int s_on_sub(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) item;
    s_work(self);
    weft_service_waits_step(self);
    return weft_service_goes_on(self);
}

int weft_service_on_work(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    uint64_t count;
    ssize_t got = read(item->fd, &count, sizeof count);
    (void) got;
    (void) loop;
    if (self->sub) s_work(self);
    weft_service_waits_step(self);
    return weft_service_goes_on(self);
}
