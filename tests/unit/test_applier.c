/* Handlers over batches: what is in one transaction, what happens to an event that fails, and the
 * outbox that goes with it. The bus is away all the time. */
#include "kit.h"

#include "weft_applier.h"
#include "weft_limits.h"
#include "weft_record.h"

#define EVENTS_MAX 32

static struct {
    char *dir;
    weft_service_store_t store;
    weft_outbox_t *outbox;
    weft_applier_t *applier;
    kit_log_t log; /* for chains */
    weft_buf_t bytes[EVENTS_MAX];
    weft_event_t events[EVENTS_MAX];
    char subjects[EVENTS_MAX][16];
    weft_batch_t batch;
    int64_t now, again;
    /* what the handler does */
    uint64_t fails_at;  /* position */
    unsigned fails_for; /* attempts */
    weft_err_t fails_with;
    bool emits;
    unsigned calls;
} w;

/* ---- the service: one table, a handler that notes what it saw */

static void s_exec(const char *sql) {
    if (sqlite3_exec(w.store.db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(w.store.db));
}

static int64_t s_sql(const char *sql) {
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(w.store.db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(w.store.db));
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return value;
}

/* One text: every first column, with spaces in between. */
static const char *s_list(const char *sql) {
    static char text[512];
    sqlite3_stmt *stmt;
    text[0] = '\0';
    assert_int_equal(sqlite3_prepare_v2(w.store.db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? " " : "",
                 (const char *) sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return text;
}

static weft_err_t s_note(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    char sql[128];
    const char *who = arg ? arg : "h";
    w.calls++;
    snprintf(sql, sizeof sql, "INSERT INTO seen (who, position) VALUES ('%s', %llu)", who,
             (unsigned long long) event->position.value);
    if (sqlite3_exec(weft_tx_db(tx), sql, NULL, NULL, NULL) != SQLITE_OK) return WEFT_E_STORE;
    if (w.emits) {
        weft_err_t rc = weft_tx_emit(tx, "seen.it", event->subject, NULL, 0);
        if (rc != WEFT_OK) return rc;
    }
    if (event->position.value == w.fails_at && w.fails_for) {
        w.fails_for--;
        weft_tx_reason(tx, "not %d times", 7);
        return w.fails_with;
    }
    return WEFT_OK;
}

static void s_open(unsigned park_after, weft_on_error_t on_error) {
    assert_rc(weft_service_store_open(&w.store, w.dir, "svc"), WEFT_OK);
    char *bus = kit_path("nobody");
    char endpoint[200];
    snprintf(endpoint, sizeof endpoint, "ipc://%s", bus);
    free(bus);
    assert_rc(weft_outbox_new(&w.outbox, w.store.db, "svc", endpoint, NULL), WEFT_OK);
    assert_rc(weft_applier_new(&w.applier, &w.store, w.outbox, park_after, on_error), WEFT_OK);
}

static void s_close(void) {
    weft_applier_destroy(&w.applier);
    weft_outbox_destroy(&w.outbox);
    weft_service_store_close(&w.store);
}

static int s_set_up(void **state) {
    static unsigned serial;
    (void) state;
    memset(&w, 0, sizeof w);
    kit_log_init(&w.log);
    w.dir = kit_path("data-%u", ++serial);
    w.now = 1000;
    w.fails_with = WEFT_E_ARG;
    s_open(3, WEFT_ON_ERROR_PARK);
    s_exec("CREATE TABLE seen (n INTEGER PRIMARY KEY, who TEXT, position INTEGER)");
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    s_close();
    kit_log_free(&w.log);
    for (size_t i = 0; i < EVENTS_MAX; i++) weft_buf_free(&w.bytes[i]);
    free(w.dir);
    return 0;
}

static void s_on(const char *filter, const char *who) {
    assert_rc(weft_applier_on(w.applier, filter, s_note, (void *) (uintptr_t) who), WEFT_OK);
}

/* ---- batches */

/* Events first.. with these subjects, "type:subject" each, and the place after them. */
static void s_make(uint64_t first, const char *const *texts, size_t count) {
    assert_true(count <= EVENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        static char types[EVENTS_MAX][16];
        const char *colon = strchr(texts[i], ':');
        snprintf(types[i], sizeof types[i], "%.*s", (int) (colon - texts[i]), texts[i]);
        snprintf(w.subjects[i], sizeof w.subjects[i], "%s", colon + 1);
        while (w.log.count < first + i) kit_log_add(&w.log, types[i], 1, w.log.count + 1, 5);
        weft_buf_clear(&w.bytes[i]);
        kit_event(&w.bytes[i], 1, first + i, w.subjects[i], 5);
        weft_wire_event_t wire = kit_decode_event(&w.bytes[i]);
        w.events[i] = (weft_event_t){.position = {first + i},
                                     .chain = kit_log_chain(&w.log, first + i),
                                     .stored_us = 5,
                                     .type = types[i],
                                     .sequence = {first + i},
                                     .source = "kit",
                                     .subject = w.subjects[i],
                                     .data = wire.data,
                                     .data_size = wire.data_size,
                                     .raw = w.bytes[i].data,
                                     .raw_size = w.bytes[i].size};
    }
    uint64_t last = first + count - 1;
    while (w.log.count < last) kit_log_add(&w.log, "x", 1, w.log.count + 1, 5);
    w.batch = (weft_batch_t){
        .events = w.events,
        .count = count,
        .next = {.log = w.log.log, .position = {last}, .chain = kit_log_chain(&w.log, last)}};
}

static void s_begin(void) {
    weft_applier_begin(w.applier, &w.batch, NULL, (weft_position_t){0});
}

#define MAKE(first, ...)                              \
    s_make(first, (const char *const[]){__VA_ARGS__}, \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define BATCH(first, ...) (MAKE(first, __VA_ARGS__), s_begin())

static weft_err_t s_run(void) {
    return weft_applier_run(w.applier, w.now, &w.again);
}

/* To the end, through all pauses. */
static void s_finish(void) {
    weft_err_t rc;
    while ((rc = s_run()) == WEFT_E_AGAIN) {
        assert_true(w.again > w.now);
        w.now = w.again;
    }
    assert_rc(rc, WEFT_OK);
    assert_false(weft_applier_busy(w.applier));
}

static weft_applier_info_t s_info(void) {
    weft_applier_info_t info;
    weft_applier_info(w.applier, &info);
    return info;
}

static void s_stands_at(uint64_t position) {
    weft_resume_t at;
    assert_rc(weft_service_store_position(&w.store, &at), WEFT_OK);
    assert_int_equal(at.position.value, position);
    assert_true(at.chain == kit_log_chain(&w.log, position));
    assert_int_equal(s_info().stored.value, position);
}

/* ---- applying */

static int s_count_commit(void *count) {
    ++*(unsigned *) count;
    return 0;
}

static void a_batch_and_its_position_are_one_transaction(void **state) {
    (void) state;
    unsigned commits = 0;
    s_on("a.*", NULL);
    sqlite3_commit_hook(w.store.db, s_count_commit, &commits);
    BATCH(1, "a.x:s/1", "a.y:s/2", "a.x:");
    s_finish();
    sqlite3_commit_hook(w.store.db, NULL, NULL);
    assert_int_equal(commits, 1);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3");
    s_stands_at(3);
    assert_int_equal(w.calls, 3);
    assert_int_equal(s_info().applied_catch_up, 3);
    w.batch.live_count = 1;
    s_begin();
    s_finish();
    assert_int_equal(s_info().applied_live, 1);
    assert_int_equal(s_info().applied_catch_up, 5);
}

static void S7_handlers_that_match_run_in_the_order_of_registration(void **state) {
    (void) state;
    s_on("a.*", "one");
    s_on(">", "two");
    s_on("b", "three");
    s_on("a.x", "four");
    s_on("a.*", "five"); /* the same filter once more */
    BATCH(1, "a.x:", "b:");
    s_finish();
    assert_string_equal(s_list("SELECT who FROM seen ORDER BY n"), "one two four five two three");
    size_t count;
    const char *const *filters = weft_applier_filters(w.applier, &count);
    assert_int_equal(count, 4);
    assert_string_equal(filters[3], "a.x");
}

static void effects_belong_to_the_trace_of_their_cause_each_as_a_new_span(void **state) {
    (void) state;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    s_on("a", "one");
    s_on(">", "two");
    w.emits = true;
    weft_trace_begin(trace);
    MAKE(1, "a:s/1", "b:s/2", "a:s/3");
    w.events[0].traceparent = w.events[1].traceparent = trace; /* the third belongs to none */
    s_begin();
    s_finish();
    assert_string_equal(s_list("SELECT cause FROM weft_outbox ORDER BY seq"), "1 1 2 3 3");
    assert_string_equal(s_list("SELECT ifnull(length(traceparent), 0) FROM weft_outbox"
                               " ORDER BY seq"),
                        "25 25 25 0 0");
    assert_int_equal(s_sql("SELECT count(DISTINCT substr(traceparent, 1, 16)) FROM weft_outbox"),
                     1);
    assert_int_equal(s_sql("SELECT count(DISTINCT substr(traceparent, 17, 8)) FROM weft_outbox"),
                     3);
    char sql[160], hex[33];
    weft_uuid_text(hex, trace);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM weft_outbox WHERE lower(hex(traceparent)) LIKE"
             " '%s________________01'",
             hex);
    assert_int_equal(s_sql(sql), 3);
}

static weft_err_t s_emit_because(weft_tx_t *tx, void *arg) {
    const uint8_t *trace = arg;
    weft_err_t rc = weft_tx_emit(tx, "seen.it", NULL, NULL, 0);
    weft_tx_cause(tx, (weft_position_t){7});
    weft_tx_trace(tx, trace);
    if (rc == WEFT_OK) rc = weft_tx_emit(tx, "seen.it", NULL, NULL, 0);
    weft_tx_cause(tx, (weft_position_t){0});
    weft_tx_trace(tx, NULL);
    return rc == WEFT_OK ? weft_tx_emit(tx, "seen.it", NULL, NULL, 0) : rc;
}

static void a_write_from_outside_names_its_cause_and_trace(void **state) {
    (void) state;
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    weft_trace_begin(trace);
    assert_rc(weft_applier_transaction(w.applier, s_emit_because, trace), WEFT_OK);
    assert_string_equal(s_list("SELECT cause FROM weft_outbox ORDER BY seq"), "0 7 0");
    assert_string_equal(s_list("SELECT ifnull(length(traceparent), 0) FROM weft_outbox"
                               " ORDER BY seq"),
                        "0 25 0");
}

static void filters_are_checked_and_end_at_their_limit(void **state) {
    (void) state;
    char filter[16];
    assert_rc(weft_applier_on(w.applier, "a..b", s_note, NULL), WEFT_E_BAD_FILTER);
    for (unsigned i = 0; i < WEFT_FILTERS_MAX; i++) {
        snprintf(filter, sizeof filter, "t%u", i);
        s_on(filter, NULL);
    }
    assert_rc(weft_applier_on(w.applier, "more", s_note, NULL), WEFT_E_TOO_BIG);
    s_on("t5", NULL); /* one that is known is none more */
}

static weft_err_t s_emit_and_spoil_the_commit(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    (void) arg;
    if (sqlite3_exec(weft_tx_db(tx), "INSERT INTO child VALUES (7)", NULL, NULL, NULL) != SQLITE_OK)
        return WEFT_E_STORE;
    return weft_tx_emit(tx, "seen.it", event->subject, NULL, 0);
}

static void O1_what_commit_did_not_return_for_is_not_sent(void **state) {
    (void) state;
    s_exec("CREATE TABLE parent (id INTEGER PRIMARY KEY);"
           "CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
    assert_rc(weft_applier_on(w.applier, ">", s_emit_and_spoil_the_commit, NULL), WEFT_OK);
    BATCH(1, "a:s/1");
    (void) s_run(); /* it will be tried again */
    assert_true(weft_applier_busy(w.applier));
    assert_int_equal(weft_outbox_depth(w.outbox), 0);
    s_exec("INSERT INTO parent VALUES (7)");
    s_finish();
    assert_int_equal(weft_outbox_depth(w.outbox), 1);
}

static void P2_what_fails_is_rolled_back_and_what_came_before_it_stays(void **state) {
    (void) state;
    s_on(">", NULL);
    w.emits = true;
    w.fails_at = 3, w.fails_for = 4; /* two passes at once, then two attempts */
    BATCH(1, "a:s/1", "a:s/2", "a:s/3", "a:s/4");
    assert_rc(s_run(), WEFT_E_AGAIN);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2");
    assert_string_equal(s_list("SELECT subject FROM weft_outbox ORDER BY seq"), "s/1 s/2");
    s_stands_at(2);
    assert_int_equal(weft_outbox_depth(w.outbox), 2);
    unsigned calls = w.calls;
    assert_rc(s_run(), WEFT_E_AGAIN); /* too early */
    assert_int_equal(w.calls, calls);
    w.now = w.again;
    assert_rc(s_run(), WEFT_E_AGAIN);
    int64_t first_pause = w.again - w.now;
    s_stands_at(2);
    assert_true(first_pause > 0);
    w.fails_for = 0;
    w.now = w.again;
    assert_rc(s_run(), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2 3 4");
    assert_string_equal(s_list("SELECT subject FROM weft_outbox ORDER BY seq"), "s/1 s/2 s/3 s/4");
    assert_string_equal(s_list("SELECT seq FROM weft_outbox ORDER BY seq"),
                        "1 2 3 4"); /* O1: no hole */
    assert_string_equal(s_list("SELECT cause FROM weft_outbox ORDER BY seq"), "1 2 3 4");
    s_stands_at(4);
    assert_int_equal(weft_outbox_depth(w.outbox), 4);
    assert_int_equal(s_info().parked, 0);
}

static void pauses_between_attempts_grow_up_to_a_cap(void **state) {
    (void) state;
    s_close();
    s_open(1000, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:");
    int64_t before = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_rc(s_run(), WEFT_E_AGAIN);
        int64_t pause = w.again - w.now;
        assert_true(pause >= before && pause <= 30000);
        before = pause;
        w.now = w.again;
    }
    assert_int_equal(before, 30000);
}

static void a_poison_event_is_parked_with_its_subject_and_others_flow(void **state) {
    (void) state;
    s_on(">", NULL);
    w.fails_at = 2, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/2", "a:s/1", "a:s/2", "a:");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 3 5");
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "2 4");
    assert_string_equal(s_list("SELECT attempts FROM weft_parked ORDER BY position"), "3 0");
    assert_string_equal(s_list("SELECT error FROM weft_parked WHERE position=2"),
                        "ARG: not 7 times");
    assert_int_equal(s_sql("SELECT event = (SELECT event FROM weft_parked WHERE position=2)"
                           " FROM weft_parked WHERE position=2"),
                     1);
    s_stands_at(5);
    assert_int_equal(s_info().parked, 2);
    BATCH(6, "a:s/2", "a:s/3"); /* also in a later batch */
    s_finish();
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "2 4 6");
    s_close(); /* and after a restart */
    s_open(3, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    assert_int_equal(s_info().parked, 3);
    BATCH(8, "a:s/2", "a:s/1");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "2 4 6 8");
    s_stands_at(9);
}

static void an_event_without_subject_parks_only_itself(void **state) {
    (void) state;
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:", "a:", "a:s/1");
    s_finish();
    assert_string_equal(s_list("SELECT position FROM weft_parked"), "1");
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "2 3");
    s_close();
    s_open(3, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    BATCH(4, "a:");
    s_finish();
    assert_int_equal(s_info().parked, 1);
}

static void parking_after_the_first_attempt_is_possible(void **state) {
    (void) state;
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1");
    assert_rc(s_run(), WEFT_OK);
    assert_int_equal(s_info().parked, 1);
    s_stands_at(1);
}

static void parked_rows_end_at_their_limit(void **state) {
    (void) state;
    char sql[300];
    snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %u)"
        " INSERT INTO weft_parked SELECT 1000000+i, '', 'old/'||(i%%7), 'a', x'c0', 0, 0, 1, '', 0 FROM n",
        WEFT_PARKED_MAX - 1);
    s_exec(sql);
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/1", "a:s/2");
    assert_rc(s_run(), WEFT_E_PARKED_FULL); /* the one fits, its follower does not */
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), WEFT_PARKED_MAX);
    s_stands_at(1);
    assert_int_equal(s_sql("SELECT count(*) FROM seen"), 0);
}

