/* row_ack: acknowledged events a second, one publisher and one live subscriber, against JetStream,
 * Redis Streams and the ceiling. */
#include "bench_drive.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"

static void s_measure(const void *arg, bench_figures_t *out) {
    bench_driven_t driven;
    bench_drive_t drive = {
        .system = arg, .subscribers = 1, .load.seconds = bench_run_by_scale(0.05, 0.5, 1.5)};
    bench_drive(&drive, &driven);
    out->values[0] = driven.acked_s;
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
