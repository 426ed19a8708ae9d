/* A node: database, outbox and handlers in their dullest form around weft_publisher and
 * weft_subscriber; it does what weft_relay, weft_sub and weft_applier do with sockets and SQLite. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACTIONS_MAX 100000 /* in one run: more is a loop that never ends */
#define CRASH_PERMILLE 2   /* of transactions */

/* ---- types, origins and events */

const char *const sim_filters[SIM_SETS][3] = {{">"},          {"a.*"},  {"b"},
                                              {"c.>", "a.x"}, {"none"}, {"r.>", "m.*", "b"}};

const char *const sim_base_types[SIM_BASE_TYPES] = {"a.x", "a.y", "b", "bb", "c.d.e", "r.x"};

/* By hand, not by weft_filter_match. */
static bool s_matches(const char *filter, const char *type, bool prefix_alone) {
    size_t size = strlen(filter);
    bool any = filter[size - 1] == '>', one = filter[size - 1] == '*';
    if (prefix_alone) return strncmp(type, filter, any || one ? size - 1 : size) == 0;
    if (!any && !one) return strcmp(filter, type) == 0;
    if (strncmp(type, filter, size - 1) != 0 || !type[size - 1]) return false;
    return any || !strchr(type + size - 1, '.');
}

unsigned sim_type(const char *name) {
    unsigned at = 0;
    while (at < w.types_count && strcmp(w.types[at].name, name) != 0) at++;
    if (at < w.types_count) return at;
    RULE("sim", w.types_count < SIM_TYPES_MAX, "too many types");
    sim_type_t *type = &w.types[w.types_count++];
    memset(type, 0, sizeof *type);
    strncpy(type->name, name, sizeof type->name - 1);
    type->size = strlen(name);
    type->hash = weft_hash(name, type->size);
    for (unsigned set = 0; set < SIM_SETS; set++)
        for (unsigned i = 0; i < 3 && sim_filters[set][i]; i++) {
            type->matches[set] = type->matches[set] || s_matches(sim_filters[set][i], name, false);
            type->prefix[set] = type->prefix[set] || s_matches(sim_filters[set][i], name, true);
        }
    return at;
}

unsigned sim_new_origin(void) {
    RULE("sim", w.origins_count < SIM_ORIGINS_MAX, "too many origins");
    return w.origins_count++;
}

void sim_uuid(uint8_t uuid[16], unsigned origin) {
    memset(uuid, 0, 16);
    uuid[0] = 0x5e;
    uuid[14] = (uint8_t) origin;
    uuid[15] = (uint8_t) (origin >> 8);
}

sim_event_t *sim_event(unsigned origin, uint64_t seq, unsigned type, size_t size, uint64_t cause) {
    static const uint8_t trace[WEFT_TRACEPARENT_BYTES] = {7};
    uint8_t uuid[16];
    weft_buf_t bytes = {0}, data = {0};
    sim_event_t *event = sim_alloc(sizeof *event);
    weft_mp_put_array(&data, 1);
    weft_mp_put_bin(&data, sim_alloc(size + 1), size);
    sim_uuid(uuid, origin);
    weft_wire_event_t wire = {.origin = uuid,
                              .source_seq = seq,
                              .time_us = 1700000000000000 + (int64_t) ++w.serial,
                              .source = "sim",
                              .source_size = 3,
                              .subject = seq % 3 ? "s/1" : NULL,
                              .subject_size = seq % 3 ? 3 : 0,
                              .traceparent = seq % 4 ? NULL : trace,
                              .cause = cause,
                              .data = data.data,
                              .data_size = data.size};
    weft_wire_event_put(&bytes, &wire);
    *event = (sim_event_t){.bytes = sim_alloc(bytes.size),
                           .size = bytes.size,
                           .hash = weft_hash(bytes.data, bytes.size),
                           .type = type,
                           .origin = origin,
                           .seq = seq,
                           .cause = cause};
    memcpy(event->bytes, bytes.data, bytes.size);
    weft_buf_free(&bytes);
    weft_buf_free(&data);
    sim_map_put(&w.events, event->hash, event);
    return event;
}

