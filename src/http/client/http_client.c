/* http_client: libcurl as a guest on a loop that is there already.
 *
 * curl's sockets and its timer live in one epoll set, and the loop watches that one descriptor: sockets come
 * and go with each request, which costs a call of epoll_ctl here and a new poll set in the loop.
 * C1 inside is true while curl's functions run: then calls are only noted, and begun or removed afterwards,
 *    since curl refuses to be called from its own callbacks
 * C2 on_done is the last that a call does: its handle has left curl by then */
#include "http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "http_client_call.h"

#define HTTP_TURNS_MAX 32u /* before the rest of the loop has its turn */
#define HTTP_EVENTS 32
#define HTTP_SPARE_MAX 64u /* handles kept for later calls */
#define HTTP_IDLE_CHECK_MS 200
#define HTTP_KEPT_MAX 64u
#define HTTP_KEPT_SECONDS 4u

struct http_client {
    http_loop_t loop;
    CURLM *multi;
    int epoll_fd, timer_fd;
    int64_t curl_due_ms, idle_due_ms; /* -1: never */
    int64_t armed_ms;                 /* when timer_fd fires; -1: it does not */
    http_call_t *calls;               /* list of all */
    size_t calls_count;
    size_t noted; /* of them, those to be begun or removed (C1) */
    CURL *spare[HTTP_SPARE_MAX];
    size_t spare_count;
    unsigned kept_seconds;
    bool inside, turning; /* turning: the timer is armed when the turns are over */
};

/* ---------------------------------------------------------------------------------------------- */
/* The timer. One that is too early is left alone: it comes round here again. */

