/* http_stream: see http_stream.h.
 *
 * MHD asks for bytes when its socket takes some. With nothing to give the connection is suspended
 * there, and resumed by the next write. MHD never asks on behalf of a client that takes nothing: such
 * a one is cut by shutting its socket down, which MHD notices. */
#include "http_stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http_private.h"

#define BLOCK_BYTES 1024u    /* MHD's own buffer, used for HTTP/1.0 alone */
#define KEEP_BYTES_MAX 4096u /* an empty buffer larger than this is given back */

struct http_stream {
    http_request_t *request;
    http_stream_config_t config;
    char *data; /* waiting: data[start..size) */
    size_t start, size, room;
    int64_t written_ms;
    bool ended, asking, cut;
    http_stream_over_t why;
    http_stream_t *next;
};

/* ---------------------------------------------------------------------------------------------- */
/* Life */

static void s_unlink(http_stream_t *self) {
    http_stream_t **at = &self->request->server->streams;
    while (*at && *at != self) at = &(*at)->next;
    if (*at) *at = self->next;
}

void http_stream_finish(http_stream_t *self, enum MHD_RequestTerminationCode how) {
    http_stream_over_t why = self->why;
    if (!self->cut) {
        if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
            why = HTTP_STREAM_SENT;
        else if (how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
            why = HTTP_STREAM_SLOW;
        else
            why = HTTP_STREAM_GONE;
    }
    self->ended = true;
    s_unlink(self);
    if (self->config.over) self->config.over(self, why, self->config.arg);
    free(self->data);
    free(self);
}

static ssize_t s_read(void *arg, uint64_t position, char *out, size_t max) {
    http_stream_t *self = arg;
    (void) position;
    if (self->cut) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (self->start == self->size && !self->ended && self->config.more) {
        self->asking = true;
        self->config.more(self, self->config.arg);
        self->asking = false;
        if (self->cut) return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t count = self->size - self->start;
    if (!count && self->ended) return MHD_CONTENT_READER_END_OF_STREAM;
    if (!count) {
        http_request_suspend(self->request);
        return 0;
    }
    if (count > max) count = max;
    memcpy(out, self->data + self->start, count);
    self->start += count;
    self->request->answer_size += count;
    if (self->start < self->size) return (ssize_t) count;
    self->start = self->size = 0;
    if (self->room > KEEP_BYTES_MAX) {
        free(self->data);
        self->data = NULL;
        self->room = 0;
    }
    return (ssize_t) count;
}

/* Without a bound of its own, a stalled client's share of the kernel grows to megabytes. */
static int s_socket(const http_stream_t *self) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        self->request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static void s_bound_connection(http_stream_t *self) {
    int bytes = HTTP_STREAM_SOCKET_BYTES, fd = s_socket(self);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) != 0)
        weft_diag(WEFT_DIAG_WARN, "http.stream", "what=SO_SNDBUF");
    MHD_set_connection_option(self->request->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              self->config.stalled_s);
}

http_stream_t *http_stream_begin(http_request_t *request, unsigned status,
                                 const http_stream_config_t *config) {
    http_stream_t *self = calloc(1, sizeof *self);
    struct MHD_Response *response = NULL;
    if (self) {
        self->request = request;
        self->config = *config;
        if (!self->config.waiting_max) self->config.waiting_max = HTTP_STREAM_WAITING_BYTES_MAX;
        if (!self->config.stalled_s) self->config.stalled_s = HTTP_STREAM_STALLED_SECONDS;
        self->written_ms = http_now_us() / 1000;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, s_read, self,
                                                     NULL);
    }
    http_answer_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, config->kind);
    if (!response || !http_request_add_headers(request, response, true)) {
        if (response) MHD_destroy_response(response);
        free(self);
        http_answer_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", NULL);
        return NULL;
    }
    s_bound_connection(self);
    self->next = request->server->streams;
    request->server->streams = self;
    request->stream = self;
    http_request_answered(request, status, response);
    http_server_beat(request->server, self->config.beat_ms);
    return self;
}

