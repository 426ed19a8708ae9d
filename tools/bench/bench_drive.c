/* bench_drive: see bench_drive.h. */
#include "bench_drive.h"

#include "bench_run.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WATCH_MS 20

double bench_cpu_ns(const bench_server_t *server) {
    char path[300];
    double sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int) server->pid);
    DIR *dir = opendir(path);
    if (!dir) bench_fail("cannot read %s", path);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        unsigned long long ns = 0;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int) server->pid,
                 entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file) continue; /* a thread that has ended meanwhile */
        if (fscanf(file, "%llu", &ns) == 1) sum += (double) ns;
        fclose(file);
    }
    closedir(dir);
    return sum;
}

double bench_memory_bytes(const bench_server_t *server) {
    char path[64], line[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int) server->pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Anonymous: %lf", &kib) == 1) break;
    fclose(file);
    return kib * 1024;
}

void bench_role_watch(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_server_t *server = arg;
    char wal[600];
    struct stat st;
    snprintf(wal, sizeof wal, "%s/store/log.db-wal", server->dir);
    atomic_store(&self->ready, true);
    while (!atomic_load(&board->stop)) {
        double memory = bench_memory_bytes(server);
        if (memory > self->values[0]) self->values[0] = memory;
        if (stat(wal, &st) == 0 && (double) st.st_size > self->values[1])
            self->values[1] = (double) st.st_size;
        poll(NULL, 0, WATCH_MS);
    }
}

static void s_sum_up(const bench_drive_t *what, bench_slot_t *const readers[],
                     unsigned readers_count, bench_slot_t *const publishers[],
                     unsigned publishers_count, bench_driven_t *out) {
    int64_t begin = INT64_MAX, acked = 0, delivered = 0;
    for (unsigned i = 0; i < publishers_count; i++) {
        if (publishers[i]->begin_ns < begin) begin = publishers[i]->begin_ns;
        if (publishers[i]->end_ns > acked) acked = publishers[i]->end_ns;
    }
    for (unsigned i = 0; i < readers_count; i++) {
        if (readers[i]->end_ns > delivered) delivered = readers[i]->end_ns;
        if (what->load.each_ns) bench_hist_merge(&out->latency, &readers[i]->hist);
    }
    out->acked_s = (double) out->events * 1e9 / (double) (acked - begin);
    if (readers_count)
        out->delivered_s = (double) out->events * readers_count * 1e9 /
                           (double) (delivered - begin);
}

void bench_drive(const bench_drive_t *what, bench_driven_t *out) {
    bench_server_t server;
    bench_crew_t crew;
    bench_slot_t *readers[BENCH_ROLES_MAX], *publishers[BENCH_ROLES_MAX], *watch = NULL;
    unsigned publishers_count = what->publishers ? what->publishers : 1;
    bench_load_t load = what->load;
    *out = (bench_driven_t){0};
    what->system->start(&server, bench_run_fresh_dir());
    load.server = &server;
    bench_crew_begin(&crew);
    for (unsigned i = 0; i < what->subscribers; i++)
        readers[i] = bench_crew_add(&crew, what->system->subscribe, &load);
    if (!what->system->late_readers) bench_crew_ready(&crew);
    for (unsigned i = 0; i < publishers_count; i++)
        publishers[i] = bench_crew_add(&crew, what->system->publish, &load);
    if (what->watch) watch = bench_crew_add(&crew, bench_role_watch, &server);
    bench_crew_ready(&crew);
    double cpu_ns = bench_cpu_ns(&server);
    bench_crew_go(&crew);
    for (unsigned i = 0; i < publishers_count; i++) {
        bench_crew_join(&crew, publishers[i]);
        out->events += publishers[i]->count;
    }
    atomic_store(&crew.board->target, out->events);
    for (unsigned i = 0; i < what->subscribers; i++) bench_crew_join(&crew, readers[i]);
    out->server_ns = (bench_cpu_ns(&server) - cpu_ns) / (double) out->events;
    s_sum_up(what, readers, what->subscribers, publishers, publishers_count, out);
    if (what->index) out->index_s = bench_weft_index(&server, &out->index_behind);
    if (what->system->batch) out->batch = what->system->batch(&server);
    if (watch) {
        out->memory_bytes = watch->values[0];
        out->wal_bytes = watch->values[1];
    }
    bench_crew_end(&crew);
    bench_server_stop(&server);
    bench_run_remove(server.dir);
}

double bench_capacity_now(void) {
    static bench_driven_t driven;
    bench_drive_t drive = {.system = &bench_weft,
                           .subscribers = 1,
                           .load.seconds = bench_run_by_scale(0.05, 0.5, 1.5)};
    bench_drive(&drive, &driven);
    return driven.acked_s;
}

double bench_capacity(void) {
    static double capacity;
    bench_series_t rates = {0};
    for (int i = 0; i < 3 && capacity == 0; i++) {
        bench_progress("capacity: %d of 3", i + 1);
        bench_series_add(&rates, bench_capacity_now());
    }
    if (capacity == 0) capacity = bench_series_median(&rates);
    return capacity;
}
