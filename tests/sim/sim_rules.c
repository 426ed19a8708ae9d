/* What must hold: at each hand-over, after every step, and when all is well again. */
#include "sim.h"

#include <string.h>

static const sim_row_t *s_row(uint64_t position) {
    return position && position <= w.bus.disk.count ? w.bus.disk.rows[position - 1] : NULL;
}

static uint64_t s_chain(uint64_t position) {
    return position ? s_row(position)->chain : 0;
}

/* ---- the bus */

void sim_check_row(const sim_disk_t *disk, const sim_row_t *row) {
    const sim_event_t *event = row->event;
    const sim_row_t *prev = disk->count ? disk->rows[disk->count - 1] : NULL;
    uint64_t checksum = weft_checksum_row(row->position, row->stored_us, w.types[event->type].hash,
                                          event->hash);
    RULE("I2", row->position == disk->count + 1, "position %llu follows %zu",
         (unsigned long long) row->position, disk->count);
    RULE("P6",
         row->checksum == checksum &&
             row->chain == weft_checksum_chain(prev ? prev->chain : 0, checksum),
         "the chain at position %llu is not that of its rows", (unsigned long long) row->position);
    RULE("I6", !prev || row->stored_us >= prev->stored_us, "stored_us goes back at position %llu",
         (unsigned long long) row->position);
    RULE("O1", event->committed, "event %u/%llu is in the log and was never committed",
         event->origin, (unsigned long long) event->seq);
    if (!event->seq) return;
    RULE("I2", event->seq == disk->origins[event->origin].last + 1,
         "event %u/%llu is stored after %llu", event->origin, (unsigned long long) event->seq,
         (unsigned long long) disk->origins[event->origin].last);
}

void sim_check_live(const sim_frame_t *frame) {
    weft_mp_t r = weft_mp_reader(frame->body, frame->body_size);
    RULE("F2", frame->body_size <= WEFT_LIVE_MESSAGE_BYTES_MAX, "a live message of %zu bytes",
         frame->body_size);
    size_t events = 0;
    for (; weft_mp_left(&r); events++) {
        weft_stamp_t stamp;
        weft_wire_event_t event;
        bool whole = weft_stamp_take(&r, &stamp) && weft_wire_event_take(&r, &event) == WEFT_OK;
        RULE("F1", whole, "a live message cannot be read");
        const sim_row_t *row = s_row(stamp.position);
        RULE("I3", row, "position %llu is published and not durable",
             (unsigned long long) stamp.position);
        RULE("F1",
             row->chain == stamp.chain && row->stored_us == stamp.stored_us &&
                 event.size == row->event->size &&
                 memcmp(event.bytes, row->event->bytes, event.size) == 0 &&
                 w.types[row->event->type].size == frame->topic_size &&
                 memcmp(w.types[row->event->type].name, frame->topic, frame->topic_size) == 0,
             "position %llu is published as something else", (unsigned long long) stamp.position);
    }
    RULE("F1", events == 1 || frame->body_size <= WEFT_GROUP_BYTES_TARGET,
         "%zu events share a message of %zu bytes", events, frame->body_size);
}

void sim_check_record(const sim_frame_t *frame) {
    static weft_record_t record;
    uint64_t count = 0;
    weft_err_t rc = weft_record_decode(frame->body, frame->body_size, &record);
    RULE("I3", rc == WEFT_OK, "a record does not decode: %s", weft_err_name(rc));
    RULE("I3", record.last == w.bus.disk.count && record.prev <= record.last,
         "a record of (%llu, %llu] with %zu durable", (unsigned long long) record.prev,
         (unsigned long long) record.last, w.bus.disk.count);
    RULE("S2", record.chain == s_chain(record.last) && record.prev_chain == s_chain(record.prev),
         "a record with a chain that the log has not");
    RULE("F3",
         record.boot == w.bus.boot && memcmp(&record.log, &w.bus.disk.log, sizeof record.log) == 0,
         "a record of another boot or log");
    for (size_t i = 0; i < record.types_count; i++) {
        uint64_t sum = 0, of_type = 0;
        for (uint64_t p = record.prev + 1; p <= record.last; p++) {
            const sim_row_t *row = s_row(p);
            const sim_type_t *type = &w.types[row->event->type];
            if (type->size != record.types[i].type_size ||
                memcmp(type->name, record.types[i].type, type->size) != 0)
                continue;
            of_type++;
            sum += row->checksum;
        }
        RULE("F2", of_type == record.types[i].count && sum == record.types[i].sum,
             "a record counts %llu of %.*s, the log has %llu",
             (unsigned long long) record.types[i].count, (int) record.types[i].type_size,
             record.types[i].type, (unsigned long long) of_type);
        count += of_type;
    }
    RULE("F2", count == record.last - record.prev, "a record leaves out %llu events",
         (unsigned long long) (record.last - record.prev - count));
}

