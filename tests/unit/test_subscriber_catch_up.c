/* How the subscriber catches up: page by page to the head that WELCOME named, and no page is taken
 * that does not add up. */
#include "subscriber_fixture.h"

static void it_pulls_page_by_page_to_the_head_that_welcome_named(void **state) {
    (void) state;
    s_store("a.b", 10);
    s_new(s_all);
    s_welcome(s_hello().id);
    assert_false(weft_subscriber_wants_live(w.s)); /* S5 */
    for (unsigned i = 0; i < 3; i++) {
        weft_fetch_t fetch = s_fetch();
        assert_int_equal(fetch.position.at.position.value, 4 * i);
        s_page(&fetch, 4);
    }
    s_state(WEFT_SUBSCRIBER_LIVE);
    assert_true(weft_subscriber_wants_live(w.s));
    TAKES(10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    assert_int_equal(s_info().from_catch_up, 10);
    assert_int_equal(s_info().from_live, 0);
    assert_int_equal(s_info().gaps, 0);
}

static void a_page_without_a_match_still_moves_on(void **state) {
    (void) state;
    s_store("b.x", 5);
    s_store("a.x", 1);
    s_store("b.x", 2);
    s_new(s_a);
    s_welcome(s_hello().id);
    weft_fetch_t fetch = s_fetch();
    weft_page_t page;
    weft_buf_t body = {0};
    kit_log_page(&w.log, fetch.id, 0, s_a, 1, 10, 3, &page, &body);
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    s_takes(NULL, 0, 3); /* nothing of interest, and a place to resume at */
    s_takes_nothing();
    fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(8, 6);
    s_state(WEFT_SUBSCRIBER_LIVE);
    weft_buf_free(&body);
}

static void a_page_that_stands_still_is_asked_for_again_after_a_pause(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    s_welcome(s_hello().id);
    weft_page_t page = {.id = s_fetch().id, .boot = w.log.boot, .log = w.log.log, .head = 3};
    weft_subscriber_page(w.s, w.now, &page, NULL, 0);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_true(weft_subscriber_deadline(w.s) > w.now);
    w.now = weft_subscriber_deadline(w.s);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 100);
    TAKES(3, 1, 2, 3);
}

typedef void (*s_spoil_fn)(weft_page_t *page, weft_buf_t *body);

static void s_count_off(weft_page_t *page, weft_buf_t *body) {
    (void) body, page->count++;
}
static void s_sum_off(weft_page_t *page, weft_buf_t *body) {
    (void) body, page->sum++;
}
static void s_chain_off(weft_page_t *page, weft_buf_t *body) {
    (void) body, page->chain++;
}
static void s_cut_off(weft_page_t *page, weft_buf_t *body) {
    (void) page, body->size--;
}
static void s_garbled(weft_page_t *page, weft_buf_t *body) {
    (void) page;
    body->data[body->size - 1] ^= 1; /* in the data of the last event */
}
static void s_next_short(weft_page_t *page, weft_buf_t *body) {
    (void) body;
    page->next--; /* an event lies beyond it */
}
static void s_type_off(weft_page_t *page, weft_buf_t *body) {
    (void) page;
    body->data[1] = '$';
}
static void s_other_type(weft_page_t *page, weft_buf_t *body) { /* one that no filter matches */
    (void) page;
    body->data[1] = 'b';
}
static void s_doubled(weft_page_t *page, weft_buf_t *body) {
    weft_buf_t twice = {0};
    weft_buf_append(&twice, body->data, body->size);
    weft_buf_append(body, twice.data, twice.size);
    weft_buf_free(&twice);
    page->count *= 2, page->sum *= 2;
}
static void s_stamp_off(weft_page_t *page, weft_buf_t *body) {
    body->data[4 + 1 + 9 + 9 + 1]++; /* the first byte of the first stamp's chain */
    (void) page;
}

static void a_page_that_does_not_add_up_is_dropped_and_after_the_third_it_stops(void **state) {
    (void) state;
    static const s_spoil_fn spoils[] = {s_count_off, s_sum_off,    s_chain_off, s_cut_off,
                                        s_garbled,   s_next_short, s_type_off,  s_other_type,
                                        s_doubled,   s_stamp_off};
    s_store("a.b", 4);
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        for (unsigned good_at = 2; good_at <= 3; good_at++) {
            s_new(s_a);
            s_welcome(s_hello().id);
            for (unsigned n = 0; n < 3 && n < good_at; n++) {
                weft_page_t page;
                weft_buf_t body = {0};
                kit_log_page(&w.log, s_fetch().id, 0, s_a, 1, 10, 10, &page, &body);
                spoils[i](&page, &body);
                weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
                weft_buf_free(&body);
                if (s_info().dropped != n + 1) fail_msg("spoils[%zu] was taken", i);
                s_dropped(WEFT_SUB_DROP_BAD_PAGE, n + 1);
                s_takes_nothing();
            }
            if (good_at == 3) {
                s_stopped(WEFT_E_PROTO);
            } else {
                weft_fetch_t fetch = s_fetch();
                s_page(&fetch, 10);
                TAKES(4, 1, 2, 3, 4);
            }
        }
    }
}

static void a_bad_page_takes_nothing_of_what_was_ready_with_it(void **state) {
    (void) state;
    s_store("a.b", 6);
    s_new(s_all);
    s_welcome(s_hello().id);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 3);
    weft_page_t page;
    weft_buf_t body = {0};
    kit_log_page(&w.log, s_fetch().id, 3, s_all, 1, 10, 10, &page, &body);
    page.sum++;
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    weft_buf_free(&body);
    assert_int_equal(weft_subscriber_ready(w.s), 3);
    TAKES(3, 1, 2, 3);
    fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(6, 4, 5, 6);
}

static void chains_are_checked_as_far_as_the_filters_let_through(void **state) {
    (void) state;
    s_store("a.b", 1);
    s_store("b.b", 1);
    s_store("a.b", 2);
    s_new(s_a);
    s_welcome(s_hello().id);
    weft_page_t page;
    weft_buf_t body = {0};
    kit_log_page(&w.log, s_fetch().id, 0, s_a, 1, 10, 10, &page, &body);
    uint64_t sound = page.chain;
    page.chain ^= 1; /* the last event lies at next, so its chain says what it must be */
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    assert_int_equal(s_info().dropped, 1);
    page.id = s_fetch().id;
    page.chain = sound;
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    TAKES(4, 1, 3, 4);
    weft_buf_free(&body);
}

static void S3_a_page_of_another_boot_or_log_is_not_applied(void **state) {
    (void) state;
    for (unsigned log = 0; log <= 1; log++) {
        s_new(s_all);
        if (!w.log.count) s_store("a.b", 3);
        s_welcome(s_hello().id);
        weft_page_t page;
        weft_buf_t body = {0};
        kit_log_page(&w.log, s_fetch().id, 0, s_all, 1, 10, 10, &page, &body);
        if (log)
            page.log.bytes[3]++;
        else
            page.boot++;
        weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
        weft_buf_free(&body);
        s_takes_nothing();
        s_wants(WEFT_SUBSCRIBER_HELLO);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_pulls_page_by_page_to_the_head_that_welcome_named),
        TEST(a_page_without_a_match_still_moves_on),
        TEST(a_page_that_stands_still_is_asked_for_again_after_a_pause),
        TEST(a_page_that_does_not_add_up_is_dropped_and_after_the_third_it_stops),
        TEST(a_bad_page_takes_nothing_of_what_was_ready_with_it),
        TEST(chains_are_checked_as_far_as_the_filters_let_through),
        TEST(S3_a_page_of_another_boot_or_log_is_not_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