/* ---- database */

void sim_db_new(sim_db_t *db) {
    *db = (sim_db_t){.origin = sim_new_origin(), .oldest = 1};
}

void sim_db_copy(sim_db_t *to, const sim_db_t *from) {
    *to = *from;
    to->events = sim_alloc((from->capacity + 1) * sizeof *to->events);
    if (from->count) memcpy(to->events, from->events, from->count * sizeof *to->events);
}

static void s_commit_event(sim_db_t *db, sim_event_t *event) {
    if (db->count == db->capacity) {
        size_t capacity = db->capacity ? db->capacity * 2 : 256;
        sim_event_t **events = sim_alloc(capacity * sizeof(sim_event_t *));
        if (db->count) memcpy(events, db->events, db->count * sizeof *events);
        db->events = events;
        db->capacity = capacity;
    }
    event->committed = true;
    db->events[db->count++] = event;
    db->chain = weft_checksum_origin(db->chain, w.types[event->type].hash, event->hash);
}

/* ---- life and connections */

void sim_node_boot(sim_node_t *n) {
    if (n->up) return;
    size_t count = 0;
    const sim_db_t *db = &n->db;
    while (count < 3 && sim_filters[n->set][count]) count++;
    n->up = true;
    n->at = db->at;
    n->place = db->place;
    n->pub_stopped = n->sub_stopped = WEFT_OK;
    n->pub_welcomed = n->busy = n->half_open = n->taken = false;
    n->began = db->began;
    n->pub_last = UINT64_MAX;
    n->resent = n->gaps = n->sub_boot = n->pub_id = n->sub_id = 0;
    n->acked = db->acked;
    n->apply_at = 0;
    n->wake_at = INT64_MIN;
    memset(n->wanted, 0, sizeof n->wanted);
    if (n->publishes)
        n->pub = weft_publisher_new(db->acked, db->acked_chain, &db->log, db->oldest, db->count);
    if (n->subscribes)
        n->sub = weft_subscriber_new(sim_filters[n->set], count, WEFT_START_RESUME, &db->place);
    sim_trace("start", n->index, db->place.position.value, db->count);
    sim_node_run(n);
}

void sim_node_crash(sim_node_t *n) {
    if (!n->up) return;
    sim_trace("crash", n->index, n->db.place.position.value, n->db.count);
    n->up = n->busy = false;
    n->life++;
    n->wake++;
    weft_publisher_destroy(&n->pub);
    weft_subscriber_destroy(&n->sub);
    weft_buf_clear(&n->group);
    for (unsigned c = 0; c < SIM_CHANNELS; c++) sim_queue_clear(&n->queues[c]);
    sim_node_disconnect(n, true);
}

void sim_node_disconnect(sim_node_t *n, bool lose) {
    if (!n->used) return;
    n->conn++;
    memset(n->connected, 0, sizeof n->connected);
    if (lose) {
        n->epoch[0]++;
        n->epoch[1] += sim_below(2);
    }
    if (n->up && n->pub)
        sim_at(w.now + (int64_t) sim_below(2000), SIM_PATH_CLOSED, n->index, SIM_INGEST, n->conn);
}

static void s_connect(sim_node_t *n, sim_channel_t channel) {
    int64_t delay = 1 + (int64_t) sim_below(w.healed ? 20 : sim_below(4) ? 50 : 1500);
    if (w.bus.up && !n->cut && n->up && n->wanted[channel])
        sim_at(w.now + delay, SIM_CONNECTED, n->index, channel, n->conn);
}

void sim_node_reconnect(sim_node_t *n) {
    if (!n->used) return;
    n->conn++;
    for (sim_channel_t c = SIM_INGEST; c < SIM_CHANNELS; c++)
        if (!n->connected[c]) s_connect(n, c);
}

