/* What both bare ends say when the other side is not what it was: another log, an older copy, a fork,
 * another protocol, nonsense. The fake bus is a ROUTER in the test. */
#include "kit_bus.h"

#include <poll.h>
#include <zmq.h>

static kit_bus_t s_bus;

static int s_set_up(void **state) {
    (void) state;
    kit_bus_init(&s_bus, "ipc");
    return 0;
}

static int s_tear_down(void **state) {
    (void) state;
    kit_bus_free(&s_bus);
    return 0;
}

static weft_err_t s_sub_error(const weft_resume_t *resume) {
    kit_reader_t reader = {.sub = kit_sub(&s_bus, NULL, WEFT_START_RESUME, resume), .at = *resume};
    weft_err_t rc = kit_read_error(&reader);
    weft_sub_info_t info;
    weft_sub_info(reader.sub, &info);
    assert_rc(info.stopped, rc);
    kit_sub_end(&reader.sub);
    return rc;
}

/* Step a publisher until it stops. */
static weft_err_t s_pub_error(weft_pub_t *pub) {
    weft_err_t rc;
    WAIT_UNTIL((rc = weft_pub_step(pub)) != WEFT_OK, 20000);
    assert_rc(weft_pub_send(pub, "a.b", NULL, NULL, 0, NULL), rc);
    return rc;
}

static weft_resume_t s_read_all(uint64_t position) {
    kit_reader_t reader = {.sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL)};
    kit_read_to(&reader, position);
    kit_sub_end(&reader.sub);
    return reader.at;
}

static void s_fill(uint64_t count) {
    weft_pub_t *pub = kit_pub(&s_bus);
    kit_send(pub, "a.b", 0, count);
    kit_flush(pub);
    kit_pub_end(&pub);
}

/* ---- P6: places that the log does not know */

static void P6_a_place_of_another_log_is_refused(void **state) {
    (void) state;
    kit_bus_start(&s_bus);
    s_fill(20);
    weft_resume_t at = s_read_all(20);
    at.log.bytes[5] ^= 1;
    assert_rc(s_sub_error(&at), WEFT_E_OTHER_LOG);
}

static void P6_a_place_with_another_chain_is_refused(void **state) {
    (void) state;
    kit_bus_start(&s_bus);
    s_fill(20);
    weft_resume_t at = s_read_all(20);
    at.chain ^= 1;
    assert_rc(s_sub_error(&at), WEFT_E_FORKED);
}

static void P6_a_place_beyond_the_head_is_refused(void **state) {
    (void) state;
    kit_bus_start(&s_bus);
    s_fill(20);
    weft_resume_t at = s_read_all(20);
    at.position.value++;
    assert_rc(s_sub_error(&at), WEFT_E_LOG_BEHIND);
}

/* The store is an old copy: events that were read are gone, other ones lie in their place. */
static void P6_a_restored_log_is_noticed_by_reader_and_publisher(void **state) {
    (void) state;
    kit_bus_start(&s_bus);
    s_fill(10);
    kit_bus_stop(&s_bus);
    kit_bus_save(&s_bus, "copy-a");
    kit_bus_start(&s_bus);
    kit_reader_t reader = {.sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL)};
    weft_pub_t *pub = kit_pub(&s_bus), *idle = kit_pub(&s_bus);
    kit_send(pub, "a.b", 0, 9000); /* more than it keeps */
    kit_flush(pub);
    kit_read_to(&reader, 9010);
    kit_bus_stop(&s_bus);
    kit_bus_restore(&s_bus, "copy-a");
    kit_bus_start(&s_bus);
    assert_rc(kit_read_error(&reader), WEFT_E_LOG_BEHIND);
    kit_send(pub, "a.b", 9000, 1);
    assert_rc(s_pub_error(pub), WEFT_E_BUS_LOST);
    kit_send(idle, "a.b", 0, 1); /* whoever had nothing in it goes on */
    kit_flush(idle);
    s_fill(9010); /* the log is longer than it was, and forked */
    assert_rc(s_sub_error(&reader.at), WEFT_E_FORKED);
}

