/* weft_turnstile: see weft_turnstile.h. A bare mutex would not do: who gives it back may take it again
 * before the one who waits for it has woken up. */
#include "weft_turnstile.h"

#include "weft_assert.h"

#include <pthread.h>
#include <stdlib.h>

struct weft_turnstile {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned reading;
    bool shut;
};

weft_turnstile_t *weft_turnstile_new(void) {
    weft_turnstile_t *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    return self;
}

void weft_turnstile_destroy(weft_turnstile_t **self_p) {
    weft_turnstile_t *self = *self_p;
    if (!self) return;
    WEFT_ASSERT(!self->reading);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self);
    *self_p = NULL;
}

void weft_turnstile_enter(weft_turnstile_t *self) {
    pthread_mutex_lock(&self->mutex);
    while (self->shut) pthread_cond_wait(&self->changed, &self->mutex);
    self->reading++;
    pthread_mutex_unlock(&self->mutex);
}

void weft_turnstile_leave(weft_turnstile_t *self) {
    pthread_mutex_lock(&self->mutex);
    WEFT_ASSERT(self->reading > 0);
    self->reading--;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

bool weft_turnstile_shut(weft_turnstile_t *self, bool wait) {
    pthread_mutex_lock(&self->mutex);
    self->shut = wait || !self->reading;
    while (self->shut && self->reading) pthread_cond_wait(&self->changed, &self->mutex);
    bool shut = self->shut;
    pthread_mutex_unlock(&self->mutex);
    return shut;
}

void weft_turnstile_open(weft_turnstile_t *self) {
    pthread_mutex_lock(&self->mutex);
    self->shut = false;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}
