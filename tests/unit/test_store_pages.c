/* C2: what a page holds, and where the reader stands after it. */
#include "store_fixture.h"

#include "weft_limits.h"

static int set_up(void **state) {
    int rc = fixture_set_up(state);
    if (rc == 0) assert_rc(fixture_append(*state, 1, 1, 100), WEFT_OK);
    return rc;
}

static weft_log_page_t page_of(fixture_t *f, uint64_t from, const char *filter, uint64_t max_events,
                               uint64_t max_bytes, weft_buf_t *w) {
    weft_log_page_t page;
    char reason[256];
    weft_buf_clear(w);
    assert_rc(fixture_page(f, from, filter, max_events, max_bytes, w, &page, reason), WEFT_OK);
    return page;
}

static void filters_choose(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_buf_init(&w);
    assert_int_equal(page_of(f, 0, ">", 1000, 1 << 18, &w).count, 100);
    assert_int_equal(page_of(f, 0, "a.*", 1000, 1 << 18, &w).count, 100);
    assert_int_equal(page_of(f, 0, "a.odd", 1000, 1 << 18, &w).count, 50);
    weft_log_page_t page = page_of(f, 0, "b.>", 1000, 1 << 18, &w);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next, 100);
    assert_int_equal(w.size, 0);
    assert_true(page.chain == weft_sequencer_chain(f->sequencer));
    weft_buf_free(&w);
}

static void max_events_ends_at_the_last_event(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_buf_init(&w);
    weft_log_page_t page = page_of(f, 0, "a.even", 3, 1 << 18, &w);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.next, 6);
    page = page_of(f, page.next, "a.even", 1, 1 << 18, &w);
    assert_int_equal(page.next, 8);
    weft_buf_free(&w);
}

static void max_bytes_leaves_at_least_one_event(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_buf_init(&w);
    weft_log_page_t page = page_of(f, 0, ">", 1000, 0, &w);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.next, 1);
    size_t one = w.size;
    page = page_of(f, 0, ">", 1000, 1000, &w);
    assert_true(page.count > 1 && page.count < 100 && w.size <= 1000 && w.size > one);
    size_t size = w.size; /* at the limit and one below */
    assert_int_equal(page_of(f, 0, ">", 1000, size, &w).count, page.count);
    assert_int_equal(page_of(f, 0, ">", 1000, size - 1, &w).count, page.count - 1);
    weft_buf_free(&w);
}

static void filtered_out_after_the_size_limit_is_looked_at_again(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    uint64_t at = 0, seen = 0;
    weft_buf_init(&w);
    while (at < 100) {
        weft_log_page_t page = page_of(f, at, "a.odd", 1000, 300, &w);
        assert_true(page.next > at);
        at = page.next;
        seen += page.count;
    }
    assert_int_equal(seen, 50);
    weft_buf_free(&w);
}

static void at_the_head_there_is_nothing(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_buf_init(&w);
    weft_log_page_t page = page_of(f, 100, ">", 1000, 1 << 18, &w);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next, 100);
    assert_true(page.chain == weft_sequencer_chain(f->sequencer));
    weft_buf_free(&w);
}

static void one_page_looks_at_a_bounded_number_of_rows(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_buf_init(&w);
    uint64_t seq = 100;
    while (seq < WEFT_PAGE_ROWS_MAX + 50) {
        fixture_begin(f);
        for (unsigned i = 0; i < WEFT_BATCH_EVENTS_MAX; i++)
            assert_true(fixture_take(f, "a.c", 1, ++seq, 1));
        assert_rc(fixture_end(f), WEFT_OK);
    }
    fixture_sql(f, "DELETE FROM postings"); /* without them each row is looked at */
    weft_log_page_t page = page_of(f, 0, "nothing.like.it", 1000, 1 << 18, &w);
    assert_int_equal(page.next, WEFT_PAGE_ROWS_MAX);
    page = page_of(f, page.next, "nothing.like.it", 1000, 1 << 18, &w);
    assert_int_equal(page.next, seq);
    weft_buf_free(&w);
}

static void one_page_looks_at_a_bounded_number_of_bytes(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_buf_init(&w);
    uint64_t seq = 100, looked = 0;
    while (looked <= WEFT_PAGE_LOOK_BYTES_MAX) {
        fixture_begin(f);
        for (unsigned i = 0; i < 16; i++) {
            assert_true(fixture_take(f, "a.c", 1, ++seq, 250000));
            looked += 250000;
        }
        assert_rc(fixture_end(f), WEFT_OK);
    }
    weft_log_page_t page = page_of(f, 100, "nothing.like.it", 1000, 1 << 18, &w);
    assert_int_equal(page.next, 100 + WEFT_PAGE_LOOK_BYTES_MAX / 250000 + 1);
    page = page_of(f, page.next, "nothing.like.it", 1000, 1 << 18, &w);
    assert_int_equal(page.next, seq);
    weft_buf_free(&w);
}

static void a_reader_learns_new_types(void **state) {
    fixture_t *f = *state;
    weft_log_reader_t *reader;
    weft_log_head_t head;
    weft_log_page_t page;
    weft_text_t items[1] = {weft_text("new.*")};
    weft_filters_t filters = {.count = 1, .items = items};
    weft_buf_t w;
    weft_buf_init(&w);
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    for (uint64_t n = 1; n <= 100; n++) {
        char type[32];
        snprintf(type, sizeof type, n % 2 ? "new.t%u" : "old.t%u", (unsigned) n);
        fixture_begin(f);
        assert_true(fixture_take(f, type, 1, 100 + n, 1));
        assert_rc(fixture_end(f), WEFT_OK);
        weft_buf_clear(&w);
        assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
        assert_rc(weft_log_reader_page(reader, 0, &filters, 1000, 1 << 18, &w, &page), WEFT_OK);
        weft_log_reader_end(reader);
        assert_int_equal(page.count, (n + 1) / 2);
        assert_int_equal(page.next, 100 + n);
    }
    weft_log_reader_destroy(&reader);
    weft_buf_free(&w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(filters_choose),
        T(max_events_ends_at_the_last_event),
        T(max_bytes_leaves_at_least_one_event),
        T(filtered_out_after_the_size_limit_is_looked_at_again),
        T(at_the_head_there_is_nothing),
        T(one_page_looks_at_a_bounded_number_of_rows),
        T(one_page_looks_at_a_bounded_number_of_bytes),
        T(a_reader_learns_new_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
