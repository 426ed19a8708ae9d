/* bridge_hooks_http: hooks over HTTP: listed, set, removed; what they have parked. */
#include "bridge_hooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <http_text.h>

#define PARKED_LIMIT 100u
#define PARKED_LIMIT_MAX 1000u

static void s_failed(http_request_t *request, weft_err_t rc, const char *field,
                     const char *reason) {
    if (rc == WEFT_E_ARG)
        http_answer_error(request, 400, reason, field);
    else if (rc == WEFT_E_FULL)
        http_answer_error(request, 507, "too many hooks, or the disk is full", NULL);
    else
        http_answer_error(request, 500, weft_err_text(rc), NULL);
}

/* The hook of the path, or NULL and an answer. */
static bridge_hook_t *s_hook(http_request_t *request, const bridge_hooks_t *self) {
    bridge_hook_t *hook = bridge_hooks_find(self, http_request_param(request, "name"));
    if (!hook) http_answer_error(request, 404, "no such hook", NULL);
    return hook;
}

static void s_list(http_request_t *request, void *arg) {
    const bridge_hooks_t *self = arg;
    json_t *list = json_array();
    for (size_t i = 0; i < bridge_hooks_count(self); i++)
        json_array_append_new(list, bridge_hook_json(bridge_hooks_at(self, i)));
    http_answer_json(request, 200, list);
}

static void s_get(http_request_t *request, void *arg) {
    const bridge_hook_t *hook = s_hook(request, arg);
    if (hook) http_answer_json(request, 200, bridge_hook_json(hook));
}

static void s_put(http_request_t *request, void *arg) {
    bridge_hooks_t *self = arg;
    const char *name = http_request_param(request, "name"), *field;
    char reason[BRIDGE_HOOK_REASON_BYTES];
    bool created = false;
    if (!bridge_hook_name_ok(name)) {
        http_answer_error(request, 400, "a name is 1 to 64 of A-Z a-z 0-9 _ - .", NULL);
        return;
    }
    weft_err_t rc = bridge_hooks_put(self, name, http_request_json(request), true, &created, &field,
                                     reason);
    if (rc == WEFT_OK)
        http_answer_json(request, created ? 201 : 200,
                         bridge_hook_json(bridge_hooks_find(self, name)));
    else
        s_failed(request, rc, field, reason);
}

static void s_delete(http_request_t *request, void *arg) {
    const bridge_hook_t *hook = s_hook(request, arg);
    if (!hook) return;
    weft_err_t rc = bridge_hooks_remove(arg, http_request_param(request, "name"));
    if (rc == WEFT_OK)
        http_answer_empty(request, 204);
    else
        s_failed(request, rc, NULL, "");
}

static void s_retry(http_request_t *request, void *arg) {
    bridge_hook_t *hook = s_hook(request, arg);
    if (!hook) return;
    bridge_hook_retry(hook);
    http_answer_json(request, 202, bridge_hook_json(hook));
}

/* ---- parked */

static bool s_number(http_request_t *request, const char *name, uint64_t most, uint64_t *out) {
    char text[24];
    http_query_t found = http_request_query(request, name, text, sizeof text);
    if (found == HTTP_QUERY_ABSENT) return true;
    if (found == HTTP_QUERY_OK && http_text_number(text, 0, most, out)) return true;
    snprintf(text, sizeof text, "%s", name);
    http_answer_error(request, 400, "must be a number", text);
    return false;
}

static void s_add_parked(const bridge_parked_t *row, void *arg) {
    char text[48];
    time_t seconds = (time_t) (row->parked_us / 1000000);
    struct tm parts;
    json_error_t error;
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    json_t *body = json_loadb(row->body, row->body_size, JSON_DECODE_ANY, &error);
    json_array_append_new(
        arg, json_pack("{s:I,s:s,s:s,s:i,s:s,s:s,s:o}", "position", (json_int_t) row->position,
                       "type", row->type, "subject", row->subject, "attempts", (int) row->attempts,
                       "error", row->error, "parked", text, "body", body ? body : json_null()));
}

static void s_parked(http_request_t *request, void *arg) {
    const bridge_hook_t *hook = s_hook(request, arg);
    uint64_t after = 0, limit = PARKED_LIMIT;
    if (!hook || !s_number(request, "after", INT64_MAX, &after) ||
        !s_number(request, "limit", PARKED_LIMIT_MAX, &limit))
        return;
    json_t *list = json_array();
    weft_err_t rc = bridge_hook_store_parked(bridge_hooks_bridge(arg)->db, bridge_hook_name(hook),
                                             after, (unsigned) limit, s_add_parked, list);
    if (rc == WEFT_OK) {
        http_answer_json(request, 200, list);
        return;
    }
    json_decref(list);
    s_failed(request, rc, NULL, "");
}

static void s_drop(http_request_t *request, void *arg) {
    const bridge_hook_t *hook = s_hook(request, arg);
    uint64_t position = 0, count = 0;
    if (!hook || !s_number(request, "position", INT64_MAX, &position)) return;
    weft_err_t rc = bridge_hooks_unpark(arg, bridge_hook_name(hook), position, &count);
    if (rc == WEFT_OK)
        http_answer_json(request, 200, json_pack("{s:I}", "dropped", (json_int_t) count));
    else
        s_failed(request, rc, NULL, "");
}

void bridge_hooks_routes(bridge_hooks_t *self) {
    bridge_t *bridge = bridge_hooks_bridge(self);
    bridge_route(bridge, "GET", "/hooks", HTTP_BODY_NONE, s_list, self);
    bridge_route(bridge, "GET", "/hooks/:name", HTTP_BODY_NONE, s_get, self);
    bridge_route(bridge, "PUT", "/hooks/:name", HTTP_BODY_JSON, s_put, self);
    bridge_route(bridge, "DELETE", "/hooks/:name", HTTP_BODY_NONE, s_delete, self);
    bridge_route(bridge, "POST", "/hooks/:name/retry", HTTP_BODY_NONE, s_retry, self);
    bridge_route(bridge, "GET", "/hooks/:name/parked", HTTP_BODY_NONE, s_parked, self);
    bridge_route(bridge, "DELETE", "/hooks/:name/parked", HTTP_BODY_NONE, s_drop, self);
}
