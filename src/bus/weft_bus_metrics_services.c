/* weft_bus_metrics_services: see weft_bus_metrics_services.h. */
#include "weft_bus_metrics_services.h"

#include "weft_control.h"
#include "weft_fields.h"
#include "weft_limits.h"
#include "weft_metrics.h"
#include "weft_mp.h"

#include <stdlib.h>
#include <string.h>

/* Times in µs, shown as seconds. */
#define FIGURES(X)                                                                                 \
    X(POSITION, "position", GAUGE, 0, "Position up to which the service has applied.")             \
    X(LAG, "lag_events", GAUGE, 0, "Events in the log after that, also those it does not handle.") \
    X(LAG_TIME, "lag_seconds", GAUGE, 6, "How long ago the first of them was stored; 0 if none.")  \
    X(LIVE, "live", GAUGE, 0, "1 if it has joined the live stream.")                               \
    X(OUTBOX, "outbox_events", GAUGE, 0, "Events it emitted that the bus has not acknowledged.")   \
    X(PARKED, "parked_events", GAUGE, 0, "Events whose handler failed for good.")                  \
    X(PARKED_AGE, "parked_oldest_age_seconds", GAUGE, 6,                                           \
      "How long the oldest of them is parked; 0 if none.")                                         \
    X(SKIPPED, "skipped_events_total", COUNTER, 0, "Events given up since it started.")            \
    X(SEEN_AGE, "seen_age_seconds", GAUGE, 6, "Time since its last report; it sends one a second.")

#define X(id, name, kind, decimals, help) id,
enum { FIGURES(X) FIGURES_COUNT };
#undef X

typedef struct {
    uint64_t seen;
    weft_bytes_t report;
} weft_seen_t;

typedef struct {
    char name[WEFT_TEXT_BYTES_MAX + 1];
    int64_t seen_us;
    bool known[FIGURES_COUNT];
    uint64_t figures[FIGURES_COUNT];
    uint64_t applied_live, applied_catch_up;
} weft_service_row_t;

static uint64_t s_age(int64_t then_us, int64_t now_us) {
    return then_us && now_us > then_us ? (uint64_t) (now_us - then_us) : 0;
}

static void s_fill(weft_service_row_t *row, const weft_report_t *report, int64_t seen_us,
                   uint64_t head, int64_t now_us) {
    if (report->name.size) memcpy(row->name, report->name.data, report->name.size);
    row->name[report->name.size] = '\0';
    row->seen_us = seen_us;
    uint64_t *figures = row->figures;
    figures[POSITION] = report->position;
    figures[LAG] = head > report->position ? head - report->position : 0;
    figures[LAG_TIME] = 0;
    figures[LIVE] = report->live;
    figures[OUTBOX] = report->outbox;
    figures[PARKED] = report->parked;
    figures[PARKED_AGE] = s_age(report->parked_oldest, now_us);
    figures[SKIPPED] = report->skipped;
    figures[SEEN_AGE] = s_age(seen_us, now_us);
    row->applied_live = report->applied_live;
    row->applied_catch_up = report->applied_catch_up;
    for (size_t i = 0; i < FIGURES_COUNT; i++) row->known[i] = true;
}

/* By name; of one name the last seen first. */
static int s_compare(const void *left, const void *right) {
    const weft_service_row_t *a = left, *b = right;
    int names = strcmp(a->name, b->name);
    return names ? names : (a->seen_us < b->seen_us) - (a->seen_us > b->seen_us);
}

static size_t s_read(weft_service_row_t *rows, size_t room, const weft_buf_t *reports,
                     uint64_t head, int64_t now_us) {
    static const weft_field_t fields[] = {WEFT_FIELD(weft_seen_t, seen, U64, false),
                                          WEFT_FIELD(weft_seen_t, report, RAW, false)};
    weft_mp_t r = weft_mp_reader(reports->data, reports->size);
    uint32_t left;
    size_t count = 0, kept = 0;
    if (!weft_mp_array(&r, &left)) return 0;
    for (; left && count < room; left--) {
        weft_seen_t seen = {0};
        weft_report_t report;
        if (weft_fields_take(&r, fields, 2, &seen) != WEFT_OK) break;
        if (weft_report_decode(seen.report.data, seen.report.size, &report) != WEFT_OK) continue;
        s_fill(&rows[count++], &report, (int64_t) seen.seen, head, now_us);
    }
    qsort(rows, count, sizeof *rows, s_compare);
    for (size_t i = 0; i < count; i++)
        if (!kept || strcmp(rows[kept - 1].name, rows[i].name) != 0) {
            if (kept != i) rows[kept] = rows[i];
            kept++;
        }
    return kept;
}

static void s_look(weft_service_row_t *rows, size_t count, weft_log_reader_t *reader,
                   int64_t now_us) {
    weft_log_head_t head;
    bool open = weft_log_reader_begin(reader, &head) == WEFT_OK;
    for (size_t i = 0; i < count; i++) {
        int64_t stored_us;
        uint64_t size, next = rows[i].figures[POSITION] + 1;
        if (!rows[i].figures[LAG]) continue;
        if (open && next <= head.anchor) next = head.anchor + 1;
        rows[i].known[LAG_TIME] = open &&
                                  weft_log_reader_look(reader, next, &stored_us, &size) == WEFT_OK;
        if (rows[i].known[LAG_TIME]) rows[i].figures[LAG_TIME] = s_age(stored_us, now_us);
    }
    weft_log_reader_end(reader);
}

static void s_put_applied(weft_buf_t *w, const weft_service_row_t *rows, size_t count) {
    static const char *const name = "weft_bus_service_applied_events_total";
    weft_metrics_family(w, name, WEFT_METRICS_COUNTER,
                        "Events it applied since it started, by the way they came.");
    for (size_t i = 0; i < count; i++) {
        weft_label_t labels[] = {{"service", rows[i].name}, {"by", "live"}};
        weft_metrics_sample(w, name, labels, 2, rows[i].applied_live, 0);
        labels[1].value = "catch_up";
        weft_metrics_sample(w, name, labels, 2, rows[i].applied_catch_up, 0);
    }
}

static void s_put(weft_buf_t *w, const weft_service_row_t *rows, size_t count) {
    static const struct {
        const char *name, *help;
        weft_metrics_kind_t kind;
        unsigned decimals;
    } families[] = {
#define X(id, name, kind, decimals, help) \
    {"weft_bus_service_" name, help, WEFT_METRICS_##kind, decimals},
        FIGURES(X)
#undef X
    };
    for (size_t at = 0; at < FIGURES_COUNT; at++) {
        weft_metrics_family(w, families[at].name, families[at].kind, families[at].help);
        for (size_t i = 0; i < count; i++)
            if (rows[i].known[at])
                weft_metrics_sample(w, families[at].name, &(weft_label_t){"service", rows[i].name},
                                    1, rows[i].figures[at], families[at].decimals);
    }
    s_put_applied(w, rows, count);
}

void weft_bus_metrics_services(weft_buf_t *w, const weft_buf_t *reports, uint64_t head,
                               weft_log_reader_t *reader, int64_t now_us) {
    weft_service_row_t *rows = calloc(WEFT_REPORTS_MAX, sizeof *rows);
    if (!rows) {
        w->failed = true;
        return;
    }
    size_t count = s_read(rows, WEFT_REPORTS_MAX, reports, head, now_us);
    s_look(rows, count, reader, now_us);
    weft_metrics_one(w, "weft_bus_services", WEFT_METRICS_GAUGE,
                     "Services that have reported since the bus started.", NULL, 0, count, 0);
    if (count) s_put(w, rows, count);
    free(rows);
}
