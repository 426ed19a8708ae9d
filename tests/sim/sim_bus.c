/* The bus: weft_sequencer between a queue and a disk that can be slow, full, failing, or lose what
 * was not synced. Takes, commits, publishes, records and acknowledges in the order of I3, and can
 * crash between any two of them. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define BUS SIM_NODES_MAX /* in the trace */
#define CRASH_PERMILLE 8  /* of commits */

/* ---- disk */

void sim_disk_new(sim_disk_t *disk) {
    memset(disk, 0, sizeof *disk);
    uint64_t random[2] = {sim_random(), sim_random()};
    memcpy(disk->log.bytes, random, sizeof random);
}

void sim_disk_copy(sim_disk_t *to, const sim_disk_t *from) {
    *to = *from;
    to->rows = sim_alloc((from->capacity + 1) * sizeof *to->rows);
    if (from->count) memcpy(to->rows, from->rows, from->count * sizeof *to->rows);
}

static void s_append(sim_disk_t *disk, sim_row_t *row) {
    if (disk->count == disk->capacity) {
        size_t capacity = disk->capacity ? disk->capacity * 2 : 256;
        sim_row_t **rows = sim_alloc(capacity * sizeof(sim_row_t *));
        if (disk->count) memcpy(rows, disk->rows, disk->count * sizeof *rows);
        disk->rows = rows;
        disk->capacity = capacity;
    }
    disk->rows[disk->count++] = row;
    disk->types[row->event->type] = true;
    row->event->stored = true;
    if (!row->event->seq) {
        SAW(fire_and_forget);
        return;
    }
    sim_origin_t *origin = &disk->origins[row->event->origin];
    origin->last = row->event->seq;
    origin->position = row->position;
    origin->chain = weft_checksum_origin(origin->chain, w.types[row->event->type].hash,
                                         row->event->hash);
    if (row->event->size + WEFT_STAMP_BYTES_MAX > WEFT_LIVE_MESSAGE_BYTES_MAX) SAW(big_event);
}

/* The batch in hand becomes durable on that disk, all of it or nothing. */
static void s_store(sim_disk_t *disk) {
    size_t count, types_count;
    const weft_row_t *rows = weft_sequencer_rows(w.bus.sequencer, &count);
    weft_batch_type_t *types = weft_sequencer_types(w.bus.sequencer, &types_count);
    for (size_t i = 0; i < types_count; i++) {
        weft_seq_type_t *type = types[i].type;
        bool known = type->store_id && disk->types[type->store_id - 1];
        RULE("I3", known || (type->store_id == 0 && type->is_new),
             "type %s passes for stored, but it is not", type->name);
        if (!type->store_id) type->store_id = sim_type(type->name) + 1;
    }
    for (size_t i = 0; i < count; i++) {
        sim_row_t *row = sim_alloc(sizeof *row);
        *row = (sim_row_t){.prev = disk->count ? disk->rows[disk->count - 1] : NULL,
                           .position = rows[i].position,
                           .chain = rows[i].chain,
                           .checksum = rows[i].checksum,
                           .stored_us = rows[i].stored_us,
                           .event = sim_map_get(&w.events, weft_hash(rows[i].event, rows[i].size))};
        RULE("O1",
             row->event && row->event->size == rows[i].size &&
                 memcmp(row->event->bytes, rows[i].event, rows[i].size) == 0,
             "position %llu holds bytes that nobody emitted", (unsigned long long) row->position);
        const char *name = types[rows[i].type].type->name;
        RULE("I5", strcmp(name, w.types[row->event->type].name) == 0,
             "position %llu is stored as %s and was emitted as %s",
             (unsigned long long) row->position, name, w.types[row->event->type].name);
        sim_check_row(disk, row);
        sim_row_t *same = sim_map_get(&w.rows, row->chain);
        RULE("P6", !same || (same->prev == row->prev && same->event == row->event),
             "two rows with one chain");
        if (same)
            row = same;
        else
            sim_map_put(&w.rows, row->chain, row);
        s_append(disk, row);
    }
}

