/* Pages by postings: the same events as by a scan, also where postings are missing, damaged or not
 * made yet, and after a restart, a failed commit and a trim. */
#include "store_fixture.h"

#include "kit.h"
#include "weft_postings.h"

#include <sqlite3.h>

#define BLOCKS 3u

/* Many events of a.c, some of a.b, few of r.x and r.y, spread at random. */
static uint64_t s_fill(fixture_t *f, uint64_t seq, uint64_t count, uint64_t *seed) {
    while (count) {
        uint64_t batch = 1 + kit_below(seed, count < 700 ? count : 700);
        fixture_begin(f);
        for (uint64_t i = 0; i < batch; i++) {
            uint64_t pick = kit_below(seed, 1000);
            const char *type = pick < 2 ? "r.x" : pick < 4 ? "r.y" : pick < 100 ? "a.b" : "a.c";
            assert_true(fixture_take(f, type, 1, ++seq, kit_below(seed, 20)));
        }
        assert_rc(fixture_end(f), WEFT_OK);
        count -= batch;
    }
    return seq;
}

/* All positions that a filter matches, page by page. pages out: how many it took. */
static size_t s_read(fixture_t *f, uint64_t from, const char *filter, uint64_t max_events,
                     uint64_t max_bytes, uint64_t *out, size_t *pages) {
    size_t count = 0;
    uint64_t head = weft_sequencer_position(f->sequencer);
    for (*pages = 0; from < head; ++*pages) {
        weft_log_page_t page;
        weft_buf_t w = {0};
        char reason[256];
        assert_rc(fixture_page(f, from, filter, max_events, max_bytes, &w, &page, reason), WEFT_OK);
        assert_true(page.next > from);
        weft_mp_t r = weft_mp_reader(w.data, w.size);
        uint64_t in_page = 0, sum = 0;
        while (weft_mp_left(&r)) {
            const char *type = NULL;
            size_t size = 0;
            weft_stamp_t stamp;
            weft_wire_event_t event;
            assert_true(weft_mp_str(&r, &type, &size) && weft_stamp_take(&r, &stamp));
            assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
            out[count++] = stamp.position;
            in_page++;
            sum += weft_checksum_row(stamp.position, stamp.stored_us, weft_hash(type, size),
                                     weft_hash(event.bytes, event.size));
        }
        assert_int_equal(in_page, page.count);
        assert_true(sum == page.sum);
        int64_t chain = fixture_sql(f, "SELECT chain FROM events WHERE position = %llu",
                                    (unsigned long long) page.next);
        assert_true((uint64_t) chain == page.chain);
        from = page.next;
        weft_buf_free(&w);
    }
    return count;
}

/* The same by SQL. */
static void s_agrees(fixture_t *f, uint64_t from, const char *filter, const char *like,
                     size_t tries) {
    static uint64_t found[BLOCKS * WEFT_POSTINGS_BLOCK + 1000];
    const struct {
        uint64_t events, bytes;
    } limits[] = {{65536, WEFT_PAGE_BYTES_MAX}, {3, WEFT_PAGE_BYTES_MAX}, {65536, 300}};
    char path[512];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof path, "%s/log.db", f->dir);
    for (size_t i = 0; i < tries; i++) {
        size_t pages,
            count = s_read(f, from, filter, limits[i].events, limits[i].bytes, found, &pages);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db,
                                            "SELECT position FROM events JOIN types ON id = type"
                                            " WHERE name LIKE ?1 AND position > ?2 ORDER BY 1",
                                            -1, &stmt, NULL),
                         SQLITE_OK);
        sqlite3_bind_text(stmt, 1, like, -1, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, (int64_t) from);
        size_t at = 0;
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            assert_true(at < count);
            assert_int_equal(found[at++], sqlite3_column_int64(stmt, 0));
        }
        assert_int_equal(at, count);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
}

