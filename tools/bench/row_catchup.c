/* row_catchup: reading a log from its beginning, against JetStream and Redis Streams. */
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_system.h"

typedef struct {
    const bench_system_t *system;
    bench_server_t server;
    uint64_t events;
    unsigned readers;
} bench_log_t;

static void s_fill(bench_log_t *self, const bench_system_t *system, uint64_t events) {
    bench_crew_t crew;
    bench_progress("%s: writing %llu events", system->name, (unsigned long long) events);
    *self = (bench_log_t){.system = system, .readers = 1};
    system->start(&self->server, bench_run_fresh_dir());
    bench_load_t load = {.server = &self->server, .count = events};
    bench_crew_begin(&crew);
    bench_slot_t *publisher = bench_crew_add(&crew, system->publish, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, publisher);
    self->events = publisher->count;
    bench_crew_end(&crew);
}

static void s_drop(bench_log_t *self) {
    bench_server_stop(&self->server);
    bench_run_remove(self->server.dir);
}

/* Events a second that all readers together have read, from the first begin to the last end. */
static void s_measure(const void *arg, bench_figures_t *out) {
    const bench_log_t *log = arg;
    bench_crew_t crew;
    bench_load_t load = {.server = &log->server};
    bench_crew_begin(&crew);
    atomic_store(&crew.board->target, log->events);
    for (unsigned i = 0; i < log->readers; i++) bench_crew_add(&crew, log->system->replay, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    int64_t begin = INT64_MAX, end = 0;
    for (unsigned i = 0; i < log->readers; i++) {
        const bench_slot_t *slot = &crew.board->slots[i];
        bench_crew_join(&crew, slot);
        if (slot->begin_ns < begin) begin = slot->begin_ns;
        if (slot->end_ns > end) end = slot->end_ns;
    }
    out->values[0] = (double) log->events * log->readers * 1e9 / (double) (end - begin);
    bench_crew_end(&crew);
}

static void s_against(const bench_log_t *weft, const bench_system_t *peer, const char *name,
                      double limit, const char *what) {
    bench_comparison_t result;
    bench_log_t log;
    if (!bench_system_there(peer)) {
        bench_report_missing(name, "peer is not installed, see ./dev bench --peers");
        return;
    }
    s_fill(&log, peer, weft->events);
    bench_compare(name, 1, s_measure, weft, s_measure, &log, &result);
    bench_report_ratio(name, what, BENCH_AT_LEAST, limit, &result, 0, "M/s", 1e-6);
    s_drop(&log);
}

void bench_row_catchup(void) {
    bench_comparison_t result;
    bench_log_t weft;
    s_fill(&weft, &bench_weft, (uint64_t) bench_run_by_scale(2000, 400000, 2000000));
    s_against(&weft, &bench_jetstream, "catchup_vs_jetstream", 4,
              "catch-up, one reader; JetStream's ordered consumer");
    s_against(&weft, &bench_redis, "catchup_vs_xread", 2, "the same; XREAD of 1000");
    bench_log_t four = weft;
    four.readers = 4;
    bench_compare("catchup4_vs_one", 1, s_measure, &four, s_measure, &weft, &result);
    bench_report_ratio("catchup4_vs_one", "four readers together; one reader", BENCH_AT_LEAST, 1.5,
                       &result, 0, "M/s", 1e-6);
    s_drop(&weft);
}
