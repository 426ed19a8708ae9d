/* A socket whose queue is full loses its peer: nothing may come of it. (libzmq 4.3.4 ends the process
 * when one of its own heartbeats is due on such a connection.) */
#include "kit.h"

#include "weft_net.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUEUE 2
#define MESSAGES 20000 /* of 1 KiB: more than queues and buffers of both ends hold */
#define TOO_LATE_MS 6000

/* Publishes more than the other end takes, says so, and waits to be killed. */
static void s_child(int from_parent, int to_parent) {
    static char body[1024];
    char endpoint[256] = "";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(from_parent, endpoint, sizeof endpoint - 1) <= 0) _exit(1);
    void *pub = weft_net_socket(zmq_ctx_new(), ZMQ_XPUB, 1000);
    if (zmq_connect(pub, endpoint) != 0 || zmq_recv(pub, body, sizeof body, 0) < 0) _exit(1);
    for (int i = 0; i < MESSAGES; i++) zmq_send(pub, body, sizeof body, 0);
    if (write(to_parent, "x", 1) != 1) _exit(1);
    for (;;) pause();
}

static void a_peer_that_dies_while_the_queue_is_full_ends_nobody(void **state) {
    (void) state;
    int to_child[2], to_parent[2];
    char endpoint[256], byte;
    size_t size = sizeof endpoint;
    assert_int_equal(pipe(to_child) | pipe(to_parent), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) s_child(to_child[0], to_parent[1]);
    close(to_parent[1]);

    void *context = zmq_ctx_new(), *sub = weft_net_socket(context, ZMQ_SUB, QUEUE);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0), 0);
    assert_int_equal(zmq_bind(sub, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(sub, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    assert_true(write(to_child[1], endpoint, size) == (ssize_t) size);
    WAIT_UNTIL(weft_net_readable(sub), 10000);
    assert_int_equal(read(to_parent[0], &byte, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    /* Nothing tells from outside that a timer has passed: wait for three of them. */
    poll(NULL, 0, TOO_LATE_MS);
    assert_true(weft_net_readable(sub)); /* it still works */
    weft_net_close(&sub);
    zmq_ctx_term(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_dies_while_the_queue_is_full_ends_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
