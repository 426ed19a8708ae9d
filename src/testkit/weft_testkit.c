/* weft_testkit: see weft_testkit.h. Children die with their parent (PR_SET_PDEATHSIG). */
#include "weft_testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 10000
#define STOP_MS 10000
#define CHILDREN_MAX 64
#define STATUS_MS 1000

struct weft_testkit {
    char dir[64];
    char bus[96];
    char store[96];
    pid_t bus_pid; /* 0: not running */
    pid_t children[CHILDREN_MAX];
    size_t children_count;
    unsigned started;
    weft_pub_t *pub;
};

static int64_t s_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Has the child written its ready line into the file? */
static bool s_is_ready(int fd) {
    char text[4096];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    if (got <= 0) return false;
    text[got] = '\0';
    const char *line = strncmp(text, "ready ", 6) == 0 ? text : strstr(text, "\nready ");
    return line && strchr(line + 1, '\n');
}

static weft_err_t s_await_ready(int fd, pid_t pid) {
    int64_t end_ms = s_now_ms() + START_MS;
    while (!s_is_ready(fd)) {
        if (waitpid(pid, NULL, WNOHANG) == pid) return WEFT_E_IO; /* it has told why on stderr */
        if (s_now_ms() >= end_ms) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            return WEFT_E_TIMEOUT;
        }
        poll(NULL, 0, 5);
    }
    return WEFT_OK;
}

/* Start a program with its stdout in a file of the scratch directory. */
static weft_err_t s_spawn(weft_testkit_t *self, char *const argv[], pid_t *out) {
    char path[128];
    snprintf(path, sizeof path, "%s/stdout.%u", self->dir, ++self->started);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return WEFT_E_IO;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(127); /* it has died meanwhile */
        dup2(fd, STDOUT_FILENO);
        execvp(argv[0], argv);
        fprintf(stderr, "weft_testkit: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    weft_err_t rc = pid > 0 ? s_await_ready(fd, pid) : WEFT_E_IO;
    close(fd);
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_ERROR, "testkit.start", "program=\"%s\" error=%s", argv[0],
                  weft_err_name(rc));
    *out = pid;
    return rc;
}

static weft_err_t s_end(pid_t pid, int signal, int *status) {
    int64_t end_ms = s_now_ms() + STOP_MS;
    int got = 0;
    kill(pid, signal);
    while (waitpid(pid, &got, WNOHANG) == 0) {
        if (s_now_ms() >= end_ms) return WEFT_E_TIMEOUT;
        poll(NULL, 0, 5);
    }
    if (status) *status = got;
    return WEFT_OK;
}

weft_err_t weft_testkit_bus_start(weft_testkit_t *self) {
    const char *program = getenv("WEFT_BUS_PROGRAM");
    char name[] = "weft-bus", endpoint[] = "--endpoint", store[] = "--store";
    char *path = strdup(program && *program ? program : name);
    if (!path) return WEFT_E_NOMEM;
    weft_err_t rc = WEFT_E_STATE;
    if (!self->bus_pid) {
        char *argv[] = {path, endpoint, self->bus, store, self->store, NULL};
        rc = s_spawn(self, argv, &self->bus_pid);
        if (rc != WEFT_OK) self->bus_pid = 0;
    }
    free(path);
    return rc;
}

weft_err_t weft_testkit_bus_stop(weft_testkit_t *self, int signal) {
    if (!self->bus_pid) return WEFT_E_STATE;
    weft_err_t rc = s_end(self->bus_pid, signal, NULL);
    if (rc == WEFT_OK) self->bus_pid = 0;
    return rc;
}

weft_err_t weft_testkit_new(weft_testkit_t **out) {
    weft_testkit_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    snprintf(self->dir, sizeof self->dir,
             "/tmp/weft-testkit.XXXXXX"); /* short: socket paths end at 107 */
    weft_err_t rc = WEFT_E_IO;
    if (mkdtemp(self->dir)) {
        snprintf(self->bus, sizeof self->bus, "ipc://%s/bus", self->dir);
        snprintf(self->store, sizeof self->store, "%s/store", self->dir);
        rc = weft_testkit_bus_start(self);
    }
    weft_pub_config_t config;
    weft_pub_config_init(&config);
    config.bus = self->bus;
    config.source = "testkit";
    if (rc == WEFT_OK) rc = weft_pub_new(&self->pub, &config);
    if (rc == WEFT_OK) {
        *out = self;
        self = NULL;
    }
    weft_testkit_destroy(&self);
    return rc;
}