/* ---- working off */

static void retry_works_off_a_subject_in_order(void **state) {
    (void) state;
    uint64_t done = 77;
    s_on(">", NULL);
    w.emits = true;
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/1", "a:s/2", "a:s/1");
    s_finish();
    assert_int_equal(s_info().parked, 3);
    assert_rc(weft_applier_retry(w.applier, "s/2", &done), WEFT_OK);
    assert_int_equal(done, 0);
    assert_rc(weft_applier_retry(w.applier, "s/1", &done), WEFT_E_HANDLER); /* still poisoned */
    assert_int_equal(done, 0);
    assert_int_equal(s_info().parked, 3);
    assert_int_equal(s_sql("SELECT attempts FROM weft_parked WHERE position=1"), 4);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "3");
    w.fails_for = 0;
    assert_rc(weft_applier_retry(w.applier, "s/1", &done), WEFT_OK);
    assert_int_equal(done, 3);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "3 1 2 4");
    assert_int_equal(s_info().parked, 0);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), 0);
    assert_string_equal(s_list("SELECT cause FROM weft_outbox ORDER BY seq"), "3 1 2 4");
    BATCH(5, "a:s/1"); /* its subject flows again */
    s_finish();
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "3 1 2 4 5");
    s_stands_at(5);
}

static void retry_of_all_ends_a_subjects_turn_at_its_first_failure(void **state) {
    (void) state;
    uint64_t done;
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on(">", NULL);
    w.fails_at = 1, w.fails_for = 1000;
    BATCH(1, "a:s/1", "a:s/2", "a:s/1");
    s_finish();
    w.fails_at = 4;
    BATCH(4, "a:s/2", "a:", "a:s/2");
    w.fails_for = 1000;
    s_finish(); /* parked now: 1 and 3 of s/1; 4 and 6 of s/2 */
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "1 3 4 6");
    w.fails_at = 1;
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_E_HANDLER);
    assert_int_equal(done, 2);
    assert_string_equal(s_list("SELECT position FROM weft_parked ORDER BY position"), "1 3");
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "2 5 4 6");
    w.fails_at = 0;
    assert_rc(weft_applier_retry(w.applier, NULL, NULL), WEFT_OK);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "2 5 4 6 1 3");
}

