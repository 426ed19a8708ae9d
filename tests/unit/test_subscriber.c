/* The rules of the subscriber, one by one. The bus is a naive log that says what the test wants it to,
 * the clock is a number. */
#include "kit.h"

#include "weft_checksum.h"
#include "weft_limits.h"
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

/* ---- driving it */

static void s_new_at(weft_start_t start, const weft_resume_t *resume, const char *const *filters) {
    weft_subscriber_destroy(&w.s);
    w.filters = filters;
    w.filters_count = 1;
    w.s = weft_subscriber_new(filters, 1, start, resume);
    assert_non_null(w.s);
}

static void s_new(const char *const *filters) {
    static const weft_resume_t none;
    s_new_at(WEFT_START_BEGINNING, &none, filters);
}

static weft_subscriber_action_t s_next(void) {
    weft_subscriber_action_t action;
    weft_subscriber_next(w.s, w.now, ++w.ids, &action);
    return action;
}

static void s_wants(int kind) {
    assert_int_equal(s_next().kind, kind);
}

static weft_hello_t s_hello(void) {
    weft_subscriber_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_SUBSCRIBER_HELLO);
    weft_subscriber_sent(w.s, w.now, a.hello.id, true);
    return a.hello;
}

static void s_welcome(uint64_t id) {
    weft_welcome_t welcome = kit_log_welcome(&w.log, id);
    weft_subscriber_welcome(w.s, w.now, &welcome);
}

static weft_fetch_t s_fetch(void) {
    weft_subscriber_action_t a = s_next();
    assert_int_equal(a.kind, WEFT_SUBSCRIBER_FETCH);
    weft_subscriber_sent(w.s, w.now, a.fetch.id, true);
    return a.fetch;
}

static void s_page(const weft_fetch_t *fetch, size_t max_events) {
    weft_page_t page;
    weft_buf_t body = {0};
    kit_log_page(&w.log, fetch->id, fetch->position.at.position.value, w.filters, w.filters_count,
                 max_events, 1000, &page, &body);
    weft_subscriber_page(w.s, w.now, &page, body.data, body.size);
    weft_buf_free(&body);
}

static void s_state(weft_subscriber_state_t state) {
    assert_int_equal(weft_subscriber_state(w.s), state);
}

/* Greeted and caught up. */
static void s_join(void) {
    s_welcome(s_hello().id);
    while (weft_subscriber_state(w.s) == WEFT_SUBSCRIBER_CATCHUP) {
        weft_fetch_t fetch = s_fetch();
        s_page(&fetch, 100);
    }
    s_state(WEFT_SUBSCRIBER_LIVE);
}

/* The live message with the event at that position. */
static void s_live(uint64_t position) {
    weft_buf_t body = {0};
    const char *type = kit_log_row(&w.log, position)->type;
    kit_log_put(&w.log, position, &body);
    weft_subscriber_events(w.s, type, strlen(type), body.data, body.size);
    weft_buf_free(&body);
}

static weft_record_t s_last_record;

static void s_record(uint64_t prev, uint64_t last) {
    kit_log_record(&w.log, prev, last, &s_last_record);
    weft_subscriber_record(w.s, w.now, &s_last_record);
}

/* Store that many events of that type, each of its own origin's sequence. */
static void s_store(const char *type, unsigned count) {
    while (count--) kit_log_add(&w.log, type, 1, w.log.count + 1, 20);
}

