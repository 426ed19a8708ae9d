/* row_ack: acknowledged events a second, one publisher and one live subscriber, against JetStream,
 * Redis Streams and the ceiling. */
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_system.h"

#include <string.h>

/* Events a second from the first send to the last acknowledgement. */
static void s_measure(const void *arg, bench_figures_t *out) {
    const bench_system_t *system = arg;
    const char *dir = bench_run_fresh_dir();
    bench_server_t server;
    bench_crew_t crew;
    system->start(&server, dir);
    bench_load_t load = {.server = &server, .seconds = bench_run_by_scale(0.05, 0.5, 1.5)};
    bench_crew_begin(&crew);
    bench_slot_t *reader = bench_crew_add(&crew, system->subscribe, &load);
    bench_crew_ready(&crew);
    bench_slot_t *publisher = bench_crew_add(&crew, system->publish, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, publisher);
    atomic_store(&crew.board->target, publisher->count);
    if (system->lossless) bench_crew_join(&crew, reader);
    out->values[0] = (double) publisher->count * 1e9 /
                     (double) (publisher->end_ns - publisher->begin_ns);
    bench_crew_end(&crew);
    bench_server_stop(&server);
    bench_run_remove(server.dir);
}

static void s_against(const bench_system_t *peer, const char *name, double limit,
                      const char *what) {
    bench_comparison_t result;
    if (!bench_system_there(peer)) {
        bench_report_missing(name, "peer is not installed, see ./dev bench --peers");
        return;
    }
    bench_compare(name, 1, s_measure, &bench_weft, s_measure, peer, &result);
    bench_report_ratio(name, what, BENCH_AT_LEAST, limit, &result, 0, "M/s", 1e-6);
}

void bench_row_ack(void) {
    s_against(&bench_jetstream, "ack_vs_jetstream", 2.5,
              "acknowledged events, one publisher, one live subscriber; JetStream does not fsync");
    s_against(&bench_redis, "ack_vs_redis_always", 3.5, "the same; Redis with appendfsync always");
    s_against(&bench_ceiling, "ack_vs_ceiling", 0.7, "the same; a bare loop of weft's shape");
}