static void a_parked_row_that_is_damaged_is_told(void **state) {
    (void) state;
    uint64_t done;
    s_on(">", NULL);
    s_exec("INSERT INTO weft_parked VALUES (5, '', 's/1', 'a', x'c0', 0, 0, 1, '', 0)");
    assert_rc(weft_applier_retry(w.applier, NULL, &done), WEFT_E_CORRUPT);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), 1);
}

/* ---- moving past nothing (S6) */

static void s_nothing_up_to(uint64_t position) {
    while (w.log.count < position) kit_log_add(&w.log, "x", 1, w.log.count + 1, 5);
    w.batch = (weft_batch_t){.events = w.events,
                             .next = {.log = w.log.log,
                                      .position = {position},
                                      .chain = kit_log_chain(&w.log, position)}};
    s_begin();
    assert_rc(s_run(), WEFT_OK);
}

static void S6_past_nothing_of_interest_the_position_is_written_lazily(void **state) {
    (void) state;
    s_on("a", NULL);
    s_nothing_up_to(5);
    s_stands_at(0);
    w.now += 59999;
    s_nothing_up_to(6);
    s_stands_at(0);
    w.now += 1;
    s_nothing_up_to(7);
    s_stands_at(7); /* at the latest each minute */
    w.now += 59999;
    s_nothing_up_to(8);
    s_stands_at(7);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK); /* at a clean stop */
    s_stands_at(8);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK);
    s_nothing_up_to(9);
    BATCH(10, "a:"); /* an event takes it along */
    s_finish();
    s_stands_at(10);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK);
    s_stands_at(10);
}