/* What is handed out now are exactly the events of these positions, up to next. */
static void s_takes(const uint64_t *positions, size_t count, uint64_t next) {
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

static void s_takes_nothing(void) {
    weft_batch_t batch;
    assert_false(weft_subscriber_take(w.s, &batch));
}

static weft_sub_info_t s_info(void) {
    weft_sub_info_t info;
    weft_subscriber_info(w.s, w.now, &info);
    return info;
}

/* So much was dropped, all for this reason. */
static void s_dropped(weft_sub_drop_t why, uint64_t count) {
    assert_true(weft_subscriber_drops(w.s)[why] == count);
    assert_true(s_info().dropped == count);
}

static void s_stopped(weft_err_t why) {
    assert_rc(s_info().stopped, why);
    s_state(WEFT_SUBSCRIBER_STOPPED);
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_true(weft_subscriber_deadline(w.s) == INT64_MAX);
}

static void s_refuse(uint64_t id, weft_err_t code) {
    weft_error_t error = {.id = id, .code = code, .text = weft_text("no"), .version = 1};
    weft_subscriber_error(w.s, w.now, &error);
}

static int s_set_up(void **state) {
    (void) state;
    memset(&w, 0, sizeof w);
    kit_log_init(&w.log);
    w.now = 100000;
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    weft_subscriber_destroy(&w.s);
    kit_log_free(&w.log);
    return 0;
}

/* ---- where it starts */

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

/* ---- catch-up */

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

/* ---- S1, S2: live */

static void S1_live_events_are_held_until_a_record_covers_them(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    s_live(1);
    s_live(2);
    s_takes_nothing();
    s_record(0, 2);
    TAKES(2, 1, 2);
    s_live(3);
    s_record(2, 3);
    TAKES(3, 3);
    assert_int_equal(s_info().from_live, 3);
    assert_int_equal(s_info().gaps, 0);
}

static void S1_order_is_by_position_whatever_the_order_of_arrival(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    for (unsigned i = 0; i < 3; i++) s_store("a.b", 1), s_store("c", 1);
    static const uint64_t arrival[] = {2, 4, 6, 1, 3, 5};
    for (size_t i = 0; i < 6; i++) s_live(arrival[i]);
    s_record(0, 6);
    TAKES(6, 1, 2, 3, 4, 5, 6);
}

static void S1_doubles_vanish(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    static const uint64_t arrival[] = {1, 1, 2, 3, 2, 3, 1};
    for (size_t i = 0; i < 7; i++) s_live(arrival[i]);
    s_record(0, 3);
    TAKES(3, 1, 2, 3);
    s_live(2); /* a late one, long behind */
    s_store("a.b", 1);
    s_live(4);
    s_record(3, 4);
    TAKES(4, 4);
    assert_int_equal(s_info().gaps, 0);
}

static void S1_types_are_matched_exactly(void **state) {
    (void) state;
    static const char *const order[] = {"order"};
    s_new(order);
    s_join();
    kit_log_add(&w.log, "order", 1, 1, 5);
    kit_log_add(&w.log, "orders.x", 1, 2, 5); /* ZeroMQ's prefix lets it through */
    kit_log_add(&w.log, "order", 1, 3, 5);
    for (uint64_t p = 1; p <= 3; p++) s_live(p);
    s_record(0, 3);
    TAKES(3, 1, 3);
    assert_int_equal(s_info().dropped, 0);
}

static void S1_what_is_held_is_bounded_and_beyond_it_pulled(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    const size_t size = 200000;
    uint64_t count = WEFT_HOLD_BYTES_MAX / size + 2;
    for (uint64_t i = 1; i <= count; i++) {
        kit_log_add(&w.log, "a.b", 1, i, size);
        s_live(i);
    }
    s_dropped(WEFT_SUB_DROP_HELD_TOO_MUCH, 1);
    s_record(0, count);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    assert_int_equal(s_info().gaps, 1);
}

static void S2_a_record_that_was_seen_is_passed_over(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    s_live(1);
    s_live(2);
    s_record(0, 2);
    s_record(0, 2);
    s_record(1, 2);
    s_record(2, 2); /* a heartbeat */
    TAKES(2, 1, 2);
    s_takes_nothing();
    assert_int_equal(s_info().gaps, 0);
}

static void S2_a_record_may_begin_before_the_position(void **state) {
    (void) state;
    s_store("a.b", 2);
    s_new(s_all);
    s_join();
    TAKES(2, 1, 2);
    s_store("a.b", 2);
    for (uint64_t p = 1; p <= 4; p++)
        s_live(p); /* those at or below the position count for the sums */
    s_record(0, 4);
    TAKES(4, 3, 4);
    assert_int_equal(s_info().gaps, 0);
}

static void S2_a_record_that_begins_before_the_position_needs_all_of_its_events(void **state) {
    (void) state;
    s_store("a.b", 2);
    s_new(s_all);
    s_join();
    TAKES(2, 1, 2);
    s_store("a.b", 2);
    s_live(3);
    s_live(4);
    s_record(1, 4); /* 2 was applied, but is not held: the sums cannot agree */
    assert_int_equal(s_info().gaps, 1);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(4, 3, 4);
}

static void S2_record_with_a_hole_before_it_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 4);
    s_live(3);
    s_live(4);
    s_record(2, 4); /* the record over (0, 2] was lost, and its events */
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    assert_int_equal(s_info().gaps, 1);
    weft_fetch_t fetch = s_fetch();
    assert_int_equal(fetch.position.at.position.value, 0);
    s_page(&fetch, 10);
    s_state(WEFT_SUBSCRIBER_LIVE);
    TAKES(4, 1, 2, 3, 4);
}

static void S2_a_missing_event_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    s_live(1);
    s_live(3);
    s_record(0, 3);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(3, 1, 2, 3);
}

