/* bench_run: see bench_run.h. */
#include "bench_run.h"

#include "bench_crew.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bench_options_t s_options;
static char s_dir[PATH_MAX - 32], s_bin[PATH_MAX];
static pid_t s_owner;
static volatile sig_atomic_t s_signal;
static bool s_line_open; /* a progress line is on the terminal */

static void s_on_signal(int number) {
    s_signal = number;
}

void bench_run_begin(const bench_options_t *options) {
    s_options = *options;
    s_owner = getpid();
    struct sigaction action = {.sa_handler = s_on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    ssize_t size = readlink("/proc/self/exe", s_bin, sizeof s_bin - 1);
    if (size < 0) bench_fail("cannot find out where this program is: %s", strerror(errno));
    s_bin[size] = '\0';
    *strrchr(s_bin, '/') = '\0';
    if (snprintf(s_dir, sizeof s_dir, "%s/weft-bench.XXXXXX", options->dir) >= (int) sizeof s_dir)
        bench_fail("--dir has too long a name");
    if (!mkdtemp(s_dir)) {
        int error = errno;
        s_dir[0] = '\0';
        bench_fail("cannot make a scratch directory in %s: %s", options->dir, strerror(error));
    }
}

const bench_options_t *bench_run_options(void) {
    return &s_options;
}

double bench_run_by_scale(double tiny, double quick, double normal) {
    switch (s_options.scale) {
    case BENCH_TINY: return tiny;
    case BENCH_QUICK: return quick;
    default: return normal;
    }
}

int bench_run_rounds(void) {
    return s_options.rounds ? s_options.rounds : (int) bench_run_by_scale(1, 3, 7);
}

const char *bench_run_dir(void) {
    return s_dir;
}

const char *bench_run_fresh_dir(void) {
    static char path[PATH_MAX];
    static unsigned count;
    snprintf(path, sizeof path, "%s/%u", s_dir, ++count);
    if (mkdir(path, 0777) != 0) bench_fail("cannot make %s: %s", path, strerror(errno));
    return path;
}

static int s_remove(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void) st;
    (void) kind;
    (void) walk;
    return remove(path);
}

void bench_run_remove(const char *dir) {
    nftw(dir, s_remove, 16, FTW_DEPTH | FTW_PHYS);
}

const char *bench_run_bin(void) {
    return s_bin;
}

static void s_end_line(void) {
    if (s_line_open) fputc('\n', stderr);
    s_line_open = false;
}

void bench_progress(const char *format, ...) {
    va_list args;
    bool terminal = isatty(STDERR_FILENO);
    fputs(terminal ? "\r\033[K" : "", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (!terminal) fputc('\n', stderr);
    s_line_open = terminal;
    fflush(stderr);
}

void bench_run_end(void) {
    if (getpid() != s_owner) return;
    s_end_line();
    bench_crew_stop_all();
    if (s_dir[0]) bench_run_remove(s_dir);
    s_dir[0] = '\0';
}

void bench_fail(const char *format, ...) {
    va_list args;
    if (getpid() == s_owner) s_end_line();
    fputs("weft-bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (getpid() != s_owner) _exit(1);
    bench_run_end();
    exit(s_signal ? 128 + s_signal : 1);
}

void bench_check_stop(void) {
    if (s_signal && getpid() == s_owner) bench_fail("stopped by signal %d", (int) s_signal);
}
