/* bridge_hook_parked: what a receiver has refused for good: putting it aside, and sending it once more. */
#include "bridge_hook_parked.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <http_text.h>

struct bridge_hook_parked {
    bridge_hook_env_t env;
    const char *name;
    char *url;
    unsigned timeout_ms;
    http_call_t *call; /* NULL: nothing is under way */
    uint64_t position; /* of what is under way; the next is looked for after it */
    char *body;
    json_t *headers; /* array of texts */
    unsigned attempts;
};

http_flow_t bridge_hook_on_part(http_call_t *call, const void *data, size_t size, void *arg) {
    (void) call;
    (void) data;
    (void) size;
    (void) arg;
    return HTTP_GO;
}

/* It becomes a text of JSON, and what is cut may end within a character. */
static void s_make_valid(char *text) {
    if (http_utf8_valid(text, strlen(text), NULL)) return;
    for (; *text; text++)
        if ((unsigned char) *text >= 0x80) *text = '?';
}

bridge_outcome_t bridge_hook_outcome(const http_result_t *result, char *error) {
    unsigned status = result->status;
    if (result->end == HTTP_END_ANSWERED && status >= 200 && status < 300) return BRIDGE_TAKEN;
    if (result->end == HTTP_END_ANSWERED)
        snprintf(error, BRIDGE_HOOK_REASON_BYTES, "status %u", status);
    else
        snprintf(error, BRIDGE_HOOK_REASON_BYTES, "%s: %s", http_end_name(result->end),
                 result->reason);
    s_make_valid(error);
    if (result->end == HTTP_END_CONNECT || (result->end == HTTP_END_TIMEOUT && !result->connected))
        return BRIDGE_AWAY;
    bool busy = status == 429 || (status >= 502 && status <= 504);
    return result->end == HTTP_END_ANSWERED && busy ? BRIDGE_AWAY : BRIDGE_REFUSED;
}

/* ---- putting aside */

typedef struct {
    sqlite3 *db;
    bridge_parked_t row;
} parking_t;

static weft_err_t s_park(weft_tx_t *tx, void *arg) {
    const parking_t *parking = arg;
    (void) tx;
    return bridge_hook_store_park(parking->db, &parking->row);
}

static char *s_headers(const bridge_hook_body_t *body) {
    json_t *list = json_array();
    for (size_t i = 0; i < body->headers_count; i++)
        json_array_append_new(list, json_string(body->headers[i]));
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

weft_err_t bridge_hook_park(const bridge_hook_env_t *env, const char *hook,
                            const weft_event_t *event, const bridge_hook_body_t *body,
                            unsigned attempts, const char *error) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char *headers = s_headers(body);
    parking_t parking = {.db = env->db,
                         .row = {.hook = hook,
                                 .position = event->position.value,
                                 .type = event->type,
                                 .subject = event->subject,
                                 .headers = headers,
                                 .body = body->text ? body->text : "",
                                 .body_size = body->size,
                                 .attempts = attempts,
                                 .error = error,
                                 .parked_us = (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000}};
    weft_err_t rc = headers ? WEFT_OK : WEFT_E_NOMEM;
    if (rc == WEFT_OK && bridge_hook_store_parked_count(env->db, hook) >= BRIDGE_HOOK_PARKED_MAX)
        rc = WEFT_E_FULL;
    if (rc == WEFT_OK) rc = weft_service_transaction(env->service, s_park, &parking);
    weft_diag(WEFT_DIAG_ERROR, "hook.parked",
              "hook=%s position=%" PRIu64
              " type=%s subject=\"%s\" attempts=%u reason=\"%s\" error=%s",
              hook, event->position.value, event->type, event->subject, attempts, error,
              weft_err_name(rc));
    free(headers);
    return rc;
}

/* ---- once more */

static void s_next(bridge_hook_parked_t *self);

static void s_clear(bridge_hook_parked_t *self) {
    json_decref(self->headers);
    free(self->body);
    self->headers = NULL;
    self->body = NULL;
}

static weft_err_t s_forget(weft_tx_t *tx, void *arg) {
    const bridge_hook_parked_t *self = arg;
    uint64_t count;
    (void) tx;
    return bridge_hook_store_unpark(self->env.db, self->name, self->position, &count);
}

static void s_on_done(http_call_t *call, const http_result_t *result, void *arg) {
    bridge_hook_parked_t *self = arg;
    char error[BRIDGE_HOOK_REASON_BYTES] = "";
    bool taken = bridge_hook_outcome(result, error) == BRIDGE_TAKEN;
    (void) call;
    self->call = NULL;
    s_clear(self);
    weft_diag(taken ? WEFT_DIAG_INFO : WEFT_DIAG_WARN, "hook.retry",
              "hook=%s position=%" PRIu64 " taken=%d reason=\"%s\"", self->name, self->position,
              taken, error);
    if (taken && weft_service_transaction(self->env.service, s_forget, self) == WEFT_OK)
        s_next(self);
}

static void s_found(const bridge_parked_t *row, void *arg) {
    bridge_hook_parked_t *self = arg;
    self->position = row->position;
    self->headers = json_loads(row->headers, 0, NULL);
    self->body = row->body_size ? strndup(row->body, row->body_size) : strdup("");
}

static void s_send(bridge_hook_parked_t *self) {
    const char *headers[BRIDGE_HOOK_HEADERS_MAX];
    size_t count = json_array_size(self->headers);
    if (count > BRIDGE_HOOK_HEADERS_MAX) count = BRIDGE_HOOK_HEADERS_MAX;
    for (size_t i = 0; i < count; i++)
        headers[i] = json_string_value(json_array_get(self->headers, i));
    http_call_config_t config = {.method = "POST",
                                 .url = self->url,
                                 .headers = headers,
                                 .headers_count = count,
                                 .body = self->body,
                                 .body_size = strlen(self->body),
                                 .timeout_ms = self->timeout_ms,
                                 .on_part = bridge_hook_on_part,
                                 .on_done = s_on_done,
                                 .arg = self};
    weft_err_t rc = http_client_call(self->env.client, &config, &self->call);
    if (rc == WEFT_OK) return;
    weft_diag(WEFT_DIAG_WARN, "hook.retry", "hook=%s position=%" PRIu64 " error=%s", self->name,
              self->position, weft_err_name(rc));
    s_clear(self);
}

/* What was parked because it has no JSON form has no body, and is passed over. */
static void s_next(bridge_hook_parked_t *self) {
    do {
        s_clear(self);
        (void) bridge_hook_store_parked(self->env.db, self->name, self->position, 1, s_found, self);
    } while (self->body && !*self->body);
    if (self->body) s_send(self);
}

void bridge_hook_parked_retry(bridge_hook_parked_t *self, const char *url, unsigned timeout_ms) {
    char *copy = self->call ? NULL : strdup(url);
    if (!copy) return; /* under way already */
    free(self->url);
    self->url = copy;
    self->timeout_ms = timeout_ms;
    self->position = 0;
    s_next(self);
}

weft_err_t bridge_hook_parked_new(bridge_hook_parked_t **out, const bridge_hook_env_t *env,
                                  const char *name) {
    bridge_hook_parked_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->env = *env;
    self->name = name;
    *out = self;
    return WEFT_OK;
}

void bridge_hook_parked_destroy(bridge_hook_parked_t **self_p) {
    bridge_hook_parked_t *self = *self_p;
    if (!self) return;
    http_call_cancel(&self->call);
    s_clear(self);
    free(self->url);
    free(self);
    *self_p = NULL;
}
