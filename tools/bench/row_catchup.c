/* row_catchup: reading a log from its beginning, against JetStream and Redis Streams; and a filter
 * that lets one event in a thousand through, against reading all. */
#include "bench_log.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"

#include <poll.h>

#define FOUR 4
#define KEPT_MS 2500 /* by then the bus has forgotten the pages that it kept for other readers */

typedef struct {
    const bench_log_t *log;
    unsigned readers;
} bench_replay_t;

/* Events a second that all readers together have read. */
static void s_measure(const void *arg, bench_figures_t *out) {
    const bench_replay_t *replay = arg;
    uint64_t events = replay->log->events;
    out->values[0] = (double) events * replay->readers /
                     bench_log_read(replay->log, replay->readers, NULL, events);
}

static void s_against(const bench_replay_t *weft, const bench_system_t *peer, const char *name,
                      double limit, const char *what) {
    bench_comparison_t result;
    bench_log_t log;
    bench_replay_t replay = {.log = &log, .readers = 1};
    if (!bench_system_there(peer)) {
        bench_report_missing(name, "peer is not installed, see ./dev bench --peers");
        return;
    }
    bench_log_open(&log, peer);
    bench_log_fill(&log, weft->log->events, false);
    bench_compare(name, 1, s_measure, weft, s_measure, &replay, &result);
    bench_report_ratio(name, what, BENCH_AT_LEAST, limit, &result, 0, "M/s", 1e-6);
    bench_log_close(&log);
}

void bench_row_catchup(void) {
    bench_comparison_t result;
    bench_log_t log;
    bench_log_open(&log, &bench_weft);
    bench_log_fill(&log, (uint64_t) bench_run_by_scale(2000, 400000, 2000000), false);
    bench_replay_t one = {.log = &log, .readers = 1}, four = {.log = &log, .readers = FOUR};
    s_against(&one, &bench_jetstream, "catchup_vs_jetstream", 4,
              "catch-up, one reader; JetStream's ordered consumer");
    s_against(&one, &bench_redis, "catchup_vs_xread", 2, "the same; XREAD of 1000");
    bench_compare("catchup4_vs_one", 1, s_measure, &four, s_measure, &one, &result);
    bench_report_ratio("catchup4_vs_one", "four readers together; one reader", BENCH_AT_LEAST, 1.5,
                       &result, 0, "M/s", 1e-6);
    bench_log_close(&log);
}

/* ---- sparse */

static void s_measure_sparse(const void *arg, bench_figures_t *out) {
    const bench_log_t *log = arg;
    poll(NULL, 0, KEPT_MS); /* else a round behind another of this side measures those pages */
    out->values[0] = 1 / bench_log_read(log, 1, BENCH_RARE_TYPE, log->rare);
}

static void s_measure_full(const void *arg, bench_figures_t *out) {
    const bench_log_t *log = arg;
    out->values[0] = 1 / bench_log_read(log, 1, NULL, log->events);
}

void bench_row_sparse(void) {
    bench_comparison_t result;
    const bench_log_t *log = bench_log_big(NULL);
    bench_compare("sparse_vs_full", 1, s_measure_sparse, log, s_measure_full, log, &result);
    bench_report_ratio(
        "sparse_vs_full",
        "reading the 0.1 % of one type in 10^7 events (10^6 in --quick); reading all",
        BENCH_AT_LEAST, 50, &result, 0, "logs/s", 1);
}
