/* weft_fanout: see weft_fanout.h. */
#include "weft_fanout.h"

#include "weft_assert.h"
#include "weft_net.h"
#include "weft_record.h"

#include <stdlib.h>
#include <string.h>

struct weft_fanout {
    void *socket;
    uint64_t boot;
    weft_uuid_t log;
    weft_bus_stats_t *stats;
    weft_record_t record;
    weft_buf_t bytes;
};

weft_err_t weft_fanout_new(weft_fanout_t **out, void *socket, uint64_t boot, const weft_uuid_t *log,
                           weft_bus_stats_t *stats) {
    weft_fanout_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    self->socket = socket;
    self->boot = boot;
    self->log = *log;
    self->stats = stats;
    weft_buf_init(&self->bytes);
    *out = self;
    return WEFT_OK;
}

void weft_fanout_destroy(weft_fanout_t **self_p) {
    weft_fanout_t *self = *self_p;
    if (!self) return;
    weft_buf_free(&self->bytes);
    free(self);
    *self_p = NULL;
}

/* F1: one message of size bytes, starting with this row. */
static bool s_publish(weft_fanout_t *self, const weft_sequencer_t *sequencer,
                      const weft_seq_type_t *type, uint32_t row, size_t size) {
    zmq_msg_t body;
    if (zmq_msg_init_size(&body, size) != 0) return false;
    weft_sequencer_body(sequencer, row, size, zmq_msg_data(&body));
    bool sent = zmq_send(self->socket, type->name, type->size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_msg_send(&body, self->socket, ZMQ_DONTWAIT) >= 0;
    if (!sent) zmq_msg_close(&body);
    return sent;
}

/* F2: events of the batch that no group holds. */
static uint64_t s_skipped(const weft_sequencer_t *sequencer) {
    size_t count;
    uint64_t skipped = 0;
    const weft_row_t *rows = weft_sequencer_rows(sequencer, &count);
    for (size_t i = 0; i < count; i++)
        skipped += rows[i].size + WEFT_STAMP_BYTES_MAX > WEFT_LIVE_MESSAGE_BYTES_MAX;
    return skipped;
}

void weft_fanout_events(weft_fanout_t *self, weft_sequencer_t *sequencer) {
    size_t count;
    uint64_t sent = 0, failed = 0;
    const weft_batch_type_t *types = weft_sequencer_types(sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t cursor = types[i].first, row;
        size_t size;
        while (weft_sequencer_group(sequencer, &cursor, &row, &size)) {
            WEFT_ASSERT(size <= WEFT_LIVE_MESSAGE_BYTES_MAX); /* F2 */
            if (s_publish(self, sequencer, types[i].type, row, size))
                sent++;
            else
                failed++;
        }
    }
    weft_bus_stat_add(&self->stats->live_skipped, s_skipped(sequencer));
    weft_bus_stat_add(&self->stats->live_messages, sent);
    weft_bus_stat_add(&self->stats->live_failed, failed);
}

static bool s_send(weft_fanout_t *self, const char *topic, size_t topic_size) {
    bool sent = weft_buf_ok(&self->bytes) &&
                weft_net_send(self->socket, topic, topic_size, self->bytes.data,
                              self->bytes.size) == WEFT_OK;
    if (!sent) weft_bus_stat_add(&self->stats->live_failed, 1);
    return sent;
}

void weft_fanout_record(weft_fanout_t *self, weft_sequencer_t *sequencer, int64_t now_us) {
    weft_sequencer_record(sequencer, self->boot, &self->log, now_us, &self->record);
    weft_buf_clear(&self->bytes);
    weft_record_encode(&self->bytes, &self->record);
    if (s_send(self, WEFT_TOPIC_COMMIT, strlen(WEFT_TOPIC_COMMIT)))
        weft_bus_stat_add(&self->stats->records, 1);
}

void weft_fanout_acks(weft_fanout_t *self, weft_sequencer_t *sequencer) {
    char topic[WEFT_TOPIC_ACK_BYTES + 1];
    size_t count;
    uint64_t sent = 0;
    weft_seq_origin_t **touched = weft_sequencer_touched(sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        const weft_seq_origin_t *origin = touched[i];
        if (!origin->last) continue; /* nothing of it is stored */
        WEFT_ASSERT(origin->position <= weft_sequencer_position(sequencer)); /* I3 */
        weft_ack_t ack = {.source_seq = origin->last,
                          .position = origin->position,
                          .origin_chain = origin->chain};
        weft_ack_topic(topic, origin->uuid.bytes);
        weft_buf_clear(&self->bytes);
        weft_ack_encode(&self->bytes, &ack);
        if (s_send(self, topic, WEFT_TOPIC_ACK_BYTES)) sent++;
    }
    weft_bus_stat_add(&self->stats->acks, sent);
}

void weft_fanout_drain(weft_fanout_t *self, weft_gate_t *gate) {
    zmq_msg_t frame;
    unsigned count;
    while (weft_net_recv(self->socket, &frame, 1, &count) == WEFT_OK) {
        const uint8_t *bytes = zmq_msg_data(&frame);
        size_t size = zmq_msg_size(&frame);
        /* Who it came from; -1: nobody any more. */
        if (size && *bytes <= 1)
            weft_gate_topic(gate, zmq_msg_get(&frame, ZMQ_SRCFD), *bytes == 1, size);
        weft_net_close_frames(&frame, count, 1);
    }
}