/* ---- ingest */

static void s_drop(weft_drop_t why) {
    w.bus.items++;
    weft_sequencer_drop(w.bus.sequencer, why);
    if (why != WEFT_DROP_NOT_ACCEPTING) SAW(ingest_junk);
}

static weft_seq_origin_t *s_origin(const weft_wire_event_t *event) {
    if (!event->source_seq) return NULL;
    weft_seq_origin_t *origin = weft_sequencer_origin(w.bus.sequencer, event->origin);
    if (origin) return origin;
    const sim_origin_t *known = &w.bus.disk.origins[event->origin[15] << 8 | event->origin[14]];
    return weft_sequencer_load_origin(w.bus.sequencer, event->origin, known->last, known->position,
                                      known->chain);
}

/* False: the batch has no room for its type. */
static bool s_place(const weft_wire_event_t *event) {
    weft_seq_type_t *type;
    weft_drop_t drop;
    if (w.bus.trouble == WEFT_E_IO) {
        s_drop(WEFT_DROP_NOT_ACCEPTING);
        return true;
    }
    weft_err_t rc = weft_sequencer_type(w.bus.sequencer, (const char *) w.bus.in_hand->topic,
                                        w.bus.in_hand->topic_size, &type);
    if (rc == WEFT_E_AGAIN) {
        SAW(batch_types_full);
        return false;
    }
    if (rc != WEFT_OK) {
        s_drop(WEFT_DROP_BAD_TYPE);
        return true;
    }
    w.bus.items++;
    if (weft_sequencer_take(w.bus.sequencer, type, s_origin(event), event, &drop)) return true;
    if (drop == WEFT_DROP_GAP)
        SAW(ingest_gap);
    else
        SAW(ingest_duplicate);
    return true;
}

/* False: the batch must be committed first. */
static bool s_take_events(void) {
    sim_bus_t *b = &w.bus;
    while (weft_mp_left(&b->cursor)) {
        weft_wire_event_t event;
        weft_mp_t before = b->cursor;
        if (weft_sequencer_full(b->sequencer)) {
            SAW(batch_full);
            return false;
        }
        weft_err_t rc = weft_wire_event_take(&b->cursor, &event);
        if (rc != WEFT_OK) {
            s_drop(rc == WEFT_E_VERSION ? WEFT_DROP_BAD_VERSION : WEFT_DROP_BAD_EVENT);
            if (b->cursor.at == before.at) break;
        } else if (!s_place(&event)) {
            b->cursor = before;
            return false;
        }
    }
    sim_release(b->in_hand);
    b->in_hand = NULL;
    return true;
}

static void s_keep(sim_frame_t *frame) {
    sim_bus_t *b = &w.bus;
    if (b->kept_count == b->kept_capacity) {
        size_t capacity = b->kept_capacity ? b->kept_capacity * 2 : 64;
        sim_frame_t **kept = sim_alloc(capacity * sizeof(sim_frame_t *));
        if (b->kept_count) memcpy(kept, b->kept, b->kept_count * sizeof *kept);
        b->kept = kept;
        b->kept_capacity = capacity;
    }
    b->kept[b->kept_count++] = sim_hold(frame);
}

/* The clock of the bus. It may go back hundreds of times, an hour each, and still is after 1970: a bus cannot be told of earlier times. */
static int64_t s_wall_us(void) {
    return INT64_C(1700000000000000) + w.now * 1000 + w.bus.clock_us;
}

static void s_begin(void) {
    for (; w.bus.kept_count; w.bus.kept_count--) sim_release(w.bus.kept[w.bus.kept_count - 1]);
    weft_sequencer_begin(w.bus.sequencer, s_wall_us());
}

