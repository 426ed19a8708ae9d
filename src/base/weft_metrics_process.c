/* weft_metrics_process: what the kernel and SQLite know of this process, under the names that
 * Prometheus' own clients use. A figure that cannot be read is left out. */
#include "weft_diag.h"
#include "weft_metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void s_gauge(weft_buf_t *w, const char *name, const char *help, uint64_t value,
                    unsigned decimals) {
    weft_metrics_one(w, name, WEFT_METRICS_GAUGE, help, NULL, 0, value, decimals);
}

/* Fields of /proc/self/stat as proc(5) counts them, from 1. The second is the program's name in
 * parentheses and may hold anything. */
static bool s_stat(char text[1024], uint64_t fields[], const unsigned wanted[], size_t count) {
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t size = read(fd, text, 1023);
    close(fd);
    if (size <= 0) return false;
    text[size] = '\0';
    char *at = strrchr(text, ')'), *rest = NULL;
    if (!at) return false;
    size_t found = 0;
    at = strtok_r(at + 1, " ", &rest);
    for (unsigned field = 3; at; field++, at = strtok_r(NULL, " ", &rest))
        for (size_t i = 0; i < count; i++)
            if (wanted[i] == field) {
                fields[i] = strtoull(at, NULL, 10);
                found++;
            }
    return found == count;
}

/* Unix time in µs at which the clock that counts from the start of the machine was 0. */
static uint64_t s_booted_us(void) {
    struct timespec now, up;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (uint64_t) ((now.tv_sec - up.tv_sec) * 1000000 + (now.tv_nsec - up.tv_nsec) / 1000);
}

static void s_put_stat(weft_buf_t *w) {
    enum { USER, SYSTEM, START, VIRTUAL, RESIDENT, COUNT };
    static const unsigned wanted[COUNT] = {14, 15, 22, 23, 24};
    char text[1024];
    uint64_t fields[COUNT];
    uint64_t tick_us = 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
    if (!s_stat(text, fields, wanted, COUNT)) return;
    weft_metrics_one(w, "process_cpu_seconds_total", WEFT_METRICS_COUNTER,
                     "Processor time used, of all threads.", NULL, 0,
                     (fields[USER] + fields[SYSTEM]) * tick_us, 6);
    s_gauge(w, "process_resident_memory_bytes", "Memory in use.",
            fields[RESIDENT] * (uint64_t) sysconf(_SC_PAGESIZE), 0);
    s_gauge(w, "process_virtual_memory_bytes", "Memory that has addresses.", fields[VIRTUAL], 0);
    s_gauge(w, "process_start_time_seconds", "Unix time at which the process started.",
            s_booted_us() / 10000 + fields[START] * tick_us / 10000, 2);
}

static void s_put_files(weft_buf_t *w) {
    struct rlimit limit;
    DIR *dir = opendir("/proc/self/fd");
    if (dir) {
        uint64_t count = 0;
        while (readdir(dir)) count++;
        closedir(dir);
        s_gauge(w, "process_open_fds", "Open files, sockets among them.", count - 3,
                0); /* ., .., dir */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        s_gauge(w, "process_max_fds", "Files that may be open.", limit.rlim_cur, 0);
}

void weft_metrics_process(weft_buf_t *w) {
    s_put_stat(w);
    s_put_files(w);
    s_gauge(w, "weft_sqlite_memory_bytes", "Memory that SQLite uses, its page caches among it.",
            (uint64_t) sqlite3_memory_used(), 0);
    weft_metrics_family(w, "weft_diag_lines_total", WEFT_METRICS_COUNTER,
                        "Lines of diagnostics written, by level.");
    for (int level = WEFT_DIAG_DEBUG; level <= WEFT_DIAG_ERROR; level++) {
        weft_label_t label = {"level", weft_diag_level_name((weft_diag_level_t) level)};
        weft_metrics_sample(w, "weft_diag_lines_total", &label, 1,
                            weft_diag_lines((weft_diag_level_t) level), 0);
    }
}
