/* Transactions that roll back to savepoints of their own: what they emitted in there never was. */
#include "applier_fixture.h"

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

/* What the relay may send is what the table has. */
static void s_has(uint64_t events) {
    assert_int_equal(s_sql("SELECT count(*) FROM weft_outbox"), events);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_rolled_back_is_not_sent),
        TEST(what_was_released_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
