/* bench_sweeps: see bench_sweeps.h. */
#include "bench_sweeps.h"

#include "bench_drive.h"
#include "bench_log.h"
#include "bench_plot.h"
#include "bench_run.h"

#include <stdio.h>
#include <string.h>

#define SYSTEMS 3
#define TENTH 0.1
#define SIZE_MAX_DATA 261632.0 /* 256 KiB for the whole event */
#define MIB (1024.0 * 1024.0)

static const bench_system_t *const s_systems[SYSTEMS] = {&bench_weft, &bench_jetstream,
                                                         &bench_redis};
static const char *s_dir;

/* How one thing is varied. */
typedef struct {
    const char *name, *of, *axes;
    void (*set)(bench_drive_t *drive, double x);
    const double *xs;
    size_t count;
    bool weft_alone;
} bench_sweep_t;

static void s_set_size(bench_drive_t *drive, double x) {
    drive->load.data_size = (size_t) x;
}

static void s_set_publishers(bench_drive_t *drive, double x) {
    drive->publishers = (unsigned) x;
}

static void s_set_subscribers(bench_drive_t *drive, double x) {
    drive->subscribers = (unsigned) x;
}

static void s_set_filters(bench_drive_t *drive, double x) {
    drive->load.filters = (uint64_t) x;
}

/* One curve a system. */
typedef struct {
    bench_curve_t curves[SYSTEMS];
} bench_curves_t;

static double s_seconds(void) {
    return bench_run_by_scale(0.05, 0.3, 0.8);
}

static void s_draw(const bench_sweep_t *sweep, const char *suffix, const char *title, const char *y,
                   const bench_curves_t *from) {
    char name[64], text[128];
    const bench_curve_t *curves[SYSTEMS];
    size_t count = 0;
    for (size_t i = 0; i < SYSTEMS; i++)
        if (from->curves[i].count) curves[count++] = &from->curves[i];
    snprintf(name, sizeof name, "%s-%s", sweep->name, suffix);
    snprintf(text, sizeof text, "%s by %s", title, sweep->of);
    bench_picture_t picture = {
        .name = name, .title = text, .x = sweep->of, .y = y, .axes = sweep->axes};
    bench_plot(s_dir, &picture, curves, count);
}

static void s_run(const bench_sweep_t *sweep, double rates[]) {
    static bench_curves_t rate, delivered, memory, cpu;
    static bench_driven_t driven;
    bench_curves_t *const all[] = {&rate, &delivered, &memory, &cpu};
    for (size_t i = 0; i < 4; i++) *all[i] = (bench_curves_t){0};
    for (size_t s = 0; s < (sweep->weft_alone ? 1 : SYSTEMS); s++) {
        if (!bench_system_there(s_systems[s])) continue;
        for (size_t i = 0; i < 4; i++) all[i]->curves[s].title = s_systems[s]->name;
        for (size_t i = 0; i < sweep->count; i++) {
            bench_drive_t drive = {.system = s_systems[s],
                                   .publishers = 1,
                                   .subscribers = 1,
                                   .load.seconds = s_seconds(),
                                   .watch = true};
            bench_progress("plots: %s, %s, %g", sweep->name, s_systems[s]->name, sweep->xs[i]);
            sweep->set(&drive, sweep->xs[i]);
            bench_drive(&drive, &driven);
            if (s == 0) rates[i] = driven.acked_s;
            bench_curve_add(&rate.curves[s], sweep->xs[i], driven.acked_s);
            bench_curve_add(&delivered.curves[s], sweep->xs[i], driven.delivered_s);
            bench_curve_add(&memory.curves[s], sweep->xs[i], driven.memory_bytes / MIB);
            bench_curve_add(&cpu.curves[s], sweep->xs[i], driven.server_ns / 1e3);
        }
    }
    s_draw(sweep, "acked", "Acknowledged events a second", "events/s", &rate);
    if (sweep->set == s_set_subscribers)
        s_draw(sweep, "delivered", "Deliveries a second", "events/s", &delivered);
    s_draw(sweep, "memory", "Anonymous memory of the server", "MiB", &memory);
    s_draw(sweep, "cpu", "CPU time of the server for an event", "µs", &cpu);
}

/* p50 and p99 at a tenth of what the size allows. */
static void s_latency_by_size(const bench_sweep_t *sweep, const double rates[]) {
    static bench_curve_t p50, p99;
    static bench_driven_t driven;
    p50 = (bench_curve_t){.title = "p50"};
    p99 = (bench_curve_t){.title = "p99"};
    for (size_t i = 0; i < sweep->count; i++) {
        bench_drive_t drive = {.system = &bench_weft,
                               .subscribers = 1,
                               .load.seconds = s_seconds(),
                               .load.data_size = (size_t) sweep->xs[i],
                               .load.each_ns = (uint64_t) (1e9 / (rates[i] * TENTH))};
        bench_progress("plots: latency by size, %g", sweep->xs[i]);
        bench_drive(&drive, &driven);
        bench_curve_add(&p50, sweep->xs[i], bench_hist_quantile(&driven.latency, 0.5) / 1e3);
        bench_curve_add(&p99, sweep->xs[i], bench_hist_quantile(&driven.latency, 0.99) / 1e3);
    }
    const bench_curve_t *curves[] = {&p50, &p99};
    bench_picture_t picture = {.name = "size-latency",
                               .title = "weft: due time to handler at 10 % of capacity",
                               .x = sweep->of,
                               .y = "µs",
                               .axes = "set logscale x 2\nset logscale y"};
    bench_plot(s_dir, &picture, curves, 2);
}