void sim_check_ack(const weft_ack_t *ack, unsigned origin) {
    const sim_origin_t *known = &w.bus.disk.origins[origin];
    RULE("I3",
         ack->source_seq == known->last && ack->origin_chain == known->chain &&
             ack->position == known->position,
         "event %u/%llu at %llu is acknowledged, the log has %llu at %llu", origin,
         (unsigned long long) ack->source_seq, (unsigned long long) ack->position,
         (unsigned long long) known->last, (unsigned long long) known->position);
}

static void s_check_books(void) {
    const sim_bus_t *b = &w.bus;
    if (!b->up) return;
    const weft_books_t *books = weft_sequencer_books(b->sequencer);
    uint64_t sum = books->stored + b->pending;
    for (unsigned i = 0; i < WEFT_DROP_COUNT; i++) sum += books->drops[i];
    RULE("books", books->taken == sum && books->taken == b->items,
         "taken %llu, stored and dropped %llu, handed in %llu", (unsigned long long) books->taken,
         (unsigned long long) sum, (unsigned long long) b->items);
    RULE("I3",
         weft_sequencer_position(b->sequencer) == b->disk.count &&
             weft_sequencer_chain(b->sequencer) == s_chain(b->disk.count),
         "the sequencer stands at %llu, the disk at %zu",
         (unsigned long long) weft_sequencer_position(b->sequencer), b->disk.count);
}

/* ---- readers */

static bool s_is_whole(const weft_event_t *got, const sim_event_t *emitted) {
    uint8_t uuid[16];
    const uint8_t *raw_end = (const uint8_t *) got->raw + got->raw_size;
    sim_uuid(uuid, emitted->origin);
    return strcmp(got->type, w.types[emitted->type].name) == 0 && got->raw_size == emitted->size &&
           memcmp(got->raw, emitted->bytes, emitted->size) == 0 &&
           memcmp(got->origin.bytes, uuid, sizeof uuid) == 0 &&
           got->sequence.value == emitted->seq && got->cause.value == emitted->cause &&
           strcmp(got->source, "sim") == 0 &&
           strcmp(got->subject, emitted->seq % 3 ? "s/1" : "") == 0 &&
           (got->traceparent ? *got->traceparent == 7 : emitted->seq % 4 != 0) &&
           (const uint8_t *) got->data + got->data_size == raw_end;
}

sim_row_t *sim_check_batch(const sim_node_t *n, const weft_batch_t *batch) {
    sim_row_t *row = sim_map_get(&w.rows, batch->next.chain);
    size_t left = batch->count;
    RULE("S6", row && row->position == batch->next.position.value,
         "n%u stands at %llu with a chain that no log has there", n->index,
         (unsigned long long) batch->next.position.value);
    for (const sim_row_t *r = row; r != n->at; r = r->prev) {
        RULE("P3", r, "n%u goes to %llu, which does not follow from where it stood", n->index,
             (unsigned long long) row->position);
        const sim_type_t *type = &w.types[r->event->type];
        if (!type->matches[n->set]) continue;
        RULE("P3", left, "n%u misses position %llu", n->index, (unsigned long long) r->position);
        const weft_event_t *event = &batch->events[--left];
        RULE("P3", s_is_whole(event, r->event), "n%u gets something else at position %llu",
             n->index, (unsigned long long) r->position);
    }
    RULE("P3", !left, "n%u gets position %llu, which does not match or lies elsewhere", n->index,
         (unsigned long long) batch->events[left - (left > 0)].position.value);
    return row;
}

/* Whoever stands at a row with the same filters has seen the same. */
void sim_check_effects(sim_node_t *n) {
    uint64_t hash = n->db.effects_hash | 1;
    if (!n->at || n->began) return; /* not the same events, then */
    if (!n->at->seen[n->set]) n->at->seen[n->set] = hash;
    RULE("prefix", n->at->seen[n->set] == hash, "n%u has seen other events up to %llu than others",
         n->index, (unsigned long long) n->at->position);
}

static void s_check_sub_stop(sim_node_t *n, weft_err_t code) {
    bool restored = w.restored || w.replaced;
    sim_trace("sub stopped", n->index, (uint64_t) code, n->place.position.value);
    switch (code) {
    case WEFT_E_LOG_BEHIND: SAW(stop_log_behind); break;
    case WEFT_E_FORKED: SAW(stop_forked); break;
    case WEFT_E_GONE:
        SAW(stop_gone);
        restored = w.trimmed;
        break;
    case WEFT_E_OTHER_LOG:
        SAW(stop_other_log);
        restored = w.replaced;
        break;
    default: restored = false;
    }
    RULE("P6", restored, "n%u stops reading without cause: %s", n->index, weft_err_name(code));
}

static void s_check_sub(sim_node_t *n) {
    weft_sub_info_t info;
    weft_subscriber_info(n->sub, w.now, &info);
    if (info.gaps > n->gaps) SAW(live_gap);
    n->gaps = info.gaps;
    RULE("S2", info.position.value >= n->place.position.value, "n%u goes back to %llu", n->index,
         (unsigned long long) info.position.value);
    if (info.stopped == n->sub_stopped) return;
    n->sub_stopped = info.stopped;
    s_check_sub_stop(n, info.stopped);
    if (!w.healed) sim_at(w.now + 500, SIM_REBUILD, n->index, 0, n->life);
}

