/* weft_doctor_host: this machine: clock, limits, memory, libraries. */
#include "weft_findings.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>
#include <zmq.h>

#define FILES_FEW 4096u /* a bus has three for each client, and leaves a quarter free */
#define FILES_OF_CLIENT 3u
#define MEMORY_FEW (UINT64_C(256) << 20)
#define PAST 1735689600 /* 2025-01-01: no machine that runs this is older */

static void s_clock(const weft_findings_t *findings) {
    struct timex timex = {0};
    time_t now = time(NULL);
    if (now < PAST) {
        weft_finding(findings, WEFT_BAD, "clock", "", "set the clock, then keep it by NTP",
                     "it says %lld, which is past", (long long) now);
        return;
    }
    if (adjtimex(&timex) == TIME_ERROR)
        weft_finding(findings, WEFT_DOUBT, "clock", "",
                     "run chrony or systemd-timesyncd, unless the host keeps the time",
                     "nothing keeps it in time: events carry wrong times, order is not harmed");
    else
        weft_finding(findings, WEFT_FINE, "clock", "", "", "kept in time");
}

static void s_files(const weft_findings_t *findings) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    uint64_t most = limit.rlim_max == RLIM_INFINITY ? UINT64_MAX : (uint64_t) limit.rlim_max;
    uint64_t clients = most / 4 * 3 / FILES_OF_CLIENT;
    bool few = most < FILES_FEW;
    if (clients > 4096) clients = 4096; /* weft-bus --connections */
    weft_finding(findings, few ? WEFT_DOUBT : WEFT_FINE, "limits", "",
                 few ? "raise ulimit -Hn; systemd: LimitNOFILE=" : "",
                 "open files: room for %" PRIu64 " clients of a bus", clients);
}

/* One number after a key in a file of /proc; 0: not there. In kB. */
static uint64_t s_kb(const char *path, const char *key) {
    char line[256];
    unsigned long long value = 0;
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    while (!value && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) sscanf(line + strlen(key), " %llu", &value);
    fclose(file);
    return value;
}

static void s_memory(const weft_findings_t *findings) {
    uint64_t free = s_kb("/proc/meminfo", "MemAvailable:") << 10;
    if (!free) return;
    bool few = free < MEMORY_FEW;
    weft_finding(findings, few ? WEFT_DOUBT : WEFT_FINE, "hwm", "",
                 few ? "free memory: the queues of a busy bus may need more than there is" : "",
                 "%" PRIu64 " MiB of memory are free; queues of stalled subscribers hold 64 MiB"
                 " together at most, what overflows is pulled later",
                 free >> 20);
}

static void s_versions(const weft_findings_t *findings) {
    int major, minor, patch;
    bool older = sqlite3_libversion_number() < SQLITE_VERSION_NUMBER;
    weft_finding(findings, older ? WEFT_DOUBT : WEFT_FINE, "version", "SQLite",
                 older ? "install the SQLite that weft was built with" : "", "%s%s%s",
                 sqlite3_libversion(), older ? ", built with " : "", older ? SQLITE_VERSION : "");
    zmq_version(&major, &minor, &patch);
    older = ZMQ_MAKE_VERSION(major, minor, patch) < ZMQ_VERSION;
    weft_finding(findings, older ? WEFT_DOUBT : WEFT_FINE, "version", "libzmq",
                 older ? "install the libzmq that weft was built with" : "", "%d.%d.%d", major,
                 minor, patch);
    weft_finding(findings, WEFT_FINE, "version", "weft", "", "%s", weft_version());
}

void weft_doctor_host(const weft_findings_t *findings) {
    s_versions(findings);
    s_clock(findings);
    s_files(findings);
    s_memory(findings);
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "eatmydata"))
        weft_finding(findings, WEFT_BAD, "sync", "LD_PRELOAD", "run nothing of weft with eatmydata",
                     "libeatmydata makes each sync do nothing");
}