void sim_node_connected(sim_node_t *n, sim_channel_t channel) {
    n->connected[channel] = true;
    if (channel == SIM_LIVE) n->half_open = false;
    if (channel == SIM_INGEST && n->pub) weft_publisher_path(n->pub, w.now, true);
    sim_node_run(n);
}

void sim_node_path_closed(sim_node_t *n) {
    if (n->pub) weft_publisher_path(n->pub, w.now, false);
    sim_node_run(n);
}

/* ---- the publishing end */

static void s_pub_welcome(sim_node_t *n, const sim_frame_t *frame) {
    weft_welcome_t welcome;
    weft_origin_state_t origin;
    weft_err_t rc = weft_welcome_decode(frame->body, frame->body_size, &welcome);
    if (rc == WEFT_OK)
        rc = weft_origin_state_decode(welcome.origin.data, welcome.origin.size, &origin);
    RULE("C1", rc == WEFT_OK, "WELCOME does not decode: %s", weft_err_name(rc));
    bool wanted = welcome.id == n->pub_id;
    uint64_t acked = weft_publisher_acked(n->pub);
    weft_publisher_state_t before = weft_publisher_state(n->pub);
    weft_publisher_welcome(n->pub, w.now, &welcome);
    if (!wanted) {
        SAW(late_reply);
        RULE("C3", weft_publisher_acked(n->pub) == acked && weft_publisher_state(n->pub) == before,
             "a WELCOME that nobody waits for is used");
        return;
    }
    n->pub_id = 0;
    if (!welcome.accepting) SAW(not_accepting);
    if (weft_publisher_acked(n->pub) > acked) SAW(lost_ack);
    if (weft_publisher_acked(n->pub) < acked) SAW(bus_behind);
    if (weft_publisher_state(n->pub) == WEFT_PUBLISHER_PROVING) SAW(proving);
    if (weft_publisher_state(n->pub) == WEFT_PUBLISHER_SENDING ||
        weft_publisher_state(n->pub) == WEFT_PUBLISHER_PROVING) {
        n->pub_welcomed = true;
        n->pub_last = origin.last;
        if (weft_publisher_acked(n->pub) < n->acked) n->acked = weft_publisher_acked(n->pub);
    }
    for (sim_channel_t c = SIM_INGEST; c <= SIM_ACKS; c++) {
        if (n->wanted[c]) continue;
        n->wanted[c] = true;
        s_connect(n, c);
    }
}

static void s_pub_control(sim_node_t *n, const sim_frame_t *frame) {
    weft_error_t error;
    if (weft_command_parse(frame->topic, frame->topic_size) == WEFT_COMMAND_WELCOME)
        s_pub_welcome(n, frame);
    else if (weft_error_decode(frame->body, frame->body_size, &error) == WEFT_OK)
        weft_publisher_error(n->pub, w.now, &error);
}

static void s_pub_ack(sim_node_t *n, const sim_frame_t *frame) {
    weft_ack_t ack;
    weft_err_t rc = weft_ack_decode(frame->body, frame->body_size, &ack);
    RULE("I3", rc == WEFT_OK, "an ack does not decode: %s", weft_err_name(rc));
    weft_publisher_ack(n->pub, w.now, &ack);
}

static bool s_flush(sim_node_t *n) {
    if (!n->group.size) return true;
    bool room = n->ingest_waiting < w.profile.hwm;
    const sim_type_t *type = &w.types[n->group_type];
    if (room) {
        sim_post(n, true, SIM_INGEST, sim_frame(type->name, type->size, &n->group, NULL));
    } else {
        SAW(blocked);
        weft_publisher_blocked(n->pub, w.now, n->group_first);
    }
    weft_buf_clear(&n->group);
    return room;
}

static bool s_send(sim_node_t *n, const sim_event_t *event) {
    bool joins = n->group.size && n->group_type == event->type &&
                 n->group.size + event->size <= WEFT_GROUP_BYTES_TARGET;
    if (!joins && !s_flush(n)) return false;
    if (!n->group.size) {
        n->group_type = event->type;
        n->group_first = event->seq;
    }
    weft_buf_append(&n->group, event->bytes, event->size);
    return true;
}

