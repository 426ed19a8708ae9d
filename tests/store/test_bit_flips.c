/* P6: one bit of a store's file is flipped, many times over. Whatever it hits, catch-up delivers what
 * was stored or says that the store is damaged, and weft check finds every bit of an event's row.
 * WEFT_TEST_FLIPS sets how many (10,000 for the whole claim), WEFT_TEST_SEED which. */
#include "kit_bus.h"
#include "store_fixture.h"

#include "file_map.h"
#include "weft_log_check.h"
#include "weft_type.h"

#include <fcntl.h>

#define EVENTS 3000u
#define FLIPS 1000
#define LARGE_EVERY 500u /* an event that needs overflow pages */

static const char *const s_types[] = {"post.created", "post.deleted", "comment.created",
                                      "comment.moderated", "user.seen"};
static const char *const s_filters[] = {">", "comment.*"};

typedef struct {
    const char *type;
    weft_stamp_t stamp;
    weft_buf_t event;
    bool ends_batch;
} expected_t;

static struct {
    fixture_t *fixture;
    expected_t rows[EVENTS];
    uint8_t *file;
    size_t size;
    int fd;
    file_map_t map;
    weft_buf_t page;
} w;

/* What catch-up gave: all as it was stored; an error after events as they were stored; something else;
 * fewer events and no error. */
typedef enum { SAME, REPORTED, WRONG, CUT } outcome_t;
static const char *const s_outcomes[] = {"same", "reported", "wrong", "cut"};

/* ---- the store */

static void s_fill(void) {
    uint64_t seqs[4] = {0}, position = 0, seed = 7;
    while (position < EVENTS) {
        size_t count = 1 + kit_below(&seed, 120);
        fixture_begin(w.fixture);
        for (size_t i = 0; i < count && position < EVENTS; i++) {
            uint64_t origin = kit_below(&seed, 4); /* 0: fire-and-forget */
            const char *type = s_types[kit_below(&seed, 5)];
            size_t size = ++position % LARGE_EVERY ? kit_below(&seed, 300) : 60000;
            assert_true(
                fixture_take(w.fixture, type, (uint8_t) origin, origin ? ++seqs[origin] : 0, size));
            w.rows[position - 1].type = type;
        }
        size_t rows_count;
        const weft_row_t *rows = weft_sequencer_rows(w.fixture->sequencer, &rows_count);
        for (size_t i = 0; i < rows_count; i++) {
            expected_t *row = &w.rows[rows[i].position - 1];
            row->stamp = (weft_stamp_t){.position = rows[i].position,
                                        .stored_us = rows[i].stored_us,
                                        .chain = rows[i].chain};
            weft_buf_init(&row->event);
            weft_buf_append(&row->event, rows[i].event, rows[i].size);
        }
        assert_rc(fixture_end(w.fixture), WEFT_OK);
        w.rows[position - 1].ends_batch = true;
    }
}

static bool s_is_batch_end(uint64_t position) {
    return position == 0 || w.rows[position - 1].ends_batch;
}

static void s_read_file(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", w.fixture->dir, name);
    w.fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(w.fd >= 0);
    w.size = (size_t) lseek(w.fd, 0, SEEK_END);
    w.file = malloc(w.size);
    assert_int_equal(pread(w.fd, w.file, w.size, 0), w.size);
}

static file_class_t s_holds(int64_t page) {
    int64_t is = fixture_sql(
        w.fixture,
        "SELECT CASE WHEN name = 'events' THEN 1 WHEN name IN ('origins', 'meta') THEN 2"
        " ELSE 0 END FROM sqlite_schema WHERE rootpage = %lld",
        (long long) page);
    return is == 1 ? MAP_ROW_BODY : is == 2 ? MAP_TRUST : MAP_OTHER;
}

static void s_map(void) {
    file_root_t roots[16];
    size_t count = 0;
    int64_t page;
    while ((page = fixture_sql(w.fixture,
                               "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0"
                               " ORDER BY rootpage LIMIT 1 OFFSET %u",
                               (unsigned) count)) > 0)
        roots[count++] = (file_root_t){.page = (uint32_t) page, .holds = s_holds(page)};
    file_map_make(&w.map, w.file, w.size, roots, count);
}

