/* bench_crew: see bench_crew.h. */
#include "bench_crew.h"

#include "bench_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 20000
#define STOP_MS 20000
#define ROLE_MS 600000 /* no single measurement takes longer */
#define CHILDREN_MAX 64

static pid_t s_children[CHILDREN_MAX]; /* all that run; 0: free */

static int64_t s_now_ms(void) {
    return bench_now_ns() / 1000000;
}

static void s_nap(void) {
    bench_check_stop();
    poll(NULL, 0, 2);
}

static void s_keep(pid_t pid) {
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (s_children[i]) continue;
        s_children[i] = pid;
        return;
    }
    kill(pid, SIGKILL);
    bench_fail("more than %d children", CHILDREN_MAX);
}

static void s_forget(pid_t pid) {
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (s_children[i] == pid) s_children[i] = 0;
}

/* In the child: die with the parent, take signals as usual. */
static void s_become_child(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the parent, and the parent stops all */
    signal(SIGTERM, SIG_DFL);
}

/* Waits up to timeout_ms; false: still running. */
static bool s_await_end(pid_t pid, int64_t timeout_ms, int *status) {
    int64_t end = s_now_ms() + timeout_ms;
    while (waitpid(pid, status, WNOHANG) == 0) {
        if (s_now_ms() >= end) return false;
        poll(NULL, 0, 2);
    }
    s_forget(pid);
    return true;
}

static void s_stop(pid_t pid) {
    int status;
    kill(pid, SIGTERM);
    if (s_await_end(pid, STOP_MS, &status)) return;
    kill(pid, SIGKILL);
    (void) s_await_end(pid, STOP_MS, &status);
}

void bench_crew_stop_all(void) {
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (s_children[i]) s_stop(s_children[i]);
}

/* ---- roles */

void bench_crew_begin(bench_crew_t *self) {
    *self = (bench_crew_t){0};
    self->board = mmap(NULL, sizeof *self->board, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self->board == MAP_FAILED) bench_fail("mmap: %s", strerror(errno));
}

bench_slot_t *bench_crew_add(bench_crew_t *self, bench_role_fn fn, const void *arg) {
    if (self->count == BENCH_ROLES_MAX) bench_fail("more than %d roles", BENCH_ROLES_MAX);
    bench_slot_t *slot = &self->board->slots[self->count];
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) bench_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        s_become_child(parent);
        fn(self->board, slot, arg);
        _exit(0);
    }
    s_keep(pid);
    self->pids[self->count++] = pid;
    return slot;
}

/* Has a role ended? Then it must have ended well. */
static bool s_ended(bench_crew_t *self, unsigned i) {
    int status;
    if (!self->pids[i]) return true;
    if (waitpid(self->pids[i], &status, WNOHANG) == 0) return false;
    s_forget(self->pids[i]);
    self->pids[i] = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        bench_fail("a role of the measurement failed (status %d)", status);
    return true;
}

void bench_crew_ready(bench_crew_t *self) {
    int64_t end = s_now_ms() + START_MS;
    for (unsigned i = 0; i < self->count; i++)
        while (!atomic_load(&self->board->slots[i].ready)) {
            if (s_ended(self, i)) break;
            if (s_now_ms() >= end)
                bench_fail("role %u is not ready after %d s", i, START_MS / 1000);
            s_nap();
        }
}

void bench_crew_go(bench_crew_t *self) {
    atomic_store(&self->board->go, true);
}

void bench_crew_join(bench_crew_t *self, const bench_slot_t *slot) {
    unsigned i = (unsigned) (slot - self->board->slots);
    int64_t end = s_now_ms() + ROLE_MS;
    while (!s_ended(self, i)) {
        for (unsigned other = 0; other < self->count; other++) (void) s_ended(self, other);
        if (s_now_ms() >= end) bench_fail("a role does not end");
        s_nap();
    }
}

void bench_crew_end(bench_crew_t *self) {
    atomic_store(&self->board->stop, true);
    for (unsigned i = 0; i < self->count; i++)
        if (self->pids[i]) {
            int status;
            if (!s_await_end(self->pids[i], 2000, &status)) s_stop(self->pids[i]);
        }
    munmap(self->board, sizeof *self->board);
    *self = (bench_crew_t){0};
}

void bench_role_ready(bench_board_t *board, bench_slot_t *self) {
    atomic_store(&self->ready, true);
    while (!atomic_load(&board->go)) poll(NULL, 0, 1);
}

void bench_role_begin(bench_slot_t *self) {
    self->begin_ns = bench_now_ns();
}

void bench_role_end(bench_slot_t *self) {
    self->end_ns = bench_now_ns();
}

/* ---- servers */

void bench_server_start(bench_server_t *self, const char *dir, char *const argv[]) {
    char path[600];
    *self = (bench_server_t){0};
    snprintf(self->dir, sizeof self->dir, "%s", dir);
    snprintf(path, sizeof path, "%s/output", self->dir);
    pid_t parent = getpid();
    fflush(NULL);
    (void) unlink(path); /* else what the server before it said might be read once more */
    pid_t pid = fork();
    if (pid < 0) bench_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        s_become_child(parent);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
        int in = open("/dev/null", O_RDONLY);
        if (fd < 0 || in < 0) _exit(127);
        dup2(in, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execvp(argv[0], argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    s_keep(pid);
    self->pid = pid;
}

void bench_server_fork(bench_server_t *self, const char *dir, void (*serve)(bench_server_t *)) {
    snprintf(self->dir, sizeof self->dir, "%s", dir);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) bench_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        s_become_child(parent);
        serve(self);
        _exit(1);
    }
    s_keep(pid);
    self->pid = pid;
}

bool bench_server_output(bench_server_t *self, char *text, size_t size) {
    char path[600];
    int status;
    bool runs = waitpid(self->pid, &status, WNOHANG) == 0;
    if (!runs) s_forget(self->pid);
    snprintf(path, sizeof path, "%s/output", self->dir);
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(text, 1, size - 1, file) : 0;
    text[got] = '\0';
    if (file) fclose(file);
    s_nap();
    return runs;
}

void bench_server_stop(bench_server_t *self) {
    if (self->pid) s_stop(self->pid);
    self->pid = 0;
}

static int s_tcp(struct sockaddr_in *address, int port) {
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t) port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) bench_fail("socket: %s", strerror(errno));
    return fd;
}

bool bench_port_open(int port) {
    struct sockaddr_in address;
    int fd = s_tcp(&address, port);
    bool open = connect(fd, (struct sockaddr *) &address, sizeof address) == 0;
    close(fd);
    return open;
}

int bench_free_port(void) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = s_tcp(&address, 0);
    if (bind(fd, (struct sockaddr *) &address, size) != 0 ||
        getsockname(fd, (struct sockaddr *) &address, &size) != 0)
        bench_fail("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

bool bench_program_there(const char *name) {
    const char *path = getenv("PATH");
    char dirs[4096], file[4352];
    snprintf(dirs, sizeof dirs, "%s:/usr/sbin:/usr/bin", path ? path : "");
    for (char *rest = dirs, *dir; (dir = strsep(&rest, ":"));) {
        snprintf(file, sizeof file, "%s/%s", dir, name);
        if (*dir && access(file, X_OK) == 0) return true;
    }
    return false;
}
