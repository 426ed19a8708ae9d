/* weft_log_writer: see weft_log_writer.h. */
#include "weft_log_writer.h"

#include "weft_log_partial.h"
#include "weft_os.h"
#include "weft_store.h"

#include <stdio.h>
#include <stdlib.h>

struct weft_log_writer {
    weft_log_partial_t place;
    weft_store_t *store;
    weft_sequencer_t *sequencer;
    weft_buf_t
        bytes; /* of the batch in hand; has its room from the start, so rows may point into it */
    int64_t stored_us;
    bool entered, in_batch;
};

static weft_err_t s_say(weft_log_writer_t *self, weft_err_t rc) {
    if (rc == WEFT_OK || *self->place.reason) return rc;
    snprintf(self->place.reason, self->place.reason_size,
             rc == WEFT_E_FULL ? "the disk of %s is full: make room, or choose another"
                               : "cannot write %s",
             self->place.partial);
    return rc;
}

static weft_err_t s_open(weft_log_writer_t *self) {
    weft_err_t rc = weft_store_open(&self->store, self->place.partial, false, self->place.reason,
                                    self->place.reason_size);
    if (rc != WEFT_OK) return rc;
    self->sequencer = weft_sequencer_new(0, 0, 0);
    bool room = weft_buf_reserve(&self->bytes, WEFT_BATCH_BYTES_MAX + WEFT_EVENT_BYTES_MAX) != NULL;
    return self->sequencer && room ? WEFT_OK : s_say(self, WEFT_E_NOMEM);
}

weft_err_t weft_log_writer_new(weft_log_writer_t **out, const char *to, char *reason,
                               size_t reason_size) {
    *reason = '\0';
    weft_log_writer_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    weft_buf_init(&self->bytes);
    weft_err_t rc = weft_log_partial_enter(&self->place, to, reason, reason_size);
    self->entered = rc == WEFT_OK;
    weft_os_unlock(&self->place.lock); /* the store takes it itself */
    if (rc == WEFT_OK) rc = s_open(self);
    if (rc == WEFT_OK) {
        *out = self;
        self = NULL;
    } else if (rc == WEFT_E_LOCKED) {
        self->entered = false; /* it belongs to somebody else */
    }
    weft_log_writer_destroy(&self);
    return rc;
}

void weft_log_writer_destroy(weft_log_writer_t **self_p) {
    weft_log_writer_t *self = *self_p;
    if (!self) return;
    weft_sequencer_destroy(&self->sequencer);
    weft_store_destroy(&self->store);
    weft_buf_free(&self->bytes);
    weft_log_partial_leave(&self->place, self->entered);
    free(self);
    *self_p = NULL;
}

/* ---- batches: events that were stored at the same time */

static weft_err_t s_commit(weft_log_writer_t *self) {
    if (!self->in_batch) return WEFT_OK;
    weft_err_t rc = weft_store_append(self->store, self->sequencer);
    if (rc == WEFT_OK) {
        weft_sequencer_commit(self->sequencer);
        rc = weft_store_checkpoint(self->store);
    }
    self->in_batch = false;
    weft_buf_clear(&self->bytes);
    return s_say(self, rc);
}

static void s_begin(weft_log_writer_t *self) {
    weft_sequencer_begin(self->sequencer, self->stored_us);
    self->in_batch = true;
}

static weft_err_t s_type(weft_log_writer_t *self, const char *name, size_t size,
                         weft_seq_type_t **type) {
    weft_err_t rc = weft_sequencer_type(self->sequencer, name, size, type);
    if (rc != WEFT_E_AGAIN) return rc;
    rc = s_commit(self);
    s_begin(self);
    return rc == WEFT_OK ? weft_sequencer_type(self->sequencer, name, size, type) : rc;
}

static weft_err_t s_origin(weft_log_writer_t *self, const uint8_t uuid[16],
                           weft_seq_origin_t **origin) {
    uint64_t last, position, chain;
    *origin = weft_sequencer_origin(self->sequencer, uuid);
    if (*origin) return WEFT_OK;
    weft_err_t rc = weft_store_origin(self->store, uuid, &last, &position, &chain);
    if (rc != WEFT_OK) return rc;
    *origin = weft_sequencer_load_origin(self->sequencer, uuid, last, position, chain);
    return *origin ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_err_t s_take(weft_log_writer_t *self, weft_seq_type_t *type, weft_wire_event_t *event,
                         uint64_t *position) {
    weft_seq_origin_t *origin = NULL;
    weft_wire_event_t taken;
    weft_drop_t drop;
    size_t at = self->bytes.size, count;
    weft_err_t rc = event->source_seq ? s_origin(self, event->origin, &origin) : WEFT_OK;
    if (rc != WEFT_OK) return rc;
    if (origin) event->source_seq = origin->pending_last + 1;
    weft_wire_event_put(&self->bytes, event);
    if (!weft_buf_ok(&self->bytes)) return WEFT_E_NOMEM;
    weft_mp_t r = weft_mp_reader(self->bytes.data + at, self->bytes.size - at);
    rc = weft_wire_event_take(&r, &taken);
    if (rc != WEFT_OK) return rc;
    if (!weft_sequencer_take(self->sequencer, type, origin, &taken, &drop)) return WEFT_E_STORE;
    *position = weft_sequencer_rows(self->sequencer, &count)[count - 1].position;
    return WEFT_OK;
}

weft_err_t weft_log_writer_put(weft_log_writer_t *self, const char *type, size_t type_size,
                               const weft_wire_event_t *event, int64_t stored_us,
                               uint64_t *position) {
    weft_seq_type_t *known = NULL;
    weft_wire_event_t copy = *event;
    weft_err_t rc = WEFT_OK;
    if (stored_us > self->stored_us || self->bytes.size > WEFT_BATCH_BYTES_MAX ||
        (self->in_batch && weft_sequencer_full(self->sequencer)))
        rc = s_commit(self);
    if (stored_us > self->stored_us) self->stored_us = stored_us;
    if (rc == WEFT_OK && !self->in_batch) s_begin(self);
    if (rc == WEFT_OK) rc = s_type(self, type, type_size, &known);
    return rc == WEFT_OK ? s_take(self, known, &copy, position) : rc;
}

weft_err_t weft_log_writer_finish(weft_log_writer_t *self, weft_log_check_t *check) {
    *check = (weft_log_check_t){0};
    weft_err_t rc = s_commit(self);
    if (rc != WEFT_OK) return rc;
    weft_store_destroy(&self->store); /* what the WAL holds goes into the file */
    rc = weft_log_check(self->place.partial, NULL, NULL, check);
    if (rc != WEFT_OK) {
        snprintf(self->place.reason, self->place.reason_size, "what was written is damaged: %s",
                 check->reason);
        return rc;
    }
    rc = weft_log_partial_appear(&self->place);
    if (rc == WEFT_OK) self->entered = false;
    return rc;
}
