/* P6: a flipped bit anywhere in a row is noticed before the row is handed out. */
#include "store_fixture.h"

static int set_up(void **state) {
    int rc = fixture_set_up(state);
    if (rc == 0) assert_rc(fixture_append(*state, 1, 1, 20), WEFT_OK);
    return rc;
}

/* Page from the start; what came before the damage is whole, the next page names the row. */
static void expect_damaged(fixture_t *f, uint64_t row, const char *filter) {
    weft_buf_t w;
    weft_log_page_t page;
    char reason[256], wanted[64];
    weft_buf_init(&w);
    snprintf(wanted, sizeof wanted, "row %u is damaged: ", (unsigned) row);
    uint64_t from = 0;
    weft_err_t rc = fixture_page(f, from, filter, 1000, 1 << 18, &w, &page, reason);
    if (row > 1) {
        assert_rc(rc, WEFT_OK);
        assert_int_equal(page.next, row - 1);
        from = page.next;
        rc = fixture_page(f, from, filter, 1000, 1 << 18, &w, &page, reason);
    }
    assert_rc(rc, WEFT_E_CORRUPT);
    assert_memory_equal(reason, wanted, strlen(wanted));
    weft_buf_free(&w);
}

static void flipped_bit_in_an_event(void **state) {
    fixture_t *f = *state;
    fixture_sql(f,
                "UPDATE events SET event = CAST(replace(CAST(event AS TEXT), 'xx', 'xy') AS BLOB)"
                " WHERE position = 9");
    expect_damaged(f, 9, ">");
}

static void flipped_bit_in_the_first_event(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET event = zeroblob(length(event)) WHERE position = 1");
    expect_damaged(f, 1, ">");
}

static void changed_time(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET stored_us = stored_us + 1 WHERE position = 20");
    expect_damaged(f, 20, ">");
}

static void changed_chain(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET chain = chain + 1 WHERE position = 5");
    expect_damaged(f, 5, ">");
}

static void changed_type(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET type = 3 - type WHERE position = 5");
    expect_damaged(f, 5, ">");
}

static void unknown_type(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET type = 77 WHERE position = 5");
    expect_damaged(f, 5, ">");
}

static void changed_type_name(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE types SET name = 'a.evil' WHERE name = 'a.even'");
    expect_damaged(f, 2, ">");
}

static void missing_row(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "DELETE FROM events WHERE position = 12");
    expect_damaged(f, 12, ">");
}

static void swapped_rows(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET event = (SELECT event FROM events WHERE position = 8)"
                   " WHERE position = 6");
    expect_damaged(f, 6, ">");
}

static void skipped_row_at_the_end_of_a_page(void **state) {
    fixture_t *f = *state;
    /* row 20 does not match, but its chain would become the reader's position */
    fixture_sql(f, "UPDATE events SET chain = chain + 1 WHERE position = 20");
    expect_damaged(f, 20, "a.odd");
}

static void wanted_row_that_looks_like_a_skipped_one(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET type = (SELECT type FROM events WHERE position = 2)"
                   " WHERE position = 7");
    expect_damaged(f, 7, "a.odd");
}

static void event_of_a_skipped_row(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET event = zeroblob(length(event)) WHERE position = 8");
    expect_damaged(f, 8, "a.odd");
}

static void event_stored_as_text(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "UPDATE events SET event = CAST(event AS TEXT) WHERE position = 4");
    expect_damaged(f, 4, ">");
}

static void missing_rows_below_the_head(void **state) {
    fixture_t *f = *state;
    fixture_sql(f, "DELETE FROM events WHERE position BETWEEN 15 AND 19");
    expect_damaged(f, 15, ">");
}

