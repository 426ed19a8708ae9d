/* weft_bus_metrics: see weft_bus_metrics.h. What services report is in weft_bus_metrics_services.c. */
#include "weft_bus_metrics.h"

#include "weft_bus_health.h"
#include "weft_bus_metrics_services.h"
#include "weft_metrics.h"
#include "weft_os.h"
#include "weft_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PATH_BYTES 4200u /* of the database, and "-wal" */

struct weft_bus_metrics {
    weft_bus_t *bus;
    weft_log_reader_t *reader;
};

weft_err_t weft_bus_metrics_new(weft_bus_metrics_t **out, weft_bus_t *bus) {
    weft_bus_metrics_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->bus = bus;
    weft_err_t rc = weft_log_reader_new(&self->reader, weft_bus_database(bus));
    if (rc == WEFT_OK) {
        weft_log_reader_share(self->reader, weft_bus_turnstile(bus));
        *out = self;
        self = NULL;
    }
    weft_bus_metrics_destroy(&self);
    return rc;
}

void weft_bus_metrics_destroy(weft_bus_metrics_t **self_p) {
    weft_bus_metrics_t *self = *self_p;
    if (!self) return;
    weft_log_reader_destroy(&self->reader);
    free(self);
    *self_p = NULL;
}

static void s_gauge(weft_buf_t *w, const char *name, const char *help, uint64_t value,
                    unsigned decimals) {
    weft_metrics_one(w, name, WEFT_METRICS_GAUGE, help, NULL, 0, value, decimals);
}

static void s_counter(weft_buf_t *w, const char *name, const char *help, uint64_t value) {
    weft_metrics_one(w, name, WEFT_METRICS_COUNTER, help, NULL, 0, value, 0);
}

/* ---- who it is and how it is */

static void s_put_info(const weft_bus_metrics_t *self, weft_buf_t *w) {
    char log[33], boot[17];
    weft_uuid_text(log, weft_bus_log(self->bus)->bytes);
    snprintf(boot, sizeof boot, "%016llx", (unsigned long long) weft_bus_boot(self->bus));
    const weft_label_t labels[] = {{"version", WEFT_VERSION_STRING}, {"log", log}, {"boot", boot}};
    weft_metrics_one(w, "weft_bus_info", WEFT_METRICS_GAUGE, "Always 1; the labels tell the bus.",
                     labels, 3, 1, 0);
}

static void s_put_state(const weft_bus_stats_t *stats, weft_buf_t *w) {
    static const struct {
        const char *label;
        weft_err_t code;
    } kinds[] = {{"full", WEFT_E_FULL}, {"locked", WEFT_E_LOCKED}};
    weft_err_t trouble = weft_bus_stat_trouble(stats);
    bool known = trouble == WEFT_OK;
    s_gauge(w, "weft_bus_accepting", "1 if events are accepted.", trouble == WEFT_OK, 0);
    weft_metrics_family(w, "weft_bus_trouble", WEFT_METRICS_GAUGE,
                        "1 for the reason why no events are accepted: full disk, store locked by "
                        "another program, failed until a restart.");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool is = trouble == kinds[i].code;
        known = known || is;
        weft_metrics_sample(w, "weft_bus_trouble", &(weft_label_t){"reason", kinds[i].label}, 1, is,
                            0);
    }
    weft_metrics_sample(w, "weft_bus_trouble", &(weft_label_t){"reason", "failed"}, 1, !known, 0);
}

static void s_put_turn(weft_buf_t *w, const char *loop, const atomic_int_least64_t *turn,
                       int64_t now_ms) {
    int64_t age_ms = now_ms - atomic_load_explicit(turn, memory_order_relaxed);
    weft_metrics_sample(w, "weft_bus_loop_age_seconds", &(weft_label_t){"loop", loop}, 1,
                        age_ms > 0 ? (uint64_t) age_ms : 0, 3);
}

static void s_put_turns(const weft_bus_stats_t *stats, weft_buf_t *w) {
    int64_t now_ms = weft_os_monotonic_ms();
    weft_metrics_family(w, "weft_bus_loop_age_seconds", WEFT_METRICS_GAUGE,
                        "Time since a loop last went round; each wakes at least once a second.");
    s_put_turn(w, "bus", &stats->bus_turn_ms, now_ms);
    s_put_turn(w, "control", &stats->control_turn_ms, now_ms);
}

/* ---- events and what became of them */

static void s_drop(weft_buf_t *w, const char *at, const char *reason, uint64_t value) {
    const weft_label_t labels[] = {{"at", at}, {"reason", reason}};
    weft_metrics_sample(w, "weft_bus_drops_total", labels, 2, value, 0);
}