static void s_arm(http_client_t *self) {
    int64_t due = self->curl_due_ms;
    if (self->turning) return;
    if (self->idle_due_ms >= 0 && (due < 0 || self->idle_due_ms < due)) due = self->idle_due_ms;
    if (self->noted) due = 0;
    if (due < 0 || (self->armed_ms >= 0 && self->armed_ms <= due)) return;
    struct itimerspec at = {
        .it_value = {.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000 + (due == 0)}};
    self->armed_ms = due;
    if (timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        weft_diag(WEFT_DIAG_ERROR, "http.client.timer", "error=\"%s\"", strerror(errno));
}

static int s_on_curl_timer(CURLM *multi, long wait_ms, void *arg) {
    http_client_t *self = arg;
    (void) multi;
    self->curl_due_ms = wait_ms < 0 ? -1 : wait_ms == 0 ? 0 : http_call_now_ms() + wait_ms;
    s_arm(self);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Sockets */

static int s_on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
    http_client_t *self = arg;
    (void) easy;
    struct epoll_event event = {.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
                                          (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
                                .data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(self->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* closed already: it left by itself */
        curl_multi_assign(self->multi, fd, NULL);
        return 0;
    }
    if (epoll_ctl(self->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        weft_diag(WEFT_DIAG_ERROR, "http.client.socket", "error=\"%s\"", strerror(errno));
        return -1;
    }
    curl_multi_assign(self->multi, fd, self); /* any pointer: it is in the set */
    return 0;
}

static void s_act(http_client_t *self, curl_socket_t fd, int mask) {
    int running;
    self->inside = true;
    curl_multi_socket_action(self->multi, fd, mask, &running);
    self->inside = false;
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls */

static void s_link(http_client_t *self, http_call_t *call) {
    call->next = self->calls;
    if (call->next) call->next->prev = call;
    self->calls = call;
    self->calls_count++;
}

static void s_unlink(http_client_t *self, http_call_t *call) {
    if (call->prev)
        call->prev->next = call->next;
    else
        self->calls = call->next;
    if (call->next) call->next->prev = call->prev;
    self->calls_count--;
}

static void s_forget_note(http_client_t *self, http_call_t *call) {
    if (call->noted != HTTP_NOTED_NOTHING) self->noted--;
    call->noted = HTTP_NOTED_NOTHING;
}

/* The handle leaves curl and may serve again. */
static void s_leave(http_client_t *self, http_call_t *call) {
    if (call->added) curl_multi_remove_handle(self->multi, call->easy);
    call->added = false;
}

static void s_free(http_client_t *self, http_call_t *call) {
    s_leave(self, call);
    s_forget_note(self, call);
    s_unlink(self, call);
    CURL *easy = call->easy;
    http_call_free(call);
    if (!easy) return;
    if (self->spare_count == HTTP_SPARE_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    self->spare[self->spare_count++] = easy;
}

static void s_finish(http_client_t *self, http_call_t *call, CURLcode code) {
    http_result_t result;
    s_leave(self, call);
    s_forget_note(self, call);
    http_call_result(call, code, &result);
    call->finished = true;
    call->config.on_done(call, &result, call->config.arg);
    s_free(self, call);
}

static void s_begin(http_client_t *self, http_call_t *call) {
    CURLMcode rc = curl_multi_add_handle(self->multi, call->easy);
    call->added = rc == CURLM_OK;
    if (call->added) return;
    snprintf(call->error, sizeof call->error, "%s", curl_multi_strerror(rc));
    s_finish(self, call, CURLE_OUT_OF_MEMORY);
}

/* What was asked for while curl could not be called. A callback may note more, so from the start each time. */
static void s_do_noted(http_client_t *self) {
    while (self->noted) {
        http_call_t *call = self->calls;
        while (call->noted == HTTP_NOTED_NOTHING) call = call->next;
        http_noted_t what = call->noted;
        s_forget_note(self, call);
        if (what == HTTP_NOTED_CANCEL) {
            s_free(self, call);
        } else if (what == HTTP_NOTED_BEGIN) {
            s_begin(self, call);
        } else {
            self->inside = true;
            curl_easy_pause(call->easy, CURLPAUSE_CONT); /* may hand out what it held */
            self->inside = false;
        }
    }
}

static void s_note(http_call_t *call, http_noted_t what) {
    if (call->noted == HTTP_NOTED_NOTHING) call->client->noted++;
    call->noted = what;
    s_arm(call->client);
}

static bool s_finish_next(http_client_t *self) {
    int left;
    CURLMsg *message = curl_multi_info_read(self->multi, &left);
    http_call_t *call = NULL;
    if (!message) return false;
    if (message->msg != CURLMSG_DONE) return true;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
    if (call->noted == HTTP_NOTED_CANCEL) {
        s_free(self, call);
        return true;
    }
    s_finish(self, call, code);
    return true;
}

/* Those that have been silent for too long. on_done may change the list, so from the start after each. */
static void s_check_idle(http_client_t *self) {
    int64_t now = http_call_now_ms();
    bool any = false;
    if (self->idle_due_ms < 0 || self->idle_due_ms > now) return;
    for (http_call_t *call = self->calls, *next; call; call = next) {
        next = call->next;
        if (!call->config.idle_ms || call->noted == HTTP_NOTED_CANCEL) continue;
        any = true;
        if (call->paused || now - call->heard_ms < (int64_t) call->config.idle_ms) continue;
        snprintf(call->error, sizeof call->error, "nothing came for %u ms", call->config.idle_ms);
        s_finish(self, call, CURLE_OPERATION_TIMEDOUT);
        next = self->calls;
    }
    self->idle_due_ms = any ? now + HTTP_IDLE_CHECK_MS : -1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Loop */

static void s_clear_timer(http_client_t *self) {
    uint64_t count;
    ssize_t got = read(self->timer_fd, &count, sizeof count);
    (void) got;
    self->armed_ms = -1;
}

static bool s_curl_is_due(const http_client_t *self) {
    return self->curl_due_ms >= 0 &&
           (self->curl_due_ms == 0 || self->curl_due_ms <= http_call_now_ms());
}

static bool s_turn(http_client_t *self) {
    struct epoll_event events[HTTP_EVENTS];
    bool due = s_curl_is_due(self);
    int count = epoll_wait(self->epoll_fd, events, HTTP_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        unsigned got = events[i].events;
        if (events[i].data.fd == self->timer_fd) {
            s_clear_timer(self);
            continue;
        }
        s_act(self, events[i].data.fd,
              (got & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                  (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                  (got & EPOLLERR ? CURL_CSELECT_ERR : 0));
    }
    if (due) {
        self->curl_due_ms = -1;
        s_act(self, CURL_SOCKET_TIMEOUT, 0);
    }
    while (s_finish_next(self)) continue;
    s_check_idle(self);
    s_do_noted(self);
    return count > 0 || s_curl_is_due(self);
}

static void s_on_readable(int fd, short revents, void *arg) {
    http_client_t *self = arg;
    (void) fd;
    (void) revents;
    self->turning = true;
    for (unsigned turn = 0; turn < HTTP_TURNS_MAX && s_turn(self); turn++) continue;
    self->turning = false;
    s_arm(self);
}

/* ---------------------------------------------------------------------------------------------- */
/* What users call */

weft_err_t http_client_call(http_client_t *self, const http_call_config_t *config,
                            http_call_t **out) {
    http_call_t *call = NULL;
    weft_err_t rc = http_call_check(config);
    if (rc != WEFT_OK) return rc;
    call = calloc(1, sizeof *call);
    if (!call) return WEFT_E_NOMEM;
    call->client = self;
    call->easy = self->spare_count ? self->spare[--self->spare_count] : curl_easy_init();
    s_link(self, call);
    rc = call->easy ? http_call_set_up(call, config, self->kept_seconds) : WEFT_E_NOMEM;
    if (rc != WEFT_OK) {
        s_free(self, call);
        return rc;
    }
    if (config->idle_ms && self->idle_due_ms < 0)
        self->idle_due_ms = call->heard_ms + HTTP_IDLE_CHECK_MS;
    s_note(call, HTTP_NOTED_BEGIN);
    if (out) *out = call;
    return WEFT_OK;
}

void http_call_cancel(http_call_t **call_p) {
    http_call_t *call = *call_p;
    *call_p = NULL;
    if (!call || call->finished) return; /* from on_done: it goes anyway */
    call->cancelled = true;
    if (call->client->inside)
        s_note(call, HTTP_NOTED_CANCEL);
    else
        s_free(call->client, call);
}

void http_call_resume(http_call_t *call) {
    if (!call->paused || call->finished || call->cancelled) return;
    call->paused = false;
    call->heard_ms = http_call_now_ms();
    s_note(call, HTTP_NOTED_RESUME);
}

void http_client_wait(http_client_t *self, int timeout_ms) {
    struct pollfd item = {.fd = self->epoll_fd, .events = POLLIN};
    if (poll(&item, 1, timeout_ms) > 0) s_on_readable(self->epoll_fd, POLLIN, self);
}

size_t http_client_calls(const http_client_t *self) {
    return self->calls_count;
}

static weft_err_t s_open(http_client_t *self, const http_client_config_t *config) {
    self->multi = curl_multi_init();
    if (!self->multi) return WEFT_E_NOMEM;
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = self->timer_fd};
    if (self->epoll_fd < 0 || self->timer_fd < 0 ||
        epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, self->timer_fd, &event) != 0)
        return WEFT_E_IO;
    self->kept_seconds = config->kept_seconds ? config->kept_seconds : HTTP_KEPT_SECONDS;
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, s_on_curl_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, s_on_curl_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS,
                      (long) (config->kept_max ? config->kept_max : HTTP_KEPT_MAX));
    curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) config->connections_max);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long) config->connections_per_host_max);
    return self->loop.fd(self->loop.loop, self->epoll_fd, s_on_readable, self);
}

weft_err_t http_client_new(http_client_t **out, const http_loop_t *loop,
                           const http_client_config_t *config) {
    static const http_client_config_t defaults;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return WEFT_E_IO;
    http_client_t *self = calloc(1, sizeof *self);
    if (!self) {
        curl_global_cleanup();
        return WEFT_E_NOMEM;
    }
    self->loop = *loop;
    self->epoll_fd = self->timer_fd = -1;
    self->curl_due_ms = self->idle_due_ms = self->armed_ms = -1;
    weft_err_t rc = s_open(self, config ? config : &defaults);
    if (rc == WEFT_OK) {
        *out = self;
        return WEFT_OK;
    }
    weft_diag(WEFT_DIAG_ERROR, "http.client", "error=%s", weft_err_name(rc));
    http_client_destroy(&self);
    return rc;
}

void http_client_destroy(http_client_t **self_p) {
    http_client_t *self = *self_p;
    if (!self) return;
    if (self->epoll_fd >= 0) self->loop.fd_end(self->loop.loop, self->epoll_fd);
    while (self->calls) s_free(self, self->calls);
    while (self->spare_count) curl_easy_cleanup(self->spare[--self->spare_count]);
    if (self->multi) curl_multi_cleanup(self->multi);
    if (self->timer_fd >= 0) close(self->timer_fd);
    if (self->epoll_fd >= 0) close(self->epoll_fd);
    free(self);
    curl_global_cleanup();
    *self_p = NULL;
}
