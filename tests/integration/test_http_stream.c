/* http_stream: answers made piece by piece, for clients that read, dawdle, stall and leave. */
#include <kit.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_stream.h"

#define BIG_BYTES (4u << 20)
#define PIECE_BYTES 1000u

/* ---- a loop of descriptors and timers */

#define WATCHES_MAX 8

static struct {
    struct {
        int fd; /* -1: a timer */
        weft_fd_fn on_fd;
        weft_timer_fn on_timer;
        void *arg;
        int64_t due_ms;
    } watches[WATCHES_MAX];
} s_loop;

static int s_free_watch(void) {
    int i = 0;
    while (s_loop.watches[i].on_fd || s_loop.watches[i].on_timer) i++;
    assert_in_range(i, 0, WATCHES_MAX - 1);
    return i;
}

static weft_err_t s_loop_fd(void *loop, int fd, weft_fd_fn fn, void *arg) {
    (void) loop;
    int i = s_free_watch();
    s_loop.watches[i].fd = fd;
    s_loop.watches[i].on_fd = fn;
    s_loop.watches[i].arg = arg;
    return WEFT_OK;
}

static void s_loop_fd_end(void *loop, int fd) {
    (void) loop;
    for (int i = 0; i < WATCHES_MAX; i++)
        if (s_loop.watches[i].on_fd && s_loop.watches[i].fd == fd) s_loop.watches[i].on_fd = NULL;
}

static weft_err_t s_loop_timer(void *loop, unsigned delay_ms, weft_timer_fn fn, void *arg,
                               int *id) {
    (void) loop;
    *id = s_free_watch();
    s_loop.watches[*id].on_timer = fn;
    s_loop.watches[*id].arg = arg;
    s_loop.watches[*id].due_ms = kit_now_ms() + delay_ms;
    return WEFT_OK;
}

static void s_loop_timer_end(void *loop, int id) {
    (void) loop;
    s_loop.watches[id].on_timer = NULL;
}

static bool s_loop_turn(void) {
    for (int i = 0; i < WATCHES_MAX; i++) {
        struct pollfd item = {.fd = s_loop.watches[i].fd, .events = POLLIN};
        weft_timer_fn fn = s_loop.watches[i].on_timer;
        if (s_loop.watches[i].on_fd && poll(&item, 1, 0) > 0)
            s_loop.watches[i].on_fd(item.fd, POLLIN, s_loop.watches[i].arg);
        if (!fn || kit_now_ms() < s_loop.watches[i].due_ms) continue;
        s_loop.watches[i].on_timer = NULL;
        fn(s_loop.watches[i].arg);
    }
    return true;
}

/* ---- the server, and what its streams see */

static struct {
    http_server_t *http;
    http_stream_t *stream;
    http_stream_config_t config;
    http_request_t *held, *shared[2]; /* shared: answered together, by the turn */
    size_t shared_count, shared_wanted;
    int overs, turns;
    http_stream_over_t why;
    size_t produced, waiting_most;
} s_seen;

static void s_over(http_stream_t *stream, http_stream_over_t why, void *arg) {
    (void) arg;
    assert_ptr_equal(stream, s_seen.stream);
    s_seen.overs++;
    s_seen.why = why;
    s_seen.stream = NULL;
}

static void s_more(http_stream_t *stream, void *arg) {
    char piece[PIECE_BYTES];
    (void) arg;
    while (s_seen.produced < BIG_BYTES && http_stream_room(stream) >= sizeof piece) {
        for (size_t i = 0; i < sizeof piece; i++) piece[i] = (char) ('a' + s_seen.produced++ % 23);
        assert_true(http_stream_write(stream, piece, sizeof piece));
        if (http_stream_waiting(stream) > s_seen.waiting_most)
            s_seen.waiting_most = http_stream_waiting(stream);
    }
    if (s_seen.produced >= BIG_BYTES) http_stream_end(stream);
}

static void s_pieces(http_request_t *request, void *arg) {
    (void) arg;
    http_answer_header(request, "X-Place", "7");
    s_seen.stream = http_stream_begin(request, 200, &s_seen.config);
}

static void s_sse(http_request_t *request, void *arg) {
    (void) arg;
    s_seen.stream = http_sse_begin(request, &s_seen.config);
}

static void s_cancel(http_request_t *request, void *arg) {
    (void) request;
    (void) arg;
    s_seen.held = NULL;
}

static void s_later(http_request_t *request, void *arg) {
    s_seen.held = request;
    http_request_hold(request, s_cancel, arg);
}

static void s_any(http_request_t *request, void *arg) {
    size_t size;
    const char *body = http_request_body(request, &size);
    (void) arg;
    http_answer_json(request, 200, json_pack("{s:s%}", "body", body, size));
}

