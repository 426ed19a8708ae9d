/* The WAL of a bus under full load is bounded, also while readers page all the while: without a turn of
 * its own a checkpoint would nearly always find a read transaction in its way. So is a log with a bound,
 * whatever comes meanwhile.
 * WEFT_TEST_SECONDS sets how many (10); an hour is the label soak. */
#include "kit_bus.h"

#include "weft_limits.h"
#include "weft_net.h"
#include "weft_store.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define SECONDS 10
#define READERS 4u
#define ASKED \
    2u /* pages that a reader asks for ahead, so that the bus is never without a request */
#define TYPES 12u /* a filter for one of them makes the bus scan, and lasts longest */
#define DATA_BYTES 200u
#define LOG_BYTES (1ull << 30) /* that the log keeps; an hour of this load is 300 times as much */
#define LOOK_MS 20
/* A batch of the largest size may still come on top, with what its pages and a trim's need. */
#define WAL_BYTES_BOUND (WEFT_STORE_WAL_MOST + (32u << 20))
#define WRITTEN_BYTES (2ull * WAL_BYTES_BOUND) /* less says nothing of the bound */
#define PATIENCE_MS 80000                      /* for a machine that is busy with other things */

static struct {
    kit_bus_t bus;
    atomic_bool stop;
    atomic_uint_least64_t acked, pages;
} w;

/* ---- the load */

static const char *s_type(uint64_t n) {
    static const char *const types[TYPES] = {"t.a", "t.b", "t.c", "t.d", "t.e", "t.f",
                                             "t.g", "t.h", "t.i", "t.j", "t.k", "t.l"};
    return types[n % TYPES];
}

static void *s_publish(void *arg) {
    weft_pub_t *pub = kit_pub(&w.bus);
    weft_buf_t data = {0};
    char text[DATA_BYTES];
    (void) arg;
    memset(text, 'x', sizeof text);
    weft_mp_put_str(&data, text, sizeof text);
    for (uint64_t n = 0; !w.stop;) {
        weft_err_t rc = weft_pub_send(pub, s_type(n / 16), "s/1", data.data, data.size, NULL);
        if (rc == WEFT_OK) {
            n++;
            continue;
        }
        assert_rc(rc, WEFT_E_FULL);
        struct pollfd item = {.fd = weft_pub_fd(pub), .events = POLLIN};
        poll(&item, 1, 100);
        assert_rc(weft_pub_step(pub), WEFT_OK);
        w.acked = weft_pub_acked(pub).value;
    }
    weft_buf_free(&data);
    kit_pub_end(&pub);
    return NULL;
}

/* ---- readers: bare requests, so that the next one is there before the last one is answered */

static void s_ask(void *dealer, uint64_t position, const char *filter) {
    weft_buf_t filters = {0}, body = {0};
    weft_text_t items[1] = {weft_text(filter)};
    weft_filters_encode(&filters, &(weft_filters_t){.count = 1, .items = items});
    weft_fetch_t fetch = {.id = 1,
                          .position = {.kind = WEFT_PLACE_NUMBER, .at.position.value = position},
                          .filters = {.data = filters.data, .size = filters.size},
                          .max_events = WEFT_PAGE_EVENTS_MAX,
                          .max_bytes = WEFT_PAGE_BYTES_MAX};
    weft_fetch_encode(&body, &fetch);
    assert_rc(weft_net_send(dealer, "FETCH", 5, body.data, body.size), WEFT_OK);
    weft_buf_free(&filters);
    weft_buf_free(&body);
}

/* Where to go on: from the page's end; or, at the head, from what is old and kept. */
static uint64_t s_after(const weft_page_t *page) {
    return page->next < page->head ? page->next : page->head - page->head / 8;
}