static void s_all_agree(fixture_t *f, uint64_t lowest) {
    uint64_t head = weft_sequencer_position(f->sequencer);
    const uint64_t starts[] = {
        lowest,  lowest + 1, WEFT_POSTINGS_BLOCK - 1, WEFT_POSTINGS_BLOCK, WEFT_POSTINGS_BLOCK + 1,
        head - 1};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (starts[i] < lowest) continue;
        s_agrees(f, starts[i], "r.x", "r.x", 3);
        s_agrees(f, starts[i], "r.*", "r._", 3);
        s_agrees(f, starts[i], "none", "none", 3);
    }
    s_agrees(f, lowest, "a.b", "a.b", 1); /* many: a scan */
}

static void pages_by_postings_are_those_of_a_scan(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 11;
    s_fill(f, 0, BLOCKS * WEFT_POSTINGS_BLOCK - 1, &seed);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM postings"), BLOCKS - 1);
    s_fill(f, BLOCKS * WEFT_POSTINGS_BLOCK - 1, 1, &seed); /* the row that fills it */
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM postings"), BLOCKS);
    s_all_agree(f, 0);
    s_fill(f, BLOCKS * WEFT_POSTINGS_BLOCK, 700, &seed);
    s_all_agree(f, 0);
}

static void a_page_goes_far_past_what_is_of_no_interest(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 12, out[1];
    size_t pages;
    s_fill(f, 0, BLOCKS * WEFT_POSTINGS_BLOCK, &seed);
    assert_int_equal(s_read(f, 0, "none", 100, 1000, out, &pages), 0);
    assert_int_equal(pages, 1);
}

/* What a page looks at is counted: 64 a block of postings and 16 a row that they name. The first block is
 * scanned, since no row has vouched for the types yet: 4,096. After 19 more of 198 rows each 65,504 of
 * 65,536 are used up, so the next block's postings fill the page before any of its rows: the block is for
 * the page behind it. */
static void a_page_that_is_full_at_a_block_leaves_its_events_to_the_next(void **state) {
    enum { FULL_BLOCKS = 24, EACH = 198 };
    fixture_t *f = *state;
    static uint64_t found[FULL_BLOCKS * WEFT_POSTINGS_BLOCK];
    uint64_t seq = 0;
    size_t pages;
    for (unsigned block = 0; block < FULL_BLOCKS; block++) {
        fixture_begin(f);
        for (unsigned i = 0; i < WEFT_POSTINGS_BLOCK; i++)
            assert_true(fixture_take(f, i % 20 == 0 && i / 20 < EACH ? "r.x" : "a.c", 1, ++seq, 1));
        assert_rc(fixture_end(f), WEFT_OK);
    }
    size_t count = s_read(f, 0, "r.x", WEFT_PAGE_EVENTS_MAX, WEFT_PAGE_BYTES_MAX, found, &pages);
    assert_int_equal(pages, 2);
    assert_int_equal(count, FULL_BLOCKS * EACH);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(found[i], i / EACH * WEFT_POSTINGS_BLOCK + i % EACH * 20 + 1);
}

static void a_block_that_was_half_full_at_a_restart_gets_its_postings(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 13, seq = s_fill(f, 0, WEFT_POSTINGS_BLOCK + 1000, &seed);
    fixture_reopen(f);
    seq = s_fill(f, seq, 2000, &seed);
    fixture_reopen(f);
    s_fill(f, seq, WEFT_POSTINGS_BLOCK, &seed);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM postings"), 2);
    s_all_agree(f, 0);
}

