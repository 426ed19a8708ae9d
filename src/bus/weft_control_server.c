/* weft_control_server: see weft_control_server.h. Everything below "the thread" runs on it alone. */
#include "weft_control_server.h"

#include "weft_assert.h"
#include "weft_buf.h"
#include "weft_control.h"
#include "weft_crash.h"
#include "weft_limits.h"
#include "weft_log_reader.h"
#include "weft_net.h"
#include "weft_os.h"
#include "weft_pages.h"
#include "weft_reports.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS_WAITING_MAX 4096
#define REQUESTS_IN_A_ROW 16 /* then the pipe is looked at */
#define TICK_MS 1000
#define FRAMES 3u /* identity, command, body */

struct weft_control_server {
    weft_control_config_t config;
    char fanout[WEFT_ENDPOINT_BYTES], ingest[WEFT_ENDPOINT_BYTES];
    void *router;
    void *pipe_bus, *pipe_control; /* the two ends of the PAIR */
    pthread_t thread;
    bool running;
    weft_log_reader_t *reader;
    weft_pages_t *pages;
    weft_refusals_t *refusals;
    pthread_mutex_t reports_lock; /* the metrics read them, too */
    weft_reports_t *reports;
    weft_retention_t *retention;
    int64_t tick_ms; /* the next one */
    weft_buf_t body, raw;
    weft_text_t filters[WEFT_FILTERS_MAX];
    uint64_t causes[WEFT_CAUSES_MAX], found[WEFT_FOUND_MAX];
    zmq_msg_t frames[FRAMES]; /* the request in hand */
};

/* ---- replies */

static bool s_send_shared(void *socket, zmq_msg_t *body) {
    zmq_msg_t copy;
    zmq_msg_init(&copy);
    bool sent = zmq_msg_copy(&copy, body) == 0 && zmq_msg_send(&copy, socket, ZMQ_DONTWAIT) >= 0;
    if (!sent) zmq_msg_close(&copy);
    return sent;
}

