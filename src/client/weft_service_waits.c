/* weft_service_waits: waiting for an event of somebody else. What weft_waits decides on is seen and asked
 * for here. */
#include "weft_service_inner.h"

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
    if (!self->backfill)
        view.applied = weft_service_applied(self); /* else a filter lacks older events */
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
    weft_service_continue(self);
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

weft_err_t weft_service_waits_open(weft_service_t *self) {
    self->waits = weft_waits_new(
        &(weft_waits_config_t){.ask = s_ask, .parked = s_parked, .arg = self});
    return self->waits ? WEFT_OK : WEFT_E_NOMEM;
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

void weft_service_waits_step(weft_service_t *self) {
    weft_waits_view_t view = s_view(self);
    if (!self->stopping) weft_waits_step(self->waits, weft_os_monotonic_ms(), &view);
    s_arm_waits(self);
}

static int s_on_waits(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) id;
    self->waits_timer = 0;
    weft_service_waits_step(self);
    return weft_service_goes_on(self);
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
