/* A service's database: what is in it, who may open it, and how its schema grows. */
#include "kit.h"

#include "weft_service_store.h"

#include <sys/stat.h>
#include <unistd.h>

static char *s_dir;
static unsigned s_serial;

static int s_set_up(void **state) {
    (void) state;
    s_dir = kit_path("data-%u/deep", ++s_serial);
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    free(s_dir);
    return 0;
}

static weft_service_store_t s_open(void) {
    weft_service_store_t store;
    assert_rc(weft_service_store_open(&store, s_dir, "svc"), WEFT_OK);
    return store;
}

static int64_t s_sql(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return value;
}

static void a_new_database_stands_at_0_and_is_durable(void **state) {
    (void) state;
    static const weft_resume_t zero;
    weft_resume_t at;
    weft_service_store_t store = s_open(); /* makes the directories, too */
    assert_rc(weft_service_store_position(&store, &at), WEFT_OK);
    assert_memory_equal(&at, &zero, sizeof at);
    assert_int_equal(s_sql(store.db, "PRAGMA synchronous"), 2); /* FULL (O1) */
    assert_int_equal(s_sql(store.db, "SELECT length(value) FROM weft_meta WHERE key='origin'"), 16);
    weft_service_store_close(&store);
    weft_service_store_close(&store); /* harmless */
}

static void a_position_survives_with_all_64_bits_of_its_chain(void **state) {
    (void) state;
    weft_resume_t to = {.log = {{1, 2, 3}}, .position = {77}, .chain = UINT64_MAX - 5}, at;
    weft_service_store_t store = s_open();
    assert_rc(weft_service_store_move(&store, &to), WEFT_OK);
    weft_service_store_close(&store);
    store = s_open();
    assert_rc(weft_service_store_position(&store, &at), WEFT_OK);
    assert_memory_equal(&at, &to, sizeof at);
    weft_service_store_close(&store);
}

static void a_database_without_its_position_is_corrupt(void **state) {
    (void) state;
    weft_resume_t at;
    weft_service_store_t store = s_open();
    (void) s_sql(store.db, "DELETE FROM weft_position");
    assert_rc(weft_service_store_position(&store, &at), WEFT_E_CORRUPT);
    weft_service_store_close(&store);
}

static void it_is_open_once(void **state) {
    (void) state;
    weft_service_store_t store = s_open(), second;
    assert_rc(weft_service_store_open(&second, s_dir, "svc"), WEFT_E_LOCKED);
    weft_service_store_t other;
    assert_rc(weft_service_store_open(&other, s_dir, "another"), WEFT_OK); /* its own file */
    weft_service_store_close(&other);
    weft_service_store_close(&store);
    store = s_open();
    weft_service_store_close(&store);
}

static void a_file_of_another_service_is_refused(void **state) {
    (void) state;
    weft_service_store_t store = s_open();
    weft_service_store_close(&store);
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/svc.db", s_dir);
    snprintf(to, sizeof to, "%s/other.db", s_dir);
    assert_int_equal(rename(from, to), 0);
    assert_rc(weft_service_store_open(&store, s_dir, "other"), WEFT_E_ARG);
}

static void a_newer_or_older_than_first_schema_is_refused(void **state) {
    (void) state;
    static const char *const schemas[] = {"2", "0", "-1"};
    for (size_t i = 0; i < 3; i++) {
        char sql[80];
        weft_service_store_t store = s_open();
        snprintf(sql, sizeof sql, "UPDATE weft_meta SET value=%s WHERE key='schema'", schemas[i]);
        (void) s_sql(store.db, sql);
        weft_service_store_close(&store);
        assert_rc(weft_service_store_open(&store, s_dir, "svc"), WEFT_E_SCHEMA);
        free(s_dir);
        s_dir = kit_path("data-%u", ++s_serial);
    }
}

static void what_is_no_database_is_refused(void **state) {
    (void) state;
    char path[512];
    weft_service_store_t store = s_open();
    weft_service_store_close(&store);
    snprintf(path, sizeof path, "%s/svc.db", s_dir);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 500; i++) fputs("this is not a database\n", file);
    fclose(file);
    assert_rc(weft_service_store_open(&store, s_dir, "svc"), WEFT_E_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0777), 0); /* a directory in its place */
    assert_true(weft_service_store_open(&store, s_dir, "svc") != WEFT_OK);
}

