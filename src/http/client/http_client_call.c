/* http_client_call: one call of http_client: its options for curl, what comes of it, how it ended. */
#include "http_client_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HTTP_CONNECT_MS 3000u
#define HTTP_ANSWER_BYTES_MAX (1u << 20)

int64_t http_call_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *http_end_name(http_end_t end) {
    static const char *const names[] = {"answered", "connect", "timeout", "cut",
                                        "bad",      "too_big", "stopped"};
    return (size_t) end < sizeof names / sizeof *names ? names[end] : "unknown";
}

/* ---------------------------------------------------------------------------------------------- */
/* What goes out */

static bool s_plain(const char *text, bool spaces) {
    if (!*text) return false;
    for (; *text; text++)
        if ((unsigned char) *text < 0x20 || *text == 0x7f || (*text == ' ' && !spaces))
            return false;
    return true;
}

static bool s_web(const char *url) {
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

bool http_url_valid(const char *url) {
    char *user = NULL, *host = NULL;
    CURLU *parts = s_web(url) && s_plain(url, false) ? curl_url() : NULL;
    bool ok = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host &&
              curl_url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_OK;
    curl_free(user);
    curl_free(host);
    curl_url_cleanup(parts);
    return ok;
}

weft_err_t http_call_check(const http_call_config_t *config) {
    if (!config->url || !config->on_done || !s_web(config->url) || !s_plain(config->url, false))
        return WEFT_E_ARG;
    if (config->method && !s_plain(config->method, false)) return WEFT_E_ARG;
    for (size_t i = 0; i < config->headers_count; i++)
        if (!s_plain(config->headers[i], true) || !strchr(config->headers[i], ':'))
            return WEFT_E_ARG;
    return WEFT_OK;
}

static bool s_add_header(http_call_t *self, const char *text) {
    struct curl_slist *longer = curl_slist_append(self->headers, text);
    if (longer) self->headers = longer;
    return longer != NULL;
}

/* curl takes "Name:" for "leave it out" and "Name;" for "send it empty". */
static bool s_add_given(http_call_t *self, const char *text) {
    const char *colon = strchr(text, ':');
    if (colon[1 + strspn(colon + 1, " \t")]) return s_add_header(self, text);
    char *empty = strdup(text);
    if (!empty) return false;
    empty[colon - text] = ';';
    empty[colon - text + 1] = 0;
    bool ok = s_add_header(self, empty);
    free(empty);
    return ok;
}

static bool s_set_headers(http_call_t *self, const http_call_config_t *config) {
    bool typed = false, ok = true;
    for (size_t i = 0; i < config->headers_count && ok; i++) {
        typed = typed || strncasecmp(config->headers[i], "Content-Type:", 13) == 0;
        ok = s_add_given(self, config->headers[i]);
    }
    /* curl would wait for "100 Continue" before a large body, and call any body a form. */
    ok = ok && s_add_header(self, "Expect:");
    if (ok && config->body && !typed) ok = s_add_header(self, "Content-Type:");
    return ok && curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers) == CURLE_OK;
}

static bool s_set_method(http_call_t *self, const http_call_config_t *config) {
    const char *method = config->method ? config->method : "GET";
    bool post = strcmp(method, "POST") == 0;
    CURL *easy = self->easy;
    if (strcmp(method, "HEAD") == 0) return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (config->body || post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) config->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, config->body ? config->body : "");
    }
    if (post || strcmp(method, "GET") == 0) {
        if (post || !config->body) return true;
    }
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* What comes */

static bool s_flow(http_call_t *self, http_flow_t flow) {
    if (flow == HTTP_STOP) self->stopped = true;
    return !self->stopped;
}

/* One line of the head, the empty one at its end included. */
static size_t s_on_header(char *line, size_t one, size_t size, void *arg) {
    http_call_t *self = arg;
    long status = 0;
    (void) one;
    self->heard_ms = http_call_now_ms();
    self->headers_taken += size;
    self->headers_count++;
    if (self->headers_taken > HTTP_CLIENT_HEADERS_BYTES_MAX ||
        self->headers_count > HTTP_CLIENT_HEADERS_MAX) {
        self->too_big = true;
        return 0;
    }
    if (self->cancelled) return 0;
    if (self->head_told || size == 0 || (line[0] != '\r' && line[0] != '\n')) return size;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) return size;
    self->head_told = true; /* what follows are trailers */
    if (self->config.on_head &&
        !s_flow(self, self->config.on_head(self, (unsigned) status, self->config.arg)))
        return 0;
    return size;
}