static void s_put_drops(const weft_bus_stats_t *stats, weft_buf_t *w) {
    weft_metrics_family(w, "weft_bus_drops_total", WEFT_METRICS_COUNTER,
                        "What the bus decided not to take or not to send, by place and reason.");
#define X(name, text, help) \
    s_drop(w, "ingest", text, weft_bus_stat(&stats->drops[WEFT_DROP_##name]));
    WEFT_DROPS(X)
#undef X
    s_drop(w, "fanout", "send_failed", weft_bus_stat(&stats->live_failed));
    s_drop(w, "fanout", "too_big_for_live", weft_bus_stat(&stats->live_skipped));
    s_drop(w, "control", "bad_request", weft_bus_stat(&stats->bad_request));
    s_drop(w, "control", "bad_version", weft_bus_stat(&stats->version_refused));
    s_drop(w, "control", "place_refused", weft_bus_stat(&stats->place_refused));
    s_drop(w, "control", "reply_lost", weft_bus_stat(&stats->replies_lost));
    s_drop(w, "control", "refusal_lost", weft_bus_stat(&stats->refusals_lost));
    s_drop(w, "connections", "cap", weft_bus_stat(&stats->connections_refused));
    s_drop(w, "connections", "topics", weft_bus_stat(&stats->topics_cut));
}

static void s_put_requests(const weft_bus_stats_t *stats, weft_buf_t *w) {
    const struct {
        const char *command;
        const atomic_uint_least64_t *count;
    } requests[] = {{"effects", &stats->effects}, {"trace", &stats->trace},
                    {"hello", &stats->hello},     {"fetch", &stats->fetch},
                    {"status", &stats->status},   {"report", &stats->report},
                    {"trim", &stats->trim}};
    weft_metrics_family(w, "weft_bus_requests_total", WEFT_METRICS_COUNTER,
                        "Requests to the control socket, by command.");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        weft_metrics_sample(w, "weft_bus_requests_total",
                            &(weft_label_t){"command", requests[i].command}, 1,
                            weft_bus_stat(requests[i].count), 0);
}

static void s_put_flow(const weft_bus_stats_t *stats, weft_buf_t *w) {
    s_gauge(w, "weft_bus_head_position", "Position of the last event.", weft_bus_stat(&stats->head),
            0);
    s_gauge(w, "weft_bus_first_position", "Position up to which events were forgotten.",
            weft_bus_stat(&stats->first), 0);
    s_gauge(w, "weft_bus_indexed_position",
            "Position up to which the index of causes knows the log.",
            weft_bus_stat(&stats->indexed), 0);
    s_counter(w, "weft_bus_taken_events_total",
              "Events, or unreadable rests of messages, that came in.",
              weft_bus_stat(&stats->taken));
    s_counter(w, "weft_bus_stored_events_total", "Events that were committed.",
              weft_bus_stat(&stats->stored));
    s_put_drops(stats, w);
    weft_metrics_histogram(w, "weft_bus_commit_seconds",
                           "Time that a commit took, its sync included.", NULL, 0,
                           &stats->commit_us, 6);
    weft_metrics_histogram(w, "weft_bus_batch_events", "Events that a commit held.", NULL, 0,
                           &stats->batch_events, 0);
    s_counter(w, "weft_bus_live_messages_total", "Messages of events published.",
              weft_bus_stat(&stats->live_messages));
    s_counter(w, "weft_bus_records_total", "Commit records published, heartbeats among them.",
              weft_bus_stat(&stats->records));
    s_counter(w, "weft_bus_acks_total", "Acknowledgements published.", weft_bus_stat(&stats->acks));
    s_put_requests(stats, w);
    s_counter(w, "weft_bus_pages_total", "Pages of catch-up served.", weft_bus_stat(&stats->pages));
    s_counter(w, "weft_bus_served_events_total", "Events in them.",
              weft_bus_stat(&stats->events_served));
    s_gauge(w, "weft_bus_connections", "Connections that are open, of all three sockets.",
            weft_bus_stat(&stats->connections), 0);
}

/* ---- the store */

static void s_put_file(weft_buf_t *w, const char *database, const char *suffix) {
    char path[PATH_BYTES];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", database, suffix);
    if (stat(path, &st) != 0) return;
    const char *name = strrchr(path, '/');
    weft_metrics_sample(w, "weft_bus_store_bytes", &(weft_label_t){"file", name ? name + 1 : path},
                        1, (uint64_t) st.st_size, 0);
}

static void s_put_store(const weft_bus_metrics_t *self, weft_buf_t *w) {
    const char *database = weft_bus_database(self->bus);
    char dir[PATH_BYTES];
    struct statvfs disk;
    weft_metrics_family(w, "weft_bus_store_bytes", WEFT_METRICS_GAUGE,
                        "Sizes of the store's files.");
    s_put_file(w, database, "");
    s_put_file(w, database, "-wal");
    s_gauge(w, "weft_bus_wal_bytes", "Bytes that the WAL held after the last commit.",
            weft_bus_stat(&weft_bus_stats(self->bus)->wal_bytes), 0);
    snprintf(dir, sizeof dir, "%s", database);
    char *slash = strrchr(dir, '/');
    if (slash) *slash = '\0';
    if (statvfs(slash ? dir : ".", &disk) != 0) return;
    s_gauge(w, "weft_bus_disk_free_bytes", "Room left on the disk of the store.",
            (uint64_t) disk.f_bavail * disk.f_frsize, 0);
}

void weft_bus_metrics_put(weft_bus_metrics_t *self, weft_buf_t *w) {
    const weft_bus_stats_t *stats = weft_bus_stats(self->bus);
    weft_buf_t reports = {0};
    s_put_info(self, w);
    s_put_state(stats, w);
    s_put_turns(stats, w);
    s_put_flow(stats, w);
    s_put_store(self, w);
    weft_bus_reports(self->bus, &reports);
    if (weft_buf_ok(&reports))
        weft_bus_metrics_services(w, &reports, weft_bus_stat(&stats->head), self->reader,
                                  weft_os_now_us());
    weft_buf_free(&reports);
    weft_metrics_process(w);
}
