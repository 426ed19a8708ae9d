/* Where the subscriber starts: at the beginning of what the log keeps, now, where it stood, or at a
 * number. */
#include "subscriber_fixture.h"

#include "weft_limits.h"

static void it_starts_at_the_beginning(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.version, WEFT_PROTOCOL_VERSION);
    assert_int_equal(hello.position.kind, WEFT_PLACE_NONE);
    s_welcome(hello.id);
    weft_fetch_t fetch = s_fetch();
    assert_int_equal(fetch.position.at.position.value, 0);
    assert_true(fetch.max_events > 0 && fetch.max_bytes > 0);
    s_page(&fetch, 100);
    TAKES(3, 1, 2, 3);
    s_state(WEFT_SUBSCRIBER_LIVE);
}

static void it_starts_at_the_beginning_of_what_the_log_keeps(void **state) {
    (void) state;
    s_store("a.b", 5);
    s_new(s_all);
    weft_welcome_t welcome = kit_log_welcome(&w.log, s_hello().id);
    welcome.first = 2;
    welcome.first_chain = kit_log_chain(&w.log, 2);
    weft_subscriber_welcome(w.s, w.now, &welcome);
    weft_fetch_t fetch = s_fetch();
    assert_int_equal(fetch.position.kind, WEFT_PLACE_CHECKED);
    assert_int_equal(fetch.position.at.position.value, 2);
    assert_true(fetch.position.at.chain == welcome.first_chain);
    s_page(&fetch, 100);
    TAKES(5, 3, 4, 5);
}

/* The bus trims between WELCOME and the first page: no event was handed out yet, so nothing is missing. */
static void it_begins_again_when_the_beginning_is_gone(void **state) {
    (void) state;
    s_store("a.b", 5);
    s_new(s_all);
    s_welcome(s_hello().id);
    weft_fetch_t fetch = s_fetch();
    weft_error_t gone = {.id = fetch.id, .code = WEFT_E_GONE, .text = weft_text("gone")};
    weft_subscriber_error(w.s, w.now, &gone);
    s_state(WEFT_SUBSCRIBER_GREETING);
    w.now = weft_subscriber_deadline(w.s);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.kind, WEFT_PLACE_NONE);
    weft_welcome_t welcome = kit_log_welcome(&w.log, hello.id);
    welcome.first = 2;
    welcome.first_chain = kit_log_chain(&w.log, 2);
    weft_subscriber_welcome(w.s, w.now, &welcome);
    fetch = s_fetch();
    assert_int_equal(fetch.position.at.position.value, 2);
    s_page(&fetch, 1);
    TAKES(3, 3);
    fetch = s_fetch(); /* one event has been handed out: now it would be a hole */
    gone.id = fetch.id;
    weft_subscriber_error(w.s, w.now, &gone);
    s_state(WEFT_SUBSCRIBER_STOPPED);
}

static void it_starts_now(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new_at(WEFT_START_NOW, NULL, s_all);
    assert_int_equal(s_info().position.value, 0);
    s_welcome(s_hello().id);
    s_state(WEFT_SUBSCRIBER_LIVE);
    s_takes_nothing();
    s_store("a.b", 1);
    s_live(4);
    s_record(3, 4);
    TAKES(4, 4);
    w.now += WEFT_SILENCE_MS; /* from here on it has a place of its own */
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.kind, WEFT_PLACE_CHECKED);
    assert_int_equal(hello.position.at.position.value, 4);
}

static void it_resumes_where_it_says(void **state) {
    (void) state;
    s_store("a.b", 5);
    weft_resume_t at = {.log = w.log.log, .position = {2}, .chain = kit_log_chain(&w.log, 2)};
    s_new_at(WEFT_START_RESUME, &at, s_all);
    assert_int_equal(s_info().position.value, 2);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.kind, WEFT_PLACE_CHECKED);
    assert_memory_equal(&hello.position.at, &at, sizeof at);
    s_welcome(hello.id);
    weft_fetch_t fetch = s_fetch();
    assert_memory_equal(&fetch.position.at, &at, sizeof at);
    s_page(&fetch, 100);
    TAKES(5, 3, 4, 5);
}

static void resuming_at_0_fits_every_log(void **state) {
    (void) state;
    weft_resume_t zero = {.position = {0}};
    s_store("a.b", 1);
    s_new_at(WEFT_START_RESUME, &zero, s_all);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.kind, WEFT_PLACE_NONE);
    s_welcome(hello.id);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 100);
    TAKES(1, 1);
}

static void it_starts_at_a_bare_number_for_tools(void **state) {
    (void) state;
    s_store("a.b", 5);
    weft_resume_t at = {.position = {3}};
    s_new_at(WEFT_START_POSITION, &at, s_all);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.kind, WEFT_PLACE_NUMBER);
    s_welcome(hello.id);
    weft_fetch_t fetch = s_fetch();
    assert_int_equal(fetch.position.kind, WEFT_PLACE_NUMBER);
    s_page(&fetch, 100);
    TAKES(5, 4, 5); /* with a chain from now on: next is a place to resume at */
    s_new_at(WEFT_START_POSITION, &(weft_resume_t){.position = {0}}, s_all);
    assert_int_equal(s_hello().position.kind, WEFT_PLACE_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_starts_at_the_beginning),
        TEST(it_starts_at_the_beginning_of_what_the_log_keeps),
        TEST(it_begins_again_when_the_beginning_is_gone),
        TEST(it_starts_now),
        TEST(it_resumes_where_it_says),
        TEST(resuming_at_0_fits_every_log),
        TEST(it_starts_at_a_bare_number_for_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
