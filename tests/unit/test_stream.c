/* From the sequencer to the subscriber over a link that loses, doubles and reorders, with a bus that
 * restarts and a reader that crashes: in the end the reader has applied every matching event once, in
 * the order of the log. A fixed set of seeds; a failure names its seed. */
#include "kit.h"

#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_sequencer.h"
#include "weft_subscriber.h"

#define SEEDS 120
#define STEPS 400
#define TYPES 5
#define ORIGINS 3
#define QUEUE_MAX 4096

static const char *const s_types[TYPES] = {"a.x", "a.y", "b", "bb", "c.d.e"};
static const char *const s_filter_sets[][2] = {
    {">", NULL}, {"a.*", NULL}, {"b", NULL}, {"c.>", "a.x"}, {"none", NULL}};

typedef struct {
    char *type; /* NULL: a record */
    weft_buf_t body;
} s_message_t;

typedef struct {
    weft_command_t command;
    weft_welcome_t welcome;
    weft_page_t page;
    weft_buf_t body;
} s_reply_t;

typedef struct {
    uint64_t seed, random;
    bool sound; /* nothing is lost any more */
    int64_t now_ms;
    kit_log_t log; /* what is on disk */
    weft_sequencer_t *sequencer;
    uint64_t last[ORIGINS];
    weft_buf_t batch[WEFT_BATCH_EVENTS_MAX]; /* events' bytes */
    size_t batch_count;
    s_message_t link[QUEUE_MAX];
    size_t link_count;
    s_reply_t replies[64];
    size_t replies_count;
    weft_subscriber_t *subscriber;
    const char *const *filters;
    size_t filters_count;
    weft_resume_t stored; /* with applied, in one transaction */
    uint64_t *applied;
    size_t applied_count;
    uint64_t checked; /* position up to which applied was compared with the log */
    size_t checked_count;
    uint64_t gaps;
} s_world_t;

static s_world_t w;

static uint64_t s_below(uint64_t limit) {
    return kit_below(&w.random, limit);
}
static bool s_unlucky(uint64_t percent) {
    return !w.sound && s_below(100) < percent;
}

/* ---- the bus */

static void s_boot(void) {
    int64_t stored_us = w.log.count ? kit_log_row(&w.log, w.log.count)->stamp.stored_us : 0;
    weft_sequencer_destroy(&w.sequencer);
    w.log.boot = kit_random(&w.random);
    w.sequencer = weft_sequencer_new(w.log.count, kit_log_chain(&w.log, w.log.count), stored_us);
    assert_non_null(w.sequencer);
}

static void s_enqueue(const char *type, weft_buf_t *body) {
    if (s_unlucky(8) || w.link_count == QUEUE_MAX) {
        weft_buf_free(body);
        return;
    }
    w.link[w.link_count++] = (s_message_t){.type = type ? strdup(type) : NULL, .body = *body};
    if (s_unlucky(5) && w.link_count < QUEUE_MAX) {
        weft_buf_t again = {0};
        weft_buf_append(&again, body->data, body->size);
        w.link[w.link_count++] = (s_message_t){.type = type ? strdup(type) : NULL, .body = again};
    }
    while (w.link_count > 1 && s_unlucky(15)) {
        size_t at = s_below(w.link_count - 1);
        s_message_t swap = w.link[at];
        w.link[at] = w.link[at + 1];
        w.link[at + 1] = swap;
    }
}

static void s_put_record(void) {
    static weft_record_t record;
    weft_buf_t body = {0};
    weft_sequencer_record(w.sequencer, w.log.boot, &w.log.log, w.now_ms * 1000, &record);
    weft_record_encode(&body, &record);
    s_enqueue(NULL, &body);
}

static void s_publish(void) {
    size_t count;
    const weft_batch_type_t *types = weft_sequencer_types(w.sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t cursor = types[i].first, row;
        size_t size;
        while (weft_sequencer_group(w.sequencer, &cursor, &row, &size)) {
            weft_buf_t body = {0};
            weft_sequencer_body(w.sequencer, row, size, weft_buf_reserve(&body, size));
            body.size = size;
            s_enqueue(types[i].type->name, &body);
        }
    }
    s_put_record();
}

/* What the sequencer committed goes to the naive disk as it is. */
static void s_write(void) {
    size_t count, types_count;
    const weft_row_t *rows = weft_sequencer_rows(w.sequencer, &count);
    const weft_batch_type_t *types = weft_sequencer_types(w.sequencer, &types_count);
    for (size_t i = 0; i < count; i++) {
        const char *name = types[rows[i].type].type->name;
        kit_log_add(&w.log, name, 0, 0, 0);
        kit_row_t *row = &w.log.rows[w.log.count - 1];
        weft_buf_clear(&row->event);
        weft_buf_append(&row->event, rows[i].event, rows[i].size);
        row->stamp = (weft_stamp_t){rows[i].position, rows[i].stored_us, rows[i].chain};
        row->checksum = rows[i].checksum;
    }
}

