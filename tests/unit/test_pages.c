/* weft_pages: what was read before, or ahead, is what would be read now. */
#include "store_fixture.h"
#include "weft_pages.h"

#define PAGE_BYTES 4096

typedef struct {
    weft_log_reader_t *reader;
    weft_pages_t *pages;
    weft_buf_t filters;
    weft_text_t items[1];
    weft_filters_t decoded;
    weft_fetch_t fetch;
    weft_log_head_t head;
    weft_log_page_t page;
    zmq_msg_t *body;
} asking_t;

static void ask_for(asking_t *a, fixture_t *f, const char *filter) {
    *a = (asking_t){.items = {weft_text(filter)}};
    a->decoded = (weft_filters_t){.count = 1, .items = a->items};
    weft_filters_encode(&a->filters, &a->decoded);
    a->fetch = (weft_fetch_t){
        .max_events = 1000,
        .max_bytes = PAGE_BYTES,
        .filters = {.data = a->filters.data, .size = a->filters.size},
        .position = {.at = {.log = *weft_store_log(f->store)}},
    };
    assert_rc(weft_log_reader_new(&a->reader, weft_store_path(f->store)), WEFT_OK);
    a->pages = weft_pages_new(a->reader, weft_store_log(f->store));
    assert_non_null(a->pages);
}

static void stop_asking(asking_t *a) {
    weft_pages_destroy(&a->pages);
    weft_log_reader_destroy(&a->reader);
    weft_buf_free(&a->filters);
}

static weft_err_t get(asking_t *a, uint64_t from, uint64_t chain) {
    a->fetch.position.at.position.value = from;
    a->fetch.position.at.chain = chain;
    a->fetch.position.kind = from ? WEFT_PLACE_CHECKED : WEFT_PLACE_NUMBER;
    return weft_pages_get(a->pages, &a->fetch, &a->decoded, &a->head, &a->page, &a->body);
}

/* Is the page in hand what a fresh reader makes of it? */
static void is_right(asking_t *a, fixture_t *f, const char *filter, uint64_t from) {
    char reason[256];
    weft_buf_t wanted;
    weft_log_page_t page;
    weft_buf_init(&wanted);
    assert_rc(fixture_page(f, from, filter, 1000, PAGE_BYTES, &wanted, &page, reason), WEFT_OK);
    assert_int_equal(page.next, a->page.next);
    assert_int_equal(page.count, a->page.count);
    assert_true(page.chain == a->page.chain && page.sum == a->page.sum);
    assert_int_equal(zmq_msg_size(a->body), wanted.size);
    assert_memory_equal(zmq_msg_data(a->body), wanted.data, wanted.size);
    weft_buf_free(&wanted);
}

/* To the head, page by page, each read ahead. */
static unsigned read_all(asking_t *a, fixture_t *f, const char *filter) {
    uint64_t from = 0, chain = 0;
    unsigned count = 0;
    do {
        assert_rc(get(a, from, chain), WEFT_OK);
        is_right(a, f, filter, from);
        from = a->page.next;
        chain = a->page.chain;
        count++;
        weft_pages_ahead(a->pages);
    } while (from < a->head.position);
    return count;
}

static void next_page_is_read_ahead(void **state) {
    fixture_t *f = *state;
    asking_t a;
    assert_rc(fixture_append(f, 1, 1, 1000), WEFT_OK);
    ask_for(&a, f, ">");
    unsigned count = read_all(&a, f, ">");
    assert_true(count > 4);
    assert_int_equal(weft_pages_again(a.pages), count - 2); /* all but the first, and the last */
    assert_rc(get(&a, 0, 0), WEFT_OK);
    is_right(&a, f, ">", 0);
    stop_asking(&a);
}

