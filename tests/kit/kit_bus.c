/* kit_bus: see kit_bus.h. */
#include "kit_bus.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define PATIENCE_MS 20000

/* Who is alive: a test that fails leaves its ends behind, and a context ends only after its sockets. */
#define ENDS_MAX 64
static pthread_mutex_t s_mutex = PTHREAD_MUTEX_INITIALIZER;
static weft_pub_t *s_pubs[ENDS_MAX];
static weft_sub_t *s_subs[ENDS_MAX];

/* ---- files */

static void s_copy_file(const char *from, const char *to) {
    char bytes[65536];
    ssize_t size;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(in >= 0 && out >= 0);
    while ((size = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t) size), size);
    assert_int_equal(size, 0);
    close(in);
    close(out);
}

void kit_copy_tree(const char *from, const char *to) {
    struct stat st;
    assert_int_equal(stat(from, &st), 0);
    if (!S_ISDIR(st.st_mode)) {
        s_copy_file(from, to);
        return;
    }
    assert_int_equal(mkdir(to, 0777), 0);
    DIR *dir = opendir(from);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char a[512], b[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(a, sizeof a, "%s/%s", from, entry->d_name);
        snprintf(b, sizeof b, "%s/%s", to, entry->d_name);
        kit_copy_tree(a, b);
    }
    closedir(dir);
}

