/* weft_applier_parked: events that were set aside, once they are: counted, tried again, dropped. */
#include "weft_applier_inner.h"
#include "weft_wire_event.h"

#include <stdlib.h>
#include <string.h>

static bool s_add_subject(void *arg, const char *subject, uint64_t count, int64_t oldest_us) {
    weft_applier_t *self = arg;
    self->parked += count;
    if (!self->parked_oldest_us || oldest_us < self->parked_oldest_us)
        self->parked_oldest_us = oldest_us;
    if (!*subject || weft_map_get(self->parked_subjects, subject, strlen(subject))) return true;
    return weft_map_put(self->parked_subjects, subject, strlen(subject), self);
}

weft_err_t weft_applier_load_parked(weft_applier_t *self) {
    self->parked = 0;
    self->parked_oldest_us = 0;
    weft_map_clear(self->parked_subjects, NULL);
    return weft_service_store_subjects(self->store, s_add_subject, self);
}

static weft_err_t s_parked_event(const weft_parked_t *parked, weft_event_t *event, char **source) {
    weft_mp_t r = weft_mp_reader(parked->event, parked->event_size);
    weft_wire_event_t wire;
    if (weft_wire_event_take(&r, &wire) != WEFT_OK || weft_mp_left(&r)) return WEFT_E_CORRUPT;
    *source = strndup(wire.source, wire.source_size);
    if (!*source) return WEFT_E_NOMEM;
    *event = (weft_event_t){
        .position = parked->position,
        .chain = parked->chain,
        .stored_us = parked->stored_us,
        .type = parked->type,
        .sequence = {wire.source_seq},
        .time_us = wire.time_us,
        .source = *source,
        .subject = parked->subject,
        .cause = {wire.cause},
        .traceparent = wire.traceparent,
        .data = wire.data,
        .data_size = wire.data_size,
        .raw = parked->event,
        .raw_size = parked->event_size,
    };
    memcpy(event->origin.bytes, wire.origin, sizeof event->origin.bytes);
    return WEFT_OK;
}

/* One row: applied and deleted in one transaction, or its failure noted. */
static weft_err_t s_retry_one(weft_applier_t *self, const weft_parked_t *parked) {
    weft_event_t event;
    char *source = NULL;
    weft_err_t rc = s_parked_event(parked, &event, &source);
    if (rc == WEFT_OK) rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) goto out;
    weft_err_t handled = weft_applier_handle(self, &event, *parked->filter ? parked->filter : NULL);
    rc = handled == WEFT_OK ? weft_service_store_unpark(self->store, parked) : handled;
    if (rc == WEFT_OK)
        rc = weft_applier_tx_commit(self);
    else
        weft_applier_tx_rollback(self);
    if (handled == WEFT_OK) goto out;
    rc = weft_applier_tx_begin(self);
    if (rc != WEFT_OK) goto out;
    rc = weft_service_store_parked_failed(self->store, parked, self->reason);
    if (rc == WEFT_OK)
        rc = weft_applier_tx_commit(self);
    else
        weft_applier_tx_rollback(self);
    if (rc == WEFT_OK) rc = WEFT_E_HANDLER;
out:
    free(source);
    return rc;
}

/* The turn of one row: false ends the whole retry with *rc. */
static bool s_turn(weft_applier_t *self, const weft_parked_t *parked, weft_map_t *failed,
                   uint64_t *count, weft_err_t *rc) {
    size_t size = strlen(parked->subject);
    if (size && weft_map_get(failed, parked->subject, size)) return true;
    *rc = s_retry_one(self, parked);
    *count += *rc == WEFT_OK;
    if (*rc == WEFT_E_HANDLER && size && !weft_map_put(failed, parked->subject, size, self))
        *rc = WEFT_E_NOMEM;
    return *rc == WEFT_OK || *rc == WEFT_E_HANDLER;
}

weft_err_t weft_applier_retry(weft_applier_t *self, const char *subject, uint64_t *done) {
    if (self->in_transaction) return WEFT_E_STATE;
    weft_map_t *failed = weft_map_new(); /* subjects whose turn has ended */
    if (!failed) return WEFT_E_NOMEM;
    weft_parked_t last = {0}, parked;
    uint64_t count = 0;
    bool some = false, going = true;
    weft_err_t rc = WEFT_OK;
    while (going) {
        rc = weft_service_store_parked_next(self->store, subject, last.position,
                                            last.filter ? last.filter : "", &parked);
        if (rc != WEFT_OK) break;
        weft_parked_free(&last);
        last = parked;
        going = s_turn(self, &parked, failed, &count, &rc);
        some = some || rc == WEFT_E_HANDLER;
    }
    if (rc == WEFT_E_NOT_FOUND) rc = some ? WEFT_E_HANDLER : WEFT_OK;
    weft_parked_free(&last);
    weft_map_destroy(&failed, NULL);
    if (done) *done = count;
    weft_err_t loaded = weft_applier_load_parked(self);
    return loaded != WEFT_OK ? loaded : rc;
}

weft_err_t weft_applier_drop(weft_applier_t *self, const char *subject, weft_position_t position,
                             uint64_t *dropped) {
    *dropped = 0;
    if (self->in_transaction) return WEFT_E_STATE;
    weft_err_t rc = weft_service_store_drop(self->store, subject, position, dropped);
    weft_err_t loaded = weft_applier_load_parked(self);
    return rc != WEFT_OK ? rc : loaded;
}