static void log_that_becomes_shorter(void **state) {
    fixture_t *f = *state;
    weft_log_reader_t *reader;
    weft_log_head_t head;
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
    weft_log_reader_end(reader);
    fixture_sql(f, "DELETE FROM events WHERE position > 17");
    assert_rc(weft_log_reader_begin(reader, &head), WEFT_E_CORRUPT);
    assert_string_equal(weft_log_reader_reason(reader), "row 18 is damaged: it is missing");
    weft_log_reader_end(reader);
    weft_log_reader_destroy(&reader);
}

static void place_whose_own_row_is_damaged(void **state) {
    fixture_t *f = *state;
    weft_buf_t w;
    weft_log_page_t page;
    char reason[256];
    weft_buf_init(&w);
    fixture_sql(f, "UPDATE events SET chain = chain + 1 WHERE position = 10");
    assert_rc(fixture_page(f, 10, ">", 1000, 1 << 18, &w, &page, reason), WEFT_E_CORRUPT);
    assert_non_null(strstr(reason, "row 10 is damaged")); /* not 11, held against it */
    weft_buf_free(&w);
}

static void damaged_head_keeps_the_store_from_opening(void **state) {
    fixture_t *f = *state;
    fixture_close(f);
    fixture_sql(f, "UPDATE events SET stored_us = 7 WHERE position = 20");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    assert_non_null(strstr(f->reason, "row 20 is damaged"));
    fixture_sql(f, "DELETE FROM events WHERE position = 20");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT); /* its origin knows that it was there */
    assert_non_null(strstr(f->reason, "row 20 is damaged: it is missing"));
    fixture_sql(f, "UPDATE origins SET position = 19, last = 19");
    fixture_open(f);
}

static void lost_log_id_keeps_the_store_from_opening(void **state) {
    fixture_t *f = *state;
    fixture_close(f);
    fixture_sql(f, "UPDATE meta SET value = x'0102' WHERE key = 'log'");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    fixture_sql(f, "UPDATE meta SET value = zeroblob(16) WHERE key = 'log'");
    fixture_open(f);
}

static void a_file_of_something_else(void **state) {
    fixture_t *f = *state;
    char path[300];
    snprintf(path, sizeof path, "%s", weft_store_path(f->store));
    fixture_close(f);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fputs("this is no database, and never was one, whatever its name says", file);
    fclose(file);
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    assert_non_null(strstr(f->reason, "damaged or no database"));
}

static void place_tells_a_fork_from_damage(void **state) {
    fixture_t *f = *state;
    weft_log_reader_t *reader;
    weft_log_head_t head;
    weft_place_t place = {
        .kind = WEFT_PLACE_CHECKED,
        .at = {.log = *weft_store_log(f->store), .position = {10}, .chain = 4711}};
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
    assert_rc(weft_log_reader_place(reader, weft_store_log(f->store), &place), WEFT_E_FORKED);
    weft_log_reader_end(reader);
    fixture_sql(f, "UPDATE events SET chain = 4712 WHERE position = 10");
    assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
    assert_rc(weft_log_reader_place(reader, weft_store_log(f->store), &place), WEFT_E_CORRUPT);
    assert_non_null(strstr(weft_log_reader_reason(reader), "row 10 is damaged"));
    weft_log_reader_end(reader);
    weft_log_reader_destroy(&reader);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(flipped_bit_in_an_event),
        T(flipped_bit_in_the_first_event),
        T(changed_time),
        T(changed_chain),
        T(changed_type),
        T(unknown_type),
        T(changed_type_name),
        T(missing_row),
        T(swapped_rows),
        T(skipped_row_at_the_end_of_a_page),
        T(wanted_row_that_looks_like_a_skipped_one),
        T(event_of_a_skipped_row),
        T(event_stored_as_text),
        T(missing_rows_below_the_head),
        T(log_that_becomes_shorter),
        T(place_whose_own_row_is_damaged),
        T(damaged_head_keeps_the_store_from_opening),
        T(lost_log_id_keeps_the_store_from_opening),
        T(a_file_of_something_else),
        T(place_tells_a_fork_from_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