static void O3_what_a_restored_log_lost_is_sent_again_if_it_is_still_there(void **state) {
    (void) state;
    kit_bus_start(&s_bus);
    weft_pub_t *pub = kit_pub(&s_bus);
    kit_send(pub, "a.b", 0, 10);
    kit_flush(pub);
    kit_bus_stop(&s_bus);
    kit_bus_save(&s_bus, "copy-b");
    kit_bus_start(&s_bus);
    for (uint64_t n = 10; n < 20; n++) kit_send(pub, "a.b", n, 1);
    kit_flush(pub);
    kit_bus_stop(&s_bus);
    kit_bus_restore(&s_bus, "copy-b");
    kit_bus_start(&s_bus);
    kit_send(pub, "a.b", 20, 1); /* shows that something is amiss */
    kit_flush(pub);
    kit_reader_t reader = {.sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL),
                           .numbers = true};
    kit_read_to(&reader, 21);
    assert_int_equal(reader.events, 21);
}

static void P6_an_empty_store_in_the_place_of_the_old_one_is_another_log(void **state) {
    (void) state;
    kit_bus_start(&s_bus);
    weft_pub_t *pub = kit_pub(&s_bus);
    kit_send(pub, "a.b", 0, 5);
    kit_flush(pub);
    kit_reader_t reader = {.sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL)};
    kit_read_to(&reader, 5);
    kit_bus_stop(&s_bus);
    kit_bus_wipe(&s_bus);
    kit_bus_start(&s_bus);
    kit_send(pub, "a.b", 5, 1);
    assert_rc(kit_read_error(&reader), WEFT_E_OTHER_LOG);
    assert_rc(s_pub_error(pub), WEFT_E_OTHER_LOG);
}

/* ---- a fake bus */

typedef struct {
    void *router;
    uint8_t identity[64];
    size_t identity_size;
    uint64_t id; /* of the request in hand */
    char command[16];
    bool asks_origin; /* HELLO of a publisher */
} s_fake_t;

static s_fake_t s_fake;

static int s_fake_set_up(void **state) {
    (void) state;
    s_fake = (s_fake_t){0};
    kit_bus_init(&s_bus, "ipc");
    s_fake.router = zmq_socket(s_bus.context, ZMQ_ROUTER);
    assert_non_null(s_fake.router);
    assert_int_equal(zmq_bind(s_fake.router, s_bus.endpoint), 0);
    return 0;
}

static int s_fake_tear_down(void **state) {
    int none = 0;
    zmq_setsockopt(s_fake.router, ZMQ_LINGER, &none, sizeof none);
    zmq_close(s_fake.router);
    return s_tear_down(state);
}

/* Take a request, if there is one. */
static bool s_fake_take(void) {
    uint8_t body[2048];
    int n = zmq_recv(s_fake.router, s_fake.identity, sizeof s_fake.identity, ZMQ_DONTWAIT);
    if (n < 0) return false;
    s_fake.identity_size = (size_t) n;
    n = zmq_recv(s_fake.router, s_fake.command, sizeof s_fake.command - 1, 0);
    s_fake.command[n > 0 ? n : 0] = '\0';
    n = zmq_recv(s_fake.router, body, sizeof body, 0);
    weft_hello_t hello;
    weft_fetch_t fetch;
    weft_status_t status;
    static const weft_uuid_t none;
    if (strcmp(s_fake.command, "HELLO") == 0) {
        assert_rc(weft_hello_decode(body, (size_t) n, &hello), WEFT_OK);
        s_fake.id = hello.id;
        s_fake.asks_origin = memcmp(&hello.origin, &none, sizeof none) != 0;
    } else if (strcmp(s_fake.command, "FETCH") == 0) {
        assert_rc(weft_fetch_decode(body, (size_t) n, &fetch), WEFT_OK);
        s_fake.id = fetch.id;
    } else if (strcmp(s_fake.command, "STATUS") == 0) {
        assert_rc(weft_status_decode(body, (size_t) n, &status), WEFT_OK);
        s_fake.id = status.id;
    }
    return true;
}

