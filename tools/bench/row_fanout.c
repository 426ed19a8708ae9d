/* row_fanout: deliveries a second to 16 subscribers, against raw zmq_proxy. weft's subscribers check
 * and decode each event; those of the proxy only take the message. */
#include "bench_drive.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"

#define SUBSCRIBERS 16

static void s_measure(const void *arg, bench_figures_t *out) {
    bench_driven_t driven;
    bench_drive_t drive = {.system = arg,
                           .subscribers = SUBSCRIBERS,
                           .load.seconds = bench_run_by_scale(0.05, 0.5, 1.5)};
    bench_drive(&drive, &driven);
    out->values[0] = driven.delivered_s;
}

void bench_row_fanout(void) {
    bench_comparison_t result;
    bench_compare("fanout16_vs_proxy", 1, s_measure, &bench_weft, s_measure, &bench_proxy, &result);
    bench_report_ratio("fanout16_vs_proxy",
                       "deliveries to 16 subscribers; raw zmq_proxy, one event a message",
                       BENCH_AT_LEAST, 1.5, &result, 0, "M/s", 1e-6);
}
