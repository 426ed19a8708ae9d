/* What the tests of the subscriber share: the bus is a naive log that says what the test wants it to,
 * the clock is a number. */
#ifndef SUBSCRIBER_FIXTURE_H
#define SUBSCRIBER_FIXTURE_H

#include "kit.h"

#include "weft_counters.h"
#include "weft_subscriber.h"

static struct {
    weft_subscriber_t *s;
    kit_log_t log;
    int64_t now;
    uint64_t ids;
    const char *const *filters;
    size_t filters_count;
} w;

static const char *const s_all[] = {">"};
static const char *const s_a[] = {"a.*"};

static inline void s_new_at(weft_start_t start, const weft_resume_t *resume,
                            const char *const *filters) {
    weft_subscriber_destroy(&w.s);
    w.filters = filters;
    w.filters_count = 1;
    w.s = weft_subscriber_new(filters, 1, start, resume);
    assert_non_null(w.s);
}

static inline void s_new(const char *const *filters) {
    static const weft_resume_t none;
    s_new_at(WEFT_START_BEGINNING, &none, filters);
}

static inline weft_subscriber_action_t s_next(void) {
    weft_subscriber_action_t action;
    weft_subscriber_next(w.s, w.now, ++w.ids, &action);
    return action;
}

static inline void s_wants(int kind) {
    assert_int_equal(s_next().kind, kind);
}

static inline weft_hello_t s_hello(void) {
    weft_subscriber_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_SUBSCRIBER_HELLO);
    weft_subscriber_sent(w.s, w.now, a.hello.id, true);
    return a.hello;
}

static inline void s_welcome(uint64_t id) {
    weft_welcome_t welcome = kit_log_welcome(&w.log, id);
    weft_subscriber_welcome(w.s, w.now, &welcome);
}

static inline weft_fetch_t s_fetch(void) {
    weft_subscriber_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_SUBSCRIBER_FETCH);
    weft_subscriber_sent(w.s, w.now, a.fetch.id, true);
    return a.fetch;
}

static inline void s_page(const weft_fetch_t *fetch, size_t max_events) {
    weft_page_t page;
    weft_buf_t body = {0};
    kit_log_page(&w.log, fetch->id, fetch->position.at.position.value, w.filters, w.filters_count,
                 max_events, 1000, &page, &body);
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    weft_buf_free(&body);
}

static inline void s_state(weft_subscriber_state_t state) {
    assert_int_equal(weft_subscriber_state(w.s), state);
}

/* Greeted and caught up. */
static inline void s_join(void) {
    s_welcome(s_hello().id);
    while (weft_subscriber_state(w.s) == WEFT_SUBSCRIBER_CATCHUP) {
        weft_fetch_t fetch = s_fetch();
        s_page(&fetch, 100);
    }
    s_state(WEFT_SUBSCRIBER_LIVE);
}

/* The live message with the event at that position. */
static inline void s_live(uint64_t position) {
    weft_buf_t body = {0};
    const char *type = kit_log_row(&w.log, position)->type;
    kit_log_put(&w.log, position, &body);
    weft_subscriber_events(w.s, type, strlen(type), body.data, body.size);
    weft_buf_free(&body);
}

static weft_record_t s_last_record;

static inline void s_record(uint64_t prev, uint64_t last) {
    kit_log_record(&w.log, prev, last, &s_last_record);
    weft_subscriber_record(w.s, w.now, &s_last_record);
}

/* Store that many events of that type, each of its own origin's sequence. */
static inline void s_store(const char *type, unsigned count) {
    while (count--) kit_log_add(&w.log, type, 1, w.log.count + 1, 20);
}

/* What is handed out now are exactly the events of these positions, up to next. */
static inline void s_takes(const uint64_t *positions, size_t count, uint64_t next) {
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    assert_int_equal(batch.count, count);
    for (size_t i = 0; i < count; i++) {
        const kit_row_t *row = kit_log_row(&w.log, positions[i]);
        assert_int_equal(batch.events[i].position.value, positions[i]);
        assert_string_equal(batch.events[i].type, row->type);
        assert_true(batch.events[i].chain == row->stamp.chain);
        assert_int_equal(batch.events[i].raw_size, row->event.size);
        assert_memory_equal(batch.events[i].raw, row->event.data, row->event.size);
    }
    assert_int_equal(batch.next.position.value, next);
    assert_true(batch.next.chain == kit_log_chain(&w.log, next));
    assert_memory_equal(&batch.next.log, &w.log.log, sizeof w.log.log);
}

#define TAKES(next, ...)                     \
    s_takes((const uint64_t[]){__VA_ARGS__}, \
            sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), next)

static inline void s_takes_nothing(void) {
    weft_batch_t batch;
    assert_false(weft_subscriber_take(w.s, &batch));
}

static inline weft_sub_info_t s_info(void) {
    weft_sub_info_t info;
    weft_subscriber_info(w.s, w.now, &info);
    return info;
}

/* So much was dropped, all for this reason. */
static inline void s_dropped(weft_sub_drop_t why, uint64_t count) {
    assert_true(weft_subscriber_drops(w.s)[why] == count);
    assert_true(s_info().dropped == count);
}

static inline void s_stopped(weft_err_t why) {
    assert_rc(s_info().stopped, why);
    s_state(WEFT_SUBSCRIBER_STOPPED);
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_true(weft_subscriber_deadline(w.s) == INT64_MAX);
}

static inline int s_set_up(void **state) {
    (void) state;
    memset(&w, 0, sizeof w);
    kit_log_init(&w.log);
    w.now = 100000;
    return 0;
}

static inline int s_tear_down(void **state) {
    (void) state;
    weft_subscriber_destroy(&w.s);
    kit_log_free(&w.log);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_tear_down)

#endif
