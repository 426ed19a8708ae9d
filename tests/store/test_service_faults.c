/* A service's database on a disk that fails and loses power, at every call in turn: handlers' writes,
 * emitted events and the position move together or not at all; nothing that was told to be done is
 * lost, nothing is applied twice (P2, P3, O1, S6). */
#include "kit.h"

#include "kit_vfs.h"
#include "weft_applier.h"
#include "weft_limits.h"

#define EVENTS 20u
#define BATCH 5u
#define BATCHES (EVENTS / BATCH)
#define FAILS_AT \
    7u /* its handler fails always: it is parked, and 12 and 17, of its subject, behind it */
#define PARK_AFTER 2
#define TRIES_MAX 8
#define NTH_MAX 20000u

static const char *const s_steps[] = {
    "CREATE TABLE seen (position INTEGER NOT NULL, who INTEGER NOT NULL)",
    "CREATE TABLE sums (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO sums VALUES (1, 0);"
    "CREATE TABLE notes (position INTEGER)",
    "CREATE TABLE own (n INTEGER)"};

typedef struct {
    weft_service_store_t store;
    weft_outbox_t *outbox;
    weft_applier_t *applier;
    uint64_t applied;             /* the applier said so */
    uint64_t own_done, own_tried; /* transactions from outside */
    int64_t now, again;
} run_t;

static run_t w;
static struct {
    char *dir;
    char endpoint[200];
    kit_log_t log;
    weft_buf_t bytes[EVENTS];
    weft_event_t events[EVENTS];
} s;

/* ---- the service */

static weft_err_t s_exec(sqlite3 *db, const char *sql, uint64_t n) {
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) return WEFT_E_STORE;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64) n);
    int rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? WEFT_OK : WEFT_E_STORE;
}

/* The note is not looked after, as in careless code: when it fails on a bad disk SQLite has ended the
 * transaction, and what follows must not be written without it. */
static weft_err_t s_handler(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    uint64_t position = event->position.value;
    sqlite3 *db = weft_tx_db(tx);
    (void) arg;
    (void) s_exec(db, "INSERT INTO notes VALUES (?1)", position);
    weft_err_t rc = s_exec(db, "INSERT INTO seen VALUES (?1, 1)", position);
    if (rc == WEFT_OK) rc = s_exec(db, "UPDATE sums SET n = n + ?1", position);
    if (rc == WEFT_OK) rc = weft_tx_emit(tx, "seen.it", event->subject, NULL, 0);
    return rc == WEFT_OK && position == FAILS_AT ? WEFT_E_ARG : rc;
}

static weft_err_t s_request(weft_tx_t *tx, void *arg) {
    const uint64_t *n = arg;
    weft_err_t rc = s_exec(weft_tx_db(tx), "INSERT INTO own VALUES (?1)", *n);
    return rc == WEFT_OK ? weft_tx_emit(tx, "own.done", NULL, NULL, 0) : rc;
}

static void s_close(void) {
    weft_applier_destroy(&w.applier);
    weft_outbox_destroy(&w.outbox);
    weft_service_store_close(&w.store);
}

static weft_err_t s_open(void) {
    weft_err_t rc = weft_service_store_open(&w.store, s.dir, "svc");
    if (rc == WEFT_OK) rc = weft_service_store_schema(&w.store, s_steps, 3);
    if (rc == WEFT_OK) rc = weft_db_exec(w.store.db, "PRAGMA wal_autocheckpoint=10");
    if (rc == WEFT_OK) rc = weft_outbox_new(&w.outbox, w.store.db, "svc", s.endpoint, NULL);
    if (rc == WEFT_OK)
        rc = weft_applier_new(&w.applier, &w.store, w.outbox, PARK_AFTER, WEFT_ON_ERROR_PARK);
    if (rc == WEFT_OK) rc = weft_applier_on(w.applier, ">", s_handler, NULL);
    return rc;
}

static uint64_t s_position(void) {
    weft_applier_info_t info;
    weft_applier_info(w.applier, &info);
    return info.stored.value;
}

/* Events from..to, tried until done or the disk does not come back. */
static bool s_apply(uint64_t from, uint64_t to) {
    weft_batch_t batch = {
        .events = &s.events[from - 1],
        .count = to - from + 1,
        .next = {.log = s.log.log, .position = {to}, .chain = kit_log_chain(&s.log, to)}};
    weft_applier_begin(w.applier, &batch, NULL, (weft_position_t){0});
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        weft_err_t rc = weft_applier_run(w.applier, w.now, &w.again);
        if (rc == WEFT_OK) {
            w.applied = to;
            return true;
        }
        assert_rc(rc, WEFT_E_AGAIN); /* trouble of the disk passes, or is waited for */
        if (s_position() > w.applied) w.applied = s_position();
        w.now = w.again;
    }
    return false;
}