static void s_take(void) {
    sim_bus_t *b = &w.bus;
    if (b->in_hand) s_keep(b->in_hand);
    for (;;) {
        if (b->in_hand && !s_take_events()) return;
        if (weft_sequencer_full(b->sequencer)) return;
        b->in_hand = sim_queue_take(&b->ingest);
        if (!b->in_hand) return;
        if (b->in_hand->page_size || !b->in_hand->body_size) {
            s_drop(b->in_hand->page_size ? WEFT_DROP_BAD_FRAME : WEFT_DROP_BAD_EVENT);
            sim_release(b->in_hand);
            b->in_hand = NULL;
            continue;
        }
        s_keep(b->in_hand);
        b->cursor = weft_mp_reader(b->in_hand->body, b->in_hand->body_size);
    }
}

void sim_bus_ingest(unsigned node, sim_frame_t *frame) {
    sim_bus_t *b = &w.bus;
    if (!b->up || (!w.healed && b->ingest.count >= w.profile.hwm)) {
        SAW(dropped);
        sim_release(frame);
        return;
    }
    sim_queue_put(&b->ingest, frame);
    sim_trace("ingest", node, frame->body_size, b->ingest.count);
    if (b->committing || b->turn_due) return;
    b->turn_due = true; /* some messages gather in a batch */
    sim_at(w.now + (int64_t) sim_below(2) * (int64_t) sim_below(6), SIM_BUS_TURN, 0, 0, b->life);
}

/* ---- fan-out */

static void s_fan_out(sim_frame_t *frame, unsigned type) {
    for (unsigned i = 0; i < w.nodes_count; i++) {
        sim_node_t *n = &w.nodes[i];
        if (!n->used || !n->connected[SIM_LIVE]) continue;
        if (type < w.types_count && !w.types[type].matches[n->set] && !w.types[type].prefix[n->set])
            continue;
        if (n->half_open) continue;
        sim_post(n, false, SIM_LIVE, sim_hold(frame));
    }
    sim_release(frame);
}

static void s_publish_events(void) {
    size_t count;
    weft_buf_t body = {0};
    const weft_batch_type_t *types = weft_sequencer_types(w.bus.sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t cursor = types[i].first, row;
        size_t size;
        while (weft_sequencer_group(w.bus.sequencer, &cursor, &row, &size)) {
            weft_buf_clear(&body);
            weft_sequencer_body(w.bus.sequencer, row, size, weft_buf_reserve(&body, size));
            body.size = size;
            sim_frame_t *frame = sim_frame(types[i].type->name, types[i].type->size, &body, NULL);
            sim_check_live(frame);
            s_fan_out(frame, (unsigned) types[i].type->store_id - 1);
        }
    }
    weft_buf_free(&body);
}

static void s_publish_record(void) {
    static weft_record_t record;
    weft_buf_t body = {0};
    weft_sequencer_record(w.bus.sequencer, w.bus.boot, &w.bus.disk.log, s_wall_us(), &record);
    weft_record_encode(&body, &record);
    sim_frame_t *frame = sim_frame(WEFT_TOPIC_COMMIT, strlen(WEFT_TOPIC_COMMIT), &body, NULL);
    weft_buf_free(&body);
    sim_check_record(frame);
    s_fan_out(frame, SIM_TYPES_MAX);
    w.bus.record_due = w.now + WEFT_HEARTBEAT_MS;
}

static void s_publish_acks(void) {
    size_t count;
    char topic[WEFT_TOPIC_ACK_BYTES + 1];
    weft_buf_t body = {0};
    weft_seq_origin_t **touched = weft_sequencer_touched(w.bus.sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        const weft_seq_origin_t *origin = touched[i];
        if (!origin->last) continue;
        unsigned index = (unsigned) origin->uuid.bytes[15] << 8 | origin->uuid.bytes[14];
        weft_ack_t ack = {.source_seq = origin->last,
                          .position = origin->position,
                          .origin_chain = origin->chain};
        sim_check_ack(&ack, index);
        weft_ack_topic(topic, origin->uuid.bytes);
        weft_buf_clear(&body);
        weft_ack_encode(&body, &ack);
        sim_frame_t *frame = sim_frame(topic, WEFT_TOPIC_ACK_BYTES, &body, NULL);
        sim_trace("ack", BUS, index, ack.source_seq);
        for (unsigned n = 0; n < w.nodes_count; n++) {
            sim_node_t *node = &w.nodes[n];
            if (node->used && node->connected[SIM_ACKS] && node->db.origin == index)
                sim_post(node, false, SIM_ACKS, sim_hold(frame));
            if (node->used && node->connected[SIM_LIVE] && node->set == 0 && !node->half_open)
                sim_post(node, false, SIM_LIVE, sim_hold(frame)); /* a filter of everything */
        }
        sim_release(frame);
    }
    weft_buf_free(&body);
}