static void a_directory_that_cannot_be_made_is_told(void **state) {
    (void) state;
    weft_service_store_t store = s_open();
    weft_service_store_close(&store);
    char path[512];
    snprintf(path, sizeof path, "%s/svc.db/below", s_dir); /* below a file */
    assert_rc(weft_service_store_open(&store, path, "svc"), WEFT_E_IO);
    snprintf(path, sizeof path, "%s/svc.lock", s_dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_rc(weft_service_store_open(&store, s_dir, "svc"), WEFT_E_IO);
}

/* ---- schema steps */

static const char *const s_steps[] = {
    "CREATE TABLE post (id TEXT PRIMARY KEY);",
    "ALTER TABLE post ADD COLUMN title TEXT; CREATE INDEX post_title ON post (title);",
    "INSERT INTO post VALUES ('first', 'made by a step');",
};

static void each_older_number_of_steps_is_brought_up_to_date(void **state) {
    (void) state;
    for (size_t old = 0; old <= 3; old++) {
        weft_service_store_t store = s_open();
        assert_rc(weft_service_store_schema(&store, s_steps, old), WEFT_OK);
        weft_service_store_close(&store);
        store = s_open();
        assert_rc(weft_service_store_schema(&store, s_steps, 3), WEFT_OK);
        assert_rc(weft_service_store_schema(&store, s_steps, 3), WEFT_OK); /* each ran once */
        assert_int_equal(s_sql(store.db, "SELECT count(*) FROM post WHERE title IS NOT NULL"), 1);
        weft_service_store_close(&store);
        free(s_dir);
        s_dir = kit_path("data-%u", ++s_serial);
    }
}

static void a_database_with_more_steps_is_refused(void **state) {
    (void) state;
    weft_service_store_t store = s_open();
    assert_rc(weft_service_store_schema(&store, s_steps, 3), WEFT_OK);
    assert_rc(weft_service_store_schema(&store, s_steps, 2), WEFT_E_SCHEMA);
    assert_rc(weft_service_store_schema(&store, s_steps, 3), WEFT_OK);
    weft_service_store_close(&store);
}

static void a_step_that_fails_leaves_those_before_it(void **state) {
    (void) state;
    static const char *const wrong[] = {"CREATE TABLE post (id TEXT PRIMARY KEY);",
                                        "CREATE TABLE tag (id TEXT); CREATE TABLE post (id TEXT);"};
    weft_service_store_t store = s_open();
    assert_rc(weft_service_store_schema(&store, wrong, 2), WEFT_E_STORE);
    assert_int_equal(s_sql(store.db, "SELECT count(*) FROM sqlite_schema WHERE name='post'"), 1);
    assert_int_equal(s_sql(store.db, "SELECT count(*) FROM sqlite_schema WHERE name='tag'"), 0);
    assert_rc(weft_service_store_schema(&store, s_steps, 3), WEFT_OK); /* mended */
    weft_service_store_close(&store);
}

/* ---- filters */

static void S7_filters_are_kept_beside_the_position(void **state) {
    (void) state;
    static const char *const kept[] = {"a.*", "c"};
    weft_resume_t behind = {.log = {{5}}, .position = {9}, .chain = UINT64_MAX}, at;
    weft_filter_state_t s;
    weft_service_store_t store = s_open();
    assert_rc(weft_service_store_filter(&store, "a.*", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_UNKNOWN);
    assert_rc(weft_service_store_filter_set(&store, "a.*", NULL), WEFT_OK);
    assert_rc(weft_service_store_filter_set(&store, "b", NULL), WEFT_OK);
    assert_rc(weft_service_store_filter_set(&store, "c", &behind), WEFT_OK);
    weft_service_store_close(&store);
    store = s_open();
    assert_rc(weft_service_store_filter(&store, "a.*", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_CURRENT);
    assert_rc(weft_service_store_filter(&store, "c", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_BEHIND);
    assert_memory_equal(&at, &behind, sizeof at);
    assert_rc(weft_service_store_filters_keep(&store, kept, 2), WEFT_OK);
    assert_rc(weft_service_store_filter(&store, "b", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_UNKNOWN); /* it has missed events from here on */
    assert_rc(weft_service_store_filter(&store, "a.*", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_CURRENT);
    assert_rc(weft_service_store_filter_set(&store, "c", NULL), WEFT_OK);
    assert_rc(weft_service_store_filter(&store, "c", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_CURRENT);
    assert_rc(weft_service_store_filters_keep(&store, NULL, 0), WEFT_OK);
    assert_int_equal(s_sql(store.db, "SELECT count(*) FROM weft_filters"), 0);
    weft_service_store_close(&store);
}

/* ---- parked */

static uint64_t s_subjects, s_rows;

static bool s_count_subject(void *arg, const char *subject, uint64_t count, int64_t oldest_us) {
    (void) subject;
    assert_true(oldest_us > 0);
    s_subjects++;
    s_rows += count;
    return arg == NULL;
}

static void s_park(weft_service_store_t *store, uint64_t position, const char *subject,
                   const char *filter) {
    weft_event_t event = {.position = {position},
                          .chain = UINT64_MAX - position,
                          .stored_us = 5,
                          .type = "a.b",
                          .subject = subject,
                          .raw = "raw",
                          .raw_size = 3};
    assert_rc(weft_service_store_park(store, &event, filter, 4, "why"), WEFT_OK);
}

static void parked_events_come_in_order_of_position(void **state) {
    (void) state;
    weft_service_store_t store = s_open();
    weft_parked_t row;
    s_park(&store, 9, "s/1", "");
    s_park(&store, 3, "s/2", "");
    s_park(&store, 5, "s/1", "");
    s_park(&store, 5, "s/1", "a.*"); /* once for all handlers, once for an added filter */
    s_park(&store, 7, "", "");
    assert_rc(weft_service_store_parked_next(&store, NULL, (weft_position_t){0}, "", &row),
              WEFT_OK);
    assert_int_equal(row.position.value, 3);
    assert_string_equal(row.subject, "s/2");
    assert_string_equal(row.type, "a.b");
    assert_string_equal(row.filter, "");
    assert_true(row.chain == UINT64_MAX - 3);
    assert_int_equal(row.stored_us, 5);
    assert_memory_equal(row.event, "raw", row.event_size);
    weft_parked_free(&row);
    static const struct {
        uint64_t position;
        const char *filter;
    } wanted[] = {{5, ""}, {5, "a.*"}, {9, ""}};
    weft_position_t after = {0};
    const char *filter = "";
    for (size_t i = 0; i < 3; i++) {
        assert_rc(weft_service_store_parked_next(&store, "s/1", after, filter, &row), WEFT_OK);
        assert_int_equal(row.position.value, wanted[i].position);
        assert_string_equal(row.filter, wanted[i].filter);
        after = row.position;
        filter = wanted[i].filter;
        if (i == 1) {
            assert_rc(weft_service_store_parked_failed(&store, &row, "again"), WEFT_OK);
            assert_int_equal(s_sql(store.db, "SELECT attempts FROM weft_parked WHERE filter='a.*'"),
                             5);
        }
        if (i == 2) assert_rc(weft_service_store_unpark(&store, &row), WEFT_OK);
        weft_parked_free(&row);
    }
    assert_rc(weft_service_store_parked_next(&store, "s/1", after, "", &row), WEFT_E_NOT_FOUND);
    s_subjects = s_rows = 0;
    assert_rc(weft_service_store_subjects(&store, s_count_subject, NULL), WEFT_OK);
    assert_int_equal(s_subjects, 3); /* "" among them */
    assert_int_equal(s_rows, 4);
    assert_rc(weft_service_store_subjects(&store, s_count_subject, &s_rows), WEFT_E_NOMEM);
    weft_service_store_close(&store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_database_stands_at_0_and_is_durable),
        TEST(a_position_survives_with_all_64_bits_of_its_chain),
        TEST(a_database_without_its_position_is_corrupt),
        TEST(it_is_open_once),
        TEST(a_file_of_another_service_is_refused),
        TEST(a_newer_or_older_than_first_schema_is_refused),
        TEST(what_is_no_database_is_refused),
        TEST(a_directory_that_cannot_be_made_is_told),
        TEST(each_older_number_of_steps_is_brought_up_to_date),
        TEST(a_database_with_more_steps_is_refused),
        TEST(a_step_that_fails_leaves_those_before_it),
        TEST(S7_filters_are_kept_beside_the_position),
        TEST(parked_events_come_in_order_of_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