static void s_batch(void) {
    for (; w.batch_count; w.batch_count--) weft_buf_free(&w.batch[w.batch_count - 1]);
    weft_sequencer_begin(w.sequencer, w.now_ms * 1000);
    for (uint64_t n = 1 + s_below(s_below(10) ? 6 : 200); n; n--) {
        uint8_t origin = (uint8_t) s_below(ORIGINS), uuid[16] = {[0] = 0xee, [15] = origin};
        const char *name = s_types[s_below(TYPES)];
        size_t size = s_below(100) ? s_below(200) : WEFT_LIVE_MESSAGE_BYTES_MAX + 100; /* F2 */
        weft_buf_t *bytes = &w.batch[w.batch_count++];
        weft_seq_type_t *type;
        weft_drop_t drop;
        weft_buf_init(bytes);
        kit_event(bytes, origin, w.last[origin] + 1, NULL, size);
        weft_wire_event_t event = kit_decode_event(bytes);
        assert_rc(weft_sequencer_type(w.sequencer, name, strlen(name), &type), WEFT_OK);
        weft_seq_origin_t *known = weft_sequencer_origin(w.sequencer, uuid);
        if (!known) known = weft_sequencer_load_origin(w.sequencer, uuid, w.last[origin], 0, 0);
        if (weft_sequencer_take(w.sequencer, type, known, &event, &drop)) w.last[origin]++;
    }
    weft_sequencer_commit(w.sequencer);
    s_write();
    s_publish();
}

/* ---- the control socket */

static void s_control(const weft_subscriber_action_t *a) {
    bool hello = a->kind == WEFT_SUBSCRIBER_HELLO;
    uint64_t id = hello ? a->hello.id : a->fetch.id;
    bool sent = !s_unlucky(5);
    weft_subscriber_sent(w.subscriber, w.now_ms, id, sent);
    if (!sent || s_unlucky(10)) return;
    if (w.replies_count == 64) return;
    s_reply_t *reply = &w.replies[w.replies_count++];
    *reply = (s_reply_t){.command = hello ? WEFT_COMMAND_WELCOME : WEFT_COMMAND_PAGE};
    const weft_place_t *place = hello ? &a->hello.position : &a->fetch.position;
    if (place->kind == WEFT_PLACE_CHECKED) /* the bus would refuse anything else */
        assert_true(place->at.chain == kit_log_chain(&w.log, place->at.position.value));
    if (hello)
        reply->welcome = kit_log_welcome(&w.log, id);
    else
        kit_log_page(&w.log, id, place->at.position.value, w.filters, w.filters_count,
                     1 + s_below(50), 1 + s_below(100), &reply->page, &reply->body);
}

static void s_hear_reply(void) {
    if (!w.replies_count || s_unlucky(30)) return;
    s_reply_t reply = w.replies[0];
    memmove(w.replies, w.replies + 1, --w.replies_count * sizeof *w.replies);
    if (reply.command == WEFT_COMMAND_WELCOME)
        weft_subscriber_welcome(w.subscriber, w.now_ms, &reply.welcome);
    else
        weft_subscriber_page(w.subscriber, w.now_ms, &reply.page, reply.body.data, reply.body.size);
    weft_buf_free(&reply.body);
}

/* ---- the reader */

static void s_start_reader(void) {
    weft_subscriber_destroy(&w.subscriber);
    w.subscriber = weft_subscriber_new(w.filters, w.filters_count, WEFT_START_RESUME, &w.stored);
    assert_non_null(w.subscriber);
}

static void s_hear_live(void) {
    static weft_record_t record;
    size_t heard = 0;
    for (; heard < w.link_count && weft_subscriber_wants_live(w.subscriber); heard++) {
        s_message_t *m = &w.link[heard];
        if (m->type) {
            weft_subscriber_events(w.subscriber, m->type, strlen(m->type), m->body.data,
                                   m->body.size);
        } else {
            assert_rc(weft_record_decode(m->body.data, m->body.size, &record), WEFT_OK);
            weft_subscriber_record(w.subscriber, w.now_ms, &record);
        }
        free(m->type);
        weft_buf_free(&m->body);
    }
    w.link_count -= heard;
    memmove(w.link, w.link + heard, w.link_count * sizeof *w.link);
}

static bool s_matches(const char *type) {
    for (size_t i = 0; i < w.filters_count; i++) {
        const char *f = w.filters[i], *star = strpbrk(f, "*>");
        if (!star && strcmp(f, type) == 0) return true;
        if (!star || strncmp(f, type, (size_t) (star - f)) != 0 || !type[star - f]) continue;
        if (*star == '>' || !strchr(type + (star - f), '.')) return true;
    }
    return false;
}

