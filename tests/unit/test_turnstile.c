/* The turnstile: reads and checkpoints never at once, and who waits for a read gets in after it. */
#include "kit.h"

#include "weft_turnstile.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 2000u
#define READERS 3u

static struct {
    weft_turnstile_t *turnstile;
    atomic_uint inside; /* readers */
    atomic_bool stop, shut;
    atomic_uint_least64_t reads;
} w;

static void s_set_up(void) {
    w.turnstile = weft_turnstile_new();
    assert_non_null(w.turnstile);
    w.stop = w.shut = false;
    w.inside = 0;
    w.reads = 0;
}

static void *s_read_on_and_on(void *arg) {
    (void) arg;
    while (!w.stop) {
        weft_turnstile_enter(w.turnstile);
        w.inside++;
        w.reads++;
        w.inside--;
        weft_turnstile_leave(w.turnstile);
    }
    return NULL;
}

static void nobody_reads_while_it_is_shut(void **state) {
    pthread_t readers[READERS];
    (void) state;
    s_set_up();
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, s_read_on_and_on, NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!weft_turnstile_shut(w.turnstile, i % 2)) continue;
        uint64_t reads = w.reads;
        for (unsigned j = 0; j < 100; j++) assert_int_equal(w.inside, 0);
        assert_int_equal(w.reads, reads);
        weft_turnstile_open(w.turnstile);
    }
    uint64_t reads = w.reads;
    WAIT_UNTIL(w.reads > reads, 10000); /* and they go on */
    w.stop = true;
    for (unsigned i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    weft_turnstile_destroy(&w.turnstile);
}

static void *s_shut(void *arg) {
    w.shut = weft_turnstile_shut(w.turnstile, true);
    return arg;
}

static void *s_read_once(void *arg) {
    weft_turnstile_enter(w.turnstile);
    w.inside = 1;
    weft_turnstile_leave(w.turnstile);
    return arg;
}

static void a_read_in_hand_is_waited_for_or_left_alone(void **state) {
    pthread_t writer, reader;
    (void) state;
    s_set_up();
    weft_turnstile_enter(w.turnstile);
    assert_false(weft_turnstile_shut(w.turnstile, false));
    assert_int_equal(pthread_create(&writer, NULL, s_shut, NULL), 0);
    assert_false(w.shut); /* it can only be once the read has left */
    weft_turnstile_leave(w.turnstile);
    pthread_join(writer, NULL);
    assert_true(w.shut);
    assert_int_equal(pthread_create(&reader, NULL, s_read_once, NULL), 0);
    assert_int_equal(w.inside, 0);
    weft_turnstile_open(w.turnstile);
    pthread_join(reader, NULL);
    assert_int_equal(w.inside, 1);
    assert_true(weft_turnstile_shut(w.turnstile, false));
    weft_turnstile_open(w.turnstile);
    weft_turnstile_destroy(&w.turnstile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_reads_while_it_is_shut),
        cmocka_unit_test(a_read_in_hand_is_waited_for_or_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
