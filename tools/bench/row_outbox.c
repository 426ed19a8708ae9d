/* row_outbox: a service that writes one row and emits one event in each of its own transactions,
 * against the same transactions without weft. */
#include "bench_log.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_service.h"

#include <stdio.h>

/* Transactions a second. With a bus: until all is acknowledged, on a fresh log each time. */
static void s_measure(const void *arg, bench_figures_t *out) {
    const bench_work_t *what = arg;
    bench_work_t work = *what;
    bench_crew_t crew;
    bench_log_t log;
    char away[64];
    if (work.drain) bench_log_open(&log, &bench_weft);
    snprintf(away, sizeof away, "tcp://127.0.0.1:%d", bench_free_port());
    work.bus = work.drain ? log.server.bus : away;
    work.dir = bench_run_fresh_dir();
    bench_crew_begin(&crew);
    bench_slot_t *slot = bench_crew_add(&crew, work.emit ? bench_role_requests : bench_role_plain,
                                        &work);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, slot);
    out->values[0] = (double) work.count * 1e9 / (double) (slot->end_ns - slot->begin_ns);
    bench_crew_end(&crew);
    bench_run_remove(work.dir);
    if (work.drain) bench_log_close(&log);
}

void bench_row_outbox(void) {
    bench_comparison_t result;
    uint64_t count = (uint64_t) bench_run_by_scale(200, 3000, 10000);
    bench_work_t plain = {.count = count, .batch = 1};
    bench_work_t away = {.count = count, .emit = true};
    bench_work_t on = {.count = count, .emit = true, .drain = true};
    bench_compare("outbox_away_vs_plain", 1, s_measure, &away, s_measure, &plain, &result);
    bench_report_ratio("outbox_away_vs_plain",
                       "transactions of one row and one event, bus away; the row alone, without "
                       "weft",
                       BENCH_AT_LEAST, 0.9, &result, 0, "/s", 1);
    bench_compare("outbox_vs_plain", 1, s_measure, &on, s_measure, &plain, &result);
    bench_report_ratio("outbox_vs_plain",
                       "the same with the bus on the same disk, until all is acknowledged",
                       BENCH_AT_LEAST, 0.55, &result, 0, "/s", 1);
}
