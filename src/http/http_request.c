/* http_request: one request from its headers to its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_private.h"

#define HTTP_TRACEPARENT "traceparent"
#define HTTP_BODY_ROOM_BYTES 256u /* at first */

http_request_t *http_request_new(http_server_t *server, struct MHD_Connection *connection,
                                 const char *uri) {
    http_request_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->server = server;
    self->connection = connection;
    self->started_us = http_now_us();
    self->uri = strdup(uri);
    if (!self->uri) {
        free(self);
        return NULL;
    }
    char *mark = self->uri + strcspn(self->uri, "?");
    self->query = *mark ? mark + 1 : mark;
    *mark = 0;
    return self;
}

static void s_unlink_held(http_request_t *self) {
    http_request_t **at = &self->server->held;
    if (!self->held) return;
    while (*at != self) at = &(*at)->next_held;
    *at = self->next_held;
    self->held = false;
    if (!self->suspended) self->server->asked--;
}

/* What a body of that room counts among the large ones. */
static size_t s_large(size_t room) {
    return room > HTTP_BODY_BYTES_MAX ? room : 0;
}

static void s_free_body(http_request_t *self) {
    self->server->large_bytes -= s_large(self->body_room);
    free(self->body);
    self->body = NULL;
    self->body_size = self->body_room = 0;
}

