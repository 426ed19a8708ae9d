/* service_after: see service_after.h. A held request waits for one event after the other: all of them
 * have to be there, and they share the time. */
#include "service_after.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "after_header.h"

typedef struct {
    weft_service_t *service;
    http_request_t *request;
    weft_after_t tokens[AFTER_TOKENS_MAX];
    size_t count, next;
    int64_t end_ms;
    uint64_t wait_id; /* 0: none under way */
    weft_waited_t waited;
    uint64_t parked;
} after_t;

typedef enum { PASSED, HELD, REFUSED } outcome_t;

static int64_t s_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what comes of it */

static void s_message(char *out, size_t size, const weft_waited_t *waited) {
    uint64_t target = waited->target.value, applied = waited->applied.value;
    switch (waited->rc) {
    case WEFT_E_TIMEOUT:
        snprintf(out, size, "not there yet: behind by %llu events",
                 (unsigned long long) (target > applied ? target - applied : 0));
        return;
    case WEFT_E_NOT_FOUND: snprintf(out, size, "the bus does not have this event yet"); return;
    case WEFT_E_UNREACHABLE: snprintf(out, size, "the bus is away: it cannot be said"); return;
    case WEFT_E_FULL: snprintf(out, size, "too many requests wait"); return;
    default:
        snprintf(out, size, "no more events are read here: %s", weft_err_text(waited->rc));
        return;
    }
}

static void s_refuse(http_request_t *request, const weft_waited_t *waited) {
    char message[256];
    uint64_t target = waited->target.value, applied = waited->applied.value;
    s_message(message, sizeof message, waited);
    http_answer_header(request, "Retry-After", "1");
    json_t *target_json = target ? json_integer((json_int_t) target) : json_null();
    json_t *behind = target ? json_integer((json_int_t) (target > applied ? target - applied : 0))
                            : json_null();
    http_answer_json(request, 503,
                     json_pack("{s:[{s:s,s:s}],s:{s:s,s:I,s:o,s:o}}", "errors", "message", message,
                               "field", AFTER_HEADER, "wait", "reason", weft_err_name(waited->rc),
                               "applied", (json_int_t) applied, "target", target_json, "behind",
                               behind));
}

static void s_tell_parked(const after_t *self) {
    char text[24];
    if (!self->parked) return;
    snprintf(text, sizeof text, "%llu", (unsigned long long) self->parked);
    http_answer_header(self->request, "Weft-Parked", text);
}

/* ---- waiting */

static void s_on_waited(const weft_waited_t *waited, void *arg);

static outcome_t s_go_through(after_t *self) {
    for (; self->next < self->count; self->next++) {
        int64_t left_ms = self->end_ms - s_now_ms();
        weft_err_t rc = weft_service_wait(self->service, &self->tokens[self->next],
                                          left_ms > 0 ? (unsigned) left_ms : 0, s_on_waited, self,
                                          &self->wait_id);
        if (rc == WEFT_OK && self->wait_id) return HELD;
        if (rc != WEFT_OK) self->waited = (weft_waited_t){.rc = rc};
        if (self->waited.rc == WEFT_OK) continue;
        s_refuse(self->request, &self->waited);
        return REFUSED;
    }
    s_tell_parked(self);
    return PASSED;
}

static void s_on_waited(const weft_waited_t *waited, void *arg) {
    after_t *self = arg;
    http_request_t *request = self->request;
    outcome_t outcome = REFUSED;
    self->waited = *waited;
    if (waited->parked > self->parked) self->parked = waited->parked;
    if (!self->wait_id) return; /* s_go_through has asked just now and goes on */
    self->wait_id = 0;
    if (waited->rc == WEFT_OK) {
        self->next++;
        outcome = s_go_through(self);
    } else {
        s_refuse(request, waited);
    }
    if (outcome == HELD) return;
    free(self);
    if (outcome == PASSED) http_request_go_on(request);
}

/* The client has left, or the server stops. */
static void s_on_cancel(http_request_t *request, void *arg) {
    after_t *self = arg;
    (void) request;
    weft_service_wait_end(self->service, self->wait_id);
    free(self);
}

static bool s_reads(const http_request_t *request) {
    const char *method = http_request_method(request);
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* False: answered with 400. */
static bool s_parse(after_t *self) {
    http_request_t *request = self->request;
    const char *reason = "must be sent once, with commas between events", *field = AFTER_HEADER;
    unsigned wait_ms = 0;
    bool ok = http_request_header_count(request, AFTER_HEADER) == 1 &&
              after_header_tokens(http_request_header(request, AFTER_HEADER), self->tokens,
                                  &self->count, &reason);
    if (ok) {
        field = AFTER_WAIT_HEADER;
        ok = after_header_wait(http_request_header(request, AFTER_WAIT_HEADER), &wait_ms, &reason);
    }
    if (!ok) http_answer_error(request, 400, reason, field);
    self->end_ms = s_now_ms() + wait_ms;
    return ok;
}

static bool s_gate(http_request_t *request, void *arg) {
    if (!s_reads(request) || !http_request_header(request, AFTER_HEADER)) return true;
    after_t *self = calloc(1, sizeof *self);
    if (!self) {
        http_answer_error(request, 500, "out of memory", NULL);
        return false;
    }
    self->service = arg;
    self->request = request;
    outcome_t outcome = s_parse(self) ? s_go_through(self) : REFUSED;
    if (outcome == HELD)
        http_request_hold(request, s_on_cancel, self);
    else
        free(self);
    return outcome == PASSED;
}

/* ---- the outside */

void service_after_gate(http_server_t *server, weft_service_t *service) {
    http_server_gate(server, s_gate, service);
}

void service_after_answer(http_request_t *request, const weft_service_t *service) {
    char text[WEFT_AFTER_BYTES];
    weft_after_t written;
    weft_service_written(service, &written);
    if (!written.sequence.value) return;
    weft_after_text(text, &written);
    http_answer_header(request, AFTER_HEADER, text);
}