void kit_remove_tree(const char *path) {
    struct stat st;
    if (lstat(path, &st) != 0) return;
    if (!S_ISDIR(st.st_mode)) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char inside[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        kit_remove_tree(inside);
    }
    closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

/* ---- the bus */

void kit_bus_init(kit_bus_t *self, const char *transport) {
    static unsigned serial;
    unsigned n = ++serial, pid = (unsigned) getpid();
    *self = (kit_bus_t){.context = zmq_ctx_new(), .full = true};
    assert_non_null(self->context);
    self->store = kit_path("store-%u", n);
    self->shares_context = strcmp(transport, "inproc") == 0;
    if (self->shares_context)
        snprintf(self->endpoint, sizeof self->endpoint, "inproc://bus-%u", n);
    else if (strcmp(transport, "ipc") == 0)
        snprintf(self->endpoint, sizeof self->endpoint, "ipc://%s/b%u", kit_dir(), n);
    else /* an address of this process alone: whatever port it picks is free again after a restart */
        snprintf(self->endpoint, sizeof self->endpoint, "tcp://127.%u.%u.%u:0",
                 1 + (pid >> 16) % 250, (pid >> 8) & 255, 1 + (pid & 255) % 254);
}

static void *s_run(void *arg) {
    weft_err_t rc = weft_bus_run(arg);
    return (void *) (uintptr_t) rc;
}

weft_err_t kit_bus_try_start(kit_bus_t *self) {
    char reason[256];
    weft_bus_config_t config;
    weft_bus_config_init(&config);
    config.endpoint = self->endpoint;
    config.store = self->store;
    config.full = self->full;
    config.keep = self->keep;
    config.zmq_context = self->shares_context ? self->context : NULL;
    assert_null(self->bus);
    weft_err_t rc = weft_bus_new(&self->bus, &config, reason, sizeof reason);
    if (rc != WEFT_OK) {
        print_message("bus: %s\n", reason);
        return rc;
    }
    snprintf(self->endpoint, sizeof self->endpoint, "%s", weft_bus_control(self->bus));
    assert_int_equal(pthread_create(&self->thread, NULL, s_run, self->bus), 0);
    return WEFT_OK;
}

void kit_bus_start(kit_bus_t *self) {
    /* the sockets of the last run are closed by a thread of ZeroMQ, soon after they were told to */
    weft_err_t rc = WEFT_E_IO;
    WAIT_UNTIL((rc = kit_bus_try_start(self)) == WEFT_OK, PATIENCE_MS);
}

void kit_bus_stop(kit_bus_t *self) {
    void *rc;
    if (!self->bus) return;
    weft_bus_stop(self->bus);
    assert_int_equal(pthread_join(self->thread, &rc), 0);
    assert_rc((weft_err_t) (uintptr_t) rc, WEFT_OK);
    weft_bus_destroy(&self->bus);
}

void kit_bus_free(kit_bus_t *self) {
    for (size_t i = 0; i < ENDS_MAX; i++) {
        weft_pub_destroy(&s_pubs[i]);
        weft_sub_destroy(&s_subs[i]);
    }
    kit_bus_stop(self);
    zmq_ctx_term(self->context);
    free(self->store);
}

void kit_bus_save(const kit_bus_t *self, const char *name) {
    assert_null(self->bus);
    char *copy = kit_path("%s", name);
    kit_copy_tree(self->store, copy);
    free(copy);
}

void kit_bus_restore(kit_bus_t *self, const char *name) {
    assert_null(self->bus);
    char *copy = kit_path("%s", name);
    kit_remove_tree(self->store);
    kit_copy_tree(copy, self->store);
    free(copy);
}

void kit_bus_wipe(kit_bus_t *self) {
    assert_null(self->bus);
    kit_remove_tree(self->store);
}

/* ---- publishers */

weft_pub_t *kit_pub(const kit_bus_t *bus) {
    weft_pub_t *pub = NULL;
    weft_pub_config_t config;
    weft_pub_config_init(&config);
    config.bus = bus->endpoint;
    config.source = "kit";
    config.zmq_context = bus->shares_context ? bus->context : NULL;
    assert_rc(weft_pub_new(&pub, &config), WEFT_OK);
    size_t i = 0;
    pthread_mutex_lock(&s_mutex);
    while (s_pubs[i]) i++;
    assert_true(i < ENDS_MAX);
    s_pubs[i] = pub;
    pthread_mutex_unlock(&s_mutex);
    return pub;
}

void kit_pub_end(weft_pub_t **pub) {
    pthread_mutex_lock(&s_mutex);
    for (size_t i = 0; i < ENDS_MAX; i++)
        if (s_pubs[i] == *pub) s_pubs[i] = NULL;
    pthread_mutex_unlock(&s_mutex);
    weft_pub_destroy(pub);
}

void kit_send(weft_pub_t *pub, const char *type, uint64_t first, uint64_t count) {
    weft_buf_t data = {0};
    int64_t end_ms = kit_now_ms() + PATIENCE_MS * kit_slow();
    for (uint64_t n = first; n < first + count;) {
        weft_buf_clear(&data);
        weft_mp_put_uint(&data, n);
        weft_err_t rc = weft_pub_send(pub, type, "s/1", data.data, data.size, NULL);
        if (rc == WEFT_OK) {
            n++;
            continue;
        }
        assert_rc(rc, WEFT_E_FULL);
        assert_true(kit_now_ms() < end_ms);
        struct pollfd item = {.fd = weft_pub_fd(pub), .events = POLLIN};
        poll(&item, 1, 100);
        assert_rc(weft_pub_step(pub), WEFT_OK);
    }
    weft_buf_free(&data);
}

void kit_flush(weft_pub_t *pub) {
    assert_rc(weft_pub_flush(pub, PATIENCE_MS * kit_slow()), WEFT_OK);
}

uint64_t kit_number(const weft_event_t *event) {
    uint64_t n = 0;
    weft_mp_t r = weft_mp_reader(event->data, event->data_size);
    assert_true(weft_mp_uint(&r, &n));
    return n;
}

/* ---- readers */

weft_sub_t *kit_sub(const kit_bus_t *bus, const char *filter, weft_start_t start,
                    const weft_resume_t *resume) {
    weft_sub_t *sub = NULL;
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    config.bus = bus->endpoint;
    config.name = "kit";
    config.filters = &filter;
    config.filters_count = filter ? 1 : 0;
    config.start = start;
    if (resume) config.resume = *resume;
    config.zmq_context = bus->shares_context ? bus->context : NULL;
    assert_rc(weft_sub_new(&sub, &config), WEFT_OK);
    size_t i = 0;
    while (s_subs[i]) i++;
    assert_true(i < ENDS_MAX);
    s_subs[i] = sub;
    return sub;
}

void kit_sub_end(weft_sub_t **sub) {
    for (size_t i = 0; i < ENDS_MAX; i++)
        if (s_subs[i] == *sub) s_subs[i] = NULL;
    weft_sub_destroy(sub);
}

static weft_err_t s_read(kit_reader_t *self, int timeout_ms) {
    weft_batch_t batch;
    weft_err_t rc = weft_sub_recv(self->sub, timeout_ms, &batch);
    if (rc != WEFT_OK) return rc;
    uint64_t last = self->at.position.value;
    for (size_t i = 0; i < batch.count; i++) {
        const weft_event_t *event = &batch.events[i];
        if (event->position.value <= last)
            fail_msg("position %llu after %llu", (unsigned long long) event->position.value,
                     (unsigned long long) last);
        last = event->position.value;
        if (self->numbers) assert_int_equal(kit_number(event), self->expected++);
        if (last == batch.next.position.value) assert_true(event->chain == batch.next.chain);
    }
    assert_true(batch.next.position.value >= last);
    assert_true(batch.live_count <= batch.count);
    self->events += batch.count;
    self->at = batch.next;
    return WEFT_OK;
}

static void s_read_on(kit_reader_t *self, int64_t end_ms) {
    int64_t left = end_ms - kit_now_ms();
    weft_err_t rc = WEFT_E_TIMEOUT;
    if (self->pub) {
        assert_rc(weft_pub_step(self->pub), WEFT_OK);
        rc = s_read(self, 5);
        if (rc == WEFT_E_TIMEOUT && left > 0) return;
    } else if (left > 0) {
        rc = s_read(self, (int) left);
    }
    if (rc == WEFT_OK) return;
    weft_sub_info_t info;
    weft_sub_info(self->sub, &info);
    fail_msg("%s at %llu after %llu events: head=%llu live=%d gaps=%llu dropped=%llu catch_up=%llu "
             "from_live=%llu",
             weft_err_name(rc), (unsigned long long) self->at.position.value,
             (unsigned long long) self->events, (unsigned long long) info.head.value, info.live,
             (unsigned long long) info.gaps, (unsigned long long) info.dropped,
             (unsigned long long) info.from_catch_up, (unsigned long long) info.from_live);
}

void kit_read_to(kit_reader_t *self, uint64_t position) {
    int64_t end_ms = kit_now_ms() + PATIENCE_MS * kit_slow();
    while (self->at.position.value < position) s_read_on(self, end_ms);
}

void kit_read_events(kit_reader_t *self, uint64_t events) {
    int64_t end_ms = kit_now_ms() + PATIENCE_MS * kit_slow();
    while (self->events < events) s_read_on(self, end_ms);
}

weft_err_t kit_read_error(kit_reader_t *self) {
    weft_err_t rc;
    do {
        rc = s_read(self, PATIENCE_MS * kit_slow());
    } while (rc == WEFT_OK);
    return rc;
}