/* ---- a batch */

static bool s_crashes(void) {
    if (!(w.profile.faults & 1) || !sim_chance(CRASH_PERMILLE)) return false;
    sim_at(w.now + 50 + (int64_t) sim_below(4000), SIM_BUS_BOOT, 0, 0, w.bus.life + 1);
    return true;
}

/* The disk has failed; what it wrote may be there after a restart. */
static void s_fail_for_good(void) {
    SAW(disk_failed);
    sim_trace("disk failed", BUS, w.bus.disk.count, w.bus.pending);
    if (sim_chance(500)) {
        sim_disk_copy(&w.bus.after, &w.bus.disk);
        w.bus.has_after = true;
        s_store(&w.bus.after);
    }
    weft_sequencer_rollback(w.bus.sequencer, WEFT_DROP_STORE_FAILED);
    w.bus.trouble = WEFT_E_IO;
    sim_at(w.now + 200 + (int64_t) sim_below(6000), SIM_BUS_RESTART, 0, 0, w.bus.life);
}

void sim_bus_commit(void) {
    sim_bus_t *b = &w.bus;
    bool committed = false;
    b->committing = false;
    if (b->pending && s_crashes()) {
        if (sim_chance(500)) {
            SAW(crash_kept);
            s_store(&b->disk);
        } else {
            SAW(crash_lost);
        }
        sim_bus_crash();
        return;
    }
    if (b->pending && b->disk_fails) {
        b->disk_fails = false;
        s_fail_for_good();
    } else if (b->pending && b->disk_is_full) {
        SAW(disk_full);
        sim_trace("disk full", BUS, b->disk.count, b->pending);
        weft_sequencer_rollback(b->sequencer, WEFT_DROP_STORE_FAILED);
        b->trouble = WEFT_E_FULL;
    } else if (b->pending) {
        s_store(&b->disk);
        weft_sequencer_commit(b->sequencer);
        b->trouble = WEFT_OK;
        committed = true;
        sim_trace("commit", BUS, b->disk.count, b->pending);
    }
    b->pending = 0;
    if (committed) {
        s_publish_events();
        if (!s_crashes()) {
            s_publish_record();
        } else {
            SAW(crash_publishing);
            sim_bus_crash();
            return;
        }
    }
    if (committed && s_crashes()) {
        SAW(crash_publishing);
        sim_bus_crash();
        return;
    }
    s_publish_acks();
    if ((b->in_hand || b->ingest.count) && !b->turn_due) {
        b->turn_due = true;
        sim_at(w.now, SIM_BUS_TURN, 0, 0, b->life);
    }
}

void sim_bus_turn(void) {
    sim_bus_t *b = &w.bus;
    b->turn_due = false;
    if (b->committing) return;
    s_begin();
    s_take();
    (void) weft_sequencer_rows(b->sequencer, &b->pending);
    if (!b->pending || !b->disk_slow_ms) {
        sim_bus_commit();
        return;
    }
    SAW(disk_slow);
    b->committing = true;
    sim_at(w.now + 1 + (int64_t) sim_below((uint64_t) b->disk_slow_ms), SIM_BUS_COMMIT, 0, 0,
           b->life);
}