/* ---- an added filter (S7) */

static void S7_an_added_filter_catches_up_alone_and_ends_at_the_limit(void **state) {
    (void) state;
    weft_filter_state_t s;
    weft_resume_t at;
    s_on("a", "old");
    s_on("b", "new");
    s_on(">", "all");
    BATCH(1, "b:s/1", "b:s/2");
    s_finish();
    s_exec("DELETE FROM seen");
    MAKE(1, "b:s/1", "b:s/2", "b:s/3");
    w.batch.count = 1;
    w.batch.next.position.value = 1;
    weft_applier_begin(w.applier, &w.batch, "b", (weft_position_t){2});
    s_finish();
    assert_rc(weft_service_store_filter(&w.store, "b", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_BEHIND);
    assert_int_equal(at.position.value, 1);
    w.batch.events++, w.batch.count = 2; /* 2 and 3: the service stands at 2 */
    w.batch.next.position.value = 3;
    weft_applier_begin(w.applier, &w.batch, "b", (weft_position_t){2});
    s_finish();
    assert_rc(weft_service_store_filter(&w.store, "b", &s, &at), WEFT_OK);
    assert_int_equal(s, WEFT_FILTER_CURRENT);
    assert_string_equal(s_list("SELECT position FROM seen ORDER BY n"), "1 2");
    assert_string_equal(s_list("SELECT DISTINCT who FROM seen"), "new"); /* only its own handlers */
    s_stands_at(2);
}

static void S7_an_added_filter_parks_for_its_own_handlers_alone(void **state) {
    (void) state;
    uint64_t done;
    s_close();
    s_open(1, WEFT_ON_ERROR_PARK);
    s_on("b", "new");
    s_on(">", "all");
    BATCH(1, "b:s/1");
    s_finish();
    w.fails_at = 1, w.fails_for = 1000;
    s_exec("DELETE FROM seen");
    weft_applier_begin(w.applier, &w.batch, "b", (weft_position_t){1});
    s_finish();
    assert_string_equal(s_list("SELECT filter FROM weft_parked"), "b");
    w.fails_for = 0;
    assert_rc(weft_applier_retry(w.applier, "s/1", &done), WEFT_OK);
    assert_int_equal(done, 1);
    assert_string_equal(s_list("SELECT who FROM seen"), "new");
}

/* ---- a full disk is nobody's fault */

static void a_full_disk_is_waited_out_and_parks_nothing(void **state) {
    (void) state;
    char sql[64];
    s_on(">", NULL);
    s_exec("CREATE TABLE filler (x BLOB)");
    int64_t pages = s_sql("PRAGMA page_count");
    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%lld", (long long) pages);
    s_exec(sql);
    s_exec(
        "CREATE TRIGGER grow AFTER INSERT ON seen BEGIN INSERT INTO filler VALUES (zeroblob(20000)); END");
    BATCH(1, "a:s/1", "a:s/2");
    for (unsigned i = 0; i < 10; i++) { /* more often than any event is tried */
        assert_rc(s_run(), WEFT_E_AGAIN);
        assert_int_equal(w.again, w.now + 1000);
        w.now = w.again;
    }
    assert_int_equal(s_sql("SELECT count(*) FROM weft_parked"), 0);
    s_stands_at(0);
    s_exec("PRAGMA max_page_count=1000000");
    s_finish();
    s_stands_at(2);
    assert_int_equal(s_sql("SELECT count(*) FROM seen"), 2);
}

/* ---- transactions from outside */

static weft_err_t s_outside(weft_tx_t *tx, void *arg) {
    weft_err_t rc = weft_tx_emit(tx, "out.side", "s/9", "\x05", 1);
    if (rc == WEFT_OK)
        rc = sqlite3_exec(weft_tx_db(tx), "INSERT INTO seen (who) VALUES ('out')", NULL, NULL, NULL)
                 ? WEFT_E_STORE
                 : WEFT_OK;
    return arg ? *(weft_err_t *) arg : rc;
}

static weft_err_t s_inside(weft_tx_t *tx, void *arg) {
    (void) tx;
    (void) arg;
    assert_rc(weft_applier_transaction(w.applier, s_outside, NULL), WEFT_E_STATE);
    assert_rc(weft_applier_retry(w.applier, NULL, NULL), WEFT_E_STATE);
    assert_rc(weft_applier_flush(w.applier), WEFT_OK);
    return WEFT_OK;
}

/* SQLite may end a transaction by itself when the disk fails; code that goes on regardless would write row
 * by row. COMMIT in a handler shows the same. */
static weft_err_t s_end_it(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    const char *how = arg;
    if (event->position.value == w.fails_at)
        (void) sqlite3_exec(weft_tx_db(tx), how, NULL, NULL, NULL);
    (void) s_note(tx, event, NULL);
    return WEFT_OK;
}

static void P2_nothing_is_written_once_the_transaction_is_gone(void **state) {
    static const char *const ways[] = {"ROLLBACK", "COMMIT"};
    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        s_close();
        s_open(3, WEFT_ON_ERROR_PARK);
        assert_rc(weft_applier_on(w.applier, ">", s_end_it, (void *) (uintptr_t) ways[i]), WEFT_OK);
        w.fails_at = 3 * i + 2;
        BATCH(3 * i + 1, "a:x", "a:y", "a:z");
        assert_rc(s_run(), WEFT_E_AGAIN);
        s_stands_at(3 * i);
        assert_int_equal(s_sql("SELECT count(*) FROM seen"), 3 * i);
        w.fails_at = 0;
        s_finish();
        s_stands_at(3 * i + 3);
        assert_int_equal(s_sql("SELECT count(*) FROM seen"), 3 * i + 3);
    }
}

