/* row_sync: one publish after the other, each waits for its acknowledgement, interleaved with bare
 * commits of the same row. */
#include "bench_floor.h"
#include "bench_pub.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_system.h"
#include "bench_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 16 /* operations of one kind before the other has its turn */

enum { P50, P99, SYNC_P50, FLOOR_P50, FLOOR_P99, METRICS };

typedef struct {
    const bench_server_t *server, *floor;
    uint64_t warm, count;
} bench_sync_t;

static void s_publish(bench_pub_t *pub, const bench_data_t *data, bench_hist_t *hist) {
    int64_t begin = bench_now_ns();
    bench_pub_send(pub, BENCH_TYPE, data, NULL);
    (void) bench_pub_flush(pub);
    if (hist) bench_hist_add(hist, bench_now_ns() - begin);
}

static void s_commit(bench_table_t *table, const void *event, bench_hist_t *hist) {
    int64_t begin = bench_now_ns();
    bench_table_begin(table);
    bench_table_add(table, event, BENCH_EVENT_BYTES);
    bench_table_commit(table);
    bench_table_checkpoint(table);
    if (hist) bench_hist_add(hist, bench_now_ns() - begin);
}

static void s_sync(int fd, const void *event, uint64_t at, bench_hist_t *hist) {
    int64_t begin = bench_now_ns();
    if (pwrite(fd, event, BENCH_EVENT_BYTES, (off_t) (at % 4096) * BENCH_EVENT_BYTES) < 0 ||
        fdatasync(fd) != 0)
        bench_fail("fdatasync: %s", strerror(errno));
    if (hist) bench_hist_add(hist, bench_now_ns() - begin);
}

static void s_floor(bench_floor_t *floor, const void *event, bench_hist_t *hist) {
    int64_t begin = bench_now_ns();
    bench_floor_publish(floor, event);
    if (hist) bench_hist_add(hist, bench_now_ns() - begin);
}

enum { PUBLISH, COMMIT, SYNC, FLOOR, KINDS }; /* hist of these slots */

static void s_role(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_sync_t *sync = arg;
    char event[BENCH_EVENT_BYTES], path[600];
    bench_data_t data = bench_data(BENCH_DATA_BYTES);
    bench_pub_t pub;
    bench_floor_t floor;
    memset(event, 'e', sizeof event);
    snprintf(path, sizeof path, "%s/bare.sync", sync->server->dir);
    bench_table_t *table = bench_table_new(sync->server->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) bench_fail("cannot open %s: %s", path, strerror(errno));
    bench_pub_open(&pub, sync->server->bus, &data);
    bench_floor_open(&floor, sync->floor);
    bench_role_ready(board, self);
    for (uint64_t i = 0; i < sync->warm + sync->count; i += BLOCK) {
        bool timed = i >= sync->warm;
        for (uint64_t j = 0; j < KINDS; j++) {
            uint64_t kind = i / BLOCK % 2 ? KINDS - 1 - j : j;
            bench_hist_t *hist = timed ? &board->slots[kind].hist : NULL;
            for (uint64_t k = 0; k < BLOCK; k++) {
                if (kind == PUBLISH) s_publish(&pub, &data, hist);
                if (kind == COMMIT) s_commit(table, event, hist);
                if (kind == SYNC) s_sync(fd, event, i + k, hist);
                if (kind == FLOOR) s_floor(&floor, event, hist);
            }
        }
    }
    bench_floor_close(&floor);
    bench_pub_close(&pub);
    bench_table_destroy(&table);
    close(fd);
}