static void other_filters_are_another_page(void **state) {
    fixture_t *f = *state;
    asking_t a, b;
    assert_rc(fixture_append(f, 1, 1, 1000), WEFT_OK);
    fixture_begin(f);
    for (uint64_t seq = 1001; seq <= 1500; seq++) assert_true(fixture_take(f, "b.odd", 1, seq, 20));
    assert_rc(fixture_end(f), WEFT_OK);
    ask_for(&a, f, "a.odd");
    (void) read_all(&a, f, "a.odd");
    ask_for(&b, f, "b.odd");
    weft_pages_t *own = b.pages;
    b.pages = a.pages; /* the same pages for both */
    (void) read_all(&b, f, "b.odd");
    b.pages = own;
    stop_asking(&b);
    stop_asking(&a);
}

static void page_at_the_head_grows(void **state) {
    fixture_t *f = *state;
    asking_t a;
    assert_rc(fixture_append(f, 1, 1, 3), WEFT_OK);
    ask_for(&a, f, ">");
    assert_rc(get(&a, 0, 0), WEFT_OK);
    assert_int_equal(a.page.count, 3);
    assert_rc(fixture_append(f, 1, 4, 5), WEFT_OK);
    assert_rc(get(&a, 0, 0), WEFT_OK);
    assert_int_equal(a.page.count, 5);
    is_right(&a, f, ">", 0);
    stop_asking(&a);
}

static void place_is_checked_all_the_same(void **state) {
    fixture_t *f = *state;
    asking_t a;
    assert_rc(fixture_append(f, 1, 1, 1000), WEFT_OK);
    ask_for(&a, f, ">");
    assert_rc(get(&a, 0, 0), WEFT_OK);
    uint64_t next = a.page.next, chain = a.page.chain;
    weft_pages_ahead(a.pages);
    assert_rc(get(&a, next, chain + 1), WEFT_E_FORKED);
    assert_rc(weft_store_trim(f->store, next + 1), WEFT_OK);
    assert_rc(get(&a, next, chain), WEFT_E_GONE);
    stop_asking(&a);
}

static void what_nobody_asks_for_is_forgotten(void **state) {
    fixture_t *f = *state;
    asking_t a;
    assert_rc(fixture_append(f, 1, 1, 1000), WEFT_OK);
    ask_for(&a, f, ">");
    assert_rc(get(&a, 0, 0), WEFT_OK);
    weft_pages_tick(a.pages);
    assert_rc(get(&a, 0, 0), WEFT_OK);
    assert_int_equal(weft_pages_again(a.pages), 1);
    weft_pages_tick(a.pages);
    weft_pages_tick(a.pages);
    weft_pages_ahead(a.pages); /* of what was served before: forgotten, too */
    assert_rc(get(&a, 0, 0), WEFT_OK);
    assert_int_equal(weft_pages_again(a.pages), 1);
    is_right(&a, f, ">", 0);
    stop_asking(&a);
}

/* One reader is so many pages behind another, for as long again: what they share is read once. */
static void who_lags_finds_what_others_read(void **state) {
    enum { BEHIND = 24, STEPS = 30 };
    fixture_t *f = *state;
    asking_t a;
    uint64_t places[BEHIND + STEPS + 1] = {0}, chains[BEHIND + STEPS + 1] = {0};
    assert_rc(fixture_append(f, 1, 1, 4000), WEFT_OK);
    ask_for(&a, f, ">");
    for (unsigned i = 0; i < BEHIND + STEPS; i++) {
        assert_rc(get(&a, places[i], chains[i]), WEFT_OK);
        places[i + 1] = a.page.next;
        chains[i + 1] = a.page.chain;
        assert_true(a.page.next < a.head.position);
        if (i < BEHIND) continue;
        unsigned behind = i - BEHIND;
        assert_rc(get(&a, places[behind], chains[behind]), WEFT_OK);
        assert_int_equal(weft_pages_again(a.pages), behind + 1);
    }
    stop_asking(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(next_page_is_read_ahead, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(other_filters_are_another_page, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(who_lags_finds_what_others_read, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(page_at_the_head_grows, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(place_is_checked_all_the_same, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_asks_for_is_forgotten, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
