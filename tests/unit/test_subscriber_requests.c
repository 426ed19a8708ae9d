/* The subscriber's requests: one at a time with an id of its own, repeated until the answer comes, and
 * what it makes of a refusal (C1, C3). */
#include "subscriber_fixture.h"

#include "weft_limits.h"

static void s_refuse(uint64_t id, weft_err_t code) {
    weft_error_t error = {.id = id, .code = code, .text = weft_text("no"), .version = 1};
    weft_subscriber_error(w.s, w.now, &error);
}

/* ---- C1, C3 */

static void C1_nothing_is_taken_before_a_welcome(void **state) {
    (void) state;
    s_store("a.b", 1);
    s_new(s_all);
    assert_false(weft_subscriber_wants_live(w.s));
    s_live(1);
    s_record(0, 1);
    s_takes_nothing();
    assert_false(s_info().connected);
}

static void C3_a_hello_is_repeated_with_a_new_id(void **state) {
    (void) state;
    s_new(s_all);
    uint64_t first = s_hello().id;
    w.now += WEFT_REQUEST_MS - 1;
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_int_equal(weft_subscriber_deadline(w.s), w.now + 1);
    w.now++;
    uint64_t second = s_hello().id;
    assert_true(first != second);
    s_welcome(first);
    s_state(WEFT_SUBSCRIBER_GREETING);
    assert_int_equal(s_info().dropped, 1);
    s_welcome(second);
    s_state(WEFT_SUBSCRIBER_LIVE);
    s_welcome(second);
    assert_int_equal(s_info().dropped, 2);
}

static void a_request_that_could_not_be_sent_is_tried_again_soon(void **state) {
    (void) state;
    s_new(s_all);
    weft_subscriber_action_t a = s_next();
    weft_subscriber_sent(w.s, w.now, a.hello.id, false);
    s_welcome(a.hello.id); /* no answer to what was not sent */
    s_state(WEFT_SUBSCRIBER_GREETING);
    assert_int_equal(weft_subscriber_deadline(w.s), w.now + 2);
}

static int64_t s_pause_after_no_connection(void) {
    weft_subscriber_sent(w.s, w.now, s_next().hello.id, false);
    int64_t pause = weft_subscriber_deadline(w.s) - w.now;
    w.now += pause;
    return pause;
}

static void the_pause_while_there_is_no_connection_doubles_up_to_a_cap(void **state) {
    static const int64_t pauses[] = {2, 4, 8, 16, 32, 64, 100, 100};
    (void) state;
    s_new(s_all);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        assert_int_equal(s_pause_after_no_connection(), pauses[i]);
    s_hello(); /* it found one; no answer */
    w.now = weft_subscriber_deadline(w.s);
    assert_int_equal(s_pause_after_no_connection(), 2);
}

static void C3_a_fetch_is_repeated_with_growing_patience_and_then_hello(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    s_welcome(s_hello().id);
    int64_t start = w.now, patience = 0;
    uint64_t before = 0;
    while (weft_subscriber_state(w.s) == WEFT_SUBSCRIBER_CATCHUP) {
        weft_fetch_t fetch = s_fetch();
        assert_true(fetch.id != before);
        before = fetch.id;
        if (weft_subscriber_state(w.s) != WEFT_SUBSCRIBER_CATCHUP) break;
        int64_t wait = weft_subscriber_deadline(w.s) - w.now;
        assert_true(wait > patience);
        patience = wait;
        w.now += wait;
    }
    assert_in_range(w.now - start, 5000, 120000);
    s_wants(WEFT_SUBSCRIBER_HELLO);
}

static void
C3_after_a_page_that_did_not_come_it_asks_for_less_until_pages_come_again(void **state) {
    (void) state;
    s_store("a.b", 12);
    s_new(s_all);
    s_welcome(s_hello().id);
    weft_fetch_t fetch = s_fetch();
    assert_int_equal(fetch.max_bytes, WEFT_PAGE_BYTES_MAX);
    for (uint64_t wanted = WEFT_PAGE_BYTES_MAX / 4; wanted > WEFT_PAGE_BYTES_MIN; wanted /= 4) {
        w.now = weft_subscriber_deadline(w.s);
        fetch = s_fetch();
        assert_int_equal(fetch.max_bytes, wanted);
    }
    w.now = weft_subscriber_deadline(w.s);
    fetch = s_fetch();
    assert_int_equal(fetch.max_bytes, WEFT_PAGE_BYTES_MIN);
    for (uint64_t got = WEFT_PAGE_BYTES_MIN; got < WEFT_PAGE_BYTES_MAX; got *= 2) {
        s_page(&fetch, 1);
        fetch = s_fetch();
        assert_int_equal(fetch.max_bytes,
                         2 * got < WEFT_PAGE_BYTES_MAX ? 2 * got : WEFT_PAGE_BYTES_MAX);
    }
    s_refuse(fetch.id, WEFT_E_AGAIN); /* an answer, too: the line is well */
    w.now = weft_subscriber_deadline(w.s);
    assert_int_equal(s_fetch().max_bytes, WEFT_PAGE_BYTES_MAX);
}

