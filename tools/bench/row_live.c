/* row_live: from the time an event was due to be sent until the subscriber's handler, at shares of
 * capacity; against bare commits in a plain loop. Open loop: a publisher that is late counts as late. */
#include "bench_drive.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_table.h"

#include <string.h>

enum { P50, P99 };

/* One share of capacity. */
typedef struct {
    double share;
    double *batch;      /* out: events a commit of the bus, of its last measurement */
    const double *rows; /* of a bare commit; NULL: one */
} bench_live_t;

static void s_measure(const void *arg, bench_figures_t *out) {
    static bench_driven_t driven;
    const bench_live_t *live = arg;
    double capacity = bench_capacity_now(); /* of this round: the machine's own pace changes */
    bench_drive_t drive = {.system = &bench_weft,
                           .subscribers = 1,
                           .load.seconds = bench_run_by_scale(0.1, 1, 3),
                           .load.each_ns = (uint64_t) (1e9 / (capacity * live->share))};
    bench_drive(&drive, &driven);
    *live->batch = driven.batch;
    out->values[P50] = bench_hist_quantile(&driven.latency, 0.5);
    out->values[P99] = bench_hist_quantile(&driven.latency, 0.99);
}

typedef struct {
    const char *dir;
    unsigned batch;
    double seconds;
} bench_commits_t;

static void s_commit(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_commits_t *commits = arg;
    char event[BENCH_EVENT_BYTES];
    bench_table_t *table = bench_table_new(commits->dir);
    (void) board;
    memset(event, 'e', sizeof event);
    bench_role_begin(self);
    while (bench_now_ns() - self->begin_ns < (int64_t) (commits->seconds * 1e9)) {
        int64_t begin = bench_now_ns();
        bench_table_begin(table);
        for (unsigned i = 0; i < commits->batch; i++) bench_table_add(table, event, sizeof event);
        bench_table_commit(table);
        bench_table_checkpoint(table);
        bench_hist_add(&self->hist, bench_now_ns() - begin);
    }
    bench_table_destroy(&table);
}

static void s_measure_commit(const void *arg, bench_figures_t *out) {
    const bench_live_t *live = arg;
    double rows = live->rows && *live->rows >= 1 ? *live->rows : 1;
    bench_crew_t crew;
    bench_commits_t commits = {.dir = bench_run_fresh_dir(),
                               .batch = (unsigned) (rows + 0.5),
                               .seconds = bench_run_by_scale(0.1, 0.5, 1.5)};
    bench_crew_begin(&crew);
    const bench_slot_t *slot = bench_crew_add(&crew, s_commit, &commits);
    bench_crew_join(&crew, slot);
    out->values[P50] = bench_hist_quantile(&slot->hist, 0.5);
    out->values[P99] = bench_hist_quantile(&slot->hist, 0.99);
    bench_crew_end(&crew);
    bench_run_remove(commits.dir);
}

void bench_row_live(void) {
    bench_comparison_t result;
    double tenth_batch = 0, most_batch = 0;
    bench_report_value(
        "capacity_events_s",
        "events a second before the rounds; the shares below refer to that of each round",
        BENCH_QUOTED, 0, bench_capacity(), "/s");
    bench_live_t tenth = {.share = 0.1, .batch = &tenth_batch};
    bench_live_t tenth_rows = {.rows = &tenth_batch};
    bench_compare("live_vs_fdatasync", 2, s_measure, &tenth, s_measure_commit, &tenth, &result);
    bench_report_ratio("live_vs_fdatasync",
                       "p50 from due time to handler at 10 % of capacity; bare one-row commit",
                       BENCH_AT_MOST, 1.8, &result, P50, "µs", 1e-3);
    bench_report_ratio("live10_p99", "p99 of the same", BENCH_QUOTED, 0, &result, P99, "µs", 1e-3);
    bench_report_value("live10_batch", "events a commit at 10 %, last round", BENCH_QUOTED, 0,
                       tenth_batch, "events");
    bench_compare("live10_commit_vs_fdatasync", 1, s_measure_commit, &tenth_rows, s_measure_commit,
                  &tenth, &result);
    bench_report_ratio("live10_commit_vs_fdatasync",
                       "bare commits of as many rows; bare one-row commit. An event waits for the "
                       "rest of one and for its own: one and a half",
                       BENCH_QUOTED, 0, &result, P50, "µs", 1e-3);
    bench_live_t most = {.share = 0.9, .batch = &most_batch, .rows = &most_batch};
    bench_compare("live90_p99_vs_commit", 2, s_measure, &most, s_measure_commit, &most, &result);
    bench_report_ratio("live90_p99_vs_commit",
                       "p99 at 90 % of capacity; bare commit of the same batch", BENCH_AT_MOST, 3,
                       &result, P99, "µs", 1e-3);
    bench_report_ratio("live90_p50", "p50 of the same", BENCH_QUOTED, 0, &result, P50, "µs", 1e-3);
    bench_report_value("live90_batch", "events a commit at 90 %, last round", BENCH_QUOTED, 0,
                       most_batch, "events");
}
