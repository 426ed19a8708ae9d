/* Who waits for an event of somebody else: rule by rule, by a clock and a bus made of numbers. */
#include "kit.h"

#include "weft_waits.h"

typedef struct {
    weft_waits_t *waits;
    weft_waits_view_t view;
    int64_t now;
    uint64_t asked; /* questions; also the id of the last one */
    weft_uuid_t subject;
    bool away;
    uint64_t parked, parked_upto;
    unsigned ended;
    weft_waited_t last;
    uint64_t id;
} s_world_t;

static s_world_t w;
static const weft_after_t s_third = {.origin = {{7}}, .sequence = {3}};

static bool s_ask(void *arg, const weft_uuid_t *origin, uint64_t *id) {
    (void) arg;
    w.subject = *origin;
    *id = ++w.asked;
    return !w.away;
}

static uint64_t s_parked(void *arg, uint64_t upto) {
    (void) arg;
    w.parked_upto = upto;
    return w.parked;
}

static void s_on_waited(const weft_waited_t *waited, void *arg) {
    assert_ptr_equal(arg, &w);
    w.ended++;
    w.last = *waited;
}

static int s_new(void **state) {
    (void) state;
    w = (s_world_t){.now = 1000, .view = {.applied = 10, .head = 10, .own = {.origin = {{1}}}}};
    w.waits = weft_waits_new(&(weft_waits_config_t){.ask = s_ask, .parked = s_parked});
    assert_non_null(w.waits);
    return 0;
}

static int s_end(void **state) {
    (void) state;
    weft_waits_destroy(&w.waits);
    return 0;
}

static void s_wait(const weft_after_t *after, unsigned ms) {
    assert_rc(weft_waits_add(w.waits, w.now, &w.view, after, ms, s_on_waited, &w, &w.id), WEFT_OK);
}

static void s_step(void) {
    weft_waits_step(w.waits, w.now, &w.view);
}

/* The bus answers the last question. */
static void s_answer(uint64_t last, uint64_t position) {
    weft_waits_answer(w.waits, w.asked, last, position, w.view.head);
    s_step();
}

static void s_apply(uint8_t origin, uint64_t sequence) {
    const weft_event_t event = {.origin = {{origin}}, .sequence = {sequence}};
    weft_waits_applied(w.waits, &event, 1);
}

static void what_was_applied_is_known_at_once(void **state) {
    (void) state;
    s_apply(7, 3);
    s_wait(&s_third, 100);
    assert_int_equal(w.ended, 1);
    assert_rc(w.last.rc, WEFT_OK);
    assert_int_equal(w.id, 0);
    assert_int_equal(w.asked, 0);
}

static void an_earlier_event_says_nothing_of_a_later_one(void **state) {
    (void) state;
    s_apply(7, 2);
    s_apply(8, 3);
    s_wait(&s_third, 100);
    assert_int_equal(w.ended, 0);
    s_apply(7, 3);
    s_step();
    assert_int_equal(w.ended, 1);
    assert_rc(w.last.rc, WEFT_OK);
}

static void of_a_batch_the_last_event_of_each_run_counts(void **state) {
    (void) state;
    const weft_event_t batch[] = {{.origin = {{7}}, .sequence = {1}},
                                  {.origin = {{7}}, .sequence = {2}},
                                  {.origin = {{8}}, .sequence = {5}},
                                  {.origin = {{7}}, .sequence = {3}},
                                  {.origin = {{9}}, .sequence = {0}}};
    weft_waits_applied(w.waits, batch, 5);
    s_wait(&s_third, 100);
    s_wait(&(weft_after_t){.origin = {{8}}, .sequence = {5}}, 100);
    assert_int_equal(w.ended, 2);
    s_wait(&(weft_after_t){.origin = {{7}}, .sequence = {4}}, 100);
    assert_int_equal(w.ended, 2);
}

static void ones_own_writes_are_applied(void **state) {
    (void) state;
    w.view.own.sequence.value = 5;
    w.parked = 9; /* of others: they are not in the way of one's own writes */
    s_wait(&(weft_after_t){.origin = {{1}}, .sequence = {5}}, 100);
    assert_int_equal(w.ended, 1);
    assert_int_equal(w.last.parked, 0);
    s_wait(&(weft_after_t){.origin = {{1}}, .sequence = {6}}, 100); /* never written by this one */
    assert_int_equal(w.ended, 1);
    assert_int_equal(w.asked, 1);
}