static void s_share(http_request_t *request, void *arg) {
    s_seen.shared[s_seen.shared_count++] = request;
    http_request_hold(request, s_cancel, arg);
}

static void s_on_turn(void *arg) {
    (void) arg;
    s_seen.turns++;
    if (!s_seen.shared_wanted || s_seen.shared_count < s_seen.shared_wanted) return;
    for (; s_seen.shared_count; s_seen.shared_count--)
        http_answer_data(s_seen.shared[s_seen.shared_count - 1], 200, "text/plain", "shared", 6);
}

static int s_begin(void **state) {
    static const http_route_t routes[] = {
        {"GET", "/pieces", HTTP_BODY_NONE, s_pieces, NULL},
        {"GET", "/sse", HTTP_BODY_NONE, s_sse, NULL},
        {"GET", "/later", HTTP_BODY_NONE, s_later, NULL},
        {"GET", "/share", HTTP_BODY_NONE, s_share, NULL},
        {"POST", "/any", HTTP_BODY_ANY, s_any, NULL},
    };
    const http_loop_t loop = {s_loop_fd, s_loop_fd_end, s_loop_timer, s_loop_timer_end, NULL};
    const http_limits_t limits = {.body_bytes_max = 100};
    (void) state;
    memset(&s_seen, 0, sizeof s_seen);
    memset(&s_loop, 0, sizeof s_loop);
    s_seen.config = (http_stream_config_t){.kind = "text/plain", .over = s_over};
    assert_int_equal(http_server_new_limits(&s_seen.http, &loop, "127.0.0.1:0", routes,
                                            sizeof routes / sizeof *routes, &limits),
                     WEFT_OK);
    http_server_on_turn(s_seen.http, s_on_turn, NULL);
    return 0;
}

static int s_end(void **state) {
    (void) state;
    http_server_destroy(&s_seen.http);
    return 0;
}

/* ---- a client */

static int s_ask(const char *text) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), bytes = 16 << 10;
    at.sin_port = htons((uint16_t) atoi(strrchr(http_server_address(s_seen.http), ':') + 1));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    assert_int_equal(connect(fd, (struct sockaddr *) &at, sizeof at), 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static int s_get(const char *path) {
    char text[200];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    return s_ask(text);
}

/* Add what has come. True if it holds what is wanted. */
static bool s_has(int fd, char *text, size_t room, const char *wanted) {
    size_t size = strlen(text);
    ssize_t got = recv(fd, text + size, room - 1 - size, 0);
    if (got > 0) text[size + (size_t) got] = 0;
    return strstr(text, wanted) != NULL;
}

static bool s_closed(int fd) {
    char text[4096];
    ssize_t got;
    do got = recv(fd, text, sizeof text, 0);
    while (got > 0);
    return got == 0 || errno == ECONNRESET;
}

/* ---- tests */

static void pieces_arrive_as_they_are_written(void **state) {
    char text[4096] = "";
    (void) state;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\n\r\n"), 5000);
    assert_non_null(strstr(text, "X-Place: 7"));
    assert_non_null(strstr(text, "Content-Type: text/plain"));
    assert_true(http_stream_write(s_seen.stream, "first", 5));
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\nfirst\r\n"), 5000);
    assert_int_equal(http_stream_waiting(s_seen.stream), 0);
    assert_true(http_stream_write(s_seen.stream, "second", 6));
    assert_true(http_stream_write(s_seen.stream, " and third", 10));
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "second and third\r\n"), 5000);
    assert_null(strstr(text, "\r\n0\r\n"));
    http_stream_end(s_seen.stream);
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\n0\r\n\r\n"), 5000);
    WAIT_UNTIL(s_loop_turn() && s_seen.overs == 1, 5000);
    assert_int_equal(s_seen.why, HTTP_STREAM_SENT);
    close(fd);
}

static void a_held_request_can_become_a_stream(void **state) {
    char text[4096] = "";
    (void) state;
    int fd = s_get("/later");
    WAIT_UNTIL(s_loop_turn() && s_seen.held, 5000);
    s_loop_turn();
    s_seen.stream = http_stream_begin(s_seen.held, 200, &s_seen.config);
    assert_non_null(s_seen.stream);
    assert_true(http_stream_write(s_seen.stream, "late", 4));
    http_stream_end(s_seen.stream);
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "late\r\n0\r\n\r\n"), 5000);
    close(fd);
}

static void s_share_on(int fd) {
    static const char ask[] = "GET /share HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(send(fd, ask, sizeof ask - 1, 0), sizeof ask - 1);
}