static int s_remove(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void) st;
    (void) kind;
    (void) walk;
    return remove(path);
}

static void s_stop_child(pid_t pid) {
    if (s_end(pid, SIGTERM, NULL) != WEFT_OK) (void) s_end(pid, SIGKILL, NULL);
}

void weft_testkit_destroy(weft_testkit_t **self_p) {
    weft_testkit_t *self = *self_p;
    if (!self) return;
    weft_pub_destroy(&self->pub);
    for (size_t i = 0; i < self->children_count; i++) s_stop_child(self->children[i]);
    if (self->bus_pid) s_stop_child(self->bus_pid);
    if (strchr(self->dir, 'X') == NULL) nftw(self->dir, s_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(self);
    *self_p = NULL;
}

const char *weft_testkit_bus(const weft_testkit_t *self) {
    return self->bus;
}

const char *weft_testkit_dir(const weft_testkit_t *self) {
    return self->dir;
}

weft_err_t weft_testkit_start(weft_testkit_t *self, char *const argv[], pid_t *pid) {
    size_t count = 0;
    char bus[] = "--bus", data[] = "--data";
    while (argv[count]) count++;
    if (!count || self->children_count == CHILDREN_MAX) return WEFT_E_ARG;
    char **all = calloc(count + 5, sizeof *all);
    if (!all) return WEFT_E_NOMEM;
    memcpy(all, argv, count * sizeof *all);
    all[count] = bus;
    all[count + 1] = self->bus;
    all[count + 2] = data;
    all[count + 3] = self->dir;
    weft_err_t rc = s_spawn(self, all, pid);
    free(all);
    if (rc == WEFT_OK) self->children[self->children_count++] = *pid;
    return rc;
}

weft_err_t weft_testkit_stop(weft_testkit_t *self, pid_t pid, int signal, int *status) {
    for (size_t i = 0; i < self->children_count; i++) {
        if (self->children[i] != pid) continue;
        weft_err_t rc = s_end(pid, signal, status);
        if (rc == WEFT_OK) self->children[i] = self->children[--self->children_count];
        return rc;
    }
    return WEFT_E_ARG;
}

weft_err_t weft_testkit_publish(weft_testkit_t *self, const char *type, const char *subject,
                                const char *json, weft_position_t *position) {
    void *data = NULL;
    size_t size = 0;
    char reason[128];
    weft_sequence_t sequence;
    weft_err_t rc = WEFT_OK;
    if (json) rc = weft_json_to_msgpack(json, strlen(json), &data, &size, reason, sizeof reason);
    if (rc == WEFT_E_JSON) weft_diag(WEFT_DIAG_ERROR, "testkit.json", "reason=\"%s\"", reason);
    if (rc == WEFT_OK) rc = weft_pub_send(self->pub, type, subject, data, size, &sequence);
    if (rc == WEFT_OK) rc = weft_pub_wait(self->pub, sequence, START_MS, position);
    free(data);
    return rc;
}

/* Position that the service of this name reported last; false: nothing heard of it. */
static bool s_reported(const char *status, const char *name, uint64_t *position) {
    json_t *json = json_loads(status, 0, NULL), *service;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(json, "services"), i, service) {
        const char *found_name = json_string_value(json_object_get(service, "name"));
        if (!found_name || strcmp(found_name, name) != 0) continue;
        uint64_t at = (uint64_t) json_integer_value(json_object_get(service, "position"));
        if (!found || at > *position) *position = at;
        found = true;
    }
    json_decref(json);
    return found;
}

weft_err_t weft_testkit_wait(weft_testkit_t *self, const char *name, weft_position_t position,
                             int timeout_ms) {
    int64_t end_ms = s_now_ms() + timeout_ms;
    uint64_t at = 0;
    do {
        char *status = NULL;
        weft_err_t rc = weft_bus_status(self->bus, STATUS_MS, &status);
        bool found = rc == WEFT_OK && s_reported(status, name, &at);
        free(status);
        if (found && at >= position.value) return WEFT_OK;
        poll(NULL, 0, 20); /* services report after each batch, at the latest each second */
    } while (s_now_ms() < end_ms);
    weft_diag(WEFT_DIAG_ERROR, "testkit.wait", "service=%s position=%llu wanted=%llu", name,
              (unsigned long long) at, (unsigned long long) position.value);
    return WEFT_E_TIMEOUT;
}