void sim_bus_heartbeat(uint64_t life) {
    sim_bus_t *b = &w.bus;
    if (b->committing) {
        sim_at(w.now + 20, SIM_HEARTBEAT, 0, 0, life);
        return;
    }
    if (b->trouble == WEFT_E_FULL && !b->disk_is_full) b->trouble = WEFT_OK; /* it has tried */
    if (w.now >= b->record_due) {
        s_begin();
        s_publish_record();
        sim_trace("heartbeat", BUS, b->disk.count, 0);
    }
    sim_at(b->record_due, SIM_HEARTBEAT, 0, 0, life);
}

/* ---- life */

void sim_bus_crash(void) {
    sim_bus_t *b = &w.bus;
    if (!b->up) return;
    sim_trace("crash", BUS, b->disk.count, b->boot);
    b->up = b->committing = b->turn_due = false;
    b->pending = 0;
    b->life++;
    weft_sequencer_destroy(&b->sequencer);
    for (; b->kept_count; b->kept_count--) sim_release(b->kept[b->kept_count - 1]);
    sim_release(b->in_hand);
    b->in_hand = NULL;
    sim_queue_clear(&b->ingest);
    for (unsigned i = 0; i < w.nodes_count; i++) sim_node_disconnect(&w.nodes[i], sim_chance(500));
    if (!b->has_after) return;
    SAW(surfaced);
    b->disk = b->after;
    b->has_after = false;
}

void sim_bus_boot(void) {
    sim_bus_t *b = &w.bus;
    if (b->up) return;
    const sim_row_t *head = b->disk.count ? b->disk.rows[b->disk.count - 1] : NULL;
    b->up = true;
    b->life++;
    b->boot = sim_random();
    b->trouble = WEFT_OK;
    b->items = 0;
    b->sequencer = weft_sequencer_new(b->disk.count, head ? head->chain : 0,
                                      head ? head->stored_us : 0);
    for (unsigned i = 0; i < w.types_count; i++)
        if (b->disk.types[i])
            weft_sequencer_load_type(b->sequencer, w.types[i].name, w.types[i].size, i + 1);
    b->record_due = w.now;
    sim_trace("boot", BUS, b->disk.count, b->boot);
    sim_at(w.now + 1, SIM_HEARTBEAT, 0, 0, b->life);
    for (unsigned i = 0; i < w.nodes_count; i++) sim_node_reconnect(&w.nodes[i]);
}

/* ---- stock tools */

static sim_frame_t *s_fire_and_forget(void) {
    unsigned type = (unsigned) sim_below(SIM_BASE_TYPES);
    sim_event_t *event = sim_event(0, 0, type, (size_t) sim_below(50), 0);
    event->committed = true;
    weft_buf_t body = {0};
    weft_buf_append(&body, event->bytes, event->size);
    sim_frame_t *frame = sim_frame(w.types[type].name, w.types[type].size, &body, NULL);
    weft_buf_free(&body);
    return frame;
}

static sim_frame_t *s_junk(void) {
    static const char *const topics[] = {"$commit", "$ack/x", "a..b", "a.x", ""};
    const char *topic = topics[sim_below(5)];
    uint8_t bytes[40];
    weft_buf_t body = {0}, third = {0};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t) sim_random();
    if (sim_below(2)) { /* one whole event, of a type that may not come from outside */
        const sim_event_t *event = sim_event(0, 0, 0, 5, 0);
        weft_buf_append(&body, event->bytes, event->size);
        topic = topics[sim_below(3)];
    } else {
        weft_buf_append(&body, bytes, (size_t) sim_below(sizeof bytes));
    }
    if (!sim_below(6)) weft_buf_append(&third, bytes, 3);
    sim_frame_t *frame = sim_frame(topic, strlen(topic), &body, &third);
    weft_buf_free(&body);
    weft_buf_free(&third);
    return frame;
}

void sim_stock(void) {
    sim_bus_ingest(SIM_NODES_MAX, sim_below(2) ? s_fire_and_forget() : s_junk());
}