/* ---------------------------------------------------------------------------------------------- */
/* Writing */

/* Have MHD ask. */
static void s_resume(http_stream_t *self) {
    if (!self->asking) http_request_resume(self->request);
}

static void s_cut(http_stream_t *self, http_stream_over_t why) {
    if (self->cut) return;
    self->cut = true;
    self->why = why;
    free(self->data);
    self->data = NULL;
    self->start = self->size = self->room = 0;
    int fd = s_socket(self);
    if (fd >= 0) (void) shutdown(fd, SHUT_RDWR); /* it may be gone already */
    s_resume(self);
}

static bool s_grow(http_stream_t *self, size_t more) {
    if (self->start) {
        memmove(self->data, self->data + self->start, self->size - self->start);
        self->size -= self->start;
        self->start = 0;
    }
    if (self->size + more <= self->room) return true;
    size_t room = self->room ? self->room : 512;
    while (room < self->size + more) room *= 2;
    char *data = realloc(self->data, room);
    if (!data) return false;
    self->data = data;
    self->room = room;
    return true;
}

bool http_stream_write(http_stream_t *self, const void *data, size_t size) {
    if (self->cut || self->ended) return false;
    if (size > http_stream_room(self) || (self->size + size > self->room && !s_grow(self, size))) {
        s_cut(self, HTTP_STREAM_SLOW);
        return false;
    }
    if (!size) return true;
    memcpy(self->data + self->size, data, size);
    self->size += size;
    self->written_ms = http_now_us() / 1000;
    s_resume(self);
    return true;
}

size_t http_stream_waiting(const http_stream_t *self) {
    return self->size - self->start;
}

size_t http_stream_room(const http_stream_t *self) {
    return self->config.waiting_max - (self->size - self->start);
}

void http_stream_end(http_stream_t *self) {
    if (self->ended) return;
    self->ended = true;
    s_resume(self);
}

void http_stream_cut(http_stream_t *self) {
    s_cut(self, HTTP_STREAM_CUT);
}

void http_streams_stop(http_server_t *server) {
    for (http_stream_t *at = server->streams; at; at = at->next) s_cut(at, HTTP_STREAM_STOP);
}

/* ---------------------------------------------------------------------------------------------- */
/* Server-sent events */

unsigned http_streams_beat(http_server_t *server) {
    unsigned least_ms = 0;
    int64_t now_ms = http_now_us() / 1000;
    for (http_stream_t *at = server->streams; at; at = at->next) {
        unsigned beat_ms = at->config.beat_ms;
        if (!beat_ms) continue;
        if (!least_ms || beat_ms < least_ms) least_ms = beat_ms;
        /* What waits is sign of life enough, once it is taken. */
        if (now_ms - at->written_ms >= (int64_t) beat_ms && at->start == at->size)
            (void) http_stream_write(at, ":\n\n", 3);
    }
    return least_ms;
}

http_stream_t *http_sse_begin(http_request_t *request, const http_stream_config_t *config) {
    http_stream_config_t own = *config;
    own.kind = "text/event-stream";
    if (!own.beat_ms) own.beat_ms = HTTP_SSE_BEAT_MS;
    http_answer_header(request, "X-Accel-Buffering", "no");
    return http_stream_begin(request, MHD_HTTP_OK, &own);
}

static bool s_line(http_stream_t *self, const char *name, const char *value, size_t size) {
    return http_stream_write(self, name, strlen(name)) && http_stream_write(self, value, size) &&
           http_stream_write(self, "\n", 1);
}

bool http_sse_send(http_stream_t *self, const char *id, const char *event, const char *data) {
    if (id && !s_line(self, "id: ", id, strlen(id))) return false;
    if (event && !s_line(self, "event: ", event, strlen(event))) return false;
    for (;;) {
        size_t size = strcspn(data, "\r\n");
        if (!s_line(self, "data: ", data, size)) return false;
        data += size;
        if (!*data) break;
        data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
    }
    return http_stream_write(self, "\n", 1);
}
