/* weft_sub: performs what the pure weft_subscriber decides.
 * Sockets: control (HELLO, FETCH) and one SUB on fan-out with the filters' prefixes and "$commit". */
#include "weft_sub_end.h"

#include "weft_limits.h"
#include "weft_link.h"
#include "weft_os.h"
#include "weft_subscriber.h"
#include "weft_type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_HWM 1000       /* messages; what overflows is a gap (S5) */
#define EMPTY_BATCH_MS 1000 /* how often a move past events of no interest is handed out */

struct weft_sub {
    weft_link_t link;
    weft_subscriber_t *subscriber;
    char name[WEFT_TEXT_BYTES_MAX];
    char **filters;
    size_t filters_count;
    weft_buf_t filters_raw;
    weft_buf_t request;
    void *live;
    char fanout[WEFT_ENDPOINT_BYTES];
    int64_t handed_ms;
    bool was_live;
    weft_err_t told;
};

void weft_sub_config_init(weft_sub_config_t *config) {
    *config = (weft_sub_config_t){.size = sizeof *config, .bus = WEFT_DEFAULT_BUS, .name = "weft"};
}

static weft_err_t s_keep_filters(weft_sub_t *self, const weft_sub_config_t *config) {
    static const char *const all[] = {">"};
    size_t count = config->filters_count ? config->filters_count : 1;
    const char *const *filters = config->filters_count ? config->filters : all;
    if (count > WEFT_FILTERS_MAX) return WEFT_E_TOO_BIG;
    self->filters = calloc(count, sizeof *self->filters);
    if (!self->filters) return WEFT_E_NOMEM;
    weft_mp_put_array(&self->filters_raw, (uint32_t) count);
    for (size_t i = 0; i < count; i++) {
        weft_err_t rc = weft_filter_check(filters[i], strlen(filters[i]));
        if (rc != WEFT_OK) return rc;
        self->filters[i] = strdup(filters[i]);
        if (!self->filters[i]) return WEFT_E_NOMEM;
        self->filters_count++;
        weft_mp_put_text(&self->filters_raw, filters[i]);
    }
    self->subscriber = weft_subscriber_new(filters, count, config->start, &config->resume);
    return self->subscriber && weft_buf_ok(&self->filters_raw) ? WEFT_OK : WEFT_E_NOMEM;
}

weft_err_t weft_sub_new(weft_sub_t **out, const weft_sub_config_t *given) {
    weft_sub_config_t config;
    weft_sub_config_init(&config);
    if (given) config = *given;
    if (!config.bus || !config.name || strlen(config.name) >= WEFT_TEXT_BYTES_MAX)
        return WEFT_E_ARG;
    weft_sub_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->link.epoll_fd = self->link.timer_fd = -1;
    snprintf(self->name, sizeof self->name, "%s", config.name);
    weft_err_t rc = s_keep_filters(self, &config);
    if (rc == WEFT_OK) rc = weft_link_open(&self->link, config.bus, config.zmq_context);
    if (rc == WEFT_OK) {
        weft_link_arm(&self->link, 0);
        *out = self;
        self = NULL;
    }
    weft_sub_destroy(&self);
    return rc;
}

void weft_sub_destroy(weft_sub_t **self_p) {
    weft_sub_t *self = *self_p;
    if (!self) return;
    weft_link_drop(&self->link, &self->live);
    weft_link_close(&self->link);
    weft_subscriber_destroy(&self->subscriber);
    for (size_t i = 0; i < self->filters_count; i++) free(self->filters[i]);
    free(self->filters);
    weft_buf_free(&self->filters_raw);
    weft_buf_free(&self->request);
    free(self);
    *self_p = NULL;
}

/* ---- the live socket */

static bool s_subscribe(weft_sub_t *self) {
    if (zmq_setsockopt(self->live, ZMQ_SUBSCRIBE, WEFT_TOPIC_COMMIT, strlen(WEFT_TOPIC_COMMIT)) !=
        0)
        return false;
    for (size_t i = 0; i < self->filters_count; i++) {
        const char *filter = self->filters[i];
        size_t size = weft_filter_topic(filter, strlen(filter));
        if (zmq_setsockopt(self->live, ZMQ_SUBSCRIBE, filter, size) != 0) return false;
    }
    return zmq_connect(self->live, self->fanout) == 0;
}