static void P2_a_write_and_its_event_happen_together_or_not_at_all(void **state) {
    (void) state;
    weft_err_t no = WEFT_E_NOT_FOUND;
    assert_rc(weft_applier_transaction(w.applier, s_outside, &no), WEFT_E_NOT_FOUND);
    assert_int_equal(s_sql("SELECT count(*) FROM seen"), 0);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_outbox"), 0);
    assert_int_equal(weft_outbox_depth(w.outbox), 0);
    assert_rc(weft_applier_transaction(w.applier, s_outside, NULL), WEFT_OK);
    assert_int_equal(s_sql("SELECT seq FROM weft_outbox"), 1); /* the number was taken back, too */
    assert_int_equal(s_sql("SELECT cause FROM weft_outbox"), 0);
    assert_int_equal(weft_outbox_depth(w.outbox), 1);
    assert_rc(weft_applier_transaction(w.applier, s_inside, NULL), WEFT_OK);
}

static weft_err_t s_bad_emits(weft_tx_t *tx, void *arg) {
    static uint8_t big[WEFT_EVENT_BYTES_MAX];
    char subject[WEFT_SUBJECT_BYTES_MAX + 2] = {0};
    (void) arg;
    memset(subject, 's', sizeof subject - 1);
    big[0] = 0xc6, big[1] = 0, big[2] = 3, big[3] = 0xff, big[4] = 0xfb;
    assert_rc(weft_tx_emit(tx, "$no", NULL, NULL, 0), WEFT_E_BAD_TYPE);
    assert_rc(weft_tx_emit(tx, "", NULL, NULL, 0), WEFT_E_BAD_TYPE);
    assert_rc(weft_tx_emit(tx, "a", "a\nb", NULL, 0), WEFT_E_BAD_EVENT);
    assert_rc(weft_tx_emit(tx, "a", NULL, "\x01\x02", 2), WEFT_E_BAD_EVENT);
    assert_rc(weft_tx_emit(tx, "a", subject, NULL, 0), WEFT_E_TOO_BIG);
    assert_rc(weft_tx_emit(tx, "a", NULL, big, sizeof big), WEFT_E_TOO_BIG);
    return WEFT_OK;
}

