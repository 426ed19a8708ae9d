/* weft_checkpointer: see weft_checkpointer.h. */
#include "weft_checkpointer.h"

#include "weft_assert.h"
#include "weft_crash.h"
#include "weft_log_sql.h"
#include "weft_stmt.h"

#include <pthread.h>
#include <stdlib.h>

#define ROUNDS 2 /* the second one moves what was committed during the first */

struct weft_checkpointer {
    sqlite3 *db; /* the thread's, while it works */
    pthread_t thread;
    bool runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool wanted, stop; /* under the mutex, as rc */
    weft_err_t rc;
};

static weft_err_t s_move(weft_checkpointer_t *self) {
    weft_err_t rc = WEFT_OK;
    for (int round = 0; rc == WEFT_OK && round < ROUNDS; round++) {
        rc = weft_db_error(self->db, sqlite3_wal_checkpoint_v2(
                                         self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
        WEFT_CRASH_POINT("checkpointer.moved");
    }
    return rc;
}

static void *s_thread(void *arg) {
    weft_checkpointer_t *self = arg;
    pthread_mutex_lock(&self->mutex);
    for (;;) {
        while (!self->wanted && !self->stop) pthread_cond_wait(&self->changed, &self->mutex);
        if (self->stop) break;
        pthread_mutex_unlock(&self->mutex);
        weft_err_t rc = s_move(self);
        pthread_mutex_lock(&self->mutex);
        self->rc = rc;
        self->wanted = false;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

weft_err_t weft_checkpointer_new(weft_checkpointer_t **out, const char *path, bool full) {
    weft_checkpointer_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    weft_err_t rc = weft_db_open(&self->db, path, WEFT_DB_CREATE, full, WEFT_LOG_PAGE_BYTES);
    if (rc == WEFT_OK) {
        self->runs = pthread_create(&self->thread, NULL, s_thread, self) == 0;
        if (!self->runs) rc = WEFT_E_IO;
    }
    if (rc == WEFT_OK)
        *out = self;
    else
        weft_checkpointer_destroy(&self);
    return rc;
}

void weft_checkpointer_destroy(weft_checkpointer_t **self_p) {
    weft_checkpointer_t *self = *self_p;
    if (!self) return;
    if (self->runs) {
        pthread_mutex_lock(&self->mutex);
        self->stop = true;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->mutex);
        pthread_join(self->thread, NULL);
    }
    weft_db_close(&self->db);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self);
    *self_p = NULL;
}

void weft_checkpointer_start(weft_checkpointer_t *self) {
    pthread_mutex_lock(&self->mutex);
    WEFT_ASSERT(!self->wanted);
    self->wanted = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

bool weft_checkpointer_ended(weft_checkpointer_t *self, bool wait, weft_err_t *rc) {
    pthread_mutex_lock(&self->mutex);
    while (wait && self->wanted) pthread_cond_wait(&self->changed, &self->mutex);
    bool ended = !self->wanted;
    *rc = self->rc;
    pthread_mutex_unlock(&self->mutex);
    return ended;
}
