/* The bus as an object in a thread: inproc endpoints over a shared context, and a stop from outside. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "weft_bus.h"
#include "weft_control.h"
#include "weft_limits.h"

static void *run(void *bus) {
    return (void *) (intptr_t) weft_bus_run(bus);
}

static void hello_is_answered_over_inproc(void **state) {
    (void) state;
    char store[256], reason[1024], reply[8192];
    void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER), *result;
    int timeout_ms = 20000, zero = 0;
    pthread_t thread;
    weft_bus_t *bus = NULL;
    weft_bus_config_t config;
    weft_welcome_t welcome;
    weft_buf_t body;
    weft_buf_init(&body);
    snprintf(store, sizeof store, "%s/inproc", getenv("WEFT_TEST_DIR"));
    weft_bus_config_init(&config);
    config.endpoint = "inproc://a-bus";
    config.store = store;
    config.zmq_context = context;
    assert_int_equal(weft_bus_new(&bus, &config, reason, sizeof reason), WEFT_OK);
    assert_string_equal(weft_bus_fanout(bus), "inproc://a-bus.fan");
    assert_int_equal(pthread_create(&thread, NULL, run, bus), 0);

    zmq_setsockopt(dealer, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt(dealer, ZMQ_LINGER, &zero, sizeof zero);
    assert_int_equal(zmq_connect(dealer, weft_bus_control(bus)), 0);
    weft_hello_t hello = {.id = 7, .version = WEFT_PROTOCOL_VERSION, .name = weft_text("test")};
    weft_hello_encode(&body, &hello);
    assert_true(zmq_send(dealer, "HELLO", 5, ZMQ_SNDMORE) == 5);
    assert_true(zmq_send(dealer, body.data, body.size, 0) >= 0);
    assert_int_equal(zmq_recv(dealer, reply, sizeof reply, 0), 7);
    assert_memory_equal(reply, "WELCOME", 7);
    int size = zmq_recv(dealer, reply, sizeof reply, 0);
    assert_true(size > 0 && size <= (int) sizeof reply);
    assert_int_equal(weft_welcome_decode(reply, (size_t) size, &welcome), WEFT_OK);
    assert_int_equal(welcome.id, 7);
    assert_memory_equal(&welcome.log, weft_bus_log(bus), sizeof welcome.log);
    assert_true(welcome.accepting);

    weft_bus_stop(bus);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, (void *) (intptr_t) WEFT_OK);
    weft_bus_destroy(&bus);
    assert_null(bus);
    weft_buf_free(&body);
    zmq_close(dealer);
    zmq_ctx_term(context);
}

static void a_stop_before_the_run_is_kept(void **state) {
    (void) state;
    char store[256], reason[1024];
    weft_bus_t *bus = NULL;
    weft_bus_config_t config;
    snprintf(store, sizeof store, "%s/stopped", getenv("WEFT_TEST_DIR"));
    weft_bus_config_init(&config);
    config.endpoint = "tcp://127.0.0.1:0";
    config.store = store;
    assert_int_equal(weft_bus_new(&bus, &config, reason, sizeof reason), WEFT_OK);
    weft_bus_stop(bus);
    assert_int_equal(weft_bus_run(bus), WEFT_OK);
    assert_int_equal(weft_bus_head(bus).value, 0);
    weft_bus_destroy(&bus);
    weft_bus_destroy(&bus); /* harmless */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_answered_over_inproc),
        cmocka_unit_test(a_stop_before_the_run_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