void http_request_destroy(http_request_t **self_p) {
    http_request_t *self = *self_p;
    if (!self) return;
    s_unlink_held(self);
    if (self->response) MHD_destroy_response(self->response);
    for (size_t i = 0; i < self->headers_count; i++) free(self->headers[i].value);
    json_decref(self->json);
    http_path_clear(&self->path);
    free(self->mark);
    s_free_body(self);
    free(self->uri);
    free(self);
    *self_p = NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* From headers to handler */

static void s_decide(http_request_t *self, unsigned status, const char *text) {
    if (self->refusal) return;
    self->refusal = status;
    self->refusal_text = text;
}

static void s_decide_too_large(http_request_t *self) {
    s_decide(self, MHD_HTTP_CONTENT_TOO_LARGE, self->server->body_refusal);
}

/* A browser asks before it sends JSON to another host: everything is allowed to everyone. */
static void s_allow(http_request_t *self, const char *allow) {
    http_answer_header(self, "Allow", allow);
    if (self->server->one_origin || strcmp(self->method, MHD_HTTP_METHOD_OPTIONS) != 0) return;
    http_answer_header(self, "Access-Control-Allow-Methods", allow);
    http_answer_header(self, "Access-Control-Allow-Headers",
                       "Content-Type, Idempotency-Key, Weft-After, Weft-Wait, traceparent");
    http_answer_header(self, "Access-Control-Max-Age", "86400");
}

static void s_find_route(http_request_t *self) {
    const http_server_t *server = self->server;
    char allow[HTTP_ALLOW_BYTES];
    bool options = strcmp(self->method, MHD_HTTP_METHOD_OPTIONS) == 0;
    if (options && strcmp(self->uri, "*") == 0) {
        s_allow(self, "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        s_decide(self, MHD_HTTP_NO_CONTENT, NULL);
        return;
    }
    switch (http_path_cut(&self->path, self->uri, strlen(self->uri))) {
    case HTTP_PATH_OK: break;
    case HTTP_PATH_DEEP: s_decide(self, MHD_HTTP_NOT_FOUND, "no such path"); return;
    case HTTP_PATH_BAD: s_decide(self, MHD_HTTP_BAD_REQUEST, "path is malformed"); return;
    case HTTP_PATH_NOMEM: s_decide(self, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory"); return;
    }
    switch (http_route_find(server->routes, server->routes_count, self->method, &self->path,
                            &self->route, allow)) {
    case HTTP_ROUTE_FOUND: break;
    case HTTP_ROUTE_NO_PATH: s_decide(self, MHD_HTTP_NOT_FOUND, "no such path"); break;
    case HTTP_ROUTE_NO_METHOD:
        s_allow(self, allow);
        if (options) s_decide(self, MHD_HTTP_NO_CONTENT, NULL);
        s_decide(self, MHD_HTTP_METHOD_NOT_ALLOWED, "method is not allowed on this path");
        break;
    }
}

static uint64_t s_announced_size(const http_request_t *self) {
    uint64_t size = 0;
    const char *text = http_request_header(self, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text && http_text_number(text, 0, UINT64_MAX, &size) ? size : 0;
}

typedef struct {
    const char *value;
    unsigned count;
} s_header_t;

static enum MHD_Result s_on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
    s_header_t *header = arg;
    (void) kind;
    if (strcasecmp(name, HTTP_TRACEPARENT) != 0) return MHD_YES;
    header->value = value;
    header->count++;
    return MHD_YES;
}

/* W3C Trace Context: what is malformed or there twice is as good as none. */
static void s_begin_trace(http_request_t *self) {
    s_header_t header = {0};
    MHD_get_connection_values(self->connection, MHD_HEADER_KIND, s_on_header, &header);
    if (header.count == 1 && header.value && weft_trace_parse(header.value, self->trace))
        weft_trace_next(self->trace);
    else
        weft_trace_begin(self->trace);
}

void http_request_begin(http_request_t *self, const char *method) {
    self->begun = true;
    self->method = method;
    s_begin_trace(self);
    s_find_route(self);
    if (self->route && self->route->body == HTTP_BODY_JSON) {
        if (!http_media_json(http_request_header(self, MHD_HTTP_HEADER_CONTENT_TYPE)))
            s_decide(self, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                     "body must be application/json in UTF-8; say so in Content-Type");
    }
    if (s_announced_size(self) > self->server->body_bytes_max) s_decide_too_large(self);
}

bool http_request_refuse_now(const http_request_t *self) {
    return self->refusal && (http_request_header(self, MHD_HTTP_HEADER_EXPECT) ||
                             s_announced_size(self) > HTTP_DRAIN_BYTES_MAX);
}

/* False: refused. */
static bool s_grow_body(http_request_t *self, size_t size) {
    size_t room = self->body_room ? self->body_room : HTTP_BODY_ROOM_BYTES;
    while (room < self->body_size + size) room *= 2;
    size_t more = s_large(room) - s_large(self->body_room);
    if (more > HTTP_LARGE_BYTES_MAX - self->server->large_bytes) {
        s_free_body(self);
        http_answer_header(self, MHD_HTTP_HEADER_RETRY_AFTER, "1");
        s_decide(self, MHD_HTTP_SERVICE_UNAVAILABLE, "too many large bodies at once");
        return false;
    }
    char *body = realloc(self->body, room);
    if (!body) {
        s_decide(self, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
        return false;
    }
    self->server->large_bytes += more;
    self->body = body;
    self->body_room = room;
    return true;
}

bool http_request_take(http_request_t *self, const char *data, size_t size) {
    self->taken += size;
    if (self->taken > self->server->body_bytes_max) s_decide_too_large(self);
    if (self->taken > HTTP_DRAIN_BYTES_MAX) return false;
    if (self->refusal || !self->route || self->route->body == HTTP_BODY_NONE) return true;
    if (self->body_size + size > self->body_room && !s_grow_body(self, size)) return true;
    memcpy(self->body + self->body_size, data, size);
    self->body_size += size;
    return true;
}

/* False: answered. The text of a JSON error quotes the input, maybe half a character of it, so only
 * the place is told. */
static bool s_parse(http_request_t *self) {
    json_error_t error;
    char message[96];
    if (!http_utf8_valid(self->body, self->body_size, NULL)) {
        http_answer_error(self, MHD_HTTP_BAD_REQUEST, "body is not valid UTF-8", NULL);
        return false;
    }
    self->json = json_loadb(self->body ? self->body : "", self->body_size, JSON_REJECT_DUPLICATES,
                            &error);
    if (!self->json) {
        snprintf(message, sizeof message, "body is not valid JSON (line %d, column %d)", error.line,
                 error.column);
        http_answer_error(self, MHD_HTTP_BAD_REQUEST, message, NULL);
        return false;
    }
    if (!json_is_object(self->json)) {
        http_answer_error(self, MHD_HTTP_BAD_REQUEST, "body must be a JSON object", NULL);
        return false;
    }
    return true;
}

void http_request_refuse(http_request_t *self) {
    self->dispatched = true;
    if (self->refusal_text)
        http_answer_error(self, self->refusal, self->refusal_text, NULL);
    else
        http_answer_empty(self, self->refusal);
}

static void s_refuse_stopping(http_request_t *self) {
    http_answer_header(self, MHD_HTTP_HEADER_CONNECTION, "close");
    http_answer_header(self, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    http_answer_error(self, MHD_HTTP_SERVICE_UNAVAILABLE, "service is stopping", NULL);
}

static void s_handle(http_request_t *self) {
    self->route->fn(self, self->route->arg);
    if (self->status || self->held) return;
    weft_diag(WEFT_DIAG_ERROR, "http.unanswered", "pattern=%s", self->route->pattern);
    http_answer_error(self, MHD_HTTP_INTERNAL_SERVER_ERROR, "no answer", NULL);
}

void http_request_dispatch(http_request_t *self) {
    self->dispatched = true;
    if (self->server->stopping) {
        s_refuse_stopping(self);
        return;
    }
    if (self->refusal) {
        http_request_refuse(self);
        return;
    }
    if (self->route->body == HTTP_BODY_JSON && !s_parse(self)) return;
    const http_server_t *server = self->server;
    if (!server->gate || server->gate(self, server->gate_arg)) s_handle(self);
}

enum MHD_Result http_request_deliver(http_request_t *self) {
    struct MHD_Response *response = self->response;
    if (!response && (self->held || self->queued)) return MHD_YES;
    if (!response) return MHD_NO; /* no memory even for an error */
    self->response = NULL;
    self->queued = true;
    enum MHD_Result rc = MHD_queue_response(self->connection, self->status, response);
    MHD_destroy_response(response);
    if (rc != MHD_YES) self->queued = false;
    return rc; /* taken: with a connection that failed, the request may be gone */
}

void http_request_suspend(http_request_t *self) {
    self->suspended = true;
    MHD_suspend_connection(self->connection);
}

/* The owner of a request may answer it before the turn ends, so only what is still held then is worth two
 * calls of the kernel that take it out of MHD's epoll set and back. */
void http_requests_suspend_held(http_server_t *server) {
    for (http_request_t *at = server->held; at && server->asked; at = at->next_held) {
        if (at->suspended) continue;
        http_request_suspend(at);
        server->asked--;
    }
}

void http_request_resume(http_request_t *self) {
    if (!self->suspended) return;
    self->suspended = false;
    MHD_resume_connection(self->connection);
    http_server_wake(self->server);
}

/* ---------------------------------------------------------------------------------------------- */
/* What was asked */

const char *http_request_method(const http_request_t *request) {
    return request->method;
}

const char *http_request_path(const http_request_t *request) {
    return request->uri;
}

const char *http_request_param(const http_request_t *request, const char *name) {
    return http_pattern_param(request->route->pattern, &request->path, name);
}

const char *http_request_query_text(const http_request_t *request) {
    return request->query;
}

http_query_t http_request_query(const http_request_t *request, const char *name, char *value,
                                size_t value_size) {
    return http_query_find(request->query, name, value, value_size);
}

const char *http_request_header(const http_request_t *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct counted {
    const char *name;
    unsigned count;
};

static enum MHD_Result s_count(void *arg, enum MHD_ValueKind kind, const char *name,
                               const char *value) {
    struct counted *counted = arg;
    (void) kind;
    (void) value;
    if (strcasecmp(name, counted->name) == 0) counted->count++;
    return MHD_YES;
}

unsigned http_request_header_count(const http_request_t *request, const char *name) {
    struct counted counted = {.name = name};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, s_count, &counted);
    return counted.count;
}

json_t *http_request_json(const http_request_t *request) {
    return request->json;
}

const void *http_request_body(const http_request_t *request, size_t *size) {
    *size = request->body_size;
    return request->body;
}

const uint8_t *http_request_trace(const http_request_t *request) {
    return request->trace;
}

void http_request_quiet(http_request_t *request) {
    request->quiet = true;
}

/* ---------------------------------------------------------------------------------------------- */
/* Holding */

void http_request_hold(http_request_t *request, http_cancel_fn cancel, void *arg) {
    request->held = true;
    request->cancel = cancel;
    request->cancel_arg = arg;
    request->next_held = request->server->held;
    request->server->held = request;
    if (!request->suspended) request->server->asked++;
}

void http_request_go_on(http_request_t *request) {
    s_unlink_held(request);
    s_handle(request);
}

void http_request_cancel(http_request_t *self) {
    self->cancel(self, self->cancel_arg);
    s_refuse_stopping(self);
}

weft_err_t http_request_mark(http_request_t *request, const char *mark) {
    char *copy = strdup(mark);
    if (!copy) return WEFT_E_NOMEM;
    free(request->mark);
    request->mark = copy;
    return WEFT_OK;
}

bool http_request_mark_held(const http_request_t *request) {
    const http_request_t *at = request->server->held;
    for (; at; at = at->next_held)
        if (at != request && at->mark && request->mark && strcmp(at->mark, request->mark) == 0)
            return true;
    return false;
}

/* ---------------------------------------------------------------------------------------------- */
/* Answers */

void http_answer_header(http_request_t *request, const char *name, const char *value) {
    char *copy = request->headers_count < HTTP_HEADERS_MAX ? strdup(value) : NULL;
    if (!copy) {
        weft_diag(WEFT_DIAG_WARN, "http.header.lost", "name=%s", name);
        return;
    }
    request->headers[request->headers_count].name = name;
    request->headers[request->headers_count++].value = copy;
}

static bool s_has_header(const http_request_t *self, const char *name) {
    for (size_t i = 0; i < self->headers_count; i++)
        if (strcmp(self->headers[i].name, name) == 0) return true;
    return false;
}

bool http_request_add_headers(http_request_t *self, struct MHD_Response *response, bool body) {
    static const char *const usual[][2] = {
        {"Access-Control-Allow-Origin", "*"},
        {"Access-Control-Expose-Headers",
         "Idempotency-Replayed, Link, Location, Retry-After, Weft-After, Weft-Parked, Weft-View, "
         "traceparent"},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Type", "application/json; charset=utf-8"},
    };
    char trace[WEFT_TRACE_TEXT_BYTES];
    weft_trace_text(self->trace, trace);
    if (MHD_add_response_header(response, HTTP_TRACEPARENT, trace) != MHD_YES) return false;
    size_t first = self->server->one_origin ? 2 : 0, end = sizeof usual / sizeof usual[0] - !body;
    for (size_t i = first; i < end; i++)
        if (!s_has_header(self, usual[i][0]) &&
            MHD_add_response_header(response, usual[i][0], usual[i][1]) != MHD_YES)
            return false;
    for (size_t i = 0; i < self->headers_count; i++)
        if (MHD_add_response_header(response, self->headers[i].name, self->headers[i].value) !=
            MHD_YES)
            return false;
    return true;
}

void http_request_answered(http_request_t *self, unsigned status, struct MHD_Response *response) {
    self->response = response;
    self->status = status;
    s_unlink_held(self);
    http_request_resume(self);
}

/* data is taken if how says so. A suspended connection is woken and delivers when MHD comes to it
 * again. */
static void s_answer(http_request_t *self, unsigned status, void *data, size_t size,
                     enum MHD_ResponseMemoryMode how) {
    struct MHD_Response *response = MHD_create_response_from_buffer(size, data, how);
    if (!response) {
        if (how == MHD_RESPMEM_MUST_FREE) free(data);
    } else if (!http_request_add_headers(self, response, size > 0)) {
        MHD_destroy_response(response);
        response = NULL;
    }
    self->answer_size = size;
    bool asked = self->held && !self->suspended;
    http_request_answered(self, status, response);
    if (asked && response) (void) http_request_deliver(self); /* saves MHD a round of questions */
}

void http_answer_empty(http_request_t *request, unsigned status) {
    s_answer(request, status, NULL, 0, MHD_RESPMEM_PERSISTENT);
}

void http_answer_text(http_request_t *request, unsigned status, char *text) {
    if (!text) {
        http_answer_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", NULL);
        return;
    }
    s_answer(request, status, text, strlen(text), MHD_RESPMEM_MUST_FREE);
}

void http_answer_data(http_request_t *request, unsigned status, const char *kind, const void *data,
                      size_t size) {
    void *borrowed; /* libmicrohttpd takes it without const, and only reads it */
    memcpy(&borrowed, &data, sizeof borrowed);
    http_answer_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, kind);
    s_answer(request, status, borrowed, size, MHD_RESPMEM_PERSISTENT);
}

void http_answer_json(http_request_t *request, unsigned status, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    http_answer_text(request, status, text);
}

void http_answer_error(http_request_t *request, unsigned status, const char *message,
                       const char *field) {
    json_t *json = field
                       ? json_pack("{s:[{s:s,s:s}]}", "errors", "message", message, "field", field)
                       : json_pack("{s:[{s:s}]}", "errors", "message", message);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text) text = strdup("{\"errors\":[{\"message\":\"out of memory\"}]}");
    s_answer(request, status, text, text ? strlen(text) : 0, MHD_RESPMEM_MUST_FREE);
}
