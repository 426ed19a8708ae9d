/* web_worker: see web_worker.h. One ring of jobs: from told on they are done, from done on they wait. */
#include "web_worker.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct {
    web_work_fn work;
    web_done_fn done;
    void *arg;
} job_t;

struct web_worker {
    weft_service_t *service;
    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t asked;
    job_t jobs[WEB_WORKER_JOBS_MAX];
    unsigned told, done, given; /* counts since the start */
    bool ending;
    int fd;
    bool threaded, watched;
};

static void *s_thread(void *arg) {
    web_worker_t *self = arg;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (self->done == self->given && !self->ending)
            pthread_cond_wait(&self->asked, &self->lock);
        if (self->ending) break;
        job_t job = self->jobs[self->done % WEB_WORKER_JOBS_MAX];
        pthread_mutex_unlock(&self->lock);
        job.work(job.arg);
        pthread_mutex_lock(&self->lock);
        self->done++;
        (void) !eventfd_write(self->fd, 1);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* The next job whose end has not been told. */
static bool s_take(web_worker_t *self, bool all, job_t *job, bool *worked) {
    pthread_mutex_lock(&self->lock);
    bool any = self->told != (all ? self->given : self->done);
    if (any) {
        *worked = self->told != self->done;
        if (!*worked) self->done++;
        *job = self->jobs[self->told++ % WEB_WORKER_JOBS_MAX];
    }
    pthread_mutex_unlock(&self->lock);
    return any;
}

static void s_on_readable(int fd, short revents, void *arg) {
    web_worker_t *self = arg;
    eventfd_t count;
    job_t job;
    bool worked;
    (void) revents;
    (void) !eventfd_read(fd, &count);
    while (s_take(self, false, &job, &worked)) job.done(job.arg, worked);
}

/* Signals are the loop's: a thread that let them through would end the program. */
static bool s_start(web_worker_t *self) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&self->thread, NULL, s_thread, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

weft_err_t web_worker_new(web_worker_t **out, weft_service_t *service) {
    web_worker_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->service = service;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->asked, NULL);
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    weft_err_t rc = self->fd < 0 ? WEFT_E_IO : WEFT_OK;
    if (rc == WEFT_OK) rc = weft_service_fd(service, self->fd, POLLIN, s_on_readable, self);
    self->watched = rc == WEFT_OK;
    if (rc == WEFT_OK && !s_start(self)) rc = WEFT_E_IO;
    self->threaded = rc == WEFT_OK;
    if (rc != WEFT_OK) {
        weft_diag(WEFT_DIAG_ERROR, "web.worker", "error=%s", weft_err_name(rc));
        web_worker_destroy(&self);
        return rc;
    }
    *out = self;
    return WEFT_OK;
}

void web_worker_destroy(web_worker_t **self_p) {
    web_worker_t *self = *self_p;
    if (!self) return;
    job_t job;
    bool worked;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->asked);
    pthread_mutex_unlock(&self->lock);
    if (self->threaded) pthread_join(self->thread, NULL);
    while (s_take(self, true, &job, &worked)) job.done(job.arg, worked);
    if (self->watched) weft_service_fd_end(self->service, self->fd);
    if (self->fd >= 0) close(self->fd);
    pthread_cond_destroy(&self->asked);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

bool web_worker_run(web_worker_t *self, web_work_fn work, web_done_fn done, void *arg) {
    pthread_mutex_lock(&self->lock);
    bool room = self->given - self->told < WEB_WORKER_JOBS_MAX;
    if (room) {
        self->jobs[self->given++ % WEB_WORKER_JOBS_MAX] = (job_t){work, done, arg};
        pthread_cond_signal(&self->asked);
    }
    pthread_mutex_unlock(&self->lock);
    return room;
}
