/* weft_indexer: see weft_indexer.h. The mutex guards the index; the log is read outside of it. */
#include "weft_indexer.h"

#include "weft_causes.h"
#include "weft_limits.h"
#include "weft_log_reader.h"
#include "weft_os.h"
#include "weft_wire_event.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 10
#define STEP_EVENTS 8192u
#define IDLE_MS 250             /* up to date: look again */
#define BUSY_MS 250             /* the bus has work: look again */
#define BUSY_EVENTS_PER_S 50000 /* stored: then the machine belongs to the bus */
#define RATE_US 50000           /* the least time that a rate is taken over */
#define TROUBLE_MS 10000
#define NAME "causes.db"

struct weft_indexer {
    char log_path[PATH_MAX], path[PATH_MAX];
    weft_uuid_t log;
    weft_bus_stats_t *stats;
    weft_turnstile_t *turnstile;
    int stop_fd;
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex;
    weft_causes_t *causes; /* NULL: none */
    weft_err_t trouble;    /* last told; WEFT_OK: none */
    /* the thread's own */
    weft_log_reader_t *reader;
    weft_buf_t page;
    weft_causes_note_t notes[STEP_EVENTS];
    size_t notes_count;
    uint64_t stored; /* as of stored_us */
    int64_t stored_us;
    bool busy;
};

/* ---- the index, under the mutex */

static void s_note_indexed(weft_indexer_t *self) {
    uint64_t at = self->causes ? weft_causes_at(self->causes).position.value : 0;
    weft_bus_stat_set(&self->stats->indexed, at);
}

/* Throw it away: it is not to be trusted, or cannot be written. */
static void s_discard(weft_indexer_t *self, weft_err_t rc) {
    weft_diag(WEFT_DIAG_WARN, "causes.discarded", "path=\"%s\" error=%s", self->path,
              weft_err_name(rc));
    weft_causes_close(&self->causes);
    weft_causes_remove(self->path);
    s_note_indexed(self);
}

static bool s_is_passing(weft_err_t rc) {
    return rc == WEFT_E_FULL || rc == WEFT_E_LOCKED || rc == WEFT_E_NOMEM;
}

/* Does the log still have the history that the index tells of? In a read transaction. An index that
 * ends below what the log keeps is none the worse. */
static weft_err_t s_check(weft_indexer_t *self) {
    weft_place_t place = {.kind = WEFT_PLACE_CHECKED, .at = weft_causes_at(self->causes)};
    weft_err_t rc = weft_log_reader_place(self->reader, &self->log, &place);
    return rc == WEFT_E_GONE || place.at.position.value == 0 ? WEFT_OK : rc;
}

static weft_err_t s_open(weft_indexer_t *self) {
    weft_err_t rc = weft_causes_open(&self->causes, self->path, &self->log);
    if (rc == WEFT_OK) rc = s_check(self);
    if (rc == WEFT_OK) return rc;
    if (s_is_passing(rc)) {
        weft_causes_close(&self->causes);
        return rc;
    }
    s_discard(self, rc);
    return weft_causes_open(&self->causes, self->path, &self->log);
}

/* ---- one step of the thread */

/* Note the events of the page. */
static void s_note_page(weft_indexer_t *self) {
    weft_mp_t r = weft_mp_reader(self->page.data, self->page.size);
    while (weft_mp_left(&r) && self->notes_count < STEP_EVENTS) {
        const char *type;
        size_t size;
        weft_stamp_t stamp;
        weft_wire_event_t event;
        if (!weft_mp_str(&r, &type, &size) || !weft_stamp_take(&r, &stamp) ||
            weft_wire_event_take(&r, &event) != WEFT_OK)
            return; /* not as ingest let it in: nobody can read what is behind it here */
        if (weft_causes_note(&self->notes[self->notes_count], stamp.position, event.cause,
                             event.traceparent))
            self->notes_count++;
    }
}

/* Read the next events of the log, at most max. In a read transaction. */
static weft_err_t s_read(weft_indexer_t *self, uint64_t from, uint64_t max, weft_log_page_t *page) {
    weft_text_t all = weft_text(">");
    weft_filters_t filters = {.count = 1, .items = &all};
    weft_buf_clear(&self->page);
    return weft_log_reader_page(self->reader, from, &filters, max, WEFT_PAGE_BYTES_MAX, &self->page,
                                page);
}