static void s_measure(const void *arg, bench_figures_t *weft, bench_figures_t *peer) {
    bench_server_t server, floor;
    bench_crew_t crew;
    (void) arg;
    bench_weft.start(&server, bench_run_fresh_dir());
    bench_floor_start(&floor, bench_run_fresh_dir());
    bench_sync_t sync = {.server = &server,
                         .floor = &floor,
                         .warm = (uint64_t) bench_run_by_scale(16, 256, 1024),
                         .count = (uint64_t) bench_run_by_scale(64, 1500, 4000)};
    bench_crew_begin(&crew);
    bench_slot_t *slot = bench_crew_add(&crew, s_role, &sync);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, slot);
    const bench_slot_t *slots = crew.board->slots;
    weft->values[P50] = bench_hist_quantile(&slots[PUBLISH].hist, 0.5);
    weft->values[P99] = bench_hist_quantile(&slots[PUBLISH].hist, 0.99);
    weft->values[SYNC_P50] = weft->values[P50];
    weft->values[FLOOR_P50] = bench_hist_quantile(&slots[FLOOR].hist, 0.5);
    weft->values[FLOOR_P99] = bench_hist_quantile(&slots[FLOOR].hist, 0.99);
    peer->values[P50] = bench_hist_quantile(&slots[COMMIT].hist, 0.5);
    peer->values[P99] = bench_hist_quantile(&slots[COMMIT].hist, 0.99);
    peer->values[SYNC_P50] = bench_hist_quantile(&slots[SYNC].hist, 0.5);
    peer->values[FLOOR_P50] = peer->values[P50];
    peer->values[FLOOR_P99] = peer->values[P99];
    bench_crew_end(&crew);
    bench_server_stop(&server);
    bench_server_stop(&floor);
    bench_run_remove(server.dir);
    bench_run_remove(floor.dir);
}

/* p50 of a peer's lone publish, to be quoted. */
static void s_measure_lone(const void *arg, bench_figures_t *out) {
    const bench_system_t *system = arg;
    bench_server_t server;
    bench_crew_t crew;
    system->start(&server, bench_run_fresh_dir());
    bench_load_t load = {.server = &server,
                         .warm = (uint64_t) bench_run_by_scale(16, 256, 1024),
                         .count = (uint64_t) bench_run_by_scale(64, 1500, 4000)};
    bench_crew_begin(&crew);
    bench_slot_t *slot = bench_crew_add(&crew, system->lone, &load);
    bench_crew_ready(&crew);
    bench_crew_go(&crew);
    bench_crew_join(&crew, slot);
    out->values[0] = bench_hist_quantile(&slot->hist, 0.5);
    out->values[1] = bench_hist_quantile(&slot->hist, 0.99);
    bench_crew_end(&crew);
    bench_server_stop(&server);
    bench_run_remove(server.dir);
}

static void s_against(const bench_system_t *peer, const char *name, const char *what) {
    bench_comparison_t result;
    if (!bench_system_there(peer)) {
        bench_report_missing(name, "peer is not installed, see ./dev bench --peers");
        return;
    }
    bench_compare(name, 2, s_measure_lone, &bench_weft, s_measure_lone, peer, &result);
    bench_report_ratio(name, what, BENCH_QUOTED, 0, &result, 0, "µs", 1e-3);
}

void bench_row_sync(void) {
    bench_comparison_t result;
    bench_compare_interleaved("sync_ack_vs_fdatasync", METRICS, s_measure, NULL, &result);
    bench_report_ratio("sync_ack_vs_fdatasync",
                       "p50 of a lone synchronous publish; bare one-row commit", BENCH_AT_MOST, 1.5,
                       &result, P50, "µs", 1e-3);
    bench_report_ratio("sync_ack_p99_vs_fdatasync", "p99 of the same", BENCH_AT_MOST, 2, &result,
                       P99, "µs", 1e-3);
    bench_report_ratio("sync_ack_vs_bare_fdatasync",
                       "p50 of the same; write of 235 bytes and fdatasync alone", BENCH_QUOTED, 0,
                       &result, SYNC_P50, "µs", 1e-3);
    bench_report_ratio("sync_floor_vs_fdatasync",
                       "p50 of a bare loop that sends a row, commits it and sends it back; bare "
                       "one-row commit",
                       BENCH_QUOTED, 0, &result, FLOOR_P50, "µs", 1e-3);
    bench_report_ratio("sync_floor_p99_vs_fdatasync", "p99 of the same", BENCH_QUOTED, 0, &result,
                       FLOOR_P99, "µs", 1e-3);
    s_against(&bench_jetstream, "sync_ack_vs_jetstream",
              "p50 of a lone publish; JetStream does not fsync");
    s_against(&bench_redis, "sync_ack_vs_redis_always", "p50 of a lone publish");
}