static weft_err_t s_connect(weft_sub_t *self, const weft_welcome_t *welcome, bool renew) {
    char told[WEFT_ENDPOINT_BYTES], fanout[WEFT_ENDPOINT_BYTES];
    snprintf(told, sizeof told, "%.*s", (int) welcome->fanout.size, welcome->fanout.data);
    if (weft_endpoint_reach(fanout, told, self->link.endpoint) != WEFT_OK) return WEFT_E_PROTO;
    if (self->live && !renew && strcmp(fanout, self->fanout) == 0) return WEFT_OK;
    snprintf(self->fanout, sizeof self->fanout, "%s", fanout);
    weft_link_drop(&self->link, &self->live);
    self->live = weft_link_socket(&self->link, ZMQ_SUB, LIVE_HWM, false);
    int none = 0; /* F4: subscriptions are sent; at a limit libzmq drops them in silence */
    if (self->live && zmq_setsockopt(self->live, ZMQ_SNDHWM, &none, sizeof none) == 0 &&
        s_subscribe(self))
        return WEFT_OK;
    weft_diag(WEFT_DIAG_ERROR, "sub.connect", "fanout=\"%s\" reason=\"%s\"", fanout,
              zmq_strerror(errno));
    return WEFT_E_IO;
}

static void s_on_live(weft_sub_t *self, zmq_msg_t *frames, unsigned count) {
    const char *topic = zmq_msg_data(&frames[0]);
    size_t topic_size = zmq_msg_size(&frames[0]);
    if (count != 2) {
        weft_subscriber_bad(self->subscriber);
        return;
    }
    const void *body = zmq_msg_data(&frames[1]);
    size_t size = zmq_msg_size(&frames[1]);
    if (topic_size && topic[0] != '$') {
        weft_subscriber_events(self->subscriber, topic, topic_size, body, size);
    } else if (topic_size == strlen(WEFT_TOPIC_COMMIT) &&
               memcmp(topic, WEFT_TOPIC_COMMIT, topic_size) == 0) {
        weft_record_t record;
        if (weft_record_decode(body, size, &record) == WEFT_OK)
            weft_subscriber_record(self->subscriber, weft_os_monotonic_ms(), &record);
        else
            weft_subscriber_bad(self->subscriber);
    } /* else an ack that a filter of everything lets through */
}

static void s_read_live(weft_sub_t *self) {
    zmq_msg_t frames[2];
    unsigned count;
    while (self->live && weft_subscriber_wants_live(self->subscriber)) {
        if (weft_net_recv(self->live, frames, 2, &count) != WEFT_OK) return;
        s_on_live(self, frames, count);
        weft_net_close_frames(frames, count, 2);
    }
    /* asked for its events also while it stays unread (S5), or its descriptor would stay readable */
    if (self->live) (void) weft_net_readable(self->live);
}

/* ---- control */

static void s_on_welcome(weft_sub_t *self, const void *body, size_t size) {
    weft_welcome_t welcome;
    weft_err_t rc = weft_welcome_decode(body, size, &welcome);
    if (rc == WEFT_OK) {
        weft_subscriber_welcome(self->subscriber, weft_os_monotonic_ms(), &welcome);
        rc = s_connect(self, &welcome, weft_subscriber_wants_renewal(self->subscriber));
    }
    if (rc != WEFT_OK)
        weft_subscriber_stop(self->subscriber, rc == WEFT_E_BAD_FIELD ? WEFT_E_PROTO : rc);
}

static void s_on_error(weft_sub_t *self, const void *body, size_t size) {
    weft_error_t error;
    weft_err_t rc = weft_error_decode(body, size, &error);
    if (rc == WEFT_E_VERSION) {
        error.code = rc;
    } else if (rc != WEFT_OK) {
        weft_subscriber_bad(self->subscriber);
        return;
    }
    weft_diag(WEFT_DIAG_WARN, "sub.refused", "bus=\"%s\" error=%s text=\"%.*s\"",
              self->link.endpoint, weft_err_name((weft_err_t) error.code), (int) error.text.size,
              error.text.data);
    weft_subscriber_error(self->subscriber, weft_os_monotonic_ms(), &error);
}

static bool s_act(weft_sub_t *self) {
    weft_subscriber_action_t action;
    int64_t now = weft_os_monotonic_ms();
    weft_subscriber_next(self->subscriber, now, weft_link_request_id(&self->link), &action);
    if (action.kind == WEFT_SUBSCRIBER_NOTHING) return false;
    bool hello = action.kind == WEFT_SUBSCRIBER_HELLO;
    weft_buf_clear(&self->request);
    if (hello) {
        action.hello.name = weft_text(self->name);
        weft_hello_encode(&self->request, &action.hello);
    } else {
        action.fetch.filters = (weft_bytes_t){.data = self->filters_raw.data,
                                              .size = self->filters_raw.size};
        weft_fetch_encode(&self->request, &action.fetch);
    }
    weft_command_t command = hello ? WEFT_COMMAND_HELLO : WEFT_COMMAND_FETCH;
    bool sent = weft_link_send(&self->link, command, &self->request) == WEFT_OK;
    weft_subscriber_sent(self->subscriber, now, hello ? action.hello.id : action.fetch.id, sent);
    return true;
}