static bool s_own(void) {
    w.own_tried++;
    weft_err_t rc = weft_applier_transaction(w.applier, s_request, &w.own_tried);
    if (rc != WEFT_OK) assert_true(rc == WEFT_E_STORE || rc == WEFT_E_FULL);
    w.own_done += rc == WEFT_OK;
    return rc == WEFT_OK;
}

/* From where the database stands to the end. True: all is done. */
static bool s_work(void) {
    weft_err_t rc = s_open();
    bool done = rc == WEFT_OK;
    if (!done && rc != WEFT_E_STORE && rc != WEFT_E_FULL)
        fail_msg("%s after %s", weft_err_name(rc), kit_vfs_hit());
    while (done && s_position() < EVENTS) {
        uint64_t from = s_position() + 1, to = (from + BATCH - 1) / BATCH * BATCH;
        done = s_apply(from, to);
        if (done) s_own();
    }
    s_close();
    return done;
}

/* ---- what must hold after a restart */

static int64_t s_sql(const char *sql) {
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(w.store.db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(w.store.db));
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void s_verify(kit_fault_t fault, unsigned nth, bool for_good, bool finished) {
    static const struct {
        const char *what, *sql; /* sql gives 1 */
    } rules[] = {
        {"an event is applied twice", "SELECT count(*) = count(DISTINCT position) FROM seen"},
        {"events up to the position are missing, or there are others",
         "SELECT count(*) = (SELECT position FROM weft_position) AND"
         " coalesce(max(p), 0) = (SELECT position FROM weft_position)"
         " FROM (SELECT position AS p FROM seen UNION ALL SELECT position FROM weft_parked)"},
        {"half a handler", "SELECT (SELECT n FROM sums) = (SELECT total(position) FROM seen)"},
        {"a note more or less",
         "SELECT (SELECT count(*) FROM notes) = (SELECT count(*) FROM seen)"},
        {"events emitted and rows part",
         "SELECT (SELECT count(*) FROM weft_outbox WHERE cause > 0) = (SELECT count(*) FROM seen)"
         " AND (SELECT count(*) FROM weft_outbox WHERE cause = 0) = (SELECT count(*) FROM own)"},
        {"a cause is wrong", "SELECT NOT EXISTS (SELECT position FROM seen EXCEPT"
                             " SELECT cause FROM weft_outbox)"},
        {"a gap in the outbox", "SELECT count(*) = coalesce(max(seq), 0) FROM weft_outbox"},
        {"the file", "SELECT (SELECT * FROM pragma_integrity_check) = 'ok'"},
    };
    const char *broken = NULL;
    weft_err_t rc = s_open();
    if (rc != WEFT_OK) broken = weft_err_name(rc);
    for (size_t i = 0; !broken && i < sizeof rules / sizeof *rules; i++)
        if (s_sql(rules[i].sql) != 1) broken = rules[i].what;
    uint64_t position = broken ? 0 : s_position(),
             own = broken ? 0 : (uint64_t) s_sql("SELECT count(*) FROM own");
    if (!broken && position < w.applied) broken = "what was applied is gone";
    if (!broken && (own < w.own_done || own > w.own_tried)) broken = "what was committed is gone";
    if (!broken && finished && position != EVENTS) broken = "it has not come to the end";
    if (!broken && finished && s_sql("SELECT count(*) FROM weft_parked") != 3)
        broken = "parked more or less";
    if (broken)
        fail_msg("%s: %s at call %u, %s (%s): applied %u, position %u, own %u of %u to %u", broken,
                 kit_fault_names[fault], nth, for_good ? "for good" : "once", kit_vfs_hit(),
                 (unsigned) w.applied, (unsigned) position, (unsigned) own, (unsigned) w.own_done,
                 (unsigned) w.own_tried);
    w.applied = position; /* what is found counts from here on */
    w.own_done = own;
    s_close();
}

static void s_begin(void) {
    kit_vfs_reset();
    memset(&w, 0, sizeof w);
    w.now = 1000;
}

static unsigned s_each(kit_fault_t fault, bool for_good) {
    unsigned nth = 1;
    for (;; nth++) {
        assert_true(nth < NTH_MAX);
        s_begin();
        kit_vfs_fault(fault, nth, for_good);
        bool done = s_work();
        bool reached = kit_vfs_reached();
        if (!reached) assert_true(done);
        kit_vfs_heal();
        s_verify(fault, nth, for_good, done);
        kit_vfs_power_loss(4 * nth); /* drops all that was not synced */
        s_verify(fault, nth, for_good, done);
        assert_true(s_work());
        s_verify(fault, nth, for_good, true);
        if (!reached) return nth - 1;
    }
}

static unsigned s_total;

static void s_count(const char *what, unsigned points) {
    printf("service: %-28s %5u fault points\n", what, points);
    s_total += points;
}

static void each_call_fails_once(void **state) {
    (void) state;
    s_count("I/O error, once", s_each(KIT_FAULT_IO, false));
    s_count("disk full, once", s_each(KIT_FAULT_FULL, false));
    s_count("short write, once", s_each(KIT_FAULT_SHORT, false));
    s_count("failed sync, once", s_each(KIT_FAULT_SYNC, false));
}

static void each_call_fails_for_good(void **state) {
    (void) state;
    s_count("I/O error, for good", s_each(KIT_FAULT_IO, true));
    s_count("disk full, for good", s_each(KIT_FAULT_FULL, true));
    s_count("short write, for good", s_each(KIT_FAULT_SHORT, true));
    s_count("failed sync, for good", s_each(KIT_FAULT_SYNC, true));
}

static void power_is_lost_at_each_call(void **state) {
    (void) state;
    unsigned points = 0;
    bool reached = true;
    for (unsigned nth = 1; reached; nth++) {
        for (unsigned fate = 0; fate < 4; fate++) {
            s_begin();
            kit_vfs_fault(KIT_FAULT_CRASH, nth, true);
            (void) s_work();
            reached = kit_vfs_reached();
            kit_vfs_heal();
            kit_vfs_power_loss(4 * nth + fate);
            if (fate % 2) { /* again, while it starts */
                kit_vfs_fault(KIT_FAULT_CRASH, 1 + nth % 9, true);
                (void) s_open();
                s_close();
                kit_vfs_heal();
                kit_vfs_power_loss(7 * nth + fate);
            }
            s_verify(KIT_FAULT_CRASH, nth, true, false);
            assert_true(s_work());
            s_verify(KIT_FAULT_CRASH, nth, true, true);
            points += reached;
        }
    }
    s_count("power lost (4 fates each)", points);
}

/* ---- the log that is applied */

static int s_set_up(void **state) {
    (void) state;
    static char subjects[EVENTS][16];
    s.dir = kit_path("service");
    char *bus = kit_path("nobody");
    snprintf(s.endpoint, sizeof s.endpoint, "ipc://%s", bus);
    free(bus);
    kit_log_init(&s.log);
    for (unsigned i = 0; i < EVENTS; i++) {
        snprintf(subjects[i], sizeof subjects[i], "post/%u", i % 5);
        kit_log_add(&s.log, "a.b", 1, i + 1, 5);
        weft_buf_init(&s.bytes[i]);
        kit_event(&s.bytes[i], 1, i + 1, subjects[i], 5);
        weft_wire_event_t wire = kit_decode_event(&s.bytes[i]);
        s.events[i] = (weft_event_t){.position = {i + 1},
                                     .chain = kit_log_chain(&s.log, i + 1),
                                     .stored_us = 5,
                                     .type = "a.b",
                                     .sequence = {i + 1},
                                     .source = "kit",
                                     .subject = subjects[i],
                                     .data = wire.data,
                                     .data_size = wire.data_size,
                                     .raw = s.bytes[i].data,
                                     .raw_size = s.bytes[i].size};
    }
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    kit_vfs_reset();
    for (unsigned i = 0; i < EVENTS; i++) weft_buf_free(&s.bytes[i]);
    kit_log_free(&s.log);
    free(s.dir);
    return 0;
}

int main(void) {
    setenv("WEFT_DIAG", "off", 1);
    kit_vfs_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails_once),
        cmocka_unit_test(each_call_fails_for_good),
        cmocka_unit_test(power_is_lost_at_each_call),
    };
    int failed = cmocka_run_group_tests(tests, s_set_up, s_tear_down);
    printf("service: %u fault points in all\n", s_total);
    return failed;
}