static void S2_an_event_too_many_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 1);
    s_store("b.b", 1);
    s_live(1);
    s_live(2);
    kit_log_record(&w.log, 0, 2, &s_last_record);
    s_last_record.types_count = 1; /* of this type there is said to be none */
    s_last_record.types[0].count = 2;
    weft_subscriber_record(w.s, w.now, &s_last_record);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
}

static void S2_a_sum_that_does_not_agree_is_a_gap(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    s_live(1);
    weft_buf_t body = {0};
    kit_log_put(&w.log, 2, &body);
    body.data[body.size - 1] ^= 1; /* garbled on the way */
    weft_subscriber_events(w.s, "a.b", 3, body.data, body.size);
    weft_buf_free(&body);
    s_record(0, 2);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    assert_int_equal(s_info().gaps, 1);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(2, 1, 2);
}

static void S2_types_of_no_interest_are_not_missed(void **state) {
    (void) state;
    s_new(s_a);
    s_join();
    s_store("b.x", 3);
    s_store("a.x", 1);
    s_live(4);
    s_record(0, 4);
    TAKES(4, 4);
    s_store("b.x", 2);
    s_record(4, 6);
    s_takes(NULL, 0, 6);
    assert_int_equal(s_info().gaps, 0);
}

static void S2_another_chain_before_a_record_is_a_forked_log(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 3);
    s_live(1);
    s_record(0, 1);
    TAKES(1, 1);
    s_live(2);
    kit_log_record(&w.log, 1, 2, &s_last_record);
    s_last_record.prev_chain ^= 1;
    weft_subscriber_record(w.s, w.now, &s_last_record);
    s_takes_nothing();
    s_stopped(WEFT_E_FORKED);
}

static void S2_another_chain_in_a_heartbeat_is_a_forked_log(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    s_join();
    s_record(3, 3);
    s_state(WEFT_SUBSCRIBER_LIVE);
    kit_log_record(&w.log, 3, 3, &s_last_record);
    s_last_record.chain ^= 1;
    weft_subscriber_record(w.s, w.now, &s_last_record);
    s_stopped(WEFT_E_FORKED);
    TAKES(3, 1, 2, 3); /* what came before is still handed out */
}

static void S5_what_waits_in_the_live_queue_joins_on(void **state) {
    (void) state;
    s_store("a.b", 3);
    s_new(s_all);
    s_welcome(s_hello().id);
    s_live(2); /* came in while it caught up, or should not have been read: nothing is made of it */
    s_record(0, 3);
    weft_fetch_t fetch = s_fetch();
    s_store("a.b", 2); /* stored after the WELCOME */
    s_page(&fetch, 3);
    s_state(WEFT_SUBSCRIBER_LIVE); /* the target is reached, the rest comes live */
    s_live(3);
    s_live(4);
    s_record(2, 4);
    s_live(5);
    s_record(4, 5);
    TAKES(5, 1, 2, 3, 4, 5);
    assert_int_equal(s_info().from_catch_up, 3);
    assert_int_equal(s_info().from_live, 2);
    assert_int_equal(s_info().gaps, 0);
}

static void a_gap_is_pulled_up_to_the_end_of_its_record(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 4);
    s_record(0, 2);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 1);
    s_state(WEFT_SUBSCRIBER_CATCHUP);
    fetch = s_fetch();
    s_page(&fetch, 1);
    s_state(WEFT_SUBSCRIBER_LIVE);
    TAKES(2, 1, 2);
}

static void messages_that_cannot_be_read_are_counted_and_pulled(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    weft_buf_t body = {0};
    kit_log_put(&w.log, 1, &body);
    weft_subscriber_events(w.s, "a.b", 3, body.data, body.size - 1); /* cut off */
    weft_subscriber_events(w.s, "$x", 2, body.data, body.size);
    weft_subscriber_events(w.s, "a..b", 4, body.data, body.size);
    weft_subscriber_events(w.s, "a.b", 3, "\xc0", 1); /* no stamp */
    weft_subscriber_bad(w.s);
    weft_buf_free(&body);
    s_dropped(WEFT_SUB_DROP_MALFORMED, 5);
    s_record(0, 2);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(2, 1, 2);
}

/* ---- S3 */