static void s_fake_send(const char *command, const void *body, size_t size) {
    zmq_send(s_fake.router, s_fake.identity, s_fake.identity_size, ZMQ_SNDMORE);
    zmq_send(s_fake.router, command, strlen(command), ZMQ_SNDMORE);
    zmq_send(s_fake.router, body, size, 0);
}

typedef void (*s_answer_fn)(void);

static void s_of_version_2(const char *command) {
    weft_buf_t w = {0};
    weft_mp_put_map(&w, 3);
    weft_mp_put_text(&w, "id");
    weft_mp_put_uint(&w, s_fake.id);
    weft_mp_put_text(&w, "version");
    weft_mp_put_uint(&w, 2);
    weft_mp_put_text(&w, "new");
    weft_mp_put_map(&w, 0);
    s_fake_send(command, w.data, w.size);
    weft_buf_free(&w);
}

static void s_welcome_2(void) {
    s_of_version_2("WELCOME");
}
static void s_error_2(void) {
    s_of_version_2("ERROR");
}
static void s_nonsense(void) {
    s_fake_send("WELCOME", "\x80", 1);
}

static void s_welcome_with(const char *fanout, const char *ingest) {
    static const uint8_t empty_map[] = {0x80};
    weft_buf_t w = {0}, origin = {0};
    weft_origin_state_t none = {0};
    weft_origin_state_encode(&origin, &none);
    weft_welcome_t welcome = {.id = s_fake.id,
                              .version = WEFT_PROTOCOL_VERSION,
                              .boot = 1,
                              .log = {{1}},
                              .fanout = weft_text(fanout),
                              .ingest = weft_text(ingest),
                              .software = weft_text("fake"),
                              .accepting = true,
                              .reason = weft_text(""),
                              .limits = {.data = empty_map, .size = 1},
                              .origin = {.data = origin.data, .size = origin.size}};
    weft_welcome_encode(&w, &welcome);
    s_fake_send("WELCOME", w.data, w.size);
    weft_buf_free(&w);
    weft_buf_free(&origin);
}

static void s_no_endpoints(void) {
    s_welcome_with("", "nonsense");
}
static void s_not_there(void) {
    s_welcome_with("ipc:///nowhere/at/all.fan", "ipc:///nowhere/at/all.in");
}

static void s_error_code(weft_err_t code) {
    weft_buf_t w = {0};
    weft_error_t error = {.id = s_fake.id, .code = code, .text = weft_text("so"), .version = 1};
    weft_error_encode(&w, &error);
    s_fake_send("ERROR", w.data, w.size);
    weft_buf_free(&w);
}

static void s_busy(void) {
    s_error_code(WEFT_E_STORE);
}

/* Answer every request that way until the end has stopped, or has asked that often. */
static weft_err_t s_until_stopped(weft_pub_t *pub, weft_sub_t *sub, s_answer_fn answer,
                                  unsigned most) {
    weft_err_t rc = WEFT_OK;
    weft_batch_t batch;
    unsigned asked = 0;
    int64_t end_ms = kit_now_ms() + 20000 * kit_slow();
    while (kit_now_ms() < end_ms && asked < most) {
        rc = pub ? weft_pub_step(pub) : weft_sub_recv(sub, 0, &batch);
        if (rc != WEFT_OK && rc != WEFT_E_TIMEOUT) return rc;
        if (s_fake_take()) {
            answer();
            asked++;
        }
        kit_pause();
    }
    return WEFT_OK;
}

static void both_ends_stop_at(s_answer_fn answer, weft_err_t pub_rc, weft_err_t sub_rc) {
    weft_pub_t *pub = kit_pub(&s_bus);
    assert_rc(s_until_stopped(pub, NULL, answer, 5), pub_rc);
    kit_pub_end(&pub);
    weft_sub_t *sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL);
    assert_rc(s_until_stopped(NULL, sub, answer, 5), sub_rc);
    kit_sub_end(&sub);
}

static void a_welcome_of_another_version_stops_both_ends(void **state) {
    (void) state;
    both_ends_stop_at(s_welcome_2, WEFT_E_VERSION, WEFT_E_VERSION);
}