static void what_is_no_event_cannot_be_emitted(void **state) {
    (void) state;
    assert_rc(weft_applier_transaction(w.applier, s_bad_emits, NULL), WEFT_OK);
    assert_int_equal(weft_outbox_depth(w.outbox), 0);
}

/* ---- the outbox */

static void O1_sequences_are_never_given_twice(void **state) {
    (void) state;
    for (unsigned i = 0; i < 3; i++)
        assert_rc(weft_applier_transaction(w.applier, s_outside, NULL), WEFT_OK);
    s_close();
    s_open(3, WEFT_ON_ERROR_PARK);
    assert_int_equal(weft_outbox_depth(w.outbox), 3);
    s_exec("UPDATE weft_acked SET acked=3"); /* as after an acknowledgement */
    s_exec("DELETE FROM weft_outbox");
    s_close();
    s_open(3, WEFT_ON_ERROR_PARK);
    assert_int_equal(weft_outbox_depth(w.outbox), 0);
    assert_rc(weft_applier_transaction(w.applier, s_outside, NULL), WEFT_OK);
    assert_int_equal(s_sql("SELECT seq FROM weft_outbox"), 4);
    bool more = true;
    assert_rc(weft_outbox_settle(w.outbox, &more), WEFT_OK); /* nothing new is acknowledged */
    assert_false(more);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_outbox"), 1);
    assert_rc(weft_outbox_step(w.outbox), WEFT_OK);
    assert_false(weft_outbox_linked(w.outbox));
    assert_true(weft_outbox_fd(w.outbox) >= 0);
}