static void s_pub_hello(sim_node_t *n, uint64_t id) {
    weft_buf_t body = {0};
    weft_hello_t hello = {.id = id, .version = WEFT_PROTOCOL_VERSION, .name = weft_text("sim")};
    sim_uuid(hello.origin.bytes, n->db.origin);
    bool sent = !sim_chance(30);
    if (sent) {
        weft_hello_encode(&body, &hello);
        sim_post(n, true, SIM_PUB, sim_frame("HELLO", 5, &body, NULL));
        weft_buf_free(&body);
        n->pub_id = id;
    }
    weft_publisher_hello_sent(n->pub, w.now, id, sent);
}

static void s_check_send(sim_node_t *n, uint64_t seq) {
    uint64_t acked = weft_publisher_acked(n->pub);
    RULE("C1", n->pub_welcomed, "event %llu is sent before any WELCOME", (unsigned long long) seq);
    RULE("O2", seq > acked && seq <= acked + WEFT_WINDOW_EVENTS_MAX,
         "event %llu is sent with %llu acknowledged", (unsigned long long) seq,
         (unsigned long long) acked);
    if (seq == acked + WEFT_WINDOW_EVENTS_MAX) SAW(window_full);
    if (n->pub_last == UINT64_MAX) return;
    uint64_t from = n->pub_last > acked ? n->pub_last : acked;
    RULE("O2", seq == from + 1, "WELCOME said %llu, event %llu is sent",
         (unsigned long long) n->pub_last, (unsigned long long) seq);
    n->pub_last = UINT64_MAX;
}

static bool s_pub_act(sim_node_t *n) {
    weft_publisher_action_t action;
    weft_publisher_next(n->pub, w.now, sim_random() | 1, &action);
    if (action.kind == WEFT_PUBLISHER_NOTHING) return false;
    if (action.kind == WEFT_PUBLISHER_HELLO) {
        s_pub_hello(n, action.id);
        return true;
    }
    RULE("O1", action.sequence >= n->db.oldest && action.sequence <= n->db.count,
         "event %llu is wanted, the outbox has %llu to %llu", (unsigned long long) action.sequence,
         (unsigned long long) n->db.oldest, (unsigned long long) n->db.count);
    const sim_event_t *event = n->db.events[action.sequence - 1];
    uint64_t type_hash = w.types[event->type].hash;
    if (action.kind == WEFT_PUBLISHER_PROVE) {
        weft_publisher_hashed(n->pub, action.sequence, type_hash, event->hash);
        return true;
    }
    s_check_send(n, action.sequence);
    if (s_send(n, event))
        weft_publisher_sent(n->pub, w.now, action.sequence, type_hash, event->hash);
    return true;
}

/* What is acknowledged goes into the database, and out of the outbox. */
static void s_settle(sim_node_t *n) {
    sim_db_t *db = &n->db;
    weft_publisher_state_t state = weft_publisher_state(n->pub);
    if (state == WEFT_PUBLISHER_STOPPED || !sim_chance(w.profile.settle)) return;
    db->acked = weft_publisher_acked(n->pub);
    db->acked_chain = weft_publisher_acked_chain(n->pub);
    db->log = *weft_publisher_log(n->pub);
    if (db->acked < db->oldest) return;
    db->oldest += 1 + sim_below(db->acked - db->oldest + 1);
    weft_publisher_pruned(n->pub, db->oldest);
}

/* ---- the subscribing end */

/* A reader that has nothing yet stands where WELCOME has put it. */
static void s_note_begin(sim_node_t *n) {
    weft_sub_info_t info;
    if (n->taken || n->db.at) return;
    weft_subscriber_info(n->sub, w.now, &info);
    n->began = info.position.value;
    n->at = n->began && n->began <= w.bus.disk.count ? w.bus.disk.rows[n->began - 1] : NULL;
    if (n->began) SAW(began_later);
}