/* Note the events beyond from, up to a step of them; end says how far that is. Each page is read in a
 * transaction as short as that of any reader. What stops it behind the first page is told by the next step. */
static weft_err_t s_gather(weft_indexer_t *self, uint64_t from, weft_log_head_t *head,
                           weft_log_page_t *end) {
    weft_err_t rc = WEFT_OK;
    end->next = from;
    self->notes_count = 0;
    while (rc == WEFT_OK && end->next < head->position && end->next - from < STEP_EVENTS) {
        weft_log_page_t page = {0};
        rc = weft_log_reader_begin(self->reader, head);
        bool kept = rc == WEFT_OK && end->next >= head->anchor; /* else it is skipped */
        if (kept) rc = s_read(self, end->next, STEP_EVENTS - (end->next - from), &page);
        weft_log_reader_end(self->reader);
        if (!kept || rc != WEFT_OK) break;
        s_note_page(self);
        *end = page;
    }
    return end->next > from ? WEFT_OK : rc;
}

/* What the log has forgotten without the index ever seeing it is passed over. */
static weft_err_t s_skip(weft_indexer_t *self, const weft_log_head_t *head) {
    if (weft_causes_at(self->causes).position.value >= head->anchor) return WEFT_OK;
    return weft_causes_add(self->causes, NULL, 0, head->anchor, head->anchor_chain);
}

typedef struct {
    weft_err_t log, index; /* what went wrong, and where */
    bool more;
} s_step_t;

/* The index is locked for as long as a step takes to be added, and not while the log is read for it. */
static s_step_t s_step(weft_indexer_t *self) {
    s_step_t step = {0};
    weft_log_head_t head;
    weft_log_page_t end = {0};
    bool forget_more = false;
    step.log = weft_log_reader_begin(self->reader, &head);
    pthread_mutex_lock(&self->mutex);
    if (step.log == WEFT_OK && !self->causes) step.index = s_open(self);
    if (step.log == WEFT_OK && step.index == WEFT_OK) step.index = s_skip(self, &head);
    uint64_t from = self->causes ? weft_causes_at(self->causes).position.value : 0;
    pthread_mutex_unlock(&self->mutex);
    weft_log_reader_end(self->reader);
    if (step.log != WEFT_OK || step.index != WEFT_OK) return step;
    step.log = s_gather(self, from, &head, &end);
    if (step.log != WEFT_OK) return step;
    pthread_mutex_lock(&self->mutex);
    if (self->causes) { /* else somebody found it damaged meanwhile */
        if (end.next > from)
            step.index = weft_causes_add(self->causes, self->notes, self->notes_count, end.next,
                                         end.chain);
        if (step.index == WEFT_OK)
            step.index = weft_causes_forget(self->causes, head.anchor, &forget_more);
        s_note_indexed(self);
    }
    pthread_mutex_unlock(&self->mutex);
    step.more = forget_more || end.next < head.position;
    return step;
}

/* ---- the thread */

static bool s_is_busy(weft_indexer_t *self) {
    int64_t now_us = weft_os_monotonic_us(), spent_us = now_us - self->stored_us;
    if (spent_us < RATE_US) return self->busy;
    uint64_t stored = weft_bus_stat(&self->stats->stored);
    self->busy = self->stored_us &&
                 (stored - self->stored) * 1000000 / (uint64_t) spent_us > BUSY_EVENTS_PER_S;
    self->stored = stored;
    self->stored_us = now_us;
    return self->busy;
}

static void s_tell(weft_indexer_t *self, weft_err_t rc, const char *what, const char *reason) {
    if (rc == self->trouble) return;
    self->trouble = rc;
    weft_diag(WEFT_DIAG_WARN, "causes.trouble", "in=%s error=%s reason=\"%s\"", what,
              weft_err_name(rc), reason);
}

/* ms until the next turn. */
static int s_turn(weft_indexer_t *self) {
    if (s_is_busy(self)) return BUSY_MS;
    weft_err_t rc = self->reader ? WEFT_OK : weft_log_reader_new(&self->reader, self->log_path);
    if (rc != WEFT_OK) {
        s_tell(self, rc, "log", weft_err_text(rc));
        return TROUBLE_MS;
    }
    weft_log_reader_share(self->reader, self->turnstile);
    s_step_t step = s_step(self);
    if (step.log != WEFT_OK) {
        s_tell(self, step.log, "log", weft_log_reader_reason(self->reader));
        return TROUBLE_MS;
    }
    if (step.index != WEFT_OK) {
        s_tell(self, step.index, "index", weft_err_text(step.index));
        pthread_mutex_lock(&self->mutex);
        if (!s_is_passing(step.index)) s_discard(self, step.index);
        pthread_mutex_unlock(&self->mutex);
        return TROUBLE_MS;
    }
    self->trouble = WEFT_OK;
    return step.more ? 0 : IDLE_MS;
}

