/* chaos-pub --bus ENDPOINT --name NAME --journal FILE --go FILE --every MS: a bare publisher that
 * writes down what it is told, so that a checker can hold the log against it.
 *
 * While the file --go is there it sends "reading.taken" each MS. Lines of the journal, each written
 * before the next step is taken: "run ID" at the start, "sent N" before event N is handed over,
 * "acked N" once all up to N are acknowledged. Kill it at will: a start is a new run with a new origin. */
#include "weft.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BIG_EVERY 199u /* each such event goes beyond the live limit, and comes by catch-up alone */
#define BIG_BYTES 70000u
#define FLUSH_MS 5000

typedef struct {
    const char *bus, *name, *journal, *go;
    int every_ms;
    int fd;
    char run[32];
    weft_pub_t *pub;
    unsigned long long sent, acked;
} chaos_pub_t;

static volatile sig_atomic_t s_stop;

static void s_on_signal(int number) {
    (void) number;
    s_stop = 1;
}

static void s_note(const chaos_pub_t *self, const char *what, unsigned long long n) {
    char line[80];
    int size = *what == 'r' ? snprintf(line, sizeof line, "run %s\n", self->run)
                            : snprintf(line, sizeof line, "%s %llu\n", what, n);
    if (write(self->fd, line, (size_t) size) == size) return;
    perror("chaos-pub: journal");
    exit(1);
}

/* {"by": name, "run": run, "n": n, "amount": amount, "pad": text} */
static weft_err_t s_data(const chaos_pub_t *self, unsigned long long n, void **data, size_t *size) {
    char *json = NULL;
    size_t pad = n % BIG_EVERY == 0 ? BIG_BYTES : n % 50;
    char *text = malloc(pad + 1);
    if (!text) return WEFT_E_NOMEM;
    memset(text, 'x', pad);
    text[pad] = '\0';
    int json_size = asprintf(
        &json, "{\"by\":\"%s\",\"run\":\"%s\",\"n\":%llu,\"amount\":%llu,\"pad\":\"%s\"}",
        self->name, self->run, n, n * 7919 % 1000, text);
    free(text);
    if (json_size < 0) return WEFT_E_NOMEM;
    weft_err_t rc = weft_json_to_msgpack(json, (size_t) json_size, data, size, NULL, 0);
    free(json);
    return rc;
}

static weft_err_t s_send(chaos_pub_t *self) {
    char subject[32];
    void *data;
    size_t size;
    unsigned long long n = self->sent + 1;
    weft_sequence_t sequence;
    weft_err_t rc = s_data(self, n, &data, &size);
    if (rc != WEFT_OK) return rc;
    snprintf(subject, sizeof subject, "sensor/%llu", n % 5);
    s_note(self, "sent", n);
    rc = weft_pub_send(self->pub, "reading.taken", subject, data, size, &sequence);
    free(data);
    if (rc != WEFT_OK) return rc == WEFT_E_FULL ? WEFT_OK : rc; /* the window is full: later */
    self->sent = n;
    return sequence.value == n ? WEFT_OK : WEFT_E_STATE;
}

static weft_err_t s_look(chaos_pub_t *self, int wait_ms) {
    weft_err_t rc = self->sent ? weft_pub_flush(self->pub, wait_ms) : weft_pub_step(self->pub);
    if (!self->sent || rc == WEFT_OK) usleep((useconds_t) wait_ms * 1000);
    unsigned long long acked = weft_pub_acked(self->pub).value;
    if (acked > self->acked) s_note(self, "acked", acked);
    self->acked = acked;
    return rc == WEFT_E_TIMEOUT ? WEFT_OK : rc;
}

static weft_err_t s_run(chaos_pub_t *self) {
    weft_err_t rc = WEFT_OK;
    while (!s_stop && rc == WEFT_OK) {
        if (access(self->go, F_OK) == 0) rc = s_send(self);
        if (rc == WEFT_OK) rc = s_look(self, self->every_ms);
    }
    return rc == WEFT_OK ? s_look(self, FLUSH_MS) : rc;
}

static void s_parse(chaos_pub_t *self, int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--bus") == 0) self->bus = argv[i + 1];
        if (strcmp(argv[i], "--name") == 0) self->name = argv[i + 1];
        if (strcmp(argv[i], "--journal") == 0) self->journal = argv[i + 1];
        if (strcmp(argv[i], "--go") == 0) self->go = argv[i + 1];
        if (strcmp(argv[i], "--every") == 0) self->every_ms = atoi(argv[i + 1]);
    }
    if (self->bus && self->name && self->journal && self->go && self->every_ms > 0) return;
    fprintf(stderr, "chaos-pub: see the start of chaos_pub.c\n");
    exit(2);
}

int main(int argc, char **argv) {
    chaos_pub_t self = {0};
    struct timespec now;
    weft_pub_config_t config;
    s_parse(&self, argc, argv);
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(self.run, sizeof self.run, "%lx-%lx", (long) getpid(),
             (long) (now.tv_sec * 1000000000 + now.tv_nsec));
    self.fd = open(self.journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    signal(SIGTERM, s_on_signal);
    s_note(&self, "run", 0);
    weft_pub_config_init(&config);
    config.bus = self.bus;
    config.source = self.name;
    weft_err_t rc = weft_pub_new(&self.pub, &config);
    if (rc == WEFT_OK) {
        printf("ready name=%s run=%s\n", self.name, self.run);
        fflush(stdout);
        rc = s_run(&self);
    }
    if (rc != WEFT_OK) weft_diag(WEFT_DIAG_ERROR, "chaos.pub", "error=%s", weft_err_name(rc));
    weft_pub_destroy(&self.pub);
    return weft_exit_code(rc);
}