static bool s_sub_act(sim_node_t *n) {
    weft_subscriber_action_t action;
    weft_buf_t body = {0}, filters = {0};
    weft_subscriber_next(n->sub, w.now, sim_random() | 1, &action);
    if (action.kind == WEFT_SUBSCRIBER_NOTHING) return false;
    bool hello = action.kind == WEFT_SUBSCRIBER_HELLO;
    bool sent = !sim_chance(30);
    uint64_t id = hello ? action.hello.id : action.fetch.id;
    if (hello) {
        action.hello.name = weft_text("sim");
        weft_hello_encode(&body, &action.hello);
    } else {
        uint32_t count = 0;
        while (count < 3 && sim_filters[n->set][count]) count++;
        weft_mp_put_array(&filters, count);
        for (uint32_t i = 0; i < count; i++) weft_mp_put_text(&filters, sim_filters[n->set][i]);
        action.fetch.filters = (weft_bytes_t){.data = filters.data, .size = filters.size};
        weft_fetch_encode(&body, &action.fetch);
    }
    if (sent) sim_post(n, true, SIM_SUB, sim_frame(hello ? "HELLO" : "FETCH", 5, &body, NULL));
    n->sub_id = sent ? id : 0;
    weft_subscriber_sent(n->sub, w.now, id, sent);
    weft_buf_free(&body);
    weft_buf_free(&filters);
    return true;
}

static void s_sub_control(sim_node_t *n, const sim_frame_t *frame) {
    weft_command_t command = weft_command_parse(frame->topic, frame->topic_size);
    weft_subscriber_state_t before = weft_subscriber_state(n->sub);
    weft_err_t rc;
    if (command == WEFT_COMMAND_WELCOME) {
        weft_welcome_t welcome;
        rc = weft_welcome_decode(frame->body, frame->body_size, &welcome);
        RULE("C1", rc == WEFT_OK, "WELCOME does not decode: %s", weft_err_name(rc));
        weft_subscriber_welcome(n->sub, w.now, &welcome);
        if (welcome.id == n->sub_id && before == WEFT_SUBSCRIBER_GREETING) {
            n->sub_boot = welcome.boot;
            s_note_begin(n);
            n->sub_id = 0;
        } else {
            SAW(late_reply);
            RULE("C3", weft_subscriber_state(n->sub) == before, "a late WELCOME is used");
        }
        bool renew = weft_subscriber_wants_renewal(n->sub);
        if (renew) SAW(silence);
        if (renew || !n->wanted[SIM_LIVE]) {
            n->wanted[SIM_LIVE] = true;
            n->connected[SIM_LIVE] = n->half_open = false;
            sim_queue_clear(&n->queues[SIM_LIVE]);
            s_connect(n, SIM_LIVE);
        }
    } else if (command == WEFT_COMMAND_PAGE) {
        weft_page_t page;
        size_t ready = weft_subscriber_ready(n->sub);
        rc = weft_page_decode(frame->body, frame->body_size, &page);
        RULE("C2", rc == WEFT_OK, "PAGE does not decode: %s", weft_err_name(rc));
        bool wanted = page.id == n->sub_id;
        if (wanted) n->sub_id = 0;
        if (weft_subscriber_ahead(n->sub, w.now, &page)) {
            SAW(page_ahead);
            RULE("C3", wanted, "a page that nobody waits for has a follower");
            (void) s_sub_act(n);
        }
        weft_subscriber_page(n->sub, w.now, &page, frame->page, frame->page_size);
        if (!wanted) SAW(late_reply);
        RULE("S3", page.boot == n->sub_boot || weft_subscriber_ready(n->sub) == ready,
             "a page of another boot is applied");
        RULE("C3", wanted || weft_subscriber_ready(n->sub) == ready,
             "a page that nobody waits for is applied");
        if (weft_subscriber_state(n->sub) == WEFT_SUBSCRIBER_LIVE && n->queues[SIM_LIVE].count)
            SAW(unread_joined);
    } else {
        weft_error_t error;
        rc = weft_error_decode(frame->body, frame->body_size, &error);
        RULE("C1", rc == WEFT_OK, "ERROR does not decode: %s", weft_err_name(rc));
        weft_subscriber_error(n->sub, w.now, &error);
    }
}