static void S3_a_record_of_another_boot_or_log_is_not_applied(void **state) {
    (void) state;
    for (unsigned log = 0; log <= 1; log++) {
        s_new(s_all);
        s_join();
        s_store("a.b", 1);
        s_live(w.log.count);
        kit_log_record(&w.log, w.log.count - 1, w.log.count, &s_last_record);
        if (log)
            s_last_record.log.bytes[0]++;
        else
            s_last_record.boot++;
        weft_subscriber_record(w.s, w.now, &s_last_record);
        weft_batch_t batch;
        if (weft_subscriber_take(w.s, &batch)) /* what it had caught up with before */
            assert_true(batch.next.position.value < w.log.count);
        s_wants(WEFT_SUBSCRIBER_HELLO);
        assert_false(weft_subscriber_wants_live(w.s));
        s_dropped(WEFT_SUB_DROP_OTHER_BOOT, 1);
    }
}

static void S3_after_a_restart_it_goes_on_from_where_it_stands(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 2);
    s_live(1);
    s_record(0, 1);
    s_live(2); /* held, and forgotten with the boot */
    w.log.boot++;
    s_store("a.b", 1);
    s_record(2, 3);
    weft_hello_t hello = s_hello();
    assert_int_equal(hello.position.at.position.value, 1);
    assert_true(hello.position.at.chain == kit_log_chain(&w.log, 1));
    s_welcome(hello.id);
    weft_fetch_t fetch = s_fetch();
    s_page(&fetch, 10);
    TAKES(3, 1, 2, 3);
    s_store("a.b", 1);
    s_live(4);
    s_record(3, 4);
    TAKES(4, 4);
    assert_false(weft_subscriber_wants_renewal(w.s)); /* the live socket spoke */
}

static void S3_silence_says_hello_and_asks_for_a_new_socket(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    assert_true(s_info().connected);
    assert_false(weft_subscriber_wants_renewal(w.s));
    w.now += WEFT_SILENCE_MS - 1;
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_int_equal(weft_subscriber_deadline(w.s), w.now + 1);
    s_record(0, 0); /* heard again */
    w.now += WEFT_SILENCE_MS - 1;
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    w.now += 1;
    assert_false(s_info().connected);
    s_welcome(s_hello().id);
    s_state(WEFT_SUBSCRIBER_LIVE);
    assert_true(weft_subscriber_wants_renewal(w.s));
    assert_false(weft_subscriber_wants_renewal(w.s)); /* once */
}

static void S3_events_alone_do_not_end_a_silence(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 1);
    w.now += WEFT_SILENCE_MS;
    s_live(1);
    s_wants(WEFT_SUBSCRIBER_HELLO);
}

/* ---- handing out */

static void take_hands_out_what_several_records_covered(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    s_store("a.b", 4);
    for (uint64_t p = 1; p <= 4; p++) {
        s_live(p);
        s_record(p - 1, p);
    }
    assert_int_equal(weft_subscriber_ready(w.s), 4);
    assert_int_equal(s_info().position.value, 0); /* not yet handed out */
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    assert_int_equal(batch.count, 4);
    assert_int_equal(batch.live_count, 4);
    assert_int_equal(s_info().position.value, 4);
    s_store("a.b", 1);
    s_live(5);
    s_record(4, 5);
    for (size_t i = 0; i < 4; i++) /* the batch stays valid meanwhile */
        assert_memory_equal(batch.events[i].raw, kit_log_row(&w.log, i + 1)->event.data,
                            batch.events[i].raw_size);
    TAKES(5, 5);
}

static void it_stops_reading_when_enough_is_ready(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    for (uint64_t p = 1; p <= WEFT_BATCH_READY_EVENTS_MAX; p++) {
        assert_true(weft_subscriber_wants_live(w.s));
        s_store("a.b", 1);
        s_live(p);
        s_record(p - 1, p);
    }
    assert_false(weft_subscriber_wants_live(w.s));
    w.now += 10 * WEFT_SILENCE_MS; /* nobody was heard because nobody was listened to */
    s_wants(WEFT_SUBSCRIBER_NOTHING);
    assert_true(weft_subscriber_deadline(w.s) == INT64_MAX);
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    assert_int_equal(batch.count, WEFT_BATCH_READY_EVENTS_MAX);
    assert_true(weft_subscriber_wants_live(w.s));
}

static void it_stops_pulling_when_enough_bytes_are_ready(void **state) {
    (void) state;
    const size_t size = 250000;
    for (unsigned i = 0; i < 8; i++) kit_log_add(&w.log, "a.b", 1, i + 1, size);
    s_new(s_all);
    s_welcome(s_hello().id);
    unsigned pages = 0;
    for (; s_next().kind == WEFT_SUBSCRIBER_FETCH; pages++) {
        weft_fetch_t fetch = s_fetch();
        s_page(&fetch, 1);
    }
    assert_int_equal(pages, WEFT_READY_BYTES_MAX / size + 1);
    assert_true(weft_subscriber_deadline(w.s) == INT64_MAX);
    weft_batch_t batch;
    assert_true(weft_subscriber_take(w.s, &batch));
    s_wants(WEFT_SUBSCRIBER_FETCH);
}