static void an_error_of_another_version_stops_both_ends(void **state) {
    (void) state;
    both_ends_stop_at(s_error_2, WEFT_E_VERSION, WEFT_E_VERSION);
}

static void a_malformed_welcome_stops_both_ends(void **state) {
    (void) state;
    both_ends_stop_at(s_nonsense, WEFT_E_PROTO, WEFT_E_PROTO);
}

static void a_welcome_with_endpoints_that_make_no_sense_stops_both_ends(void **state) {
    (void) state;
    both_ends_stop_at(s_no_endpoints, WEFT_E_PROTO, WEFT_E_PROTO);
}

static void a_bus_in_passing_trouble_is_asked_again(void **state) {
    (void) state;
    weft_pub_t *pub = kit_pub(&s_bus);
    assert_rc(s_until_stopped(pub, NULL, s_busy, 3), WEFT_OK);
    weft_sub_t *sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL);
    assert_rc(s_until_stopped(NULL, sub, s_busy, 2), WEFT_OK);
}

static void messages_that_are_no_answer_are_dropped(void **state) {
    (void) state;
    weft_batch_t batch;
    weft_sub_info_t info;
    weft_sub_t *sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL);
    WAIT_UNTIL((weft_sub_recv(sub, 0, &batch), s_fake_take()), 10000);
    s_fake_send("HELLO", "\x80", 1);
    s_fake_send("STATE", "\x80", 1);
    s_fake_send("WHAT", "\x80", 1);
    s_fake_send("PAGE", "\x80", 1); /* a frame is missing */
    s_fake_send("ERROR", "\x80", 1);
    zmq_send(s_fake.router, s_fake.identity, s_fake.identity_size, ZMQ_SNDMORE);
    zmq_send(s_fake.router, "alone", 5, 0);
    zmq_send(s_fake.router, s_fake.identity, s_fake.identity_size, ZMQ_SNDMORE);
    zmq_send(s_fake.router, "PAGE", 4, ZMQ_SNDMORE);
    zmq_send(s_fake.router, "\x80", 1, ZMQ_SNDMORE);
    zmq_send(s_fake.router, "", 0, ZMQ_SNDMORE);
    zmq_send(s_fake.router, "one too many", 12, 0);
    WAIT_UNTIL((weft_sub_recv(sub, 0, &batch), weft_sub_info(sub, &info), info.dropped == 7),
               10000);
    weft_pub_t *pub = kit_pub(&s_bus);
    WAIT_UNTIL((weft_pub_step(pub), s_fake_take() && s_fake.asks_origin), 10000);
    s_fake_send("WHAT", "\x80", 1);
    s_fake_send("PAGE", "\x80", 1);
    s_fake_send("ERROR", "\x80", 1);
    s_fake_send("ERROR", "\xc0", 1);
    s_welcome_2(); /* the marker: what came before it has been seen */
    assert_rc(s_pub_error(pub), WEFT_E_VERSION);
}

/* S3, and what goes with it: nobody speaks on fan-out, so the socket is made anew. */
static void a_fanout_that_is_not_there_is_looked_for_again(void **state) {
    (void) state;
    weft_sub_t *sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL);
    assert_rc(s_until_stopped(NULL, sub, s_not_there, 2), WEFT_OK);
    weft_pub_t *pub = kit_pub(&s_bus);
    kit_send(pub, "a.b", 1, 1);
    assert_rc(s_until_stopped(pub, NULL, s_not_there, 2), WEFT_OK);
}

