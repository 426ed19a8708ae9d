/* weft_bus_http: see weft_bus_http.h. */
#include "weft_bus_http.h"

#include "weft_bus_health.h"
#include "weft_bus_metrics.h"
#include "weft_metrics.h"
#include "weft_net.h"
#include "weft_os.h"

#include <http_thread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NICE 10
/* Who asks more often gets the same text again: a read of the store that stands in the way of a checkpoint
 * stays rare, however many ask. */
#define TEXT_MS 200
#define ROUTES 3u

struct weft_bus_http {
    weft_bus_t *bus;
    weft_bus_metrics_t *metrics;
    http_thread_t *thread;
    weft_buf_t text; /* of /metrics; empty: none yet */
    int64_t text_ms; /* when it was made */
    http_route_t routes[ROUTES];
};

static void s_metrics(http_request_t *request, void *arg) {
    weft_bus_http_t *self = arg;
    int64_t now_ms = weft_os_monotonic_ms();
    http_request_quiet(request);
    if (!self->text.size || !weft_buf_ok(&self->text) || now_ms - self->text_ms >= TEXT_MS) {
        weft_buf_clear(&self->text);
        weft_bus_metrics_put(self->metrics, &self->text);
        weft_buf_append(&self->text, "", 1);
        self->text_ms = now_ms;
    }
    char *copy = weft_buf_ok(&self->text) ? strdup((const char *) self->text.data) : NULL;
    if (copy) http_answer_header(request, "Content-Type", WEFT_METRICS_TYPE);
    http_answer_text(request, 200, copy); /* NULL becomes a 500 */
}

/* A loop that stands still is what a restart is for; a full disk is not. */
static void s_healthz(http_request_t *request, void *arg) {
    weft_bus_http_t *self = arg;
    const char *stuck = weft_bus_stuck(weft_bus_stats(self->bus), weft_os_monotonic_ms());
    http_request_quiet(request);
    if (stuck)
        http_answer_json(request, 503, json_pack("{s:b,s:s}", "alive", 0, "stuck", stuck));
    else
        http_answer_json(request, 200, json_pack("{s:b}", "alive", 1));
}

static void s_readyz(http_request_t *request, void *arg) {
    weft_bus_http_t *self = arg;
    const weft_bus_stats_t *stats = weft_bus_stats(self->bus);
    char text[WEFT_TROUBLE_BYTES];
    const char *stuck = weft_bus_stuck(stats, weft_os_monotonic_ms());
    const char *reason = weft_bus_trouble_text(stats, text);
    http_request_quiet(request);
    if (stuck) {
        snprintf(text, sizeof text, "the %s loop stands still", stuck);
        reason = text;
    }
    http_answer_json(request, *reason ? 503 : 200,
                     json_pack("{s:b,s:s,s:I,s:I}", "ready", !*reason, "reason", reason, "head",
                               (json_int_t) weft_bus_stat(&stats->head), "first",
                               (json_int_t) weft_bus_stat(&stats->first)));
}

weft_err_t weft_bus_http_check(const char *listen, bool bind_any, char *reason, size_t size) {
    char endpoint[WEFT_ENDPOINT_BYTES], host[WEFT_ENDPOINT_BYTES];
    uint16_t port;
    if (!http_listen_parse(listen, host, sizeof host, &port)) {
        snprintf(reason, size, "--http is HOST:PORT, not \"%.200s\"", listen);
        return WEFT_E_ARG;
    }
    snprintf(endpoint, sizeof endpoint, "tcp://%.200s", listen);
    if (!bind_any && !weft_endpoint_local(endpoint)) {
        snprintf(
            reason, size,
            "--http \"%.200s\" can be reached from other machines: add --bind-any if that is meant",
            listen);
        return WEFT_E_ARG;
    }
    return WEFT_OK;
}

weft_err_t weft_bus_http_new(weft_bus_http_t **out, weft_bus_t *bus, const char *listen) {
    weft_bus_http_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->bus = bus;
    self->routes[0] = (http_route_t){"GET", "/metrics", HTTP_BODY_NONE, s_metrics, self};
    self->routes[1] = (http_route_t){"GET", "/healthz", HTTP_BODY_NONE, s_healthz, self};
    self->routes[2] = (http_route_t){"GET", "/readyz", HTTP_BODY_NONE, s_readyz, self};
    weft_err_t rc = weft_bus_metrics_new(&self->metrics, bus);
    if (rc == WEFT_OK) rc = http_thread_new(&self->thread, listen, self->routes, ROUTES, NICE);
    if (rc == WEFT_OK)
        *out = self;
    else
        weft_bus_http_destroy(&self);
    return rc;
}

const char *weft_bus_http_address(const weft_bus_http_t *self) {
    return http_thread_address(self->thread);
}

void weft_bus_http_destroy(weft_bus_http_t **self_p) {
    weft_bus_http_t *self = *self_p;
    if (!self) return;
    http_thread_destroy(&self->thread);
    weft_bus_metrics_destroy(&self->metrics);
    weft_buf_free(&self->text);
    free(self);
    *self_p = NULL;
}
