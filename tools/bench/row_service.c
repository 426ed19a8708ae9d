/* row_service: a service that catches up, one row an event, exactly once, against the same statements
 * in a plain loop of 1000 a transaction; the same with an event emitted for each; and live. */
#include "bench_drive.h"
#include "bench_log.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_service.h"

#define PLAIN_BATCH 1000

typedef struct {
    const bench_log_t *log; /* NULL: plain */
    bench_work_t work;
} bench_apply_t;

/* Rows a second; 1: until all that was emitted was acknowledged. */
static void s_measure(const void *arg, bench_figures_t *out) {
    const bench_apply_t *apply = arg;
    bench_crew_t crew;
    bench_work_t work = apply->work;
    work.dir = bench_run_fresh_dir();
    work.batch = PLAIN_BATCH;
    if (apply->log) work.bus = apply->log->server.bus;
    bench_crew_begin(&crew);
    bench_slot_t *slot = bench_crew_add(&crew, apply->log ? bench_role_service : bench_role_plain,
                                        &work);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, slot);
    out->values[0] = (double) work.count * 1e9 / (double) (slot->end_ns - slot->begin_ns);
    bench_crew_end(&crew);
    bench_run_remove(work.dir);
}

static double s_live(uint64_t events) {
    bench_log_t log;
    bench_crew_t crew;
    bench_log_open(&log, &bench_weft);
    bench_load_t load = {.server = &log.server, .count = events - 1};
    bench_work_t work = {.bus = log.server.bus, .dir = bench_run_fresh_dir(), .count = events};
    bench_crew_begin(&crew);
    bench_slot_t *service = bench_crew_add(&crew, bench_role_service, &work);
    bench_slot_t *publisher = bench_crew_add(&crew, bench_weft.publish, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, publisher);
    bench_crew_join(&crew, service);
    double rate = (double) events * 1e9 / (double) (service->end_ns - publisher->begin_ns);
    bench_crew_end(&crew);
    bench_run_remove(work.dir);
    bench_log_close(&log);
    return rate;
}

void bench_row_service(void) {
    bench_comparison_t result;
    bench_series_t live = {0};
    bench_log_t log;
    uint64_t events = (uint64_t) bench_run_by_scale(2000, 200000, 1000000);
    bench_log_open(&log, &bench_weft);
    bench_log_fill(&log, events, false);

    bench_apply_t service = {.log = &log, .work.count = events}, plain = {.work.count = events};
    bench_compare("service_vs_plain", 1, s_measure, &service, s_measure, &plain, &result);
    bench_report_ratio("service_vs_plain",
                       "events that a service applies from catch-up, one row each; the same "
                       "statements in a plain loop of 1000 a transaction",
                       BENCH_AT_LEAST, 0.5, &result, 0, "M/s", 1e-6);
    bench_report_add("service_events_s", "events a second of the same service", BENCH_QUOTED, 0,
                     &result.weft[0], NULL, NULL, "/s", 1);

    bench_apply_t emits = service, plain_emits = plain;
    emits.work.emit = plain_emits.work.emit = true;
    bench_compare("service_emit_vs_plain", 1, s_measure, &emits, s_measure, &plain_emits, &result);
    bench_report_ratio("service_emit_vs_plain",
                       "the same with one event emitted each; plain: a second row into an outbox",
                       BENCH_AT_LEAST, 0.4, &result, 0, "M/s", 1e-6);

    for (int i = 0; i < bench_run_rounds(); i++) {
        bench_progress("service_live: round %d of %d", i + 1, bench_run_rounds());
        bench_series_add(&live, s_live(events / 2));
    }
    bench_report_add("service_live_events_s",
                     "events a second, one row each, while a publisher sends as fast as it can",
                     BENCH_QUOTED, 0, &live, NULL, NULL, "/s", 1);
    bench_log_close(&log);
}