static void live_messages_that_make_no_sense_are_counted(void **state) {
    (void) state;
    char fan[300], in[300];
    weft_batch_t batch;
    weft_sub_info_t info;
    void *pub = zmq_socket(s_bus.context, ZMQ_XPUB);
    snprintf(fan, sizeof fan, "%s.fan", s_bus.endpoint);
    snprintf(in, sizeof in, "%s.in", s_bus.endpoint);
    assert_int_equal(zmq_bind(pub, fan), 0);
    weft_sub_t *sub = kit_sub(&s_bus, NULL, WEFT_START_BEGINNING, NULL);
    WAIT_UNTIL((weft_sub_recv(sub, 0, &batch), s_fake_take()), 10000);
    s_welcome_with(fan, in);
    char frame[16];
    unsigned subscriptions = 0; /* "$commit" and everything */
    WAIT_UNTIL((weft_sub_recv(sub, 0, &batch),
                subscriptions += zmq_recv(pub, frame, sizeof frame, ZMQ_DONTWAIT) > 0,
                subscriptions == 2),
               10000);
    zmq_send(pub, "alone", 5, 0);
    zmq_send(pub, "$commit", 7, ZMQ_SNDMORE), zmq_send(pub, "\x80", 1, 0);
    zmq_send(pub, "a.b", 3, ZMQ_SNDMORE), zmq_send(pub, "\xc1", 1, 0);
    zmq_send(pub, "a..b", 4, ZMQ_SNDMORE), zmq_send(pub, "", 0, 0);
    zmq_send(pub, "", 0, ZMQ_SNDMORE), zmq_send(pub, "", 0, 0);
    zmq_send(pub, "$ack/x", 6, ZMQ_SNDMORE), zmq_send(pub, "", 0, 0); /* not for it */
    zmq_send(pub, "a.b", 3, ZMQ_SNDMORE), zmq_send(pub, "", 0, ZMQ_SNDMORE),
        zmq_send(pub, "", 0, 0);
    WAIT_UNTIL((weft_sub_recv(sub, 0, &batch), weft_sub_info(sub, &info), info.dropped == 5),
               10000);
    assert_rc(info.stopped, WEFT_OK);
    int none = 0;
    zmq_setsockopt(pub, ZMQ_LINGER, &none, sizeof none);
    zmq_close(pub);
}

/* ---- arguments */

static void arguments_are_checked(void **state) {
    (void) state;
    weft_pub_t *pub = NULL;
    weft_sub_t *sub = NULL;
    weft_pub_config_t p;
    weft_sub_config_t s;
    char text[1100];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    static const char *const endpoints[] = {"",
                                            "tcp://",
                                            "tcp://x",
                                            "http://x:1",
                                            "ipc://",
                                            "inproc://",
                                            "tcp://127.0.0.1:65534",
                                            "tcp://127.0.0.1:-1"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        weft_pub_config_init(&p);
        weft_sub_config_init(&s);
        p.bus = s.bus = endpoints[i];
        assert_rc(weft_pub_new(&pub, &p), WEFT_E_ARG);
        assert_rc(weft_sub_new(&sub, &s), WEFT_E_ARG);
    }
    weft_pub_config_init(&p);
    p.bus = NULL;
    assert_rc(weft_pub_new(&pub, &p), WEFT_E_ARG);
    p.bus = s_bus.endpoint;
    p.source = "";
    assert_rc(weft_pub_new(&pub, &p), WEFT_E_ARG);
    p.source = NULL;
    assert_rc(weft_pub_new(&pub, &p), WEFT_E_ARG);
    p.source = "a\nb";
    assert_rc(weft_pub_new(&pub, &p), WEFT_E_ARG);
    p.source = text + sizeof text - 1 - 256;
    assert_rc(weft_pub_new(&pub, &p), WEFT_E_ARG);
    p.source = text + sizeof text - 1 - 255;
    assert_rc(weft_pub_new(&pub, &p), WEFT_OK);
    weft_pub_destroy(&pub);
    weft_pub_destroy(&pub);

    weft_sub_config_init(&s);
    s.name = text; /* 1099 bytes */
    assert_rc(weft_sub_new(&sub, &s), WEFT_E_ARG);
    s.name = "ok";
    s.filters = (const char *const[]){"a..b"};
    s.filters_count = 1;
    assert_rc(weft_sub_new(&sub, &s), WEFT_E_BAD_FILTER);
    static const char *many[257];
    for (size_t i = 0; i < 257; i++) many[i] = "a.b";
    s.filters = many;
    s.filters_count = 257;
    assert_rc(weft_sub_new(&sub, &s), WEFT_E_TOO_BIG);
    s.filters_count = 256;
    assert_rc(weft_sub_new(&sub, &s), WEFT_OK);
    weft_sub_destroy(&sub);
    weft_sub_destroy(&sub);
    assert_null(pub);
    assert_null(sub);
}