static void s_sub_live(sim_node_t *n, const sim_frame_t *frame) {
    static weft_record_t record;
    size_t ready = weft_subscriber_ready(n->sub);
    if (frame->topic[0] != '$') {
        weft_subscriber_events(n->sub, (const char *) frame->topic, frame->topic_size, frame->body,
                               frame->body_size);
        RULE("S1", weft_subscriber_ready(n->sub) == ready, "an event is applied before its record");
        return;
    }
    if (frame->topic_size != strlen(WEFT_TOPIC_COMMIT)) return; /* an ack */
    weft_err_t rc = weft_record_decode(frame->body, frame->body_size, &record);
    RULE("I3", rc == WEFT_OK, "a record does not decode: %s", weft_err_name(rc));
    weft_subscriber_record(n->sub, w.now, &record);
    if (record.boot == n->sub_boot) return;
    SAW(boot_change);
    RULE("S3",
         weft_subscriber_ready(n->sub) == ready &&
             weft_subscriber_state(n->sub) != WEFT_SUBSCRIBER_LIVE,
         "a record of another boot is applied");
}

/* ---- transactions */

/* 0 none, 1 before COMMIT, 2 just after it. */
static unsigned s_crash_in_transaction(const sim_node_t *n) {
    if (!(w.profile.faults & 2) || !sim_chance(CRASH_PERMILLE)) return 0;
    sim_at(w.now + 20 + (int64_t) sim_below(3000), SIM_NODE_BOOT, n->index, 0, n->life + 1);
    return 1 + (unsigned) sim_below(2);
}

static uint64_t s_mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

/* Effects, what handlers emit, and the position: one transaction (P2, S6). False: not now. */
static bool s_apply(sim_node_t *n) {
    if (w.now < n->apply_at) return false;
    if (!n->busy) {
        if (!weft_subscriber_ready(n->sub) && sim_chance(700)) return false;
        if (!weft_subscriber_take(n->sub, &n->batch)) return false;
        n->busy = n->taken = true;
    }
    sim_row_t *row = sim_check_batch(n, &n->batch);
    unsigned crash = s_crash_in_transaction(n);
    bool fails = n->batch.count && sim_chance(w.profile.rollback);
    size_t emits = 0;
    sim_event_t **emitted = sim_alloc((n->batch.count + 1) * sizeof(sim_event_t *));
    for (size_t i = 0; i < n->batch.count && n->reacts; i++) {
        if (sim_type(n->batch.events[i].type) >= SIM_BASE_TYPES - 1) continue;
        emitted[emits] = sim_event(n->db.origin, n->db.count + 1 + emits, SIM_BASE_TYPES - 1, 10,
                                   n->batch.events[i].position.value);
        emits++;
    }
    if (fails && !crash) {
        SAW(rolled_back);
        n->apply_at = w.now + 100;
        return false;
    }
    if (crash == 1) {
        SAW(transaction_lost);
        sim_node_crash(n);
        return false;
    }
    for (size_t i = 0; i < n->batch.count; i++) {
        n->db.effects++;
        n->db.effects_hash = s_mix(n->db.effects_hash, n->batch.events[i].chain);
    }
    for (size_t i = 0; i < emits; i++) s_commit_event(&n->db, emitted[i]);
    n->at = row;
    n->place = n->batch.next;
    if (n->batch.count || sim_chance(300)) {
        n->db.at = n->at;
        n->db.began = n->began;
        n->db.place = n->place;
    }
    sim_trace("apply", n->index, n->place.position.value, n->batch.count);
    sim_check_effects(n);
    n->busy = false;
    if (crash) {
        SAW(transaction_kept);
        sim_node_crash(n);
        return false;
    }
    if (emits && n->pub) weft_publisher_queued(n->pub, n->db.count);
    if (!w.healed) n->apply_at = w.now + (int64_t) sim_below(w.profile.apply_ms + 1);
    return true;
}