/* ---- publishers */

static void s_check_pub_stop(sim_node_t *n, weft_err_t code) {
    bool cause = false;
    sim_trace("pub stopped", n->index, (uint64_t) code, weft_publisher_acked(n->pub));
    if (code == WEFT_E_TWIN) {
        SAW(stop_twin);
        cause = w.tainted[n->db.origin];
    } else if (code == WEFT_E_BUS_LOST) {
        SAW(stop_bus_lost);
        cause = w.restored;
    } else if (code == WEFT_E_OTHER_LOG) {
        SAW(stop_pub_other_log);
        cause = w.replaced;
    }
    RULE("O3", cause, "n%u stops sending without cause: %s", n->index, weft_err_name(code));
}

static void s_check_pub(sim_node_t *n) {
    uint64_t acked = weft_publisher_acked(n->pub), resent = weft_publisher_resent(n->pub);
    bool lost = w.restored || w.replaced || w.tainted[n->db.origin];
    RULE("O1", acked <= n->db.count, "n%u has %llu acknowledged of %zu", n->index,
         (unsigned long long) acked, n->db.count);
    RULE("O3", acked >= n->acked, "n%u forgets that %llu was acknowledged", n->index,
         (unsigned long long) n->acked);
    for (; n->acked < acked; n->acked++)
        RULE("P1", n->db.events[n->acked]->stored, "event %u/%llu is acknowledged, not in the log",
             n->db.origin, (unsigned long long) n->acked + 1);
    RULE("P1",
         lost || acked <= w.bus.disk.origins[n->db.origin].last ||
             (w.bus.has_after && acked <= w.bus.after.origins[n->db.origin].last),
         "event %u/%llu is acknowledged, the log ends at %llu", n->db.origin,
         (unsigned long long) acked, (unsigned long long) w.bus.disk.origins[n->db.origin].last);
    if (resent > n->resent) SAW(resent);
    n->resent = resent;
    if (weft_publisher_stopped(n->pub) == n->pub_stopped) return;
    n->pub_stopped = weft_publisher_stopped(n->pub);
    s_check_pub_stop(n, n->pub_stopped);
    if (!w.healed) sim_at(w.now + 500, SIM_REBUILD, n->index, 0, n->life);
}

void sim_check_step(sim_node_t *n) {
    s_check_books();
    if (!n || !n->up) return;
    if (n->pub) s_check_pub(n);
    if (n->sub) s_check_sub(n);
}

/* ---- the end */

static bool s_settled(const sim_node_t *n) {
    const sim_row_t *head = s_row(w.bus.disk.count);
    bool sent = !n->pub || n->pub_stopped != WEFT_OK || weft_publisher_acked(n->pub) == n->db.count;
    bool read = !n->sub || n->sub_stopped != WEFT_OK || (n->at == head && !n->busy);
    return n->up && sent && read;
}

bool sim_converged(void) {
    for (unsigned i = 0; i < w.nodes_count; i++)
        if (w.nodes[i].used && !s_settled(&w.nodes[i])) return false;
    return true;
}

/* Against the naive model: all rows up to where it stands, one after the other. */
static void s_check_model(const sim_node_t *n) {
    uint64_t effects = 0, reply = 0;
    for (uint64_t p = n->began + 1; n->at && p <= n->at->position; p++) {
        const sim_row_t *row = s_row(p);
        if (!w.types[row->event->type].matches[n->set]) continue;
        effects++;
        if (!n->reacts || row->event->type >= SIM_BASE_TYPES - 1) continue;
        while (reply < n->db.count && !n->db.events[reply]->cause) reply++;
        RULE("P2", reply < n->db.count && n->db.events[reply]->cause == p,
             "n%u did not answer position %llu once", n->index, (unsigned long long) p);
        reply++;
    }
    RULE("P3", effects == n->db.effects, "n%u applied %llu events, %llu match", n->index,
         (unsigned long long) n->db.effects, (unsigned long long) effects);
    while (n->reacts && reply < n->db.count) {
        RULE("P2", !n->db.events[reply]->cause, "n%u answered %llu twice", n->index,
             (unsigned long long) n->db.events[reply]->cause);
        reply++;
    }
}

void sim_check_end(void) {
    for (unsigned i = 0; i < w.nodes_count; i++) {
        const sim_node_t *n = &w.nodes[i];
        if (!n->used) continue;
        const sim_origin_t *origin = &w.bus.disk.origins[n->db.origin];
        RULE("P1",
             !n->pub || n->pub_stopped != WEFT_OK ||
                 (origin->last == n->db.count && origin->chain == n->db.chain),
             "n%u emitted %zu events, the log has %llu of them or others", i, n->db.count,
             (unsigned long long) origin->last);
        if (n->sub && n->sub_stopped == WEFT_OK) s_check_model(n);
    }
}
