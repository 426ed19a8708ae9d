/* web_causes: see web_causes.h. */
#include "web_causes.h"

#include <http_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "web_worker.h"

#define EVENTS_MAX 200u /* of a tree: what a page can show */
#define ANSWER_MS 3000
#define REASON_BYTES 256u

struct web_causes {
    weft_service_t *service;
    web_worker_t *worker;
    int stop_fd; /* readable: what is in work ends */
};

typedef struct {
    web_causes_t *causes;
    http_request_t *request; /* NULL: its browser has left */
    weft_position_t position;
    weft_err_t rc;
    char *json;
    char reason[REASON_BYTES];
} job_t;

/* On the worker's thread. */
static void s_explain(void *arg) {
    job_t *job = arg;
    weft_explain_config_t config;
    weft_explain_config_init(&config);
    config.bus = weft_service_bus(job->causes->service);
    config.timeout_ms = ANSWER_MS;
    config.events = EVENTS_MAX;
    config.stop_fd = job->causes->stop_fd;
    job->rc = weft_explain(&config, job->position, &job->json, job->reason, sizeof job->reason);
}

static unsigned s_status(weft_err_t rc) {
    switch (rc) {
    case WEFT_E_NOT_FOUND: return 404;
    case WEFT_E_GONE: return 410;
    case WEFT_E_UNREACHABLE: return 503;
    default: return 500;
    }
}

static void s_on_done(void *arg, bool worked) {
    job_t *job = arg;
    if (job->request && worked && job->rc == WEFT_OK) {
        http_answer_text(job->request, 200, job->json);
        job->json = NULL; /* handed over */
    } else if (job->request) {
        http_answer_error(job->request, s_status(job->rc),
                          *job->reason ? job->reason : weft_err_text(job->rc), NULL);
    }
    free(job->json);
    free(job);
}

static void s_on_cancel(http_request_t *request, void *arg) {
    (void) request;
    job_t *job = arg;
    job->request = NULL;
}

void web_causes_show(http_request_t *request, void *arg) {
    const blog_app_t *app = arg;
    web_causes_t *self = ((web_t *) app->state)->causes;
    uint64_t position;
    if (!http_text_number(http_request_param(request, "position"), 1, INT64_MAX, &position)) {
        http_answer_error(request, 400, "must be a position in the log", "position");
        return;
    }
    job_t *job = calloc(1, sizeof *job);
    if (!job) {
        http_answer_error(request, 500, "out of memory", NULL);
        return;
    }
    *job = (job_t){.causes = self, .request = request, .position = {position}};
    if (web_worker_run(self->worker, s_explain, s_on_done, job)) {
        http_request_hold(request, s_on_cancel, job);
        return;
    }
    free(job);
    http_answer_header(request, "Retry-After", "1");
    http_answer_error(request, 503, "too many ask for causes just now", NULL);
}

weft_err_t web_causes_new(web_causes_t **out, weft_service_t *service) {
    web_causes_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->service = service;
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    weft_err_t rc = self->stop_fd < 0 ? WEFT_E_IO : web_worker_new(&self->worker, service);
    if (rc != WEFT_OK) {
        web_causes_destroy(&self);
        return rc;
    }
    *out = self;
    return WEFT_OK;
}

void web_causes_destroy(web_causes_t **self_p) {
    web_causes_t *self = *self_p;
    if (!self) return;
    if (self->stop_fd >= 0) (void) !eventfd_write(self->stop_fd, 1);
    web_worker_destroy(&self->worker);
    if (self->stop_fd >= 0) close(self->stop_fd);
    free(self);
    *self_p = NULL;
}
