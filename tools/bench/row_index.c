/* row_index: the index of causes gives way while the bus stores: how far behind it is after a load as in
 * row ack, and how long until it has caught up. */
#include "bench_drive.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"

void bench_row_index(void) {
    bench_series_t behind = {0}, caught_up = {0}, rates = {0};
    bench_driven_t driven;
    bench_drive_t drive = {.system = &bench_weft,
                           .subscribers = 1,
                           .load.seconds = bench_run_by_scale(0.05, 0.5, 1.5),
                           .index = true};
    for (int i = 0; i < bench_run_rounds(); i++) {
        bench_progress("index: round %d of %d", i + 1, bench_run_rounds());
        bench_drive(&drive, &driven);
        bench_series_add(&behind, driven.index_behind);
        bench_series_add(&caught_up, driven.index_s);
        bench_series_add(&rates, driven.index_behind / driven.index_s);
    }
    bench_report_add("index_behind_events",
                     "events that the index of causes does not cover yet when a publisher as fast "
                     "as it can ends",
                     BENCH_QUOTED, 0, &behind, NULL, NULL, "events", 1);
    bench_report_add("index_caught_up_s", "from then until it covers all", BENCH_QUOTED, 0,
                     &caught_up, NULL, NULL, "s", 1);
    bench_report_add("index_events_s", "events a second meanwhile", BENCH_QUOTED, 0, &rates, NULL,
                     NULL, "/s", 1);
}