static void rows_that_outlived_their_ack_are_pruned_some_at_a_time(void **state) {
    (void) state;
    bool more;
    s_exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 25000)"
           " INSERT INTO weft_outbox (type, time_us, subject, cause, data)"
           " SELECT 'a', 1, '', 0, x'c0' FROM n");
    s_exec("UPDATE weft_acked SET acked=24990, chain=5, log=x'00112233445566778899aabbccddeeff'");
    s_close();
    s_open(3, WEFT_ON_ERROR_PARK);
    assert_int_equal(weft_outbox_depth(w.outbox), 10);
    assert_rc(weft_outbox_settle(w.outbox, &more), WEFT_OK);
    assert_true(more);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_outbox"), 15000);
    assert_rc(weft_outbox_settle(w.outbox, &more), WEFT_OK);
    assert_rc(weft_outbox_settle(w.outbox, &more), WEFT_OK);
    assert_false(more);
    assert_int_equal(s_sql("SELECT count(*) FROM weft_outbox"), 10);
    assert_int_equal(s_sql("SELECT acked FROM weft_acked"), 24990);
    assert_int_equal(s_sql("SELECT chain FROM weft_acked"), 5);
    assert_int_equal(s_sql("SELECT log=x'00112233445566778899aabbccddeeff' FROM weft_acked"), 1);
}

