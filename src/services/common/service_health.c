/* service_health: see service_health.h. */
#include "service_health.h"

#include <sqlite3.h>

#define WATCH_FILTER "weft.none"

static weft_err_t s_ignore(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    (void) tx;
    (void) event;
    (void) arg;
    return WEFT_OK;
}

weft_err_t service_health_watch(weft_service_t *service) {
    return weft_service_on(service, WATCH_FILTER, s_ignore, NULL);
}

static json_t *s_bus(const weft_service_info_t *info) {
    uint64_t position = info->sub.position.value, head = info->sub.head.value;
    json_t *bus = json_pack("{s:b,s:b,s:I,s:I,s:I}", "reachable", info->sub.connected, "live",
                            info->sub.connected && info->sub.live, "position",
                            (json_int_t) position, "head", (json_int_t) head, "behind",
                            (json_int_t) (head > position ? head - position : 0));
    weft_err_t stopped = info->sub.stopped != WEFT_OK ? info->sub.stopped : info->publisher;
    if (bus && stopped != WEFT_OK)
        json_object_set_new(bus, "stopped", json_string(weft_err_name(stopped)));
    return bus;
}

json_t *service_health_json(weft_service_t *service, http_server_t *http, unsigned *status) {
    weft_service_info_t info;
    bool open = sqlite3_exec(weft_service_db(service), "SELECT count(*) FROM sqlite_schema", NULL,
                             NULL, NULL) == SQLITE_OK;
    weft_service_info(service, &info);
    *status = open ? 200 : 503;
    json_t *json = json_pack("{s:b,s:s,s:o,s:{s:I,s:I},s:I,s:I,s:I}", "ready", open, "database",
                             open ? "open" : "failed", "bus", s_bus(&info), "applied", "catchUp",
                             (json_int_t) info.applied_catch_up, "live",
                             (json_int_t) info.applied_live, "outbox", (json_int_t) info.outbox,
                             "parked", (json_int_t) info.parked, "held",
                             (json_int_t) http_server_held(http));
    if (json && info.trouble != WEFT_OK)
        json_object_set_new(json, "trouble", json_string(weft_err_name(info.trouble)));
    return json;
}

void service_health_alive(http_request_t *request) {
    http_request_quiet(request);
    http_answer_json(request, 200, json_pack("{s:b}", "alive", 1));
}

void service_health_metrics(http_request_t *request, weft_service_t *service) {
    char *text = NULL;
    http_request_quiet(request);
    if (weft_service_metrics(service, &text) == WEFT_OK)
        http_answer_header(request, "Content-Type", WEFT_METRICS_TYPE);
    http_answer_text(request, 200, text); /* NULL becomes a 500 */
}

void service_health_ready(http_request_t *request, weft_service_t *service, http_server_t *http) {
    unsigned status;
    json_t *json = service_health_json(service, http, &status);
    http_request_quiet(request);
    http_answer_json(request, status, json);
}