static void s_flip(size_t byte, unsigned bit) {
    uint8_t flipped = (uint8_t) (w.file[byte] ^ (1u << bit));
    assert_int_equal(pwrite(w.fd, &flipped, 1, (off_t) byte), 1);
}

static void s_flip_back(size_t byte) {
    assert_int_equal(pwrite(w.fd, w.file + byte, 1, (off_t) byte), 1);
}

/* ---- catch-up */

/* Are these the events of interest after *at, as they were stored? */
static bool s_page_is_right(const char *filter, uint64_t *at, uint64_t next) {
    weft_mp_t r = weft_mp_reader(w.page.data, w.page.size);
    for (; *at < next; ++*at) {
        const expected_t *row = &w.rows[*at];
        const char *type;
        size_t size;
        weft_stamp_t stamp;
        if (!weft_filter_match(filter, strlen(filter), row->type, strlen(row->type))) continue;
        if (!weft_mp_str(&r, &type, &size) || !weft_stamp_take(&r, &stamp)) return false;
        if (size != strlen(row->type) || memcmp(type, row->type, size) != 0) return false;
        if (stamp.position != row->stamp.position || stamp.stored_us != row->stamp.stored_us ||
            stamp.chain != row->stamp.chain)
            return false;
        if (weft_mp_left(&r) < row->event.size ||
            memcmp(r.at, row->event.data, row->event.size) != 0)
            return false;
        r.at += row->event.size;
    }
    return weft_mp_left(&r) == 0;
}

static outcome_t s_pages(weft_log_reader_t *reader, const char *filter) {
    weft_text_t items[1] = {weft_text(filter)};
    weft_filters_t filters = {.count = 1, .items = items};
    weft_log_head_t head;
    weft_log_page_t page;
    uint64_t at = 0;
    do {
        weft_buf_clear(&w.page);
        weft_err_t rc = weft_log_reader_begin(reader, &head);
        if (rc == WEFT_OK && at == 0) rc = weft_log_reader_verify_head(reader); /* as at start */
        if (rc == WEFT_OK)
            rc = weft_log_reader_page(reader, at, &filters, 1u << 16, 1u << 18, &w.page, &page);
        weft_log_reader_end(reader);
        if (rc != WEFT_OK) {
            if (rc != WEFT_E_CORRUPT) fprintf(stderr, "catch-up says %s\n", weft_err_name(rc));
            return REPORTED;
        }
        if (page.next > EVENTS || !s_page_is_right(filter, &at, page.next)) return WRONG;
    } while (at < head.position);
    return at == EVENTS ? SAME : CUT;
}

static outcome_t s_catch_up(const char *filter) {
    char path[300];
    weft_log_reader_t *reader;
    snprintf(path, sizeof path, "%s/log.db", w.fixture->dir);
    if (weft_log_reader_new(&reader, path) != WEFT_OK) return REPORTED;
    outcome_t outcome = s_pages(reader, filter);
    weft_log_reader_destroy(&reader);
    return outcome;
}

/* ---- tests */

static uint64_t s_number(const char *name, uint64_t preset) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : preset;
}

static void s_set_up(void) {
    void *fixture = NULL;
    memset(&w, 0, sizeof w);
    weft_buf_init(&w.page);
    assert_int_equal(fixture_set_up(&fixture), 0);
    w.fixture = fixture;
    s_fill();
}

static void s_tear_down(void) {
    close(w.fd);
    free(w.file);
    free(w.map.of);
    weft_buf_free(&w.page);
    for (size_t i = 0; i < EVENTS; i++) weft_buf_free(&w.rows[i].event);
    void *fixture = w.fixture;
    fixture_tear_down(&fixture);
}

typedef struct {
    uint64_t flips;   /* of them: */
    uint64_t checked; /* weft check reports */
    uint64_t caught;  /* catch-up reports */
    uint64_t same;    /* catch-up serves all, as it was stored */
} tally_t;