static void s_reply(weft_control_server_t *self, weft_command_t command, zmq_msg_t *page) {
    const char *name = weft_command_name(command);
    const void *identity = zmq_msg_data(&self->frames[0]);
    size_t identity_size = zmq_msg_size(&self->frames[0]);
    if (!weft_buf_ok(&self->body)) {
        weft_bus_stat_add(&self->config.stats->replies_lost, 1);
        weft_diag(WEFT_DIAG_WARN, "control.no_memory", "command=%s", name);
        return;
    }
    int last = page ? ZMQ_SNDMORE : 0;
    bool sent = zmq_send(self->router, identity, identity_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_send(self->router, name, strlen(name), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_send(self->router, self->body.data, self->body.size, last | ZMQ_DONTWAIT) >= 0;
    if (sent && page) sent = s_send_shared(self->router, page);
    if (!sent) weft_bus_stat_add(&self->config.stats->replies_lost, 1);
}

static void s_error(weft_control_server_t *self, uint64_t id, weft_err_t code, const char *text) {
    weft_error_t error = {.id = id,
                          .code = (uint64_t) code,
                          .text = weft_text(text && *text ? text : weft_err_text(code)),
                          .version = WEFT_PROTOCOL_VERSION};
    weft_buf_clear(&self->body);
    weft_error_encode(&self->body, &error);
    s_reply(self, WEFT_COMMAND_ERROR, NULL);
}

/* The id of a body that is otherwise malformed; 0 if there is none. */
static uint64_t s_peek_id(const void *bytes, size_t size) {
    weft_mp_t r = weft_mp_reader(bytes, size);
    uint32_t pairs;
    uint64_t id;
    if (!weft_mp_map(&r, &pairs)) return 0;
    while (pairs--) {
        const char *key;
        size_t key_size;
        if (!weft_mp_str(&r, &key, &key_size)) return 0;
        if (key_size == 2 && memcmp(key, "id", 2) == 0) return weft_mp_uint(&r, &id) ? id : 0;
        if (!weft_mp_skip(&r)) return 0;
    }
    return 0;
}

static void s_bad_request(weft_control_server_t *self, weft_err_t code, const void *body,
                          size_t size, const char *text) {
    weft_bus_stat_add(&self->config.stats->bad_request, 1);
    s_error(self, s_peek_id(body, size), code, text);
}

/* ---- HELLO */

/* A failed check of a position, or of the store: one answer for all of them. */
static void s_refuse(weft_control_server_t *self, uint64_t id, weft_err_t rc) {
    if (rc == WEFT_E_OTHER_LOG || rc == WEFT_E_LOG_BEHIND || rc == WEFT_E_FORKED ||
        rc == WEFT_E_GONE)
        weft_bus_stat_add(&self->config.stats->place_refused, 1);
    else
        weft_diag(WEFT_DIAG_ERROR, "control.store", "error=%s reason=\"%s\"", weft_err_name(rc),
                  weft_log_reader_reason(self->reader));
    s_error(self, id, rc, weft_log_reader_reason(self->reader));
}

static void s_wrong_version(weft_control_server_t *self, const weft_hello_t *hello) {
    char text[128];
    weft_bus_stat_add(&self->config.stats->version_refused, 1);
    uint64_t n = weft_bus_stat(&self->config.stats->version_refused);
    if ((n & (n - 1)) == 0)
        weft_diag(WEFT_DIAG_WARN, "control.version", "theirs=%llu ours=%u count=%llu",
                  (unsigned long long) hello->version, WEFT_PROTOCOL_VERSION,
                  (unsigned long long) n);
    snprintf(text, sizeof text, "protocol version %llu is not spoken here, version %u is",
             (unsigned long long) hello->version, WEFT_PROTOCOL_VERSION);
    s_error(self, hello->id, WEFT_E_VERSION, text);
}

static bool s_has_origin(const weft_hello_t *hello) {
    static const weft_uuid_t none;
    return memcmp(&hello->origin, &none, sizeof none) != 0;
}

static weft_err_t s_read_for_hello(weft_control_server_t *self, const weft_hello_t *hello,
                                   weft_log_head_t *head, weft_origin_state_t *state) {
    weft_err_t rc = weft_log_reader_begin(self->reader, head);
    if (rc == WEFT_OK)
        rc = weft_log_reader_place(self->reader, &self->config.log, &hello->position);
    if (rc == WEFT_OK && s_has_origin(hello)) {
        rc = weft_log_reader_origin(self->reader, &hello->origin, state);
        const weft_refusal_t *refusal = weft_refusals_get(self->refusals, &hello->origin);
        if (refusal) {
            state->refused_seq = refusal->source_seq;
            state->refused_code = refusal->code;
        }
    }
    weft_log_reader_end(self->reader);
    return rc;
}

static void s_hello(weft_control_server_t *self, const void *body, size_t size) {
    char trouble[WEFT_TROUBLE_BYTES];
    weft_hello_t hello;
    weft_log_head_t head;
    weft_origin_state_t state;
    weft_bus_stat_add(&self->config.stats->hello, 1);
    weft_err_t rc = weft_hello_decode(body, size, &hello);
    if (rc == WEFT_E_VERSION) {
        s_wrong_version(self, &hello);
        return;
    }
    if (rc != WEFT_OK) {
        s_bad_request(self, rc, body, size, NULL);
        return;
    }
    if ((rc = s_read_for_hello(self, &hello, &head, &state)) != WEFT_OK) {
        s_refuse(self, hello.id, rc);
        return;
    }
    const char *reason = weft_bus_trouble_text(self->config.stats, trouble);
    weft_buf_clear(&self->raw);
    weft_limits_encode(&self->raw);
    size_t limits_size = self->raw.size;
    if (s_has_origin(&hello)) weft_origin_state_encode(&self->raw, &state);
    size_t origin_size = self->raw.size - limits_size;
    weft_welcome_t welcome = {
        .id = hello.id,
        .version = WEFT_PROTOCOL_VERSION,
        .boot = self->config.boot,
        .log = self->config.log,
        .first = head.anchor,
        .first_chain = head.anchor_chain,
        .head = head.position,
        .chain = head.chain,
        .at = weft_os_now_us(),
        .fanout = weft_text(self->fanout),
        .ingest = weft_text(self->ingest),
        .software = weft_text("weft-bus " WEFT_VERSION_STRING),
        .accepting = !*reason,
        .reason = weft_text(reason),
        .limits = {.data = self->raw.data, .size = limits_size},
    };
    if (origin_size)
        welcome.origin = (weft_bytes_t){.data = self->raw.data + limits_size, .size = origin_size};
    weft_buf_clear(&self->body);
    weft_welcome_encode(&self->body, &welcome);
    if (!weft_buf_ok(&self->raw)) self->body.failed = true;
    WEFT_CRASH_POINT("control.welcome_made");
    s_reply(self, WEFT_COMMAND_WELCOME, NULL);
}

/* ---- FETCH */

static void s_fetch(weft_control_server_t *self, const void *body, size_t size) {
    weft_fetch_t fetch;
    weft_filters_t filters = {.items = self->filters};
    weft_log_head_t head = {0};
    weft_log_page_t page = {0};
    zmq_msg_t *events;
    weft_bus_stat_add(&self->config.stats->fetch, 1);
    weft_err_t rc = weft_fetch_decode(body, size, &fetch);
    if (rc == WEFT_OK) rc = weft_filters_decode(fetch.filters, &filters);
    if (rc == WEFT_OK && filters.count == 0) rc = WEFT_E_BAD_FIELD;
    if (rc != WEFT_OK) {
        s_bad_request(self, rc, body, size, NULL);
        return;
    }
    rc = weft_pages_get(self->pages, &fetch, &filters, &head, &page, &events);
    if (rc != WEFT_OK) {
        s_refuse(self, fetch.id, rc);
        return;
    }
    weft_page_t reply = {.id = fetch.id,
                         .boot = self->config.boot,
                         .log = self->config.log,
                         .from = fetch.position.at.position.value,
                         .next = page.next,
                         .chain = page.chain,
                         .head = head.position,
                         .count = page.count,
                         .sum = page.sum};
    weft_bus_stat_add(&self->config.stats->pages, 1);
    weft_bus_stat_set(&self->config.stats->pages_again, weft_pages_again(self->pages));
    weft_bus_stat_add(&self->config.stats->events_served, page.count);
    weft_buf_clear(&self->body);
    weft_page_encode(&self->body, &reply);
    WEFT_CRASH_POINT("control.page_read");
    s_reply(self, WEFT_COMMAND_PAGE, events);
}

/* ---- STATUS and REPORT */

static void s_put_counter(weft_buf_t *w, const char *name, uint64_t value) {
    weft_mp_put_text(w, name);
    weft_mp_put_uint(w, value);
}

static void s_put_counters(const weft_control_server_t *self, weft_buf_t *w) {
    const weft_bus_stats_t *stats = self->config.stats;
    uint32_t count = WEFT_DROP_COUNT;
#define X(name, help) count++;
    WEFT_BUS_COUNTERS(X)
    WEFT_CONTROL_COUNTERS(X)
#undef X
    WEFT_ASSERT(count <= WEFT_COUNTERS_MAX);
    weft_mp_put_map(w, count);
#define X(name, help) s_put_counter(w, #name, weft_bus_stat(&stats->name));
    WEFT_BUS_COUNTERS(X)
#undef X
#define X(name, text, help) s_put_counter(w, text, weft_bus_stat(&stats->drops[WEFT_DROP_##name]));
    WEFT_DROPS(X)
#undef X
#define X(name, help) s_put_counter(w, #name, weft_bus_stat(&stats->name));
    WEFT_CONTROL_COUNTERS(X)
#undef X
}

static void s_status(weft_control_server_t *self, const void *body, size_t size) {
    char trouble[WEFT_TROUBLE_BYTES];
    weft_status_t status;
    weft_log_head_t head;
    weft_bus_stat_add(&self->config.stats->status, 1);
    weft_err_t rc = weft_status_decode(body, size, &status);
    if (rc != WEFT_OK) {
        s_bad_request(self, rc, body, size, NULL);
        return;
    }
    rc = weft_log_reader_begin(self->reader, &head);
    weft_log_reader_end(self->reader);
    if (rc != WEFT_OK) {
        s_refuse(self, status.id, rc);
        return;
    }
    const char *reason = weft_bus_trouble_text(self->config.stats, trouble);
    weft_buf_clear(&self->raw);
    s_put_counters(self, &self->raw);
    size_t counters_size = self->raw.size;
    weft_reports_encode(self->reports, &self->raw);
    weft_state_t state = {
        .id = status.id,
        .boot = self->config.boot,
        .log = self->config.log,
        .first = head.anchor,
        .head = head.position,
        .chain = head.chain,
        .at = weft_os_now_us(),
        .started = self->config.started_us,
        .software = weft_text("weft-bus " WEFT_VERSION_STRING),
        .fanout = weft_text(self->fanout),
        .ingest = weft_text(self->ingest),
        .accepting = !*reason,
        .reason = weft_text(reason),
        .counters = {.data = self->raw.data, .size = counters_size},
        .services = {.data = self->raw.data + counters_size,
                     .size = self->raw.size - counters_size},
    };
    weft_buf_clear(&self->body);
    weft_state_encode(&self->body, &state);
    if (!weft_buf_ok(&self->raw)) self->body.failed = true;
    s_reply(self, WEFT_COMMAND_STATE, NULL);
}

static weft_err_t s_keep_report(weft_control_server_t *self, const weft_report_t *report,
                                int64_t now_us, const void *body, size_t size) {
    pthread_mutex_lock(&self->reports_lock);
    weft_err_t rc = weft_reports_put(self->reports, &report->instance, now_us, body, size);
    pthread_mutex_unlock(&self->reports_lock);
    return rc;
}

/* Never answered. Filters are checked, so that one report cannot make STATE unreadable for all. */
static void s_report(weft_control_server_t *self, const void *body, size_t size) {
    weft_report_t report;
    weft_filters_t filters = {.items = self->filters};
    weft_bus_stat_add(&self->config.stats->report, 1);
    weft_err_t rc = weft_report_decode(body, size, &report);
    if (rc == WEFT_OK) rc = weft_filters_decode(report.filters, &filters);
    if (rc == WEFT_OK && report.resume > report.position) rc = WEFT_E_BAD_FIELD;
    int64_t now_us = weft_os_now_us();
    if (rc == WEFT_OK) rc = s_keep_report(self, &report, now_us, body, size);
    if (rc != WEFT_OK)
        weft_bus_stat_add(&self->config.stats->bad_request, 1);
    else if (filters.count) /* who has none never asks for an event, and holds no trim back */
        weft_retention_report(self->retention, &report, now_us);
}

/* ---- TRIM */

static void s_trim(weft_control_server_t *self, const void *body, size_t size) {
    char text[128];
    weft_trim_t trim;
    weft_trimmed_t reply;
    weft_bus_stat_add(&self->config.stats->trim, 1);
    weft_err_t rc = weft_trim_decode(body, size, &trim);
    if (rc != WEFT_OK) {
        s_bad_request(self, rc, body, size, NULL);
        return;
    }
    rc = weft_retention_trim(self->retention, &trim, weft_os_now_us(), &reply, text, sizeof text);
    if (rc == WEFT_E_ARG || rc == WEFT_E_AGAIN) {
        s_error(self, trim.id, rc, text);
        return;
    }
    if (rc != WEFT_OK) {
        s_refuse(self, trim.id, rc);
        return;
    }
    weft_buf_clear(&self->body);
    weft_trimmed_encode(&self->body, &reply);
    s_reply(self, WEFT_COMMAND_TRIMMED, NULL);
}

/* ---- EFFECTS and TRACE */

static void s_found(weft_control_server_t *self, uint64_t id, size_t count, uint64_t indexed) {
    weft_log_head_t head;
    weft_err_t rc = weft_log_reader_begin(self->reader, &head);
    weft_log_reader_end(self->reader);
    if (rc != WEFT_OK) {
        s_refuse(self, id, rc);
        return;
    }
    weft_buf_clear(&self->raw);
    weft_positions_encode(&self->raw, self->found, count);
    weft_found_t reply = {
        .id = id,
        .boot = self->config.boot,
        .log = self->config.log,
        .first = head.anchor,
        .head = head.position,
        .indexed = indexed > head.anchor ? indexed : head.anchor, /* nothing is kept below */
        .positions = {.data = self->raw.data, .size = self->raw.size},
        .more = count == WEFT_FOUND_MAX,
    };
    weft_buf_clear(&self->body);
    weft_found_encode(&self->body, &reply);
    if (!weft_buf_ok(&self->raw)) self->body.failed = true;
    s_reply(self, WEFT_COMMAND_FOUND, NULL);
}

static void s_effects(weft_control_server_t *self, const void *body, size_t size) {
    weft_effects_t ask;
    uint64_t indexed;
    size_t causes = 0, count;
    weft_bus_stat_add(&self->config.stats->effects, 1);
    weft_err_t rc = weft_effects_decode(body, size, &ask);
    if (rc == WEFT_OK)
        rc = weft_positions_decode(ask.causes, self->causes, WEFT_CAUSES_MAX, &causes);
    if (rc == WEFT_OK && causes == 0) rc = WEFT_E_BAD_FIELD;
    if (rc != WEFT_OK) {
        s_bad_request(self, rc, body, size, NULL);
        return;
    }
    weft_indexer_effects(self->config.indexer, self->causes, causes, ask.after, self->found,
                         WEFT_FOUND_MAX, &count, &indexed);
    s_found(self, ask.id, count, indexed);
}

static void s_trace(weft_control_server_t *self, const void *body, size_t size) {
    weft_trace_t ask;
    uint64_t indexed;
    size_t count;
    weft_bus_stat_add(&self->config.stats->trace, 1);
    weft_err_t rc = weft_trace_decode(body, size, &ask);
    if (rc != WEFT_OK) {
        s_bad_request(self, rc, body, size, NULL);
        return;
    }
    weft_indexer_trace(self->config.indexer, &ask.trace, ask.after, self->found, WEFT_FOUND_MAX,
                       &count, &indexed);
    s_found(self, ask.id, count, indexed);
}

static bool s_order(void *arg, const weft_order_t *order) {
    weft_control_server_t *self = arg;
    return zmq_send(self->pipe_control, order, sizeof *order, ZMQ_DONTWAIT) >= 0;
}

/* ms until the next tick; does what is due. */
static int64_t s_tick(weft_control_server_t *self) {
    int64_t now_ms = weft_os_monotonic_ms();
    if (now_ms >= self->tick_ms) {
        weft_retention_tick(self->retention, weft_os_now_us());
        weft_pages_tick(self->pages);
        self->tick_ms = now_ms + TICK_MS;
    }
    weft_bus_stat_turn(&self->config.stats->control_turn_ms, now_ms);
    return self->tick_ms - now_ms;
}

/* ---- the thread */

static void s_serve(weft_control_server_t *self, unsigned count) {
    if (count != FRAMES) {
        if (count > 1) s_bad_request(self, WEFT_E_BAD_COMMAND, "", 0, "want a command and a body");
        return;
    }
    const void *body = zmq_msg_data(&self->frames[2]);
    size_t size = zmq_msg_size(&self->frames[2]);
    switch (weft_command_parse(zmq_msg_data(&self->frames[1]), zmq_msg_size(&self->frames[1]))) {
    case WEFT_COMMAND_HELLO: s_hello(self, body, size); break;
    case WEFT_COMMAND_FETCH: s_fetch(self, body, size); break;
    case WEFT_COMMAND_STATUS: s_status(self, body, size); break;
    case WEFT_COMMAND_REPORT: s_report(self, body, size); break;
    case WEFT_COMMAND_TRIM: s_trim(self, body, size); break;
    case WEFT_COMMAND_EFFECTS: s_effects(self, body, size); break;
    case WEFT_COMMAND_TRACE: s_trace(self, body, size); break;
    default: s_bad_request(self, WEFT_E_BAD_COMMAND, body, size, NULL); break;
    }
}

/* Refusals wait in the pipe. False: the pipe said to stop. */
static bool s_read_pipe(weft_control_server_t *self) {
    weft_refusal_t refusal;
    for (;;) {
        int size = zmq_recv(self->pipe_control, &refusal, sizeof refusal, ZMQ_DONTWAIT);
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        if (size == 0) return false;
        WEFT_ASSERT(size == (int) sizeof refusal);
        weft_refusals_put(self->refusals, &refusal);
    }
}

static void *s_thread(void *arg) {
    weft_control_server_t *self = arg;
    (void) pthread_setname_np(pthread_self(), "weft-control"); /* for people and their tools */
    zmq_pollitem_t items[] = {{.socket = self->pipe_control, .events = ZMQ_POLLIN},
                              {.socket = self->router, .events = ZMQ_POLLIN}};
    for (;;) {
        if (zmq_poll(items, 2, s_tick(self)) < 0 && errno != EINTR) {
            weft_diag(WEFT_DIAG_ERROR, "control.poll", "error=\"%s\"", zmq_strerror(errno));
            return NULL;
        }
        if (!s_read_pipe(self)) return NULL;
        for (unsigned i = 0; i < REQUESTS_IN_A_ROW; i++) {
            unsigned count;
            if (weft_net_recv(self->router, self->frames, FRAMES, &count) != WEFT_OK) {
                weft_pages_ahead(self->pages); /* and look again: it took a while */
                if (weft_net_recv(self->router, self->frames, FRAMES, &count) != WEFT_OK) break;
            }
            s_serve(self, count);
            weft_net_close_frames(self->frames, count, FRAMES);
        }
    }
}

/* ---- the object, on the bus thread */

static weft_err_t s_open_pipe(weft_control_server_t *self) {
    char name[64];
    snprintf(name, sizeof name, "inproc://weft-bus-control-%016llx",
             (unsigned long long) weft_os_random());
    self->pipe_bus = weft_net_socket(self->config.context, ZMQ_PAIR, REFUSALS_WAITING_MAX);
    self->pipe_control = weft_net_socket(self->config.context, ZMQ_PAIR, REFUSALS_WAITING_MAX);
    if (!self->pipe_bus || !self->pipe_control || zmq_bind(self->pipe_bus, name) != 0 ||
        zmq_connect(self->pipe_control, name) != 0)
        return WEFT_E_IO;
    return WEFT_OK;
}

weft_err_t weft_control_server_new(weft_control_server_t **out,
                                   const weft_control_config_t *config) {
    weft_err_t rc = WEFT_E_NOMEM;
    void *router = config->router;
    weft_control_server_t *self = calloc(1, sizeof *self);
    if (!self) {
        weft_net_close(&router);
        return rc;
    }
    self->config = *config;
    self->router = router;
    pthread_mutex_init(&self->reports_lock, NULL);
    snprintf(self->fanout, sizeof self->fanout, "%s", config->fanout);
    snprintf(self->ingest, sizeof self->ingest, "%s", config->ingest);
    self->refusals = weft_refusals_new();
    self->reports = weft_reports_new();
    if (!self->refusals || !self->reports) goto out;
    if ((rc = weft_log_reader_new(&self->reader, config->store_path)) != WEFT_OK) goto out;
    weft_log_reader_share(self->reader, config->turnstile);
    self->pages = weft_pages_new(self->reader, &config->log);
    rc = WEFT_E_NOMEM;
    if (!self->pages) goto out;
    if ((rc = s_open_pipe(self)) != WEFT_OK) goto out;
    weft_retention_config_t retention = {.reader = self->reader,
                                         .keep = config->keep,
                                         .lately_us = config->lately_us,
                                         .order = s_order,
                                         .arg = self};
    if ((rc = weft_retention_new(&self->retention, &retention)) != WEFT_OK) goto out;
    rc = pthread_create(&self->thread, NULL, s_thread, self) == 0 ? WEFT_OK : WEFT_E_IO;
    if (rc != WEFT_OK) goto out;
    self->running = true;
    *out = self;
    self = NULL; /* handed over */
out:
    weft_control_server_destroy(&self);
    return rc;
}

void weft_control_server_destroy(weft_control_server_t **self_p) {
    weft_control_server_t *self = *self_p;
    if (!self) return;
    if (self->running) {
        while (zmq_send(self->pipe_bus, "", 0, 0) < 0 && errno == EINTR)
            continue; /* nothing: stop */
        pthread_join(self->thread, NULL);
    }
    weft_net_close(&self->pipe_bus);
    weft_net_close(&self->pipe_control);
    weft_net_close(&self->router);
    weft_retention_destroy(&self->retention);
    weft_pages_destroy(&self->pages);
    weft_log_reader_destroy(&self->reader);
    weft_refusals_destroy(&self->refusals);
    weft_reports_destroy(&self->reports);
    pthread_mutex_destroy(&self->reports_lock);
    weft_buf_free(&self->body);
    weft_buf_free(&self->raw);
    free(self);
    *self_p = NULL;
}

bool weft_control_server_refuse(weft_control_server_t *self, const weft_refusal_t *refusal) {
    return zmq_send(self->pipe_bus, refusal, sizeof *refusal, ZMQ_DONTWAIT) >= 0;
}

bool weft_control_server_order(weft_control_server_t *self, weft_order_t *order) {
    int size = zmq_recv(self->pipe_bus, order, sizeof *order, ZMQ_DONTWAIT);
    WEFT_ASSERT(size < 0 || size == (int) sizeof *order);
    return size >= 0;
}

void *weft_control_server_orders(weft_control_server_t *self) {
    return self->pipe_bus;
}

void weft_control_server_reports(weft_control_server_t *self, weft_buf_t *w) {
    pthread_mutex_lock(&self->reports_lock);
    weft_reports_encode(self->reports, w);
    pthread_mutex_unlock(&self->reports_lock);
}