/* Held and answered within the turn, for the first after it: over and over on the same connections. */
static void a_turn_answers_what_it_has_gathered(void **state) {
    (void) state;
    s_seen.shared_wanted = 2;
    int first = s_get("/share"), second = -1;
    for (unsigned round = 0; round < 3; round++) {
        char one[4096] = "", two[4096] = "";
        WAIT_UNTIL(s_loop_turn() && s_seen.shared_count == 1, 5000);
        for (int i = 0; i < 20; i++) s_loop_turn(); /* nobody answers it alone */
        assert_false(s_has(first, one, sizeof one, "shared"));
        assert_int_equal(http_server_held(s_seen.http), 1);
        if (second < 0)
            second = s_get("/share");
        else
            s_share_on(second);
        WAIT_UNTIL(s_loop_turn() && s_has(second, two, sizeof two, "\r\n\r\nshared"), 5000);
        WAIT_UNTIL(s_loop_turn() && s_has(first, one, sizeof one, "\r\n\r\nshared"), 5000);
        assert_int_equal(http_server_held(s_seen.http), 0);
        if (round < 2) s_share_on(first);
    }
    close(first);
    close(second);
}

/* A client that leaves before the turn is no reason to answer nobody. */
static void a_turn_outlives_a_client(void **state) {
    char text[4096] = "";
    (void) state;
    int first = s_get("/share");
    WAIT_UNTIL(s_loop_turn() && s_seen.shared_count == 1, 5000);
    close(first);
    s_seen.shared_wanted = 2;
    int second = s_get("/share");
    WAIT_UNTIL(s_loop_turn() && s_has(second, text, sizeof text, "\r\n\r\nshared"), 5000);
    close(second);
}

static void a_slow_reader_slows_down_the_writer(void **state) {
    static char text[BIG_BYTES * 2];
    (void) state;
    s_seen.config.more = s_more;
    s_seen.config.waiting_max = 20000;
    int fd = s_ask("GET /pieces HTTP/1.0\r\n\r\n"); /* no chunks: the bytes alone */
    WAIT_UNTIL(s_loop_turn() && s_seen.stream, 5000);
    for (int i = 0; i < 100; i++) s_loop_turn();
    assert_in_range(s_seen.produced, 1, BIG_BYTES / 4); /* nobody reads: most is still unmade */
    size_t size = 0;
    ssize_t got;
    for (bool over = false; !over;) {
        s_loop_turn();
        while ((got = recv(fd, text + size, sizeof text - size, 0)) > 0) size += (size_t) got;
        over = got == 0;
    }
    text[size] = 0;
    const char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    assert_int_equal(size - (size_t) (body - text), s_seen.produced);
    for (size_t i = 0; i < s_seen.produced; i++) assert_int_equal(body[i], 'a' + i % 23);
    assert_in_range(s_seen.waiting_most, 1, 20000);
    assert_int_equal(s_seen.overs, 1);
    assert_int_equal(s_seen.why, HTTP_STREAM_SENT);
    close(fd);
}

static void what_does_not_fit_cuts_the_stream(void **state) {
    char piece[PIECE_BYTES];
    size_t taken = 0;
    (void) state;
    memset(piece, 'x', sizeof piece);
    s_seen.config.waiting_max = 50000;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_seen.stream, 5000);
    while (s_seen.stream && http_stream_write(s_seen.stream, piece, sizeof piece)) {
        taken += sizeof piece;
        assert_in_range(taken, 0, 2u << 20);
        s_loop_turn();
    }
    assert_int_equal(s_seen.overs, 0); /* never from within a call of the owner */
    assert_false(http_stream_write(s_seen.stream, piece, sizeof piece));
    WAIT_UNTIL(s_loop_turn() && s_seen.overs == 1, 5000);
    assert_int_equal(s_seen.why, HTTP_STREAM_SLOW);
    WAIT_UNTIL(s_closed(fd), 5000);
    close(fd);
}

static void exactly_the_bound_fits(void **state) {
    char piece[PIECE_BYTES];
    (void) state;
    memset(piece, 'x', sizeof piece);
    s_seen.config.waiting_max = 2 * PIECE_BYTES;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_seen.stream, 5000);
    assert_true(http_stream_write(s_seen.stream, piece, sizeof piece));
    assert_true(http_stream_write(s_seen.stream, piece, sizeof piece));
    assert_int_equal(http_stream_room(s_seen.stream), 0);
    assert_false(http_stream_write(s_seen.stream, piece, 1));
    close(fd);
}

static void a_client_that_takes_nothing_is_cut(void **state) {
    (void) state;
    s_seen.config.more = s_more;
    s_seen.config.stalled_s = 1;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_seen.overs == 1, 20000);
    assert_int_equal(s_seen.why, HTTP_STREAM_SLOW);
    assert_in_range(s_seen.produced, 1, BIG_BYTES / 2);
    close(fd);
}