static unsigned s_random_type(bool many) {
    char name[24];
    if (!many) return (unsigned) sim_below(SIM_BASE_TYPES - 1);
    snprintf(name, sizeof name, "m.%u", (unsigned) sim_below(SIM_TYPES_MAX - 2 * SIM_BASE_TYPES));
    return sim_type(name);
}

void sim_node_emit(sim_node_t *n, unsigned count) {
    if (!n->up || !n->pub) return;
    bool many = count > 1 && (w.profile.faults & 2048) && sim_chance(20);
    bool same = count > 1000 || sim_below(2);
    unsigned crash = s_crash_in_transaction(n);
    unsigned type = s_random_type(false);
    if (many) count += 300;
    sim_event_t **emitted = sim_alloc(count * sizeof(sim_event_t *));
    for (unsigned i = 0; i < count; i++) {
        size_t size = sim_chance(w.profile.big) ? WEFT_LIVE_MESSAGE_BYTES_MAX + 50 : sim_below(120);
        if (!same || many) type = s_random_type(many);
        emitted[i] = sim_event(n->db.origin, n->db.count + 1 + i, type, size, 0);
    }
    if (crash == 1) {
        SAW(transaction_lost);
        sim_node_crash(n);
        return;
    }
    if (sim_chance(w.profile.rollback)) return;
    for (unsigned i = 0; i < count; i++) s_commit_event(&n->db, emitted[i]);
    sim_trace("emit", n->index, n->db.count, count);
    if (crash) {
        SAW(transaction_kept);
        sim_node_crash(n);
        return;
    }
    weft_publisher_queued(n->pub, n->db.count);
    sim_node_run(n);
}

/* ---- the loop */

static bool s_hear(sim_node_t *n, sim_channel_t channel) {
    if (channel == SIM_LIVE && !weft_subscriber_wants_live(n->sub)) return false;
    sim_frame_t *frame = sim_queue_take(&n->queues[channel]);
    if (!frame) return false;
    switch (channel) {
    case SIM_PUB: s_pub_control(n, frame); break;
    case SIM_ACKS: s_pub_ack(n, frame); break;
    case SIM_SUB: s_sub_control(n, frame); break;
    default: s_sub_live(n, frame);
    }
    sim_release(frame);
    return true;
}

static void s_wake(sim_node_t *n) {
    int64_t at = INT64_MAX;
    if (n->pub) at = weft_publisher_deadline(n->pub);
    if (n->sub && weft_subscriber_deadline(n->sub) < at) at = weft_subscriber_deadline(n->sub);
    if (n->sub && (n->busy || weft_subscriber_ready(n->sub)) && n->apply_at < at) at = n->apply_at;
    if (at == INT64_MAX) return;
    if (at <= w.now) at = w.now + 1;
    if (at == n->wake_at) return;
    n->wake_at = at;
    sim_at(at, SIM_WAKE, n->index, 0, ++n->wake);
}

void sim_node_run(sim_node_t *n) {
    if (!n->up || w.now < n->stalled_until) return;
    bool more = true;
    for (unsigned actions = 0; more && n->up; actions++) {
        RULE("sim", actions < ACTIONS_MAX, "n%u never comes to rest", n->index);
        more = false;
        if (n->pub) {
            while (s_hear(n, SIM_PUB)) more = true;
            while (s_hear(n, SIM_ACKS)) more = true;
            while (s_pub_act(n)) RULE("sim", ++actions < ACTIONS_MAX, "n%u never rests", n->index);
            if (!s_flush(n)) more = true;
            s_settle(n);
        }
        if (!n->sub) continue;
        while (s_hear(n, SIM_SUB)) more = true;
        while (s_hear(n, SIM_LIVE)) more = true;
        while (s_sub_act(n)) RULE("sim", ++actions < ACTIONS_MAX, "n%u never rests", n->index);
        while (n->up && s_apply(n)) more = true;
    }
    if (n->up) s_wake(n);
}