static void what_is_no_event_cannot_be_sent(void **state) {
    (void) state;
    static uint8_t big[262144] = {0xc6, 0, 3, 0xff, 0xfb};
    weft_sequence_t sequence = {7};
    weft_pub_t *pub = kit_pub(&s_bus);
    assert_rc(weft_pub_send(pub, "a..b", NULL, NULL, 0, &sequence), WEFT_E_BAD_TYPE);
    assert_rc(weft_pub_send(pub, "$commit", NULL, NULL, 0, &sequence), WEFT_E_BAD_TYPE);
    assert_rc(weft_pub_send(pub, "a", "a\nb", NULL, 0, &sequence), WEFT_E_BAD_EVENT);
    assert_rc(weft_pub_send(pub, "a", NULL, "\x01\x02", 2, &sequence), WEFT_E_BAD_EVENT);
    assert_rc(weft_pub_send(pub, "a", NULL, "\xa5", 1, &sequence), WEFT_E_BAD_EVENT);
    assert_rc(weft_pub_send(pub, "a", NULL, big, sizeof big, &sequence), WEFT_E_TOO_BIG);
    assert_int_equal(sequence.value, 7);
    assert_rc(weft_pub_flush(pub, 0), WEFT_OK); /* nothing was queued */
    assert_rc(weft_pub_send(pub, "a", NULL, NULL, 0, &sequence), WEFT_OK);
    assert_int_equal(sequence.value, 1);
}

static void filters_at_the_limit_reach_the_bus(void **state) {
    (void) state;
    static char names[256][16];
    static const char *filters[256];
    weft_sub_t *sub = NULL;
    weft_sub_config_t config;
    for (unsigned i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "t%u.x", i);
        filters[i] = names[i];
    }
    kit_bus_start(&s_bus);
    weft_sub_config_init(&config);
    config.bus = s_bus.endpoint;
    config.filters = filters;
    config.filters_count = 256;
    assert_rc(weft_sub_new(&sub, &config), WEFT_OK);
    weft_batch_t batch;
    weft_sub_info_t info;
    WAIT_UNTIL((weft_sub_recv(sub, 0, &batch), weft_sub_info(sub, &info), info.live), 10000);
    weft_pub_t *pub = kit_pub(&s_bus);
    kit_send(pub, "t0.x", 1, 1); /* the last and the first of 256 */
    kit_send(pub, "t255.x", 2, 1);
    kit_send(pub, "t256.x", 3, 1);
    kit_flush(pub);
    uint64_t seen = 0;
    while (seen < 2) {
        assert_rc(weft_sub_recv(sub, 20000 * kit_slow(), &batch), WEFT_OK);
        seen += batch.count;
    }
    assert_int_equal(seen, 2);
    /* F4: a lost subscription would show as a gap each time, and nothing would ever come live */
    uint64_t more = 4;
    WAIT_UNTIL((kit_send(pub, "t255.x", more++, 1), weft_sub_recv(sub, 0, &batch),
                weft_sub_info(sub, &info), info.from_live > 0),
               10000);
    weft_sub_destroy(&sub);
}

/* ---- status */

static void a_bus_tells_how_it_is(void **state) {
    (void) state;
    char *json = NULL;
    assert_rc(weft_bus_status(s_bus.endpoint, 50, &json), WEFT_E_UNREACHABLE);
    assert_rc(weft_bus_status("nonsense", 50, &json), WEFT_E_ARG);
    kit_bus_start(&s_bus);
    s_fill(3);
    assert_rc(weft_bus_status(s_bus.endpoint, 20000 * kit_slow(), &json), WEFT_OK);
    static const char *const parts[] = {"\"head\":3", "\"accepting\":true", "\"stored\":3",
                                        "\"services\":[]", "\"software\":\"weft-bus "};
    for (size_t i = 0; i < 5; i++)
        if (!strstr(json, parts[i])) fail_msg("%s is not in %s", parts[i], json);
    free(json);
}