static bool s_gather(http_call_t *self, const char *data, size_t size) {
    if (self->body_size + size + 1 > self->body_room) {
        size_t room = self->body_room ? self->body_room : 1024;
        while (room < self->body_size + size + 1) room *= 2;
        char *body = realloc(self->body, room);
        if (!body) return false;
        self->body = body;
        self->body_room = room;
    }
    memcpy(self->body + self->body_size, data, size);
    self->body_size += size;
    self->body[self->body_size] = 0;
    return true;
}

static size_t s_on_body(char *data, size_t one, size_t size, void *arg) {
    http_call_t *self = arg;
    (void) one;
    self->heard_ms = http_call_now_ms();
    if (self->cancelled || self->stopped) return CURL_WRITEFUNC_ERROR;
    if (self->config.answer_max && self->taken + size > self->config.answer_max) {
        self->too_big = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (!self->config.on_part) {
        if (!s_gather(self, data, size)) return CURL_WRITEFUNC_ERROR;
    } else {
        http_flow_t flow = self->config.on_part(self, data, size, self->config.arg);
        if (flow == HTTP_PAUSE) {
            self->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        if (!s_flow(self, flow)) return CURL_WRITEFUNC_ERROR;
    }
    self->taken += size;
    return size;
}

weft_err_t http_call_set_up(http_call_t *self, const http_call_config_t *config,
                            unsigned kept_seconds) {
    CURL *easy = self->easy;
    self->config = *config;
    self->config.method = self->config.url = NULL;
    self->config.headers = NULL;
    if (!config->answer_max && !config->on_part) self->config.answer_max = HTTP_ANSWER_BYTES_MAX;
    self->heard_ms = http_call_now_ms();
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A call that ends does not wait for the thread that looks up its name: the loop would stand still. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) (config->connect_ms ? config->connect_ms : HTTP_CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) config->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long) kept_seconds);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, s_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, s_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    bool ok = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_URL, config->url) == CURLE_OK &&
              s_set_method(self, config) && s_set_headers(self, config);
    return ok ? WEFT_OK : WEFT_E_NOMEM;
}

/* ---------------------------------------------------------------------------------------------- */
/* How it ended */

static http_end_t s_end(const http_call_t *self, CURLcode code) {
    if (self->stopped) return HTTP_END_STOPPED;
    if (self->too_big) return HTTP_END_TOO_BIG;
    switch (code) {
    case CURLE_OK: return HTTP_END_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT: return HTTP_END_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION: return HTTP_END_CONNECT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return HTTP_END_CUT;
    case CURLE_OUT_OF_MEMORY: return HTTP_END_TOO_BIG; /* a line beyond what curl takes, too */
    default: return HTTP_END_BAD;
    }
}

void http_call_result(const http_call_t *self, CURLcode code, http_result_t *out) {
    long status = 0;
    curl_off_t began_us = 0;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(self->easy, CURLINFO_PRETRANSFER_TIME_T, &began_us);
    *out = (http_result_t){.end = s_end(self, code),
                           .connected = began_us > 0,
                           .status = (unsigned) status,
                           .body = self->body ? self->body : "",
                           .body_size = self->body_size,
                           .reason = ""};
    if (out->end == HTTP_END_STOPPED)
        out->reason = "stopped by the caller";
    else if (out->end == HTTP_END_TOO_BIG)
        out->reason = "answer is larger than is taken";
    else if (out->end != HTTP_END_ANSWERED)
        out->reason = *self->error ? self->error : curl_easy_strerror(code);
}

const char *http_call_header(const http_call_t *call, const char *name) {
    struct curl_header *header;
    return curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
               ? header->value
               : NULL;
}

bool http_call_header_next(const http_call_t *call, void **at, const char **name,
                           const char **value) {
    struct curl_header *header = curl_easy_nextheader(call->easy, CURLH_HEADER, -1, *at);
    *at = header;
    if (!header) return false;
    *name = header->name;
    *value = header->value;
    return true;
}

void http_call_free(http_call_t *self) {
    curl_slist_free_all(self->headers);
    free(self->body);
    free(self);
}
