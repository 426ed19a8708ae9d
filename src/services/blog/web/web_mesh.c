/* web_mesh: see web_mesh.h. */
#include "web_mesh.h"

#include <http_stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web_state.h"
#include "web_watch.h"
#include "web_worker.h"

#define TICK_MS 250u
#define STATUS_MS 1000 /* for the bus to answer */
#define VIEWERS_MAX 64u
#define LAST_IN_FLOW 12u
#define HISTORY 1000u          /* events before now that a first viewer finds */
#define WAITING_MAX (1u << 20) /* bytes for one viewer: room for the largest state */

typedef struct viewer {
    web_mesh_t *mesh;
    http_stream_t *out;
    struct viewer *next;
} viewer_t;

struct web_mesh {
    weft_service_t *service;
    web_worker_t *worker;
    web_watch_t *watch;
    viewer_t *viewers; /* list */
    size_t viewers_count;
    bool timer;
    int timer_id;
    bool asking; /* the status is being asked for */
    weft_err_t status_rc;
    char *status; /* the worker's while asking */
    char *state;  /* as last told; NULL: not known yet */
};

/* ---------------------------------------------------------------------------------------------- */
/* Telling. A viewer with something waiting misses this one. */

static void s_tell(const web_mesh_t *self, const char *name, const char *text) {
    for (viewer_t *at = self->viewers; text && at; at = at->next)
        if (http_stream_waiting(at->out) == 0) http_sse_send(at->out, NULL, name, text);
}

static void s_tell_json(const web_mesh_t *self, const char *name, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    s_tell(self, name, text);
    free(text);
}

/* ---------------------------------------------------------------------------------------------- */
/* Status */

static void s_ask(void *arg) {
    web_mesh_t *self = arg;
    self->status_rc = weft_bus_status(weft_service_bus(self->service), STATUS_MS, &self->status);
}

static void s_on_status(void *arg, bool worked) {
    web_mesh_t *self = arg;
    uint64_t first = 0, head = 0;
    char *text = NULL;
    self->asking = false;
    if (worked && self->status_rc == WEFT_OK) {
        text = web_state_text(self->status, &first, &head);
        free(self->status);
    } else if (worked) {
        json_t *away = json_pack("{s:s,s:s}", "bus", "away", "reason",
                                 weft_err_text(self->status_rc));
        text = away ? json_dumps(away, JSON_COMPACT) : NULL;
        json_decref(away);
    }
    self->status = NULL;
    if (!text) return;
    free(self->state);
    self->state = text;
    if (!self->viewers) return;
    s_tell(self, "state", text);
    if (head) {
        uint64_t from = head > HISTORY ? head - HISTORY : 0;
        web_watch_open(self->watch, (weft_position_t){from > first ? from : first});
    }
}

static void s_on_tick(void *arg) {
    web_mesh_t *self = arg;
    s_tell_json(self, "flow", web_watch_take(self->watch, LAST_IN_FLOW));
    if (!self->asking) self->asking = web_worker_run(self->worker, s_ask, s_on_status, self);
}

/* ---------------------------------------------------------------------------------------------- */
/* Viewers */

static void s_on_over(http_stream_t *stream, http_stream_over_t why, void *arg) {
    (void) stream;
    (void) why;
    viewer_t *viewer = arg;
    web_mesh_t *self = viewer->mesh;
    viewer_t **at = &self->viewers;
    while (*at != viewer) at = &(*at)->next;
    *at = viewer->next;
    free(viewer);
    if (--self->viewers_count) return;
    if (self->timer) weft_service_timer_end(self->service, self->timer_id);
    self->timer = false;
    web_watch_close(self->watch);
}

static void s_greet(web_mesh_t *self, viewer_t *viewer) {
    json_t *known = web_watch_all(self->watch);
    char *text = known ? json_dumps(known, JSON_COMPACT) : NULL;
    json_decref(known);
    if (text) http_sse_send(viewer->out, NULL, "known", text);
    free(text);
    if (self->viewers_count > 1 && self->state)
        http_sse_send(viewer->out, NULL, "state", self->state);
}

void web_mesh_stream(http_request_t *request, void *arg) {
    const blog_app_t *app = arg;
    web_mesh_t *self = ((web_t *) app->state)->mesh;
    if (self->viewers_count == VIEWERS_MAX) {
        http_answer_header(request, "Retry-After", "5");
        http_answer_error(request, 503, "too many pages look at the mesh", NULL);
        return;
    }
    viewer_t *viewer = calloc(1, sizeof *viewer);
    if (!viewer) {
        http_answer_error(request, 500, "out of memory", NULL);
        return;
    }
    const http_stream_config_t config = {
        .waiting_max = WAITING_MAX, .over = s_on_over, .arg = viewer};
    *viewer = (viewer_t){.mesh = self, .out = http_sse_begin(request, &config)};
    if (!viewer->out) {
        free(viewer);
        return;
    }
    viewer->next = self->viewers;
    self->viewers = viewer;
    self->viewers_count++;
    s_greet(self, viewer);
    if (self->timer) return;
    self->timer = weft_service_timer(self->service, TICK_MS, 0, s_on_tick, self, &self->timer_id) ==
                  WEFT_OK;
    s_on_tick(self);
}

/* ---------------------------------------------------------------------------------------------- */
/* Life */

weft_err_t web_mesh_new(web_mesh_t **out, weft_service_t *service) {
    web_mesh_t *self = calloc(1, sizeof *self);
    weft_err_t rc = self ? WEFT_OK : WEFT_E_NOMEM;
    if (rc == WEFT_OK) {
        self->service = service;
        rc = web_watch_new(&self->watch, service);
    }
    if (rc == WEFT_OK) rc = web_worker_new(&self->worker, service);
    if (rc != WEFT_OK) {
        web_mesh_destroy(&self);
        return rc;
    }
    *out = self;
    return WEFT_OK;
}

void web_mesh_destroy(web_mesh_t **self_p) {
    web_mesh_t *self = *self_p;
    if (!self) return;
    web_worker_destroy(&self->worker);
    web_watch_destroy(&self->watch);
    free(self->state);
    free(self);
    *self_p = NULL;
}