static void the_bus_tells_the_position(void **state) {
    (void) state;
    s_wait(&s_third, 100);
    assert_int_equal(w.asked, 1);
    assert_memory_equal(&w.subject, &s_third.origin, sizeof w.subject);
    s_answer(4, 12); /* a later one of that origin will do */
    assert_int_equal(w.ended, 0);
    w.view.applied = 11;
    s_step();
    assert_int_equal(w.ended, 0);
    w.view.applied = 12;
    s_step();
    assert_int_equal(w.ended, 1);
    assert_rc(w.last.rc, WEFT_OK);
    assert_int_equal(w.last.target.value, 12);
    s_wait(&s_third, 100); /* and is remembered */
    assert_int_equal(w.ended, 2);
    assert_int_equal(w.asked, 1);
}

static void what_is_not_stored_is_asked_for_with_the_next_commit(void **state) {
    (void) state;
    s_wait(&s_third, 1000);
    s_answer(2, 9);
    s_step();
    assert_int_equal(w.asked, 1); /* nothing was committed: nothing to ask */
    w.view.head = 11;
    s_step();
    assert_int_equal(w.asked, 2);
    w.view.head = 12;
    s_step();
    assert_int_equal(w.asked, 2); /* W4: one at a time */
    s_answer(2, 9);
    assert_int_equal(w.asked, 3); /* the head moved since it was asked */
    s_answer(3, 12);
    w.view.applied = 12;
    s_step();
    assert_int_equal(w.ended, 1);
}

static void a_lost_commit_record_or_answer_is_made_up_for(void **state) {
    (void) state;
    s_wait(&s_third, 10000);
    int64_t due = weft_waits_deadline(w.waits);
    assert_true(due > w.now && due <= w.now + 1000);
    w.now = due;
    s_step();
    assert_int_equal(w.asked, 2); /* the first answer was lost */
    weft_waits_answer(w.waits, 1, 3, 10, 10);
    s_step();
    assert_int_equal(w.ended, 0); /* it came after all: too late to be believed */
    s_answer(2, 9);
    w.now = weft_waits_deadline(w.waits);
    s_step();
    assert_int_equal(w.asked, 3); /* the head was not seen to move */
    s_answer(3, 10);
    assert_int_equal(w.ended, 1);
}

static void an_origin_that_nobody_knows_is_asked_for_seldom(void **state) {
    (void) state;
    s_wait(&s_third, 10000);
    for (unsigned i = 0; i < 20; i++) {
        weft_waits_answer(w.waits, w.asked, 0, 0, w.view.head);
        w.view.head++;
        w.now += 10;
        s_step();
    }
    assert_in_range(w.asked, 2, 4);
}

static void one_question_serves_all_waits_of_an_origin(void **state) {
    (void) state;
    for (unsigned i = 0; i < 50; i++) s_wait(&s_third, 1000);
    assert_int_equal(w.asked, 1);
    s_answer(3, 10);
    assert_int_equal(w.ended, 50);
}

static void the_head_is_that_of_after_the_call(void **state) {
    (void) state;
    s_wait(&s_third, 1000); /* a question of somebody else is under way */
    w.view.head = 11;
    s_wait(NULL, 1000);
    assert_int_equal(w.asked, 1);
    s_answer(0, 0);
    assert_int_equal(w.asked, 2);
    assert_int_equal(w.subject.bytes[0], 0);
    w.view.head = 15;
    s_answer(0, 0);
    assert_int_equal(w.ended, 0);
    w.view.applied = 15;
    s_step();
    assert_int_equal(w.ended, 1);
    assert_rc(w.last.rc, WEFT_OK);
}

static void the_head_of_an_empty_log_is_reached(void **state) {
    (void) state;
    w.view = (weft_waits_view_t){0};
    s_wait(NULL, 1000);
    s_answer(0, 0);
    assert_int_equal(w.ended, 1);
    assert_rc(w.last.rc, WEFT_OK);
}

