/* bench_log: see bench_log.h. */
#include "bench_log.h"

#include "bench_run.h"

#include <stdio.h>
#include <string.h>

void bench_log_open(bench_log_t *self, const bench_system_t *system) {
    *self = (bench_log_t){.system = system};
    system->start(&self->server, bench_run_fresh_dir());
}

void bench_log_fill(bench_log_t *self, uint64_t events, bool rare) {
    bench_crew_t crew;
    if (events <= self->events + 1) return;
    bench_progress("%s: writing a log of %llu events", self->system->name,
                   (unsigned long long) events);
    bench_load_t load = {.server = &self->server, .count = events - self->events - 1, .rare = rare};
    bench_crew_begin(&crew);
    bench_slot_t *publisher = bench_crew_add(&crew, self->system->publish, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, publisher);
    self->events += publisher->count;
    if (rare) self->rare += (load.count + BENCH_RARE_EACH - 1) / BENCH_RARE_EACH;
    bench_crew_end(&crew);
    if (!self->system->settle) return;
    bench_progress("%s: its work behind %llu events", self->system->name,
                   (unsigned long long) self->events);
    self->system->settle(&self->server);
}

void bench_log_stop(bench_log_t *self) {
    bench_server_stop(&self->server);
}

double bench_log_start(bench_log_t *self) {
    char dir[512];
    snprintf(dir, sizeof dir, "%s", self->server.dir);
    int64_t begin = bench_now_ns();
    self->system->start(&self->server, dir);
    return (double) (bench_now_ns() - begin) / 1e9;
}

void bench_log_close(bench_log_t *self) {
    bench_server_stop(&self->server);
    bench_run_remove(self->server.dir);
}

double bench_log_read(const bench_log_t *self, unsigned readers, const char *filter,
                      uint64_t target) {
    bench_crew_t crew;
    bench_load_t load = {.server = &self->server, .filter = filter};
    int64_t begin = INT64_MAX, end = 0;
    bench_crew_begin(&crew);
    atomic_store(&crew.board->target, target);
    for (unsigned i = 0; i < readers; i++) bench_crew_add(&crew, self->system->replay, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    for (unsigned i = 0; i < readers; i++) {
        const bench_slot_t *slot = &crew.board->slots[i];
        bench_crew_join(&crew, slot);
        if (slot->begin_ns < begin) begin = slot->begin_ns;
        if (slot->end_ns > end) end = slot->end_ns;
    }
    bench_crew_end(&crew);
    return (double) (end - begin) / 1e9;
}

uint64_t bench_log_big_events(void) {
    return (uint64_t) bench_run_by_scale(20000, 1000000, 10000000);
}

bench_log_t *bench_log_big(bench_log_look_fn look) {
    static bench_log_t log;
    uint64_t events = bench_log_big_events();
    if (log.events) return &log;
    bench_log_open(&log, &bench_weft);
    for (uint64_t stage = events / 100; stage <= events; stage *= 10) {
        bench_log_fill(&log, stage, true);
        if (look) look(&log);
    }
    return &log;
}