static void s_print_tally(const tally_t *tally, uint64_t flips) {
    tally_t sum = {0};
    printf("%-50s %8s %8s %8s %8s\n", "hit", "flips", "check", "catch-up", "same");
    for (unsigned i = 0; i <= MAP_COUNT; i++) {
        const tally_t *line = i < MAP_COUNT ? &tally[i] : &sum;
        printf("%-50s %8u %8u %8u %8u\n", i < MAP_COUNT ? file_class_text[i] : "all",
               (unsigned) line->flips, (unsigned) line->checked, (unsigned) line->caught,
               (unsigned) line->same);
        if (i == MAP_COUNT) break;
        sum.flips += line->flips;
        sum.checked += line->checked;
        sum.caught += line->caught;
        sum.same += line->same;
    }
    assert_int_equal(sum.flips, flips);
    assert_int_equal(sum.caught + sum.same, flips); /* all are accounted for */
}

/* One flip, checked and taken back. */
static void s_try(size_t byte, unsigned bit, tally_t tally[MAP_COUNT]) {
    weft_log_check_t check;
    s_flip(byte, bit);
    weft_err_t rc = weft_log_check(w.fixture->dir, NULL, NULL, &check);
    outcome_t all = s_catch_up(s_filters[0]), some = s_catch_up(s_filters[1]);
    s_flip_back(byte);
    file_class_t hit = w.map.of[byte];
    bool dead = hit == MAP_ROW_NULL && bit == MAP_NULL_DEAD_BIT;
    bool read = hit <= MAP_ROW_NULL && !dead;
    tally[hit].flips++;
    tally[hit].checked += rc != WEFT_OK;
    tally[hit].caught += all == REPORTED;
    tally[hit].same += all == SAME;
    bool good = (all == SAME || all == REPORTED) && (some == SAME || some == REPORTED);
    if (read) good = rc == WEFT_E_CORRUPT && all == REPORTED && some == REPORTED;
    if ((hit == MAP_ROW_END || hit == MAP_TRUST) && rc != WEFT_E_CORRUPT) good = false;
    if (rc == WEFT_OK && (all != SAME || some != SAME)) good = false;
    if (!good)
        fail_msg("byte %u bit %u (%s): check %s \"%s\", catch-up %s, filtered %s", (unsigned) byte,
                 bit, file_class_text[hit], weft_err_name(rc), check.reason, s_outcomes[all],
                 s_outcomes[some]);
}

static void s_flip_bits(uint64_t flips, bool structure) {
    uint64_t seed = s_number("WEFT_TEST_SEED", 1);
    tally_t tally[MAP_COUNT] = {0};
    weft_log_check_t check;
    s_set_up();
    fixture_close(w.fixture); /* the last one out checkpoints */
    s_read_file("log.db");
    s_map();
    assert_rc(weft_log_check(w.fixture->dir, NULL, NULL, &check), WEFT_OK);
    assert_int_equal(s_catch_up(">"), SAME);
    printf("seed %u, file of %u bytes, %u events, %s\n", (unsigned) seed, (unsigned) w.size, EVENTS,
           structure ? "structure alone" : "any bit");
    for (uint64_t n = 0; n < flips;) {
        size_t byte = kit_below(&seed, w.size);
        unsigned bit = (unsigned) kit_below(&seed, 8);
        if (structure && (w.map.of[byte] == MAP_ROW_BODY || w.map.of[byte] == MAP_FREE)) continue;
        s_try(byte, bit, tally);
        n++;
    }
    s_print_tally(tally, flips);
    s_tear_down();
}

static void a_flipped_bit_is_reported_or_changes_nothing(void **state) {
    (void) state;
    s_flip_bits(s_number("WEFT_TEST_FLIPS", FLIPS), false);
}

/* The same where few bits are: heads, links, trees, other tables. */
static void a_flipped_bit_of_structure_is_reported_or_changes_nothing(void **state) {
    (void) state;
    s_flip_bits(s_number("WEFT_TEST_FLIPS", FLIPS) / 5, true);
}

/* Every bit of every origin, of the log's id, the anchor and their checksum: the bus does not start on it,
 * and weft check finds it. */