static void a_batch_that_was_taken_back_leaves_no_postings(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 14, seq = s_fill(f, 0, WEFT_POSTINGS_BLOCK - 10, &seed);
    fixture_begin(f);
    for (unsigned i = 0; i < 20; i++) assert_true(fixture_take(f, "r.x", 1, seq + 1 + i, 1));
    fixture_sql(f,
                "CREATE TRIGGER no BEFORE INSERT ON postings BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_int_not_equal(fixture_end(f), WEFT_OK);
    fixture_sql(f, "DROP TRIGGER no");
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM postings"), 0);
    fixture_reopen(f);
    s_fill(f, seq, 3000, &seed);
    s_all_agree(f, 0);
}

static void without_postings_or_with_damaged_ones_it_scans(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 15;
    s_fill(f, 0, BLOCKS * WEFT_POSTINGS_BLOCK, &seed);
    fixture_sql(f, "UPDATE postings SET types = (SELECT types FROM postings WHERE block = 1)"
                   " WHERE block = 2"); /* in another's place */
    fixture_sql(f, "UPDATE postings SET types = zeroblob(100) WHERE block = 1");
    fixture_sql(f, "DELETE FROM postings WHERE block = 0");
    s_all_agree(f, 0);
    fixture_sql(f, "DROP TABLE postings"); /* a store of an earlier version */
    s_all_agree(f, 0);
    fixture_reopen(f);
    s_all_agree(f, 0);
}

/* Events of r.x, page by page by one reader, up to the damage: the row that it names. */
static void s_ends_before(fixture_t *f, uint64_t damaged) {
    weft_log_reader_t *reader;
    weft_log_head_t head;
    weft_text_t items[] = {weft_text("r.x")};
    weft_filters_t filters = {.count = 1, .items = items};
    weft_log_page_t page = {0};
    weft_buf_t w = {0};
    weft_err_t rc = WEFT_OK;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "row %llu is damaged", (unsigned long long) damaged);
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
    while (rc == WEFT_OK && page.next < head.position)
        rc = weft_log_reader_page(reader, page.next, &filters, 100, 1 << 18, &w, &page);
    assert_rc(rc, WEFT_E_CORRUPT);
    assert_true(page.next < damaged);
    assert_non_null(strstr(weft_log_reader_reason(reader), wanted));
    weft_log_reader_end(reader);
    weft_log_reader_destroy(&reader);
    weft_buf_free(&w);
}

static uint64_t s_first_rare(fixture_t *f, uint64_t after) {
    return (uint64_t) fixture_sql(f,
                                  "SELECT min(position) FROM events JOIN types ON id = type"
                                  " WHERE name = 'r.x' AND position > %llu",
                                  (unsigned long long) after);
}

static void a_damaged_row_that_postings_name_is_not_served(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 16;
    s_fill(f, 0, 2 * WEFT_POSTINGS_BLOCK, &seed);
    uint64_t first = s_first_rare(f, WEFT_POSTINGS_BLOCK);
    fixture_sql(f, "DELETE FROM rare");
    fixture_sql(f, "UPDATE events SET stored_us = stored_us + 1 WHERE position = %llu",
                (unsigned long long) first);
    s_ends_before(f, first);
}

/* Read by one reader: the first block is scanned, as nothing has vouched for the types yet. Then the log's own
 * rows may say what they want. */
static void rare_rows_are_read_from_their_copies(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 20, count = 0;
    weft_log_reader_t *reader;
    weft_log_head_t head;
    weft_text_t items[] = {weft_text("r.*")};
    weft_filters_t filters = {.count = 1, .items = items};
    weft_log_page_t page = {0};
    weft_buf_t w = {0};
    s_fill(f, 0, BLOCKS * WEFT_POSTINGS_BLOCK, &seed);
    int64_t rare = fixture_sql(f, "SELECT count(*) FROM events JOIN types ON id = type"
                                  " WHERE name LIKE 'r._'");
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM rare"), rare);
    fixture_sql(f,
                "UPDATE events SET event = zeroblob(9) WHERE position > %u AND position IN"
                " (SELECT position FROM rare)",
                WEFT_POSTINGS_BLOCK);
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    assert_rc(weft_log_reader_begin(reader, &head), WEFT_OK);
    for (; page.next < head.position; count += page.count)
        assert_rc(weft_log_reader_page(reader, page.next, &filters, 5, 1 << 18, &w, &page),
                  WEFT_OK);
    assert_int_equal(count, rare);
    weft_log_reader_end(reader);
    weft_log_reader_destroy(&reader);
    weft_buf_free(&w);
}

static void damaged_copies_are_not_served(void **state) {
    static const char *const damage[] = {
        "UPDATE rare SET event = zeroblob(9) WHERE position % 2",
        "UPDATE rare SET event = CAST(event AS TEXT) WHERE position % 3",
        "UPDATE rare SET stored_us = stored_us + 1 WHERE position % 2",
        "UPDATE rare SET before = before + 1 WHERE position % 5",
        "UPDATE rare SET chain = chain + 1 WHERE position % 2 = 0",
        "UPDATE rare SET type = 3 - type WHERE position % 7",
        "UPDATE rare SET type = 70000 WHERE position % 7 = 0",
        "DELETE FROM rare WHERE position % 11 = 0",
        "DROP TABLE rare", /* a store of an earlier version */
    };
    fixture_t *f = *state;
    uint64_t seed = 21;
    s_fill(f, 0, BLOCKS * WEFT_POSTINGS_BLOCK, &seed);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        fixture_sql(f, "%s", damage[i]);
        s_all_agree(f, 0);
    }
    fixture_reopen(f);
    s_all_agree(f, 0);
}

