/* bench_rounds: see bench_rounds.h. */
#include "bench_rounds.h"

#include "bench_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define YARDSTICK_SYNCS 48
#define YARDSTICKS_KNOWN 5 /* before that the median says little */
#define TRIES_MAX 10       /* a disk that stays slow is the disk there is */

static bench_series_t s_yardsticks;
static unsigned s_repeated;

/* Median time of fdatasync after a small write, in µs. */
static double s_yardstick(void) {
    char path[4200], block[4096];
    bench_series_t times = {0};
    snprintf(path, sizeof path, "%s/yardstick", bench_run_dir());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) bench_fail("cannot open %s: %s", path, strerror(errno));
    memset(block, 'y', sizeof block);
    for (int i = 0; i < YARDSTICK_SYNCS; i++) {
        int64_t begin = bench_now_ns();
        if (pwrite(fd, block, sizeof block, (i % 8) * (off_t) sizeof block) < 0 ||
            fdatasync(fd) != 0)
            bench_fail("cannot write %s: %s", path, strerror(errno));
        bench_series_add(&times, (double) (bench_now_ns() - begin) / 1e3);
    }
    close(fd);
    return bench_series_median(&times);
}

static void s_await_disk(const char *label) {
    for (int i = 0; i < TRIES_MAX; i++) {
        double now = s_yardstick(), usual = bench_series_median(&s_yardsticks);
        bench_series_add(&s_yardsticks, now);
        bench_check_stop();
        if (s_yardsticks.count <= YARDSTICKS_KNOWN || now < 2 * usual) return;
        s_repeated++;
        bench_progress("%s: fdatasync takes %.0f µs instead of %.0f: once more", label, now, usual);
        usleep(200000);
    }
}

static void s_keep(unsigned metrics, const bench_figures_t *weft, const bench_figures_t *peer,
                   bench_comparison_t *out) {
    for (unsigned i = 0; i < metrics; i++) {
        bench_series_add(&out->weft[i], weft->values[i]);
        bench_series_add(&out->peer[i], peer->values[i]);
        bench_series_add(&out->ratio[i],
                         peer->values[i] > 0 ? weft->values[i] / peer->values[i] : 0);
    }
}

static void s_tell(const char *label, int round, const bench_comparison_t *so_far) {
    if (!so_far->ratio[0].count)
        bench_progress("%s: round %d of %d", label, round, bench_run_rounds());
    else
        bench_progress("%s: round %d of %d, ratio so far %.2f", label, round, bench_run_rounds(),
                       bench_series_median(&so_far->ratio[0]));
}

void bench_compare(const char *label, unsigned metrics, bench_measure_fn weft, const void *weft_arg,
                   bench_measure_fn peer, const void *peer_arg, bench_comparison_t *out) {
    *out = (bench_comparison_t){0};
    for (int round = 1; round <= bench_run_rounds(); round++) {
        bench_figures_t of_weft = {0}, of_peer = {0};
        s_tell(label, round, out);
        s_await_disk(label);
        if (round % 2) weft(weft_arg, &of_weft);
        peer(peer_arg, &of_peer);
        if (round % 2 == 0) weft(weft_arg, &of_weft);
        s_keep(metrics, &of_weft, &of_peer, out);
    }
}

void bench_compare_interleaved(const char *label, unsigned metrics, bench_measure_both_fn both,
                               const void *arg, bench_comparison_t *out) {
    *out = (bench_comparison_t){0};
    for (int round = 1; round <= bench_run_rounds(); round++) {
        bench_figures_t of_weft = {0}, of_peer = {0};
        s_tell(label, round, out);
        s_await_disk(label);
        both(arg, &of_weft, &of_peer);
        s_keep(metrics, &of_weft, &of_peer, out);
    }
}

unsigned bench_rounds_repeated(void) {
    return s_repeated;
}

double bench_rounds_yardstick_us(void) {
    return bench_series_median(&s_yardsticks);
}