static void *s_thread(void *arg) {
    weft_indexer_t *self = arg;
    struct pollfd stop = {.fd = self->stop_fd, .events = POLLIN};
    (void) setpriority(PRIO_PROCESS, (id_t) gettid(), NICE); /* Linux: of this thread alone */
    int wait_ms = 0;
    while (poll(&stop, 1, wait_ms) <= 0) wait_ms = s_turn(self);
    return NULL;
}

/* ---- the object */

weft_err_t weft_indexer_new(weft_indexer_t **out, const weft_indexer_config_t *config) {
    weft_indexer_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    const char *slash = strrchr(config->store_path, '/');
    int dir = slash ? (int) (slash - config->store_path + 1) : 0;
    self->log = config->log;
    self->stats = config->stats;
    self->turnstile = config->turnstile;
    pthread_mutex_init(&self->mutex, NULL);
    self->stop_fd = eventfd(0, EFD_CLOEXEC);
    bool fits = snprintf(self->log_path, sizeof self->log_path, "%s", config->store_path) <
                    (int) sizeof self->log_path &&
                snprintf(self->path, sizeof self->path, "%.*s" NAME, dir, config->store_path) <
                    (int) sizeof self->path;
    self->running = fits && self->stop_fd >= 0 &&
                    pthread_create(&self->thread, NULL, s_thread, self) == 0;
    if (!self->running) {
        weft_indexer_destroy(&self);
        return WEFT_E_IO;
    }
    *out = self;
    return WEFT_OK;
}

void weft_indexer_destroy(weft_indexer_t **self_p) {
    weft_indexer_t *self = *self_p;
    if (!self) return;
    if (self->running) {
        const uint64_t one = 1;
        ssize_t written = write(self->stop_fd, &one, sizeof one); /* an eventfd takes it */
        (void) written;
        pthread_join(self->thread, NULL);
    }
    weft_log_reader_destroy(&self->reader);
    weft_causes_close(&self->causes);
    weft_buf_free(&self->page);
    pthread_mutex_destroy(&self->mutex);
    if (self->stop_fd >= 0) close(self->stop_fd);
    free(self);
    *self_p = NULL;
}

/* ---- asking, from any thread */

static void s_end_find(weft_indexer_t *self, weft_err_t rc, size_t *count, uint64_t *indexed) {
    *indexed = rc == WEFT_OK && self->causes ? weft_causes_at(self->causes).position.value : 0;
    if (rc != WEFT_OK) {
        *count = 0;
        if (!s_is_passing(rc)) s_discard(self, rc);
    }
    pthread_mutex_unlock(&self->mutex);
}

void weft_indexer_effects(weft_indexer_t *self, const uint64_t *causes, size_t causes_count,
                          uint64_t after, uint64_t *out, size_t max, size_t *count,
                          uint64_t *indexed) {
    weft_err_t rc = WEFT_OK;
    *count = 0;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; self->causes && rc == WEFT_OK && i < causes_count && *count < max; i++) {
        uint64_t *to = out + *count;
        size_t effects;
        rc = weft_causes_effects(self->causes, causes[i], i ? 0 : after, to, (max - *count) / 2,
                                 &effects);
        for (size_t j = effects; j-- > 0;) { /* from the end: the pairs take the same room */
            to[2 * j + 1] = to[j];
            to[2 * j] = causes[i];
        }
        *count += 2 * effects;
    }
    s_end_find(self, rc, count, indexed);
}

void weft_indexer_trace(weft_indexer_t *self, const weft_uuid_t *trace, uint64_t after,
                        uint64_t *out, size_t max, size_t *count, uint64_t *indexed) {
    *count = 0;
    pthread_mutex_lock(&self->mutex);
    weft_err_t rc = self->causes ? weft_causes_trace(self->causes, trace, after, out, max, count)
                                 : WEFT_OK;
    s_end_find(self, rc, count, indexed);
}
