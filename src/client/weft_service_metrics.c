/* weft_service_metrics: see weft_service_metrics.h. Every sample carries the service's name, so that
 * figures of many processes can be told apart whatever they are scraped as. */
#include "weft_service_metrics.h"

#include "weft_metrics.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    weft_buf_t *w;
    weft_label_t labels[2]; /* the service, and room for one more */
} weft_service_text_t;

static void s_one(weft_service_text_t *text, const char *name, weft_metrics_kind_t kind,
                  const char *help, uint64_t value, unsigned decimals) {
    weft_metrics_one(text->w, name, kind, help, text->labels, 1, value, decimals);
}

static void s_gauge(weft_service_text_t *text, const char *name, const char *help, uint64_t value) {
    s_one(text, name, WEFT_METRICS_GAUGE, help, value, 0);
}

static void s_counter(weft_service_text_t *text, const char *name, const char *help,
                      uint64_t value) {
    s_one(text, name, WEFT_METRICS_COUNTER, help, value, 0);
}

static void s_age(weft_service_text_t *text, const char *name, const char *help, int64_t then_us,
                  int64_t now_us) {
    uint64_t age_us = then_us && now_us > then_us ? (uint64_t) (now_us - then_us) : 0;
    s_one(text, name, WEFT_METRICS_GAUGE, help, age_us, 6);
}

static void s_with(weft_service_text_t *text, const char *name, const char *label,
                   const char *value, uint64_t count) {
    text->labels[1] = (weft_label_t){label, value};
    weft_metrics_sample(text->w, name, text->labels, 2, count, 0);
}

/* Why an end has stopped for good. */
static void s_put_stopped(weft_service_text_t *text, const weft_service_info_t *info) {
    static const char *const name = "weft_service_stopped";
    weft_metrics_family(
        text->w, name, WEFT_METRICS_GAUGE,
        "1 if that end of the service has stopped for good; the diagnostics say why.");
    s_with(text, name, "end", "subscriber", info->sub.stopped != WEFT_OK);
    s_with(text, name, "end", "publisher", info->publisher != WEFT_OK);
}

static void s_put_trouble(weft_service_text_t *text, weft_err_t trouble) {
    static const char *const name = "weft_service_trouble";
    weft_metrics_family(text->w, name, WEFT_METRICS_GAUGE,
                        "1 for the reason why the last write did not come into the database.");
    s_with(text, name, "reason", "full", trouble == WEFT_E_FULL);
    s_with(text, name, "reason", "locked", trouble == WEFT_E_LOCKED);
    s_with(text, name, "reason", "failed",
           trouble != WEFT_OK && trouble != WEFT_E_FULL && trouble != WEFT_E_LOCKED);
}

static void s_put_reading(weft_service_text_t *text, const weft_service_figures_t *figures) {
    const weft_service_info_t *info = &figures->info;
    uint64_t position = info->sub.position.value, head = info->sub.head.value;
    s_gauge(text, "weft_service_connected", "1 if the bus was heard within the last 3 s.",
            info->sub.connected);
    s_gauge(text, "weft_service_live", "1 if it has joined the live stream.",
            info->sub.connected && info->sub.live);
    s_gauge(text, "weft_service_position", "Position in the log that is in the database.",
            info->stored.value);
    s_gauge(text, "weft_service_lag_events",
            "Events in the log, as last heard of, that it has not passed.",
            head > position ? head - position : 0);
    weft_metrics_family(text->w, "weft_service_applied_events_total", WEFT_METRICS_COUNTER,
                        "Events applied, by the way they came.");
    s_with(text, "weft_service_applied_events_total", "by", "live", info->applied_live);
    s_with(text, "weft_service_applied_events_total", "by", "catch_up", info->applied_catch_up);
    s_counter(text, "weft_service_gaps_total",
              "Times that something was missing in the live stream, and was pulled.",
              figures->gaps);
    weft_metrics_family(text->w, "weft_service_drops_total", WEFT_METRICS_COUNTER,
                        "What it was sent and did not take, by reason.");
#define X(id, reason, help) \
    s_with(text, "weft_service_drops_total", "reason", reason, figures->drops[WEFT_SUB_DROP_##id]);
    WEFT_SUB_DROPS(X)
#undef X
}

static void s_put_handling(weft_service_text_t *text, const weft_service_figures_t *figures) {
    const weft_service_info_t *info = &figures->info;
    s_counter(text, "weft_service_handler_failures_total",
              "Failures of handlers, each attempt of an event.", figures->failures);
    s_gauge(text, "weft_service_parked_events", "Events whose handler failed for good.",
            info->parked);
    s_age(text, "weft_service_parked_oldest_age_seconds",
          "How long the oldest of them is parked; 0 if none.", info->parked_oldest_us,
          figures->now_us);
    s_counter(text, "weft_service_skipped_events_total", "Events given up (--on-error skip).",
              info->skipped);
    weft_metrics_histogram(text->w, "weft_service_commit_seconds",
                           "Time that commits of the database took, their sync included.",
                           text->labels, 1, figures->commits, 6);
}

static void s_put_emitting(weft_service_text_t *text, const weft_service_figures_t *figures) {
    s_gauge(text, "weft_service_outbox_events", "Events emitted that the bus has not acknowledged.",
            figures->info.outbox);
    s_age(text, "weft_service_outbox_oldest_age_seconds",
          "How long ago the oldest of them was emitted; 0 if none.", figures->outbox_oldest_us,
          figures->now_us);
    s_counter(text, "weft_service_resent_events_total",
              "Events sent again, since no acknowledgement came in time.", figures->resent);
}

static void s_put_files(weft_service_text_t *text, const char *database) {
    static const char *const name = "weft_service_database_bytes";
    static const char *const suffixes[] = {"", "-wal"};
    weft_metrics_family(text->w, name, WEFT_METRICS_GAUGE, "Sizes of the database's files.");
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[PATH_MAX + 8];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
        const char *slash = strrchr(path, '/');
        if (stat(path, &st) == 0)
            s_with(text, name, "file", slash ? slash + 1 : path, (uint64_t) st.st_size);
    }
}

void weft_service_metrics_put(weft_buf_t *w, const weft_service_figures_t *figures) {
    weft_service_text_t text = {.w = w, .labels = {{"service", figures->name}}};
    text.labels[1] = (weft_label_t){"version", WEFT_VERSION_STRING};
    weft_metrics_one(w, "weft_service_info", WEFT_METRICS_GAUGE,
                     "Always 1; the labels tell the service.", text.labels, 2, 1, 0);
    s_put_reading(&text, figures);
    s_put_handling(&text, figures);
    s_put_emitting(&text, figures);
    s_put_stopped(&text, &figures->info);
    s_put_trouble(&text, figures->info.trouble);
    s_put_files(&text, figures->database);
    weft_metrics_process(w);
}