static void what_is_not_small_or_not_rare_has_no_copy(void **state) {
    fixture_t *f = *state;
    uint64_t seq = 0;
    fixture_begin(f);
    for (unsigned i = 0; i < WEFT_POSTINGS_BLOCK; i++) {
        const char *type = i % 500 == 7   ? "r.x"
                           : i % 100 == 3 ? "a.b"
                           : i % 300 == 1 ? "r.big"
                                          : "a.c";
        assert_true(fixture_take(f, type, 1, ++seq, type[2] == 'b' && type[3] ? 2100 : 20));
    }
    assert_rc(fixture_end(f), WEFT_OK);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM rare"), 9);
    assert_int_equal(fixture_sql(f, "SELECT count(*) FROM rare WHERE position % 500 = 8"), 9);
}

/* The name is what a filter goes by: with another one, the events would be none that anybody waits for. */
static void events_of_a_type_whose_name_is_damaged_are_not_passed_over(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 18;
    s_fill(f, 0, 2 * WEFT_POSTINGS_BLOCK, &seed);
    uint64_t first = s_first_rare(f, 0);
    fixture_sql(f, "UPDATE types SET name = 's.x' WHERE name = 'r.x'");
    s_ends_before(f, first);
    fixture_sql(f, "DELETE FROM types WHERE name = 's.x'");
    s_ends_before(f, first);
}

/* Postings made from a damaged row would hide it: it is scanned, and told of. */
static void a_block_that_was_damaged_at_a_restart_gets_no_postings(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 19, seq = s_fill(f, 0, WEFT_POSTINGS_BLOCK + 2000, &seed);
    uint64_t first = s_first_rare(f, WEFT_POSTINGS_BLOCK);
    fixture_sql(f,
                "UPDATE events SET type = (SELECT id FROM types WHERE name = 'a.c')"
                " WHERE position = %llu",
                (unsigned long long) first);
    fixture_reopen(f);
    s_fill(f, seq, 2 * WEFT_POSTINGS_BLOCK, &seed);
    assert_int_equal(fixture_sql(f, "SELECT group_concat(block, '') FROM postings"), 2); /* "02" */
    s_ends_before(f, first);
}

static void a_trim_forgets_postings_too(void **state) {
    fixture_t *f = *state;
    uint64_t seed = 17;
    s_fill(f, 0, BLOCKS * WEFT_POSTINGS_BLOCK, &seed);
    assert_rc(weft_store_trim(f->store, 2 * WEFT_POSTINGS_BLOCK + 100), WEFT_OK);
    assert_int_equal(fixture_sql(f, "SELECT min(block) FROM postings"), 2);
    assert_int_equal(
        fixture_sql(f, "SELECT min(position) FROM rare") > 2 * WEFT_POSTINGS_BLOCK + 100, 1);
    s_all_agree(f, 2 * WEFT_POSTINGS_BLOCK + 100);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(pages_by_postings_are_those_of_a_scan),
        T(a_page_goes_far_past_what_is_of_no_interest),
        T(a_page_that_is_full_at_a_block_leaves_its_events_to_the_next),
        T(a_block_that_was_half_full_at_a_restart_gets_its_postings),
        T(a_batch_that_was_taken_back_leaves_no_postings),
        T(without_postings_or_with_damaged_ones_it_scans),
        T(a_damaged_row_that_postings_name_is_not_served),
        T(events_of_a_type_whose_name_is_damaged_are_not_passed_over),
        T(a_block_that_was_damaged_at_a_restart_gets_no_postings),
        T(a_trim_forgets_postings_too),
        T(rare_rows_are_read_from_their_copies),
        T(damaged_copies_are_not_served),
        T(what_is_not_small_or_not_rare_has_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
