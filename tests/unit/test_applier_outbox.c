/* What handlers and transactions from outside emit: it goes with their writes or not at all, and the outbox
 * numbers and keeps it. */
#include "applier_fixture.h"

#include "weft_limits.h"
#include "weft_record.h"

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

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* what fails here is meant to fail */
    const struct CMUnitTest tests[] = {
        TEST(effects_belong_to_the_trace_of_their_cause_each_as_a_new_span),
        TEST(a_write_from_outside_names_its_cause_and_trace),
        TEST(O1_what_commit_did_not_return_for_is_not_sent),
        TEST(P2_a_write_and_its_event_happen_together_or_not_at_all),
        TEST(what_is_no_event_cannot_be_emitted),
        TEST(O1_sequences_are_never_given_twice),
        TEST(rows_that_outlived_their_ack_are_pruned_some_at_a_time),
        TEST(an_outbox_without_an_origin_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
