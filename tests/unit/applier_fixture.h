/* What the tests of the applier share: a service with one table, handlers that note what they saw and fail
 * where they are told to, and batches by hand. The bus is away all the time. */
#ifndef APPLIER_FIXTURE_H
#define APPLIER_FIXTURE_H

#include "kit.h"

#include "weft_applier.h"

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

static inline void s_exec(const char *sql) {
    if (sqlite3_exec(w.store.db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(w.store.db));
}

static inline int64_t s_sql(const char *sql) {
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(w.store.db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(w.store.db));
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return value;
}

/* One text: every first column, with spaces in between. */
static inline const char *s_list(const char *sql) {
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

static inline weft_err_t s_note(weft_tx_t *tx, const weft_event_t *event, void *arg) {
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

static inline void s_open(unsigned park_after, weft_on_error_t on_error) {
    assert_rc(weft_service_store_open(&w.store, w.dir, "svc"), WEFT_OK);
    char *bus = kit_path("nobody");
    char endpoint[200];
    snprintf(endpoint, sizeof endpoint, "ipc://%s", bus);
    free(bus);
    assert_rc(weft_outbox_new(&w.outbox, w.store.db, "svc", endpoint, NULL), WEFT_OK);
    assert_rc(weft_applier_new(&w.applier, &w.store, w.outbox, park_after, on_error), WEFT_OK);
}

static inline void s_close(void) {
    weft_applier_destroy(&w.applier);
    weft_outbox_destroy(&w.outbox);
    weft_service_store_close(&w.store);
}

static inline int s_set_up(void **state) {
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

static inline int s_tear_down(void **state) {
    (void) state;
    s_close();
    kit_log_free(&w.log);
    for (size_t i = 0; i < EVENTS_MAX; i++) weft_buf_free(&w.bytes[i]);
    free(w.dir);
    return 0;
}

static inline void s_on(const char *filter, const char *who) {
    assert_rc(weft_applier_on(w.applier, filter, s_note, (void *) (uintptr_t) who), WEFT_OK);
}

/* ---- batches */

/* Events first.. with these subjects, "type:subject" each, and the place after them. */
static inline void s_make(uint64_t first, const char *const *texts, size_t count) {
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

static inline void s_begin(void) {
    weft_applier_begin(w.applier, &w.batch, NULL, (weft_position_t){0});
}

#define MAKE(first, ...)                              \
    s_make(first, (const char *const[]){__VA_ARGS__}, \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define BATCH(first, ...) (MAKE(first, __VA_ARGS__), s_begin())

static inline weft_err_t s_run(void) {
    return weft_applier_run(w.applier, w.now, &w.again);
}

/* To the end, through all pauses. */
static inline void s_finish(void) {
    weft_err_t rc;
    while ((rc = s_run()) == WEFT_E_AGAIN) {
        assert_true(w.again > w.now);
        w.now = w.again;
    }
    assert_rc(rc, WEFT_OK);
    assert_false(weft_applier_busy(w.applier));
}

static inline weft_applier_info_t s_info(void) {
    weft_applier_info_t info;
    weft_applier_info(w.applier, &info);
    return info;
}

static inline void s_stands_at(uint64_t position) {
    weft_resume_t at;
    assert_rc(weft_service_store_position(&w.store, &at), WEFT_OK);
    assert_int_equal(at.position.value, position);
    assert_true(at.chain == kit_log_chain(&w.log, position));
    assert_int_equal(s_info().stored.value, position);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_tear_down)

#endif