/* Effects and position in one transaction. */
static void s_apply(void) {
    weft_batch_t batch;
    if (!weft_subscriber_take(w.subscriber, &batch)) return;
    w.applied = realloc(w.applied, (w.applied_count + batch.count + 1) * sizeof *w.applied);
    assert_non_null(w.applied);
    for (size_t i = 0; i < batch.count; i++) {
        const kit_row_t *row = kit_log_row(&w.log, batch.events[i].position.value);
        assert_string_equal(batch.events[i].type, row->type);
        assert_int_equal(batch.events[i].raw_size, row->event.size);
        assert_memory_equal(batch.events[i].raw, row->event.data, row->event.size);
        w.applied[w.applied_count++] = batch.events[i].position.value;
    }
    w.stored = batch.next;
    assert_true(w.stored.chain == kit_log_chain(&w.log, w.stored.position.value));
}

/* Is what was applied exactly what matches up to the stored position? */
static void s_check(void) {
    size_t n = w.checked_count;
    for (uint64_t p = w.checked + 1; p <= w.stored.position.value; p++) {
        if (!s_matches(kit_log_row(&w.log, p)->type)) continue;
        if (n == w.applied_count || w.applied[n] != p)
            fail_msg("seed %llu: event %llu is not the next one applied",
                     (unsigned long long) w.seed, (unsigned long long) p);
        n++;
    }
    assert_int_equal(n, w.applied_count);
    w.checked = w.stored.position.value;
    w.checked_count = n;
    weft_sub_info_t info;
    weft_subscriber_info(w.subscriber, w.now_ms, &info);
    if (info.stopped != WEFT_OK)
        fail_msg("seed %llu: stopped by %s", (unsigned long long) w.seed,
                 weft_err_name(info.stopped));
}

static void s_act(void) {
    for (unsigned n = 0; n < 4; n++) {
        weft_subscriber_action_t action;
        weft_subscriber_next(w.subscriber, w.now_ms, kit_random(&w.random), &action);
        if (action.kind == WEFT_SUBSCRIBER_NOTHING) return;
        s_control(&action);
    }
}

static void s_step(bool storing) {
    w.now_ms += (int64_t) s_below(300);
    if (storing && s_below(3) == 0)
        s_batch();
    else if (s_below(4) == 0) {
        weft_sequencer_begin(w.sequencer, w.now_ms * 1000);
        s_put_record(); /* a heartbeat */
    }
    if (s_unlucky(2)) s_boot();
    if (s_unlucky(2)) { /* a cut: what was under way is gone */
        for (; w.link_count; w.link_count--) {
            free(w.link[w.link_count - 1].type);
            weft_buf_free(&w.link[w.link_count - 1].body);
        }
    }
    s_hear_reply();
    s_hear_live();
    s_act();
    if (!s_unlucky(40)) s_apply();
    if (s_unlucky(2)) s_start_reader(); /* a crash: what was not applied is gone */
    s_check();
}

static void s_clear(void) {
    weft_subscriber_destroy(&w.subscriber);
    weft_sequencer_destroy(&w.sequencer);
    kit_log_free(&w.log);
    for (; w.batch_count; w.batch_count--) weft_buf_free(&w.batch[w.batch_count - 1]);
    for (size_t i = 0; i < w.link_count; i++) {
        free(w.link[i].type);
        weft_buf_free(&w.link[i].body);
    }
    for (size_t i = 0; i < w.replies_count; i++) weft_buf_free(&w.replies[i].body);
    free(w.applied);
}

static void s_run(uint64_t seed) {
    memset(&w, 0, sizeof w);
    w.seed = w.random = seed;
    w.now_ms = 1000000;
    kit_log_init(&w.log);
    w.filters = s_filter_sets[seed % 5];
    w.filters_count = w.filters[1] ? 2 : 1;
    s_boot();
    s_start_reader();
    for (unsigned i = 0; i < STEPS; i++) s_step(true);
    w.sound = true;
    for (unsigned i = 0; i < 2000 && w.stored.position.value < w.log.count; i++) s_step(false);
    if (w.stored.position.value != w.log.count)
        fail_msg("seed %llu: stands at %llu of %zu", (unsigned long long) seed,
                 (unsigned long long) w.stored.position.value, w.log.count);
    s_check();
    weft_sub_info_t info;
    weft_subscriber_info(w.subscriber, w.now_ms, &info);
    w.gaps += info.gaps;
}

static void every_matching_event_is_applied_once_in_order_whatever_the_link_does(void **state) {
    (void) state;
    uint64_t gaps = 0, applied = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        s_run(seed);
        gaps += w.gaps;
        applied += w.applied_count;
        s_clear();
    }
    assert_true(gaps > SEEDS / 10); /* or the link was not as bad as it was meant to be */
    assert_true(applied > 100 * SEEDS);
}

static void a_seed_runs_the_same_twice(void **state) {
    (void) state;
    uint64_t sums[2];
    for (unsigned n = 0; n < 2; n++) {
        s_run(7);
        sums[n] = kit_log_chain(&w.log, w.log.count) + w.random + w.applied_count + w.gaps;
        s_clear();
    }
    assert_true(sums[0] == sums[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_matching_event_is_applied_once_in_order_whatever_the_link_does),
        cmocka_unit_test(a_seed_runs_the_same_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