static void when_time_is_over_the_reason_is_told(void **state) {
    (void) state;
    s_wait(&s_third, 100);
    w.now += 99;
    s_step();
    assert_int_equal(w.ended, 0);
    w.now++;
    s_step();
    assert_rc(w.last.rc, WEFT_E_UNREACHABLE);
    s_wait(&s_third, 0);
    assert_rc(w.last.rc, WEFT_E_UNREACHABLE);
    w.now += 1000; /* the first question is given up */
    s_wait(&s_third, 100);
    s_answer(2, 9);
    w.now += 100;
    s_step();
    assert_rc(w.last.rc, WEFT_E_NOT_FOUND);
    s_wait(&s_third, 100);
    s_answer(3, 12);
    w.now += 100;
    s_step();
    assert_rc(w.last.rc, WEFT_E_TIMEOUT);
    assert_int_equal(w.last.target.value, 12);
    assert_int_equal(w.last.applied.value, 10);
    s_wait(&s_third, 100);
    w.view.stopped = WEFT_E_FORKED;
    s_step();
    assert_rc(w.last.rc, WEFT_E_FORKED); /* at once: it would wait in vain */
    assert_int_equal(w.ended, 5);
    assert_true(weft_waits_deadline(w.waits) == INT64_MAX);
}

static void events_set_aside_are_counted_up_to_the_target(void **state) {
    (void) state;
    w.parked = 2;
    w.view.applied = 20;
    s_wait(&s_third, 100);
    s_answer(3, 12);
    assert_int_equal(w.last.parked, 2);
    assert_int_equal(w.parked_upto, 12);
}

static void who_handles_nothing_waits_for_nothing(void **state) {
    (void) state;
    w.view.applied = UINT64_MAX;
    s_wait(&s_third, 100);
    s_wait(NULL, 100);
    assert_int_equal(w.ended, 2);
    assert_rc(w.last.rc, WEFT_OK);
}

static void a_wait_can_be_taken_back(void **state) {
    (void) state;
    s_wait(&s_third, 100);
    weft_waits_end(w.waits, w.id + 1);
    weft_waits_end(w.waits, w.id);
    w.now += 1000;
    s_step();
    assert_int_equal(w.ended, 0);
}

static void another_place_in_the_log_makes_all_unknown(void **state) {
    (void) state;
    s_apply(7, 3);
    weft_waits_forget(w.waits);
    s_wait(&s_third, 100);
    assert_int_equal(w.ended, 0);
}

static void the_number_of_waits_is_bounded(void **state) {
    (void) state;
    for (unsigned i = 0; i < WEFT_WAITS_MAX; i++) s_wait(&s_third, 100);
    assert_rc(weft_waits_add(w.waits, w.now, &w.view, &s_third, 100, s_on_waited, &w, &w.id),
              WEFT_E_FULL);
    s_apply(7, 3);
    s_step();
    assert_int_equal(w.ended, WEFT_WAITS_MAX);
    s_wait(&s_third, 100);
    assert_int_equal(w.ended, WEFT_WAITS_MAX + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_applied_is_known_at_once),
        TEST(an_earlier_event_says_nothing_of_a_later_one),
        TEST(of_a_batch_the_last_event_of_each_run_counts),
        TEST(ones_own_writes_are_applied),
        TEST(the_bus_tells_the_position),
        TEST(what_is_not_stored_is_asked_for_with_the_next_commit),
        TEST(a_lost_commit_record_or_answer_is_made_up_for),
        TEST(an_origin_that_nobody_knows_is_asked_for_seldom),
        TEST(one_question_serves_all_waits_of_an_origin),
        TEST(the_head_is_that_of_after_the_call),
        TEST(the_head_of_an_empty_log_is_reached),
        TEST(when_time_is_over_the_reason_is_told),
        TEST(events_set_aside_are_counted_up_to_the_target),
        TEST(who_handles_nothing_waits_for_nothing),
        TEST(a_wait_can_be_taken_back),
        TEST(another_place_in_the_log_makes_all_unknown),
        TEST(the_number_of_waits_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
