/* row_growth: what a longer log costs: CPU time and bytes of one more event, memory, WAL, start. */
#include "bench_drive.h"
#include "bench_log.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAGES 3 /* 1 %, 10 % and all of the big log */
#define SEGMENTS 5
#define STARTS 5
#define READERS 4
#define WARM_BYTES ((size_t) 512 << 20)

static struct {
    unsigned count;
    uint64_t events[STAGES];
    double cpu_ns[STAGES], bytes[STAGES];
    double index_bytes;             /* for an event, last stage */
    double memory_bytes, wal_bytes; /* the most under load */
} s_stages;

/* Size of a database of the store with what is still in its WAL. */
static double s_bytes(const bench_log_t *log, const char *name) {
    static const char *const pragmas[] = {"PRAGMA page_count", "PRAGMA page_size"};
    char path[600];
    sqlite3 *db = NULL;
    double bytes = 1;
    snprintf(path, sizeof path, "%s/store/%s", log->server.dir, name);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        bench_fail("cannot open %s", path);
    for (size_t i = 0; i < 2; i++) {
        sqlite3_stmt *st = NULL;
        if (sqlite3_prepare_v2(db, pragmas[i], -1, &st, NULL) != SQLITE_OK ||
            sqlite3_step(st) != SQLITE_ROW)
            bench_fail("cannot read %s", path);
        bytes *= (double) sqlite3_column_int64(st, 0);
        sqlite3_finalize(st);
    }
    sqlite3_close(db);
    return bytes;
}

static void s_note_peak(const bench_slot_t *watch) {
    if (watch->values[0] > s_stages.memory_bytes) s_stages.memory_bytes = watch->values[0];
    if (watch->values[1] > s_stages.wal_bytes) s_stages.wal_bytes = watch->values[1];
}

/* Publish some more; the cost of the bus for each of them, until its index of causes has them, too. */
static double s_segment(bench_log_t *log) {
    bench_crew_t crew;
    bench_load_t load = {.server = &log->server,
                         .count = (uint64_t) bench_run_by_scale(1000, 20000, 100000)};
    bench_crew_begin(&crew);
    const bench_slot_t *watch = bench_crew_add(&crew, bench_role_watch, &log->server);
    const bench_slot_t *publisher = bench_crew_add(&crew, bench_weft.publish, &load);
    bench_crew_ready(&crew);
    double before = bench_cpu_ns(&log->server);
    bench_crew_go(&crew);
    bench_crew_join(&crew, publisher);
    bench_weft_index(&log->server, NULL);
    double cost = (bench_cpu_ns(&log->server) - before) / (double) load.count;
    log->events += publisher->count;
    s_note_peak(watch);
    bench_crew_end(&crew);
    return cost;
}

/* A virtual machine may have given free memory back to its host: then the first use of a page costs a fault there, which
 * the kernel books on who writes. Use as much as the segments will, so that it is there. */
static void s_warm_memory(void) {
    char *memory = malloc(WARM_BYTES);
    if (!memory) bench_fail("out of memory");
    for (size_t at = 0; at < WARM_BYTES; at += 4096) ((volatile char *) memory)[at] = 1;
    free(memory);
}

static void s_look(bench_log_t *log) {
    bench_series_t costs = {0};
    unsigned at = s_stages.count++;
    s_stages.events[at] = log->events;
    s_stages.bytes[at] = s_bytes(log, "log.db") / (double) log->events;
    s_stages.index_bytes = s_bytes(log, "causes.db") / (double) log->events;
    s_warm_memory();
    for (int i = 0; i < SEGMENTS; i++) {
        bench_progress("growth: %llu events, segment %d of %d",
                       (unsigned long long) s_stages.events[at], i + 1, SEGMENTS);
        bench_series_add(&costs, s_segment(log));
    }
    s_stages.cpu_ns[at] = bench_series_median(&costs);
}

