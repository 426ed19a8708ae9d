/* S7: a filter that is new on a database with a position stops the service, until its user says what is
 * to become of the older events. A real service on a real bus, in this thread. */
#include "kit_bus.h"

static struct {
    weft_service_t *service;
    uint64_t a[64], b[64]; /* data of the events applied */
    size_t a_count, b_count;
} s_seen;

static weft_err_t s_on_a(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    (void) tx;
    (void) arg;
    assert_in_range(s_seen.a_count, 0, 63);
    s_seen.a[s_seen.a_count++] = kit_number(event);
    return WEFT_OK;
}

static weft_err_t s_on_b(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    (void) tx;
    (void) arg;
    assert_in_range(s_seen.b_count, 0, 63);
    s_seen.b[s_seen.b_count++] = kit_number(event);
    return WEFT_OK;
}

static weft_err_t s_on_end(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    (void) tx;
    if (kit_number(event) == *(const uint64_t *) arg) weft_service_stop(s_seen.service, WEFT_OK);
    return WEFT_OK;
}

/* Run until the event "end" with that number has been applied. from NULL: not said. */
static weft_err_t s_run(const kit_bus_t *bus, const char *data, bool with_b, const char *from,
                        uint64_t end) {
    char endpoint[256];
    snprintf(endpoint, sizeof endpoint, "%s", bus->endpoint);
    char *dir = strdup(data), *start = strdup(from ? from : "");
    char *argv[] = {(char[]){"test"},
                    (char[]){"--bus"},
                    endpoint,
                    (char[]){"--data"},
                    dir,
                    (char[]){"--filter-from"},
                    start,
                    NULL};
    s_seen.a_count = s_seen.b_count = 0;
    assert_rc(weft_service_new(&s_seen.service, "reader", from ? 7 : 5, argv), WEFT_OK);
    assert_rc(weft_service_on(s_seen.service, "a.x", s_on_a, NULL), WEFT_OK);
    if (with_b) assert_rc(weft_service_on(s_seen.service, "b", s_on_b, NULL), WEFT_OK);
    assert_rc(weft_service_on(s_seen.service, "end", s_on_end, &end), WEFT_OK);
    weft_err_t rc = weft_service_run(s_seen.service);
    weft_service_destroy(&s_seen.service);
    free(dir);
    free(start);
    return rc;
}

static void s_check(const uint64_t *seen, size_t count, uint64_t first, uint64_t last) {
    assert_int_equal(count, last - first + 1);
    for (size_t i = 0; i < count; i++) assert_int_equal(seen[i], first + i);
}

static void a_new_filter_asks_what_is_to_become_of_older_events(void **state) {
    (void) state;
    kit_bus_t bus;
    kit_bus_init(&bus, "ipc");
    kit_bus_start(&bus);
    char *now = kit_path("now"), *start = kit_path("start");
    weft_pub_t *pub = kit_pub(&bus);
    kit_send(pub, "a.x", 1, 5);
    kit_send(pub, "b", 1, 5);
    kit_send(pub, "end", 1, 1);
    kit_flush(pub);
    assert_rc(s_run(&bus, now, false, NULL, 1), WEFT_OK);
    s_check(s_seen.a, s_seen.a_count, 1, 5);
    assert_rc(s_run(&bus, start, false, NULL, 1), WEFT_OK);

    kit_send(pub, "a.x", 6, 2);
    kit_send(pub, "b", 6, 2);
    kit_send(pub, "end", 2, 1);
    kit_flush(pub);
    assert_rc(s_run(&bus, now, true, NULL, 2), WEFT_E_NEW_FILTER);
    assert_int_equal(s_seen.a_count + s_seen.b_count, 0);

    assert_rc(s_run(&bus, now, true, "now", 2), WEFT_OK);
    s_check(s_seen.a, s_seen.a_count, 6, 7);
    s_check(s_seen.b, s_seen.b_count, 6, 7);
    assert_rc(s_run(&bus, start, true, "start", 2), WEFT_OK);
    s_check(s_seen.a, s_seen.a_count, 6, 7);
    s_check(s_seen.b, s_seen.b_count, 1, 7);

    kit_send(pub, "b", 8, 1);
    kit_send(pub, "end", 3, 1);
    kit_flush(pub);
    assert_rc(s_run(&bus, start, true, NULL, 3),
              WEFT_OK); /* said once, it is no new one any more */
    s_check(s_seen.b, s_seen.b_count, 8, 8);
    free(now);
    free(start);
    kit_bus_free(&bus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_filter_asks_what_is_to_become_of_older_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
