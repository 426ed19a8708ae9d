/* bench_machine: see bench_machine.h. */
#include "bench_machine.h"

#include "bench_run.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>
#include <zmq.h>

/* What follows a key on its line of a file; "?" if it is not there. */
static void s_find(const char *path, const char *key, char out[128]) {
    char line[512];
    FILE *file = fopen(path, "r");
    snprintf(out, 128, "?");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        char *value = line + strlen(key);
        value += strspn(value, " \t:=\"");
        value[strcspn(value, "\"\n")] = '\0';
        snprintf(out, 128, "%.127s", value);
        break;
    }
    if (file) fclose(file);
}

/* The first line that a program prints. */
static void s_ask(const char *command, char out[128]) {
    FILE *pipe = popen(command, "r");
    snprintf(out, 128, "not installed");
    if (pipe && fgets(out, 128, pipe)) out[strcspn(out, "\n")] = '\0';
    if (pipe) pclose(pipe);
}

/* File system and device below the scratch directory: the longest mount point that it begins with. */
static void s_file_system(char out[256]) {
    char dir[4096], line[1024], best[512] = "";
    if (!realpath(bench_run_options()->dir, dir)) snprintf(dir, sizeof dir, "/");
    FILE *file = fopen("/proc/mounts", "r");
    snprintf(out, 256, "?");
    while (file && fgets(line, sizeof line, file)) {
        char device[256], point[512], type[64];
        if (sscanf(line, "%255s %511s %63s", device, point, type) != 3) continue;
        size_t size = strlen(point);
        bool below = strncmp(dir, point, size) == 0 &&
                     (size == 1 || dir[size] == '/' || dir[size] == '\0');
        if (!below || size < strlen(best)) continue;
        snprintf(best, sizeof best, "%s", point);
        snprintf(out, 256, "%s on %.180s", type, device);
    }
    if (file) fclose(file);
}

void bench_machine_print(FILE *out) {
    char cpu[128], memory[128], nats[128], redis[128], debian[128], disk[256], date[32];
    struct utsname name;
    double load[3] = {0};
    int major, minor, patch;
    time_t now = time(NULL);
    uname(&name);
    (void) getloadavg(load, 3); /* zero if it is not known */
    zmq_version(&major, &minor, &patch);
    s_find("/proc/cpuinfo", "model name", cpu);
    s_find("/proc/meminfo", "MemTotal", memory);
    s_find("/etc/os-release", "PRETTY_NAME", debian);
    s_ask("nats-server --version 2>/dev/null", nats);
    s_ask("redis-server --version 2>/dev/null", redis);
    s_file_system(disk);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    fprintf(out, "%s: %d × %s, %s memory, %s, Linux %s; scratch directory: %s.\n", date,
            get_nprocs(), cpu, memory, debian, name.release, disk);
    fprintf(
        out,
        "weft %s, libzmq %d.%d.%d, SQLite %s; %s; %.24s. Load of the machine at the end: %.1f.\n\n",
        weft_version(), major, minor, patch, sqlite3_libversion(), nats, redis, load[0]);
}