/* Readers of all and of little at once, for the memory they cost the bus. */
static void s_read_all(bench_log_t *log) {
    bench_crew_t crew;
    bench_load_t load = {.server = &log->server};
    bench_progress("growth: %d readers of the whole log", READERS);
    bench_crew_begin(&crew);
    atomic_store(&crew.board->target, log->events);
    const bench_slot_t *watch = bench_crew_add(&crew, bench_role_watch, &log->server);
    for (int i = 0; i < READERS; i++) bench_crew_add(&crew, bench_weft.replay, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    for (int i = 0; i < READERS; i++) bench_crew_join(&crew, watch + 1 + i);
    s_note_peak(watch);
    bench_crew_end(&crew);
}

/* The kernel forgets the files, so that the start reads the disk. */
static void s_make_cold(const bench_log_t *log) {
    static const char *const names[] = {"log.db", "log.db-wal"};
    for (size_t i = 0; i < 2; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/store/%s", log->server.dir, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        (void) fdatasync(fd);
        (void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* best effort */
        close(fd);
    }
}

static void s_report_start(bench_log_t *log) {
    bench_series_t starts = {0};
    for (int i = 0; i < STARTS; i++) {
        bench_progress("growth: start %d of %d", i + 1, STARTS);
        bench_log_stop(log);
        s_make_cold(log);
        bench_series_add(&starts, bench_log_start(log));
    }
    bench_report_add("start_s", "start on the big log, files not in memory, until the bus is ready",
                     BENCH_AT_MOST, 0.5, &starts, NULL, NULL, "s", 1);
    bench_report_value("memory_started_mib", "anonymous memory of the bus right after that",
                       BENCH_AT_MOST, 64, bench_memory_bytes(&log->server) / (1 << 20), "MiB");
}

static double s_worst(const double values[STAGES]) {
    double worst = 1;
    for (unsigned i = 1; i < s_stages.count; i++) {
        double ratio = values[i] / values[0];
        if (ratio > worst) worst = ratio;
    }
    return worst;
}

void bench_row_growth(void) {
    static const char *const names[STAGES][2] = {{"growth_cpu_1", "growth_bytes_1"},
                                                 {"growth_cpu_10", "growth_bytes_10"},
                                                 {"growth_cpu_100", "growth_bytes_100"}};
    bench_log_t *log = bench_log_big(s_look);
    double cpu = s_worst(s_stages.cpu_ns), bytes = s_worst(s_stages.bytes);
    bench_report_value("growth",
                       "cost of an event (CPU time of the bus, or bytes, the worse) at 10 and 100 "
                       "times the log, by that at 1 (10^5 events; 10^4 in --quick)",
                       BENCH_AT_MOST, 1.2, cpu > bytes ? cpu : bytes, "×");
    for (unsigned i = 0; i < s_stages.count; i++) {
        bench_report_value(names[i][0],
                           "CPU time of the bus for an event, log that many times as long",
                           BENCH_QUOTED, 0, s_stages.cpu_ns[i], "ns");
        bench_report_value(names[i][1], "bytes of the log for an event", BENCH_QUOTED, 0,
                           s_stages.bytes[i], "B");
    }
    bench_report_value("growth_index_bytes",
                       "bytes of the index of causes for an event, longest log", BENCH_QUOTED, 0,
                       s_stages.index_bytes, "B");
    bench_report_value("memory_rest_mib", "anonymous memory of the bus at rest after the load",
                       BENCH_AT_MOST, 64, bench_memory_bytes(&log->server) / (1 << 20), "MiB");
    s_read_all(log);
    bench_report_value("memory_load_mib",
                       "the most under load: a publisher as fast as it can, then four readers",
                       BENCH_QUOTED, 0, s_stages.memory_bytes / (1 << 20), "MiB");
    bench_report_value("wal_max_mib", "largest WAL", BENCH_QUOTED, 0,
                       s_stages.wal_bytes / (1 << 20), "MiB");
    s_report_start(log);
}
