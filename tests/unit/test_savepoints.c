/* Transactions that roll back to savepoints of their own: what they emitted in there never was. */
#include "kit.h"

#include "weft_applier.h"

static struct {
    weft_service_store_t store;
    weft_outbox_t *outbox;
    weft_applier_t *applier;
} w;

static int s_set_up(void **state) {
    static unsigned serial;
    char *dir = kit_path("data-%u", ++serial), *bus = kit_path("nobody");
    char endpoint[200];
    (void) state;
    snprintf(endpoint, sizeof endpoint, "ipc://%s", bus);
    assert_rc(weft_service_store_open(&w.store, dir, "svc"), WEFT_OK);
    assert_rc(weft_outbox_new(&w.outbox, w.store.db, "svc", endpoint, NULL), WEFT_OK);
    assert_rc(weft_applier_new(&w.applier, &w.store, w.outbox, 3, WEFT_ON_ERROR_PARK), WEFT_OK);
    free(dir);
    free(bus);
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    weft_applier_destroy(&w.applier);
    weft_outbox_destroy(&w.outbox);
    weft_service_store_close(&w.store);
    return 0;
}

/* steps  a letter each: e emits, s begins a savepoint, b rolls back to it, r releases it. */
static weft_err_t s_step(weft_tx_t *tx, void *steps) {
    for (const char *at = steps; *at; at++) {
        weft_err_t rc = WEFT_OK;
        if (*at == 'e') rc = weft_tx_emit(tx, "a.b", "s", at, 1);
        if (*at == 's') rc = weft_db_exec(weft_tx_db(tx), "SAVEPOINT mine");
        if (*at == 'b') rc = weft_db_exec(weft_tx_db(tx), "ROLLBACK TO mine");
        if (*at == 'r') rc = weft_db_exec(weft_tx_db(tx), "RELEASE mine");
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

static void s_do(const char *steps) {
    assert_rc(weft_applier_transaction(w.applier, s_step, (void *) (uintptr_t) steps), WEFT_OK);
}

static uint64_t s_rows(void) {
    sqlite3_stmt *stmt;
    const char *sql = "SELECT count(*) FROM weft_outbox";
    assert_int_equal(sqlite3_prepare_v2(w.store.db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    uint64_t rows = (uint64_t) sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rows;
}

/* What the relay may send is what the table has. */
static void s_has(uint64_t events) {
    assert_int_equal(s_rows(), events);
    assert_int_equal(weft_outbox_highest(w.outbox), events);
    assert_int_equal(weft_outbox_depth(w.outbox), events);
}

static void what_was_rolled_back_is_not_sent(void **state) {
    (void) state;
    s_do("sebr");
    s_has(0);
    s_do("e");
    s_has(1);
    s_do("seebr");
    s_has(1);
    s_do("esebr");
    s_has(2);
    s_do("sebre");
    s_has(3);
    s_do("esebe");
    s_has(5);
}

static void what_was_released_is_sent(void **state) {
    (void) state;
    s_do("ser");
    s_has(1);
    s_do("esere");
    s_has(4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, s_set_up, s_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_rolled_back_is_not_sent),
        TEST(what_was_released_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
