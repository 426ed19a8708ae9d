/* weft_service_upkeep: what the loop does beside applying: it sends what was emitted and writes down what
 * was acknowledged, reports to the bus, and does what an operator asks. */
#include "weft_commands.h"
#include "weft_notify.h"
#include "weft_service_inner.h"

#define SETTLE_MS 1000 /* acknowledgements are written down this often */
#define REPORT_MS 1000
#define TICK_MS 100 /* also: how soon a position that has moved is reported */

/* ---- sending */

static void s_check_origin(weft_service_t *self);

static int s_on_outbox(zloop_t *loop, zmq_pollitem_t *item, void *arg) {
    weft_service_t *self = arg;
    (void) loop;
    (void) item;
    (void) weft_outbox_step(self->outbox); /* s_check_origin looks whether it has stopped */
    s_check_origin(self);
    return weft_service_goes_on(self);
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
        if (rc == WEFT_OK) rc = weft_service_poll(self, weft_outbox_fd(self->outbox), s_on_outbox);
        if (rc == WEFT_OK)
            weft_diag(WEFT_DIAG_INFO, "service.new_origin", "name=%s events_to_send=%llu",
                      self->name, (unsigned long long) sent);
    }
    if (rc == WEFT_OK) return;
    weft_diag(WEFT_DIAG_ERROR, "service.stop", "name=%s error=%s text=\"%s\"", self->name,
              weft_err_name(rc), weft_err_text(rc));
    weft_service_stop(self, rc);
}

static int s_on_settle(zloop_t *loop, int id, void *arg) {
    weft_service_t *self = arg;
    bool more;
    (void) id;
    (void) weft_outbox_settle(self->outbox, &more); /* a failure is tried again at the next turn */
    zloop_timer(loop, more ? 1 : SETTLE_MS, 1, s_on_settle, self);
    return weft_service_goes_on(self);
}

/* ---- reports */

/* What reports call applied; an added filter that is behind is told by resume. */
static uint64_t s_position(const weft_service_t *self) {
    if (!self->sub) return 0;
    return self->backfill && !weft_applier_busy(self->applier) ? self->limit.value
                                                               : weft_service_applied(self);
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

/* ---- the loop */

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
    return weft_service_goes_on(self);
}

weft_err_t weft_service_upkeep_start(weft_service_t *self) {
    weft_err_t rc = weft_service_poll(self, weft_outbox_fd(self->outbox), s_on_outbox);
    if (rc != WEFT_OK) return rc;
    zloop_timer(self->loop, TICK_MS, 0, s_on_tick, self);
    zloop_timer(self->loop, SETTLE_MS, 1, s_on_settle, self);
    return WEFT_OK;
}