static void s_on_page(weft_sub_t *self, zmq_msg_t *frames) {
    weft_page_t page;
    if (weft_page_decode(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &page) != WEFT_OK) {
        weft_subscriber_bad(self->subscriber);
        return;
    }
    if (weft_subscriber_ahead(self->subscriber, weft_os_monotonic_ms(), &page)) (void) s_act(self);
    weft_subscriber_page(self->subscriber, weft_os_monotonic_ms(), &page, zmq_msg_data(&frames[2]),
                         zmq_msg_size(&frames[2]));
}

static bool s_read_control(weft_sub_t *self) {
    zmq_msg_t frames[3];
    unsigned count;
    weft_command_t command;
    bool any = false;
    while (weft_link_recv(&self->link, frames, &count, &command) == WEFT_OK) {
        switch (command) {
        case WEFT_COMMAND_WELCOME:
            s_on_welcome(self, zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]));
            break;
        case WEFT_COMMAND_ERROR:
            s_on_error(self, zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]));
            break;
        case WEFT_COMMAND_PAGE: s_on_page(self, frames); break;
        default: weft_subscriber_bad(self->subscriber);
        }
        weft_net_close_frames(frames, count, 3);
        any = true;
    }
    return any;
}

/* Do all that can be done now. */
static weft_err_t s_step(weft_sub_t *self) {
    bool more;
    do {
        more = s_read_control(self);
        s_read_live(self); /* before next: what waits there ends a silence */
        while (s_act(self)) more = true;
    } while (more);
    weft_link_arm(&self->link, weft_subscriber_deadline(self->subscriber));
    weft_sub_info_t info;
    weft_sub_info(self, &info);
    if (info.stopped != self->told) {
        self->told = info.stopped;
        weft_diag(WEFT_DIAG_ERROR, "sub.stopped", "name=\"%s\" position=%llu error=%s text=\"%s\"",
                  self->name, (unsigned long long) info.position.value, weft_err_name(info.stopped),
                  weft_err_text(info.stopped));
    }
    return info.stopped;
}

/* ---- the public face */

static bool s_hand_out(weft_sub_t *self, weft_batch_t *batch) {
    int64_t now = weft_os_monotonic_ms();
    bool live = weft_subscriber_state(self->subscriber) == WEFT_SUBSCRIBER_LIVE;
    bool joined = live && !self->was_live;
    self->was_live = live;
    if (!weft_subscriber_ready(self->subscriber) && !joined &&
        now - self->handed_ms < EMPTY_BATCH_MS)
        return false;
    if (!weft_subscriber_take(self->subscriber, batch)) return false;
    self->handed_ms = now;
    return true;
}

weft_err_t weft_sub_recv(weft_sub_t *self, int timeout_ms, weft_batch_t *batch) {
    int64_t end_ms = weft_os_monotonic_ms() + timeout_ms;
    for (;;) {
        weft_err_t rc = s_step(self);
        if (s_hand_out(self, batch)) {
            (void) s_step(
                self); /* room again: the next page is on its way while this one is applied */
            return WEFT_OK;
        }
        if (rc != WEFT_OK) return rc; /* what came before is handed out first */
        int64_t left = timeout_ms < 0 ? -1 : end_ms - weft_os_monotonic_ms();
        if (timeout_ms >= 0 && left <= 0) return WEFT_E_TIMEOUT;
        (void) weft_link_wait(&self->link, (int) left);
    }
}

int weft_sub_fd(const weft_sub_t *self) {
    return self->link.epoll_fd;
}

const uint64_t *weft_sub_drops(const weft_sub_t *self) {
    return weft_subscriber_drops(self->subscriber);
}

void weft_sub_info(const weft_sub_t *self, weft_sub_info_t *info) {
    weft_subscriber_info(self->subscriber, weft_os_monotonic_ms(), info);
}

void weft_sub_report(weft_sub_t *self, const weft_report_t *report) {
    weft_report_t full = *report;
    full.filters = (weft_bytes_t){.data = self->filters_raw.data, .size = self->filters_raw.size};
    weft_buf_clear(&self->request);
    weft_report_encode(&self->request, &full);
    (void) weft_link_send(&self->link, WEFT_COMMAND_REPORT,
                          &self->request); /* the next one tells as much */
}

uint64_t weft_sub_passed(const weft_sub_t *self) {
    return weft_subscriber_passed(self->subscriber);
}

bool weft_sub_began(const weft_sub_t *self, weft_resume_t *out) {
    return weft_subscriber_began(self->subscriber, out);
}

bool weft_filter_valid(const char *filter) {
    return weft_filter_check(filter, strlen(filter)) == WEFT_OK;
}

bool weft_filter_matches(const char *filter, const char *type) {
    return weft_filter_match(filter, strlen(filter), type, strlen(type));
}