static void an_outbox_without_an_origin_is_corrupt(void **state) {
    (void) state;
    weft_outbox_t *second = NULL;
    s_exec("UPDATE weft_meta SET value='short' WHERE key='origin'");
    assert_rc(weft_outbox_new(&second, w.store.db, "svc", "tcp://127.0.0.1:1", NULL),
              WEFT_E_CORRUPT);
    assert_null(second);
    s_exec("DROP TABLE weft_acked");
    assert_rc(weft_outbox_new(&second, w.store.db, "svc", "tcp://127.0.0.1:1", NULL), WEFT_E_STORE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_tear_down)

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* failing handlers are what this is about */
    const struct CMUnitTest tests[] = {
        TEST(a_batch_and_its_position_are_one_transaction),
        TEST(S7_handlers_that_match_run_in_the_order_of_registration),
        TEST(effects_belong_to_the_trace_of_their_cause_each_as_a_new_span),
        TEST(a_write_from_outside_names_its_cause_and_trace),
        TEST(filters_are_checked_and_end_at_their_limit),
        TEST(O1_what_commit_did_not_return_for_is_not_sent),
        TEST(P2_what_fails_is_rolled_back_and_what_came_before_it_stays),
        TEST(pauses_between_attempts_grow_up_to_a_cap),
        TEST(a_poison_event_is_parked_with_its_subject_and_others_flow),
        TEST(an_event_without_subject_parks_only_itself),
        TEST(parking_after_the_first_attempt_is_possible),
        TEST(parked_rows_end_at_their_limit),
        TEST(retry_works_off_a_subject_in_order),
        TEST(retry_of_all_ends_a_subjects_turn_at_its_first_failure),
        TEST(a_parked_row_that_is_damaged_is_told),
        TEST(S6_past_nothing_of_interest_the_position_is_written_lazily),
        TEST(S7_an_added_filter_catches_up_alone_and_ends_at_the_limit),
        TEST(S7_an_added_filter_parks_for_its_own_handlers_alone),
        TEST(a_full_disk_is_waited_out_and_parks_nothing),
        TEST(P2_nothing_is_written_once_the_transaction_is_gone),
        TEST(P2_a_write_and_its_event_happen_together_or_not_at_all),
        TEST(what_is_no_event_cannot_be_emitted),
        TEST(O1_sequences_are_never_given_twice),
        TEST(rows_that_outlived_their_ack_are_pruned_some_at_a_time),
        TEST(an_outbox_without_an_origin_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