static void *s_fake_status(void *arg) {
    s_answer_fn answer = *(s_answer_fn *) arg;
    for (;;) {
        if (s_fake_take()) {
            answer();
            return NULL;
        }
        kit_pause();
    }
}

static void s_wrong_state(void) {
    s_fake_send("STATE", "\x80", 1);
}
static void s_wrong_reply(void) {
    s_fake_send("WELCOME", "\x80", 1);
}
static void s_no_version(void) {
    s_of_version_2("ERROR");
}

static void s_state_with(uint64_t id, weft_bytes_t services) {
    static const uint8_t empty_map[] = {0x80};
    weft_buf_t w = {0};
    weft_state_t state = {.id = id,
                          .software = weft_text("x"),
                          .fanout = weft_text("x"),
                          .ingest = weft_text("x"),
                          .reason = weft_text(""),
                          .counters = {.data = empty_map, .size = 1},
                          .services = services};
    weft_state_encode(&w, &state);
    s_fake_send("STATE", w.data, w.size);
    weft_buf_free(&w);
}

static void s_other_id(void) {
    s_state_with(s_fake.id + 1, (weft_bytes_t){(const uint8_t *) "\x90", 1});
}
static void s_bad_services(void) {
    s_state_with(s_fake.id, (weft_bytes_t){(const uint8_t *) "\x91\x80", 2});
}
static void s_no_services(void) {
    s_state_with(s_fake.id, (weft_bytes_t){(const uint8_t *) "\xc0", 1});
}

static void an_answer_that_is_no_status_is_told(void **state) {
    (void) state;
    static const struct {
        s_answer_fn answer;
        weft_err_t wanted;
    } cases[] = {{s_wrong_state, WEFT_E_PROTO},  {s_wrong_reply, WEFT_E_PROTO},
                 {s_no_version, WEFT_E_VERSION}, {s_other_id, WEFT_E_PROTO},
                 {s_bad_services, WEFT_E_PROTO}, {s_no_services, WEFT_E_PROTO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *json = NULL;
        pthread_t thread;
        assert_int_equal(
            pthread_create(&thread, NULL, s_fake_status, (void *) (uintptr_t) &cases[i].answer), 0);
        weft_err_t rc = weft_bus_status(s_bus.endpoint, 20000 * kit_slow(), &json);
        pthread_join(thread, NULL);
        assert_rc(rc, cases[i].wanted);
        assert_null(json);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_set_up, s_tear_down)
#define FAKE(name) cmocka_unit_test_setup_teardown(name, s_fake_set_up, s_fake_tear_down)

int main(void) {
    setenv("WEFT_DIAG", "off", 0); /* refusals are what this is about */
    const struct CMUnitTest tests[] = {
        TEST(P6_a_place_of_another_log_is_refused),
        TEST(P6_a_place_with_another_chain_is_refused),
        TEST(P6_a_place_beyond_the_head_is_refused),
        TEST(P6_a_restored_log_is_noticed_by_reader_and_publisher),
        TEST(O3_what_a_restored_log_lost_is_sent_again_if_it_is_still_there),
        TEST(P6_an_empty_store_in_the_place_of_the_old_one_is_another_log),
        FAKE(a_welcome_of_another_version_stops_both_ends),
        FAKE(an_error_of_another_version_stops_both_ends),
        FAKE(a_malformed_welcome_stops_both_ends),
        FAKE(a_welcome_with_endpoints_that_make_no_sense_stops_both_ends),
        FAKE(a_bus_in_passing_trouble_is_asked_again),
        FAKE(messages_that_are_no_answer_are_dropped),
        FAKE(a_fanout_that_is_not_there_is_looked_for_again),
        FAKE(live_messages_that_make_no_sense_are_counted),
        TEST(arguments_are_checked),
        TEST(what_is_no_event_cannot_be_sent),
        TEST(filters_at_the_limit_reach_the_bus),
        TEST(a_bus_tells_how_it_is),
        FAKE(an_answer_that_is_no_status_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
