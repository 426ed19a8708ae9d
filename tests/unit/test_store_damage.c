/* P6: a flipped bit anywhere in a row is noticed before the row is handed out. */
#include "kit_bus.h"
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
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    assert_non_null(strstr(f->reason, "origin 00000000000000000000000000000001 is damaged"));
    fixture_make_old(f);
    fixture_open(f);
}

static void lost_log_id_keeps_the_store_from_opening(void **state) {
    fixture_t *f = *state;
    fixture_close(f);
    fixture_sql(f, "UPDATE meta SET value = x'0102' WHERE key = 'log'");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    fixture_sql(f, "UPDATE meta SET value = zeroblob(16) WHERE key = 'log'");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    assert_non_null(strstr(f->reason, "the log's id"));
    fixture_make_old(f);
    fixture_open(f);
}

/* Also while the store is open: that origin alone is refused, the others go on. */
static void changed_origin(void **state) {
    static const char *const changes[] = {"source = 'tesu'",   "source = CAST(source AS BLOB)",
                                          "last = last - 1",   "position = position - 1",
                                          "chain = chain + 1", "sum = sum + 1",
                                          "sum = NULL"};
    fixture_t *f = *state;
    uint64_t seq = 0;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t uuid[16] = {[15] = 1};
        uint64_t last, position, chain;
        weft_log_reader_t *reader;
        weft_log_head_t head;
        weft_origin_state_t origin;
        char *copy = kit_path("before-%u", (unsigned) i);
        fixture_close(f);
        kit_copy_tree(f->dir, copy);
        fixture_open(f);
        fixture_sql(f, "UPDATE origins SET %s", changes[i]);
        assert_rc(weft_store_origin(f->store, uuid, &last, &position, &chain), WEFT_E_CORRUPT);
        assert_rc(weft_store_trouble(f->store), WEFT_OK);
        assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
        assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
        assert_rc(weft_log_reader_origin(reader, &(weft_uuid_t){.bytes = {[15] = 1}}, &origin),
                  WEFT_E_CORRUPT);
        assert_non_null(strstr(weft_log_reader_reason(reader), "origin 0000"));
        assert_int_equal(origin.last, 0);
        weft_log_reader_end(reader);
        weft_log_reader_destroy(&reader);
        assert_rc(fixture_append(f, 2, seq + 1, seq + 1), WEFT_OK);
        fixture_close(f);
        assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
        assert_non_null(strstr(f->reason, "origin 0000"));
        kit_remove_tree(f->dir);
        kit_copy_tree(copy, f->dir);
        free(copy);
        fixture_open(f);
    }
}

static void missing_origin(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 2, 1, 3), WEFT_OK);
    assert_rc(fixture_append(f, 3, 1, 1), WEFT_OK);
    fixture_reopen(f);
    assert_rc(fixture_append(f, 4, 1, 1), WEFT_OK);
    fixture_close(f);
    fixture_sql(f, "DELETE FROM origins WHERE last = 3");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    assert_non_null(strstr(f->reason, "3 origins are there, and 4 should be"));
    fixture_make_old(f);
    fixture_open(f);
}

static void changed_meta(void **state) {
    static const char *const changes[] = {
        "value = randomblob(16) WHERE key = 'log'",
        "value = CAST(value AS TEXT) WHERE key = 'log'",
        "value = value + 1 WHERE key = 'anchor_position'",
        "value = value + 1 WHERE key = 'anchor_chain'",
        "value = value + 1 WHERE key = 'anchor_stored_us'",
        "value = value + 1 WHERE key = 'origins'",
        "value = value + 1 WHERE key = 'sum'",
        "key = 'sun' WHERE key = 'sum'",
        "key = 'mog' WHERE key = 'log'",
        "key = 'origin' WHERE key = 'origins'",
    };
    fixture_t *f = *state;
    assert_rc(weft_store_trim(f->store, 5), WEFT_OK);
    fixture_reopen(f);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        weft_buf_t w = {0};
        weft_log_page_t page;
        char reason[256];
        fixture_sql(f, "CREATE TABLE saved AS SELECT * FROM meta");
        fixture_sql(f, "UPDATE meta SET %s", changes[i]);
        assert_rc(fixture_page(f, 5, ">", 100, 1 << 18, &w, &page, reason), WEFT_E_CORRUPT);
        assert_non_null(strstr(reason, "the log's id"));
        weft_buf_free(&w);
        fixture_close(f);
        assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
        assert_non_null(strstr(f->reason, "the log's id"));
        fixture_sql(f, "DELETE FROM meta");
        fixture_sql(f, "INSERT INTO meta SELECT * FROM saved");
        fixture_sql(f, "DROP TABLE saved");
        fixture_open(f);
    }
}

/* What an older program wrote has none; it gets them as it is opened, and they are right from then on. */
static void an_old_store_gets_checksums(void **state) {
    fixture_t *f = *state;
    assert_rc(fixture_append(f, 2, 1, 3), WEFT_OK);
    assert_rc(weft_store_trim(f->store, 5), WEFT_OK);
    fixture_close(f);
    fixture_make_old(f);
    fixture_open(f);
    assert_int_equal(fixture_sql(f, "PRAGMA user_version"), 2);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM origins WHERE sum IS NOT NULL"), 2);
    assert_int_equal(fixture_sql(f, "SELECT value FROM meta WHERE key = 'origins'"), 2);
    assert_rc(fixture_append(f, 2, 4, 4), WEFT_OK);
    assert_rc(fixture_append(f, 3, 1, 1), WEFT_OK);
    fixture_reopen(f);
    fixture_close(f);
    fixture_sql(f, "UPDATE origins SET last = 5 WHERE last = 4");
    assert_rc(fixture_try_open(f), WEFT_E_CORRUPT);
    fixture_sql(f, "UPDATE origins SET last = 4 WHERE last = 5");
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
        T(changed_origin),
        T(missing_origin),
        T(changed_meta),
        T(an_old_store_gets_checksums),
        T(a_file_of_something_else),
        T(place_tells_a_fork_from_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