static void a_stop_is_for_good(void **state) {
    (void) state;
    s_new(s_all);
    s_join();
    weft_subscriber_stop(w.s, WEFT_E_NOMEM);
    weft_subscriber_stop(w.s, WEFT_E_FORKED);
    s_store("a.b", 1);
    s_live(1);
    s_record(0, 1);
    s_takes_nothing();
    s_stopped(WEFT_E_NOMEM);
}

static void several_filters_match_together(void **state) {
    (void) state;
    static const char *const two[] = {"a.*", "b.>"};
    weft_subscriber_destroy(&w.s);
    w.s = weft_subscriber_new(two, 2, WEFT_START_BEGINNING, &(weft_resume_t){0});
    w.filters = two, w.filters_count = 2;
    s_join();
    kit_log_add(&w.log, "a.x", 1, 1, 5);
    kit_log_add(&w.log, "c", 1, 2, 5);
    kit_log_add(&w.log, "b.x.y", 1, 3, 5);
    kit_log_add(&w.log, "a.x.y", 1, 4, 5);
    for (uint64_t p = 1; p <= 4; p++) s_live(p);
    s_record(0, 4);
    TAKES(4, 1, 3);
}

static void more_types_than_any_bus_has_stop_it(void **state) {
    (void) state;
    char name[16];
    s_new(s_a);
    s_join();
    for (uint32_t i = 0; i <= 2 * WEFT_TYPES_MAX; i++) {
        int size = snprintf(name, sizeof name, "t%u", i);
        weft_subscriber_events(w.s, name, (size_t) size, "", 0);
    }
    s_stopped(WEFT_E_PROTO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_starts_at_the_beginning),
        TEST(it_starts_at_the_beginning_of_what_the_log_keeps),
        TEST(it_begins_again_when_the_beginning_is_gone),
        TEST(it_starts_now),
        TEST(it_resumes_where_it_says),
        TEST(resuming_at_0_fits_every_log),
        TEST(it_starts_at_a_bare_number_for_tools),
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
        TEST(it_pulls_page_by_page_to_the_head_that_welcome_named),
        TEST(a_page_without_a_match_still_moves_on),
        TEST(a_page_that_stands_still_is_asked_for_again_after_a_pause),
        TEST(a_page_that_does_not_add_up_is_dropped_and_after_the_third_it_stops),
        TEST(a_bad_page_takes_nothing_of_what_was_ready_with_it),
        TEST(chains_are_checked_as_far_as_the_filters_let_through),
        TEST(S3_a_page_of_another_boot_or_log_is_not_applied),
        TEST(S1_live_events_are_held_until_a_record_covers_them),
        TEST(S1_order_is_by_position_whatever_the_order_of_arrival),
        TEST(S1_doubles_vanish),
        TEST(S1_types_are_matched_exactly),
        TEST(S1_what_is_held_is_bounded_and_beyond_it_pulled),
        TEST(S2_a_record_that_was_seen_is_passed_over),
        TEST(S2_a_record_may_begin_before_the_position),
        TEST(S2_a_record_that_begins_before_the_position_needs_all_of_its_events),
        TEST(S2_record_with_a_hole_before_it_is_a_gap),
        TEST(S2_a_missing_event_is_a_gap),
        TEST(S2_an_event_too_many_is_a_gap),
        TEST(S2_a_sum_that_does_not_agree_is_a_gap),
        TEST(S2_types_of_no_interest_are_not_missed),
        TEST(S2_another_chain_before_a_record_is_a_forked_log),
        TEST(S2_another_chain_in_a_heartbeat_is_a_forked_log),
        TEST(S5_what_waits_in_the_live_queue_joins_on),
        TEST(a_gap_is_pulled_up_to_the_end_of_its_record),
        TEST(messages_that_cannot_be_read_are_counted_and_pulled),
        TEST(S3_a_record_of_another_boot_or_log_is_not_applied),
        TEST(S3_after_a_restart_it_goes_on_from_where_it_stands),
        TEST(S3_silence_says_hello_and_asks_for_a_new_socket),
        TEST(S3_events_alone_do_not_end_a_silence),
        TEST(take_hands_out_what_several_records_covered),
        TEST(it_stops_reading_when_enough_is_ready),
        TEST(it_stops_pulling_when_enough_bytes_are_ready),
        TEST(a_stop_is_for_good),
        TEST(several_filters_match_together),
        TEST(more_types_than_any_bus_has_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