static void every_bit_beside_the_rows_is_noticed(void **state) {
    char reason[1024];
    unsigned flips = 0;
    weft_log_check_t check;
    void *fixture = NULL;
    (void) state;
    memset(&w, 0, sizeof w);
    assert_int_equal(fixture_set_up(&fixture), 0);
    w.fixture = fixture;
    for (uint8_t origin = 1; origin <= 3; origin++)
        assert_rc(fixture_append(w.fixture, origin, 1, 7u * origin), WEFT_OK);
    assert_rc(weft_store_trim(w.fixture->store, 5), WEFT_OK);
    fixture_close(w.fixture);
    fixture_sql(w.fixture, "DELETE FROM meta WHERE key = 'schema'"); /* nobody reads it */
    s_read_file("log.db");
    s_map();
    for (size_t byte = 0; byte < w.size; byte++) {
        for (unsigned bit = 0; bit < 8 && w.map.of[byte] == MAP_TRUST; bit++, flips++) {
            s_flip(byte, bit);
            weft_err_t checked = weft_log_check(w.fixture->dir, NULL, NULL, &check);
            weft_err_t opened = fixture_try_open(w.fixture);
            weft_store_destroy(&w.fixture->store);
            assert_int_equal(pwrite(w.fd, w.file, w.size, 0), w.size);
            if (checked != WEFT_E_CORRUPT || opened == WEFT_OK)
                fail_msg("byte %u bit %u: check %s \"%s\", bus %s", (unsigned) byte, bit,
                         weft_err_name(checked), check.reason, weft_err_name(opened));
        }
    }
    printf("origins and meta: %u of %u flips reported by the check, and by the bus at its start\n",
           flips, flips);
    assert_true(flips > 1000);
    assert_rc(weft_store_open(&w.fixture->store, w.fixture->dir, true, reason, sizeof reason),
              WEFT_OK);
    close(w.fd);
    free(w.file);
    free(w.map.of);
    fixture_tear_down(&fixture);
}

/* SQLite throws away a WAL from the first frame on whose checksum is wrong. So with a bit flipped in it
 * the log may end early, after a whole batch, as if an older copy had been restored: those who were
 * further are told LOG_BEHIND or BUS_LOST. What is delivered is right. */
static void a_flipped_bit_in_the_wal_cuts_the_log_at_a_batch(void **state) {
    (void) state;
    uint64_t flips = s_number("WEFT_TEST_FLIPS", FLIPS) / 10, seed = s_number("WEFT_TEST_SEED", 1);
    unsigned outcomes[4] = {0};
    weft_log_check_t check;
    s_set_up();
    char *copy = kit_path("as-after-kill");
    kit_copy_tree(w.fixture->dir, copy);
    fixture_close(w.fixture);
    snprintf(w.fixture->dir, sizeof w.fixture->dir, "%s", copy);
    free(copy);
    s_read_file("log.db-wal");
    assert_int_equal(s_catch_up(">"), SAME);
    for (uint64_t n = 0; n < flips; n++) {
        size_t byte = kit_below(&seed, w.size);
        unsigned bit = (unsigned) kit_below(&seed, 8);
        s_flip(byte, bit);
        weft_err_t rc = weft_log_check(w.fixture->dir, NULL, NULL, &check);
        outcome_t all = s_catch_up(">");
        outcomes[all]++;
        if (all == WRONG || (all == CUT && (rc != WEFT_OK || !s_is_batch_end(check.head))) ||
            (all == SAME && rc != WEFT_OK))
            fail_msg("flip %u: byte %u bit %u: check %s \"%s\" head %u, catch-up %s", (unsigned) n,
                     (unsigned) byte, bit, weft_err_name(rc), check.reason, (unsigned) check.head,
                     s_outcomes[all]);
        s_flip_back(byte);
    }
    printf("WAL of %u bytes, %u flips: %u changed nothing, %u reported, %u cut the log after a"
           " batch\n",
           (unsigned) w.size, (unsigned) flips, outcomes[SAME], outcomes[REPORTED], outcomes[CUT]);
    s_tear_down();
}

int main(void) {
    setenv("WEFT_DIAG", "off", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_is_reported_or_changes_nothing),
        cmocka_unit_test(a_flipped_bit_of_structure_is_reported_or_changes_nothing),
        cmocka_unit_test(every_bit_beside_the_rows_is_noticed),
        cmocka_unit_test(a_flipped_bit_in_the_wal_cuts_the_log_at_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