static void C3_a_page_that_does_not_start_where_the_reader_stands_is_dropped(void **state) {
    (void) state;
    weft_page_t page;
    weft_buf_t body = {0};
    s_store("a.b", 6);
    s_new(s_all);
    s_welcome(s_hello().id);
    weft_fetch_t fetch = s_fetch();
    kit_log_page(&w.log, fetch.id, 2, s_all, 1, 100, 100, &page, &body);
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size); /* starts elsewhere */
    page.id ^= 1, page.from = 0;
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size); /* nobody waits for it */
    page.id ^= 1, page.next = 0, page.from = 0, page.head = 0;
    page.from = 1; /* runs backwards */
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    page.from = 0, page.next = 6, page.head = 5; /* beyond its own head */
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    assert_int_equal(s_info().dropped, 4);
    s_takes_nothing();
    weft_buf_free(&body);
    s_page(&fetch, 3); /* the right one still counts */
    TAKES(3, 1, 2, 3);
    s_page(&fetch, 3); /* but not twice */
    assert_int_equal(s_info().dropped, 5);
    s_takes_nothing();
}

static void a_stray_page_while_live_is_dropped(void **state) {
    (void) state;
    s_store("a.b", 2);
    s_new(s_all);
    s_welcome(s_hello().id);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 100);
    s_page(&fetch, 100);
    s_state(WEFT_SUBSCRIBER_LIVE);
    s_dropped(WEFT_SUB_DROP_UNASKED, 1);
    TAKES(2, 1, 2);
}

static void C3_an_error_after_its_request_was_answered_is_dropped(void **state) {
    (void) state;
    s_new(s_all);
    uint64_t id = s_hello().id;
    s_welcome(id);
    s_refuse(id, WEFT_E_CORRUPT);
    s_state(WEFT_SUBSCRIBER_LIVE);
    assert_int_equal(s_info().dropped, 1);
}

/* ---- refusals */

static void what_the_bus_refuses_by_name_stops_by_that_name(void **state) {
    (void) state;
    static const weft_err_t codes[] = {
        WEFT_E_OTHER_LOG, WEFT_E_LOG_BEHIND, WEFT_E_FORKED,      WEFT_E_GONE,       WEFT_E_VERSION,
        WEFT_E_CORRUPT,   WEFT_E_BAD_FIELD,  WEFT_E_BAD_COMMAND, WEFT_E_BAD_FILTER, WEFT_E_TOO_BIG};
    s_store("a.b", 1);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        s_new(s_all);
        s_refuse(s_hello().id, codes[i]);
        s_stopped(codes[i]);
        if (codes[i] == WEFT_E_GONE) continue; /* at the beginning it begins again */
        s_new(s_all);
        s_welcome(s_hello().id);
        s_refuse(s_fetch().id, codes[i]); /* FETCH is checked like HELLO */
        s_stopped(codes[i]);
    }
}

static void a_passing_trouble_of_the_bus_is_waited_out(void **state) {
    (void) state;
    s_store("a.b", 2);
    s_new(s_all);
    s_refuse(12345, WEFT_E_FORKED); /* nobody waits for it */
    s_refuse(s_hello().id, WEFT_E_STORE);
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    w.now = weft_subscriber_deadline(w.s);
    s_welcome(s_hello().id);
    s_refuse(s_fetch().id, WEFT_E_NOMEM);
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    w.now = weft_subscriber_deadline(w.s);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(2, 1, 2);
}

static void a_bus_whose_head_is_behind_and_does_not_refuse_breaks_the_protocol(void **state) {
    (void) state;
    weft_resume_t at = {.log = w.log.log, .position = {9}, .chain = 9};
    s_store("a.b", 3);
    s_new_at(WEFT_START_RESUME, &at, s_all);
    s_welcome(s_hello().id);
    s_stopped(WEFT_E_PROTO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(C1_nothing_is_taken_before_a_welcome),
        TEST(C3_a_hello_is_repeated_with_a_new_id),
        TEST(a_request_that_could_not_be_sent_is_tried_again_soon),
        TEST(the_pause_while_there_is_no_connection_doubles_up_to_a_cap),
        TEST(C3_a_fetch_is_repeated_with_growing_patience_and_then_hello),
        TEST(C3_after_a_page_that_did_not_come_it_asks_for_less_until_pages_come_again),
        TEST(C3_a_page_that_does_not_start_where_the_reader_stands_is_dropped),
        TEST(a_stray_page_while_live_is_dropped),
        TEST(C3_an_error_after_its_request_was_answered_is_dropped),
        TEST(what_the_bus_refuses_by_name_stops_by_that_name),
        TEST(a_passing_trouble_of_the_bus_is_waited_out),
        TEST(a_bus_whose_head_is_behind_and_does_not_refuse_breaks_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