static void *s_page(void *arg) {
    const char *filter = *(unsigned *) arg % 4 == 3 ? ">" : s_type(0);
    void *dealer = weft_net_socket(w.bus.context, ZMQ_DEALER, 0);
    uint64_t at = 0;
    assert_int_equal(zmq_connect(dealer, w.bus.endpoint), 0);
    WAIT_UNTIL(zmq_poll(&(zmq_pollitem_t){.socket = dealer, .events = ZMQ_POLLOUT}, 1, 0) == 1,
               10000);
    for (unsigned i = 0; i < ASKED; i++) s_ask(dealer, at, filter);
    while (!w.stop) {
        zmq_msg_t frames[3];
        unsigned count;
        weft_page_t page;
        zmq_pollitem_t item = {.socket = dealer, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 100) < 1 || weft_net_recv(dealer, frames, 3, &count) != WEFT_OK)
            continue;
        if (count == 3) {
            assert_rc(weft_page_decode(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &page),
                      WEFT_OK);
            at = s_after(&page);
            w.pages++;
        } else { /* that much has been forgotten meanwhile */
            at += at / 16 + 1000;
        }
        weft_net_close_frames(frames, count, 3);
        s_ask(dealer, at, filter);
    }
    weft_net_close(&dealer);
    return NULL;
}

/* ---- the bound */

static uint64_t s_size(const char *name) {
    struct stat st = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/%s", w.bus.store, name);
    return stat(path, &st) == 0 ? (uint64_t) st.st_size : 0;
}

static uint64_t s_written(void) {
    return w.acked * DATA_BYTES;
}

/* The most that the WAL held. */
static uint64_t s_watch(int seconds) {
    int64_t now = kit_now_ms(), end = now + seconds * 1000, say = now;
    int64_t patience = end + (int64_t) PATIENCE_MS * kit_slow(); /* to put the bound to the test */
    uint64_t most = 0;
    for (; now < end || (now < patience && s_written() < WRITTEN_BYTES); now = kit_now_ms()) {
        uint64_t size = s_size("log.db-wal");
        if (size > most) most = size;
        if (size > WAL_BYTES_BOUND) break;
        if (now >= say) {
            printf("%5d s: WAL %4u MiB, at most %4u; log %5u MiB; acknowledged %llu, pages %llu\n",
                   (int) ((now - end) / 1000) + seconds, (unsigned) (size >> 20),
                   (unsigned) (most >> 20), (unsigned) (s_size("log.db") >> 20),
                   (unsigned long long) w.acked, (unsigned long long) w.pages);
            fflush(stdout);
            say = now + (seconds > 60 ? 30000 : 1000);
        }
        poll(NULL, 0, LOOK_MS);
    }
    return most;
}

static void the_wal_is_bounded_while_readers_page(void **state) {
    const char *text = getenv("WEFT_TEST_SECONDS");
    int seconds = text && *text ? atoi(text) : SECONDS;
    pthread_t publisher, readers[READERS];
    unsigned numbers[READERS];
    (void) state;
    kit_bus_init(&w.bus, "ipc");
    w.bus.keep.bytes = LOG_BYTES;
    kit_bus_start(&w.bus);
    assert_int_equal(pthread_create(&publisher, NULL, s_publish, NULL), 0);
    for (unsigned i = 0; i < READERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&readers[i], NULL, s_page, &numbers[i]), 0);
    }
    uint64_t most = s_watch(seconds);
    w.stop = true;
    pthread_join(publisher, NULL);
    for (unsigned i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    printf("WAL at most %u MiB; %u MiB of data, %llu pages\n", (unsigned) (most >> 20),
           (unsigned) (s_written() >> 20), (unsigned long long) w.pages);
    assert_true(most <= WAL_BYTES_BOUND);
    assert_true(s_written() > WRITTEN_BYTES);
    assert_true(s_size("log.db") <
                2 * LOG_BYTES); /* the bus looks each second, at some 100 MiB a second */
    assert_true(w.pages > 10);
    kit_bus_free(&w.bus);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_wal_is_bounded_while_readers_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