/* ---- latency under load */

/* Percentiles: x is 1 / (1 - share), so that each decade is one more nine. */
static void s_percentiles(const bench_hist_t *hist, bench_curve_t *out) {
    uint64_t seen = 0;
    for (size_t i = 0; i < BENCH_HIST_BUCKETS; i++) {
        if (!hist->counts[i]) continue;
        seen += hist->counts[i];
        double left = (double) (hist->total - seen) / (double) hist->total;
        if (left <= 0) break;
        bench_curve_add(out, 1 / left, bench_hist_value(i) / 1e3);
    }
}

static void s_latency_by_load(void) {
    static const struct {
        double share;
        const char *title;
    } loads[] = {{0.1, "10 % of capacity"}, {0.5, "50 %"}, {0.9, "90 %"}};
    static bench_curve_t curves[3];
    static bench_driven_t driven;
    const bench_curve_t *all[3];
    for (size_t i = 0; i < 3; i++) {
        bench_drive_t drive = {
            .system = &bench_weft,
            .subscribers = 1,
            .load.seconds = bench_run_by_scale(0.1, 1, 4),
            .load.each_ns = (uint64_t) (1e9 / (bench_capacity() * loads[i].share))};
        bench_progress("plots: latency at %s", loads[i].title);
        bench_drive(&drive, &driven);
        curves[i] = (bench_curve_t){.title = loads[i].title};
        s_percentiles(&driven.latency, &curves[i]);
        all[i] = &curves[i];
    }
    bench_picture_t picture = {
        .name = "latency",
        .title = "weft: due time to handler, open loop",
        .x = "share of events that are faster",
        .y = "µs",
        .axes =
            "set logscale x\nset logscale y\nset xtics ('0' 1, '50 %%' 2, '90 %%' 10, '99 %%' 100, "
            "'99.9 %%' 1000, '99.99 %%' 10000, '99.999 %%' 100000)"};
    bench_plot(s_dir, &picture, all, 3);
}

/* ---- catch-up by length */

static void s_read_curve(bench_log_t *log, bench_curve_t *rate, bench_curve_t *cpu) {
    double before = bench_cpu_ns(&log->server), events = (double) log->events;
    bench_progress("plots: catch-up, %s, %g events", log->system->name, events);
    double seconds = bench_log_read(log, 1, NULL, log->events);
    bench_curve_add(rate, events, events / seconds);
    bench_curve_add(cpu, events, (bench_cpu_ns(&log->server) - before) / events / 1e3);
}

static void s_catchup_by_length(void) {
    static bench_curves_t rate, cpu, memory;
    uint64_t big = bench_log_big_events();
    bench_sweep_t sweep = {.name = "catchup", .of = "events in the log", .axes = "set logscale x"};
    for (size_t s = 0; s < SYSTEMS; s++) {
        if (!bench_system_there(s_systems[s])) continue;
        rate.curves[s].title = cpu.curves[s].title = memory.curves[s].title = s_systems[s]->name;
        bench_log_t log;
        bench_log_open(&log, s_systems[s]);
        for (uint64_t events = big / 1000; events < big; events *= 10) {
            bench_log_fill(&log, events, false);
            s_read_curve(&log, &rate.curves[s], &cpu.curves[s]);
            bench_curve_add(&memory.curves[s], (double) log.events,
                            bench_memory_bytes(&log.server) / MIB);
        }
        bench_log_close(&log);
    }
    bench_log_t *log = bench_log_big(NULL);
    s_read_curve(log, &rate.curves[0], &cpu.curves[0]);
    bench_curve_add(&memory.curves[0], (double) log->events,
                    bench_memory_bytes(&log->server) / MIB);
    s_draw(&sweep, "rate", "Catch-up, events a second", "events/s", &rate);
    s_draw(&sweep, "cpu", "CPU time of the server for an event read", "µs", &cpu);
    s_draw(&sweep, "memory", "Anonymous memory of the server", "MiB", &memory);
}

void bench_sweeps(const char *dir) {
    static const double sizes[] = {16, 64, 256, 1024, 4096, 16384, 65536, SIZE_MAX_DATA};
    static const double some[] = {1, 4, 16}, filters[] = {1, 16, 64, 255};
    double rates[8];
    s_dir = dir;
    bench_sweep_t by_size = {
        "size", "bytes of data", "set logscale x 2\nset logscale y", s_set_size, sizes, 8, false};
    bench_sweep_t by_publishers = {"publishers", "publishers", "", s_set_publishers, some, 3,
                                   false};
    bench_sweep_t by_subscribers = {"subscribers", "subscribers", "", s_set_subscribers, some, 3,
                                    false};
    bench_sweep_t by_filters = {
        "filters", "filters of the subscriber", "", s_set_filters, filters, 4, true};
    if (!bench_program_there("gnuplot")) bench_fail("no gnuplot: ./dev bench --peers installs it");
    s_run(&by_size, rates);
    s_latency_by_size(&by_size, rates);
    s_run(&by_publishers, rates);
    s_run(&by_subscribers, rates);
    s_run(&by_filters, rates);
    s_latency_by_load();
    s_catchup_by_length();
}