static void a_client_that_has_left_is_told(void **state) {
    (void) state;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_seen.stream, 5000);
    close(fd);
    WAIT_UNTIL(s_loop_turn() && (!s_seen.stream || http_stream_write(s_seen.stream, "x", 1)) &&
                   s_seen.overs == 1,
               5000);
    assert_int_equal(s_seen.why, HTTP_STREAM_GONE);
}

static void a_cut_is_seen_as_one(void **state) {
    char text[4096] = "";
    (void) state;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\n\r\n"), 5000);
    http_stream_cut(s_seen.stream);
    WAIT_UNTIL(s_loop_turn() && s_seen.overs == 1, 5000);
    assert_int_equal(s_seen.why, HTTP_STREAM_CUT);
    WAIT_UNTIL(s_closed(fd), 5000);
    assert_null(strstr(text, "\r\n0\r\n"));
    close(fd);
}

static void a_stop_ends_streams(void **state) {
    (void) state;
    int fd = s_get("/pieces");
    WAIT_UNTIL(s_loop_turn() && s_seen.stream, 5000);
    http_server_stop(s_seen.http);
    assert_int_equal(s_seen.overs, 1);
    assert_int_equal(s_seen.why, HTTP_STREAM_STOP);
    WAIT_UNTIL(s_closed(fd), 5000);
    close(fd);
}

static void head_has_no_body(void **state) {
    char text[4096] = "";
    (void) state;
    s_seen.config.more = s_more;
    int fd = s_ask("HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_UNTIL(s_loop_turn() && s_seen.overs == 1, 5000);
    assert_int_equal(s_seen.why, HTTP_STREAM_SENT);
    WAIT_UNTIL(s_has(fd, text, sizeof text, "\r\n\r\n"), 5000);
    assert_int_equal(s_seen.produced, 0);
    close(fd);
}

static void events_have_their_form(void **state) {
    char text[4096] = "";
    (void) state;
    int fd = s_get("/sse");
    WAIT_UNTIL(s_loop_turn() && s_seen.stream, 5000);
    assert_true(http_sse_send(s_seen.stream, "12", "post.created", "{\"a\":1}"));
    assert_true(http_sse_send(s_seen.stream, NULL, NULL, "one\ntwo\r\nthree"));
    http_stream_end(s_seen.stream);
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\n0\r\n\r\n"), 5000);
    assert_non_null(strstr(text, "Content-Type: text/event-stream"));
    assert_non_null(strstr(text, "id: 12\nevent: post.created\ndata: {\"a\":1}\n\n"
                                 "data: one\ndata: two\ndata: three\n\n"));
    close(fd);
}

static void a_quiet_event_stream_gives_signs_of_life(void **state) {
    char text[4096] = "";
    (void) state;
    s_seen.config.beat_ms = 200;
    int fd = s_get("/sse");
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\n\r\n"), 5000);
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "\r\n:\n\n\r\n3\r\n:\n\n"), 10000);
    close(fd);
}

static void limits_of_a_server_are_its_own(void **state) {
    char text[4096] = "", ask[400], body[102];
    (void) state;
    memset(body, 'x', 101);
    body[101] = 0;
    snprintf(ask, sizeof ask, "POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n%.100s",
             body);
    int turns = s_seen.turns, fd = s_ask(ask);
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "{\"body\":\"xxx"), 5000);
    assert_true(s_seen.turns > turns);
    close(fd);
    snprintf(ask, sizeof ask, "POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n%s",
             body);
    fd = s_ask(ask);
    text[0] = 0;
    WAIT_UNTIL(s_loop_turn() && s_has(fd, text, sizeof text, "body is larger than 100 bytes"),
               5000);
    assert_non_null(strstr(text, " 413 "));
    close(fd);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, s_begin, s_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(pieces_arrive_as_they_are_written),
        TEST(a_held_request_can_become_a_stream),
        TEST(a_turn_answers_what_it_has_gathered),
        TEST(a_turn_outlives_a_client),
        TEST(a_slow_reader_slows_down_the_writer),
        TEST(what_does_not_fit_cuts_the_stream),
        TEST(exactly_the_bound_fits),
        TEST(a_client_that_takes_nothing_is_cut),
        TEST(a_client_that_has_left_is_told),
        TEST(a_cut_is_seen_as_one),
        TEST(a_stop_ends_streams),
        TEST(head_has_no_body),
        TEST(events_have_their_form),
        TEST(a_quiet_event_stream_gives_signs_of_life),
        TEST(limits_of_a_server_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
