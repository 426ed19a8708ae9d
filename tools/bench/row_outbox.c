/* row_outbox: a service that writes one row and emits one event in each of its own transactions, against
 * the same transactions in a plain loop: a row and a row of an outbox; and, quoted, the row alone. */
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
    snprintf(away, sizeof away, "tcp://127.0.0.1:%d", bench_free_port());
    work.bus = away;
    if (work.drain) {
        bench_log_open(&log, &bench_weft);
        work.bus = log.server.bus;
    }
    work.dir = bench_run_fresh_dir();
    bench_crew_begin(&crew);
    bench_slot_t *slot = bench_crew_add(&crew, work.batch ? bench_role_plain : bench_role_requests,
                                        &work);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, slot);
    out->values[0] = (double) work.count * 1e9 / (double) (slot->end_ns - slot->begin_ns);
    bench_crew_end(&crew);
    bench_run_remove(work.dir);
    if (work.drain) bench_log_close(&log);
}

static void s_against(const char *name, const bench_work_t *service, const bench_work_t *plain,
                      const char *what, bench_bar_t bar, double limit) {
    bench_comparison_t result;
    bench_compare(name, 1, s_measure, service, s_measure, plain, &result);
    bench_report_ratio(name, what, bar, limit, &result, 0, "/s", 1);
}

void bench_row_outbox(void) {
    uint64_t count = (uint64_t) bench_run_by_scale(200, 3000, 10000);
    bench_work_t same = {.count = count, .batch = 1, .emit = true};
    bench_work_t row = {.count = count, .batch = 1};
    bench_work_t away = {.count = count, .emit = true};
    bench_work_t on = {.count = count, .emit = true, .drain = true};
    s_against("outbox_away_vs_plain", &away, &same,
              "transactions of one row and one event, bus away; a row and an outbox row in a "
              "plain loop",
              BENCH_AT_LEAST, 0.9);
    s_against("outbox_vs_plain", &on, &same,
              "the same with the bus on the same disk, until all is acknowledged", BENCH_AT_LEAST,
              0.55);
    s_against("outbox_away_vs_row", &away, &row, "bus away; the row alone", BENCH_QUOTED, 0);
    s_against("outbox_vs_row", &on, &row, "with the bus; the row alone", BENCH_QUOTED, 0);
}
