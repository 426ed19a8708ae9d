/* fuzz_bus: a live bus in a thread, over real sockets. An input is a row of messages to control, ingest
 * and fan-out, of any number of frames. After each input a HELLO and an event, sent on the same sockets,
 * must be answered: so all before them was worked off and the bus still serves. At the end the bus must
 * have counted every message that ingest was sent, and stop cleanly. */
#include "fuzz.h"

#include "weft_bus.h"
#include "weft_control.h"
#include "weft_limits.h"
#include "weft_net.h"
#include "weft_record.h"
#include "weft_wire_event.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGES_MAX 64u /* of one input; well below any HWM */
#define WAIT_MS 20000
#define BIG_BYTES (300u << 10)

typedef struct {
    char dir[64];
    void *context;
    weft_bus_t *bus;
    pthread_t thread;
    void *control, *ingest, *fanout; /* DEALER, XPUB, XSUB: what the input is sent on */
    void *acks;                      /* SUB: of the marker events */
    weft_buf_t frame;
    uint64_t id, marker_seq;
    uint64_t seqs[4]; /* of events of four origins */
    uint64_t messages, to_ingest;
    weft_buf_t topics; /* subscribed by this input: size byte, bytes */
} s_world_t;

static s_world_t w;
static const uint8_t s_marker_origin[16] = {0x5a, 0x17, 0x99, 0x03, 0xee, 0x41, 0x0c, 0x7d,
                                            0x5a, 0x17, 0x99, 0x03, 0xee, 0x41, 0x0c, 0x7e};

static void *s_thread(void *arg) {
    WEFT_ASSERT(weft_bus_run(arg) == WEFT_OK);
    return NULL;
}

static void *s_socket(int type, const char *endpoint) {
    int wait_ms = WAIT_MS;
    void *socket = weft_net_socket(w.context, type, 1000);
    WEFT_ASSERT(socket && zmq_connect(socket, endpoint) == 0);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms);
    return socket;
}

/* libFuzzer's timer interrupts whatever waits. */
static int s_recv(void *socket, void *to, size_t size) {
    int got;
    do {
        got = zmq_recv(socket, to, size, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

static void s_send(void *socket, const void *bytes, size_t size, int flags) {
    int sent;
    do {
        sent = zmq_send(socket, bytes, size, flags);
    } while (sent < 0 && errno == EINTR);
    WEFT_ASSERT(sent == (int) size);
}

static void s_marker_event(weft_buf_t *out) {
    weft_wire_event_t event = {.origin = s_marker_origin,
                               .source_seq = ++w.marker_seq,
                               .source = "fuzz",
                               .source_size = 4,
                               .data = (const uint8_t *) "\xc0",
                               .data_size = 1};
    weft_buf_clear(out);
    weft_wire_event_put(out, &event);
}

static void s_sync_ingest(void) {
    weft_ack_t ack = {0};
    uint8_t bytes[256];
    s_marker_event(&w.frame);
    s_send(w.ingest, "marker", 6, ZMQ_SNDMORE);
    s_send(w.ingest, w.frame.data, w.frame.size, 0);
    w.to_ingest++;
    while (ack.source_seq < w.marker_seq) {
        WEFT_ASSERT(s_recv(w.acks, bytes, sizeof bytes) == (int) WEFT_TOPIC_ACK_BYTES);
        int size = s_recv(w.acks, bytes, sizeof bytes);
        WEFT_ASSERT(size > 0 && weft_ack_decode(bytes, (size_t) size, &ack) == WEFT_OK);
    }
}

/* The reply to the request with that id; others on the way are dropped. */
static zmq_msg_t s_reply(const char *wanted, uint64_t id) {
    for (;;) {
        zmq_msg_t frames[3];
        unsigned count;
        weft_welcome_t welcome;
        weft_state_t state;
        zmq_pollitem_t item = {.socket = w.control, .events = ZMQ_POLLIN};
        int ready = zmq_poll(&item, 1, WAIT_MS);
        WEFT_ASSERT(ready == 1 || (ready < 0 && errno == EINTR));
        if (weft_net_recv(w.control, frames, 3, &count) != WEFT_OK) continue;
        WEFT_ASSERT(count == 2 || count == 3);
        const void *body = zmq_msg_data(&frames[1]);
        size_t size = zmq_msg_size(&frames[1]);
        bool named = fuzz_same(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]), wanted,
                               strlen(wanted));
        if (named && *wanted == 'W')
            named = weft_welcome_decode(body, size, &welcome) == WEFT_OK && welcome.id == id;
        else if (named)
            named = weft_state_decode(body, size, &state) == WEFT_OK && state.id == id;
        zmq_msg_t kept;
        zmq_msg_init(&kept);
        if (named) zmq_msg_move(&kept, &frames[1]);
        weft_net_close_frames(frames, count, 3);
        if (named) return kept;
        zmq_msg_close(&kept);
    }
}

static void s_request(const char *name) {
    s_send(w.control, name, strlen(name), ZMQ_SNDMORE);
    s_send(w.control, w.frame.data, w.frame.size, 0);
}

static void s_sync_control(void) {
    weft_hello_t hello = {.id = w.id += 0x9e3779b97f4a7c15u,
                          .version = WEFT_PROTOCOL_VERSION,
                          .name = weft_text("fuzz")};
    weft_buf_clear(&w.frame);
    weft_hello_encode(&w.frame, &hello);
    s_request("HELLO");
    zmq_msg_t body = s_reply("WELCOME", hello.id);
    zmq_msg_close(&body);
}

static uint64_t s_counter(weft_bytes_t counters, const char *name) {
    weft_mp_t r = weft_mp_reader(counters.data, counters.size);
    uint32_t count;
    WEFT_ASSERT(weft_mp_map(&r, &count));
    while (count--) {
        const char *key;
        size_t size;
        uint64_t value;
        WEFT_ASSERT(weft_mp_str(&r, &key, &size) && weft_mp_uint(&r, &value));
        if (fuzz_same(key, size, name, strlen(name))) return value;
    }
    abort();
}

/* Every message that ingest was sent is in the books. */
static void s_check_books(void) {
    weft_status_t status = {.id = ++w.id};
    weft_state_t state;
    weft_buf_clear(&w.frame);
    weft_status_encode(&w.frame, &status);
    s_request("STATUS");
    zmq_msg_t body = s_reply("STATE", status.id);
    WEFT_ASSERT(weft_state_decode(zmq_msg_data(&body), zmq_msg_size(&body), &state) == WEFT_OK);
    WEFT_ASSERT(s_counter(state.counters, "taken") >= w.to_ingest);
    fprintf(stderr, "fuzz_bus: %llu messages sent, %llu items taken, %llu events stored\n",
            (unsigned long long) w.messages,
            (unsigned long long) s_counter(state.counters, "taken"),
            (unsigned long long) s_counter(state.counters, "stored"));
    zmq_msg_close(&body);
}

static void s_close(void) {
    char path[128];
    s_check_books();
    weft_bus_stop(w.bus);
    pthread_join(w.thread, NULL);
    weft_bus_destroy(&w.bus);
    weft_net_close(&w.control);
    weft_net_close(&w.ingest);
    weft_net_close(&w.fanout);
    weft_net_close(&w.acks);
    zmq_ctx_term(w.context);
    weft_buf_free(&w.frame);
    weft_buf_free(&w.topics);
    static const char *const names[] = {"log.db", "log.db-wal", "log.db-shm", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", w.dir, names[i]);
        unlink(path);
    }
    rmdir(w.dir);
}

static void s_open(void) {
    char reason[1024], topic[WEFT_TOPIC_ACK_BYTES + 1];
    uint8_t subscribed;
    weft_bus_config_t config;
    snprintf(w.dir, sizeof w.dir, "/tmp/weft-fuzz.XXXXXX");
    WEFT_ASSERT(mkdtemp(w.dir));
    w.context = zmq_ctx_new();
    weft_bus_config_init(&config);
    config.endpoint = "inproc://fuzz";
    config.store = w.dir;
    config.full = false;
    config.zmq_context = w.context;
    WEFT_ASSERT(weft_bus_new(&w.bus, &config, reason, sizeof reason) == WEFT_OK);
    WEFT_ASSERT(pthread_create(&w.thread, NULL, s_thread, w.bus) == 0);
    w.control = s_socket(ZMQ_DEALER, weft_bus_control(w.bus));
    w.ingest = s_socket(ZMQ_XPUB, weft_bus_ingest(w.bus));
    w.fanout = s_socket(ZMQ_XSUB, weft_bus_fanout(w.bus));
    w.acks = s_socket(ZMQ_SUB, weft_bus_fanout(w.bus));
    weft_ack_topic(topic, s_marker_origin);
    WEFT_ASSERT(zmq_setsockopt(w.acks, ZMQ_SUBSCRIBE, topic, WEFT_TOPIC_ACK_BYTES) == 0);
    WEFT_ASSERT(s_recv(w.ingest, &subscribed, 1) == 1); /* I1: the bus listens */
    /* An acknowledgement may be lost until the subscription has reached the bus: ask again till then. */
    int brief_ms = 100, wait_ms = WAIT_MS;
    uint8_t bytes[256];
    zmq_setsockopt(w.acks, ZMQ_RCVTIMEO, &brief_ms, sizeof brief_ms);
    s_marker_event(&w.frame);
    do {
        s_send(w.ingest, "marker", 6, ZMQ_SNDMORE);
        s_send(w.ingest, w.frame.data, w.frame.size, 0);
    } while (s_recv(w.acks, bytes, sizeof bytes) < 0);
    WEFT_ASSERT(s_recv(w.acks, bytes, sizeof bytes) > 0);
    zmq_setsockopt(w.acks, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    atexit(s_close);
}

/* ---- one message */

static void s_put_event(fuzz_t *in) {
    uint8_t origin[16] = {0}, how = fuzz_byte(in);
    uint64_t *last = &w.seqs[how % 4];
    uint64_t seq = how & 0x10 ? fuzz_byte(in) : how & 0x20 ? fuzz_u64(in) >> 1 : *last + 1;
    static uint8_t data[BIG_BYTES] = {0xc6};
    size_t size = how & 0x40 ? (size_t) fuzz_byte(in) << 10 : fuzz_byte(in);
    origin[0] = (uint8_t) (how % 4 + 1);
    data[2] = (uint8_t) (size >> 16);
    data[3] = (uint8_t) (size >> 8);
    data[4] = (uint8_t) size;
    weft_wire_event_t event = {.origin = origin,
                               .source_seq = seq,
                               .source = "x",
                               .source_size = 1,
                               .data = data,
                               .data_size = 5 + size};
    if (seq == *last + 1) *last = seq; /* if it is taken; else a gap, which is fine, too */
    weft_wire_event_put(&w.frame, &event);
}

static void s_put_body(fuzz_t *in) {
    weft_uuid_t origin = {{1}};
    weft_hello_t hello = {.id = fuzz_byte(in), .version = 1, .name = weft_text("x")};
    weft_fetch_t fetch = {.id = fuzz_byte(in), .max_events = fuzz_byte(in)};
    static const char *const filters[] = {"\x91\xa1>", "\x92\xa1*\xa3\x61.*", "\x91\xa6marker",
                                          "\x90"};
    uint8_t how = fuzz_byte(in);
    fetch.position.kind = how & 4 ? WEFT_PLACE_NUMBER : WEFT_PLACE_CHECKED;
    fetch.position.at.position.value = how & 8 ? fuzz_byte(in) : w.marker_seq;
    fetch.position.at.log = *weft_bus_log(w.bus);
    fetch.filters.data = (const uint8_t *) filters[how >> 6];
    fetch.filters.size = strlen(filters[how >> 6]);
    fetch.max_bytes = (uint64_t) fuzz_byte(in) << 8;
    hello.origin = origin;
    hello.position = fetch.position;
    if (how & 1)
        weft_hello_encode(&w.frame, &hello);
    else
        weft_fetch_encode(&w.frame, &fetch);
}

/* The next frame, in w.frame. */
static void s_frame(fuzz_t *in) {
    static const char *const texts[] = {
        "HELLO",   "FETCH",    "STATUS", "REPORT", "PAGE",    "",       "a",     "a.b.c",
        "$commit", "bad type", "ERROR",  "STATE",  "WELCOME", "marker", "$ack/", "\xff"};
    uint8_t how = fuzz_byte(in);
    size_t size;
    const uint8_t *bytes;
    weft_buf_clear(&w.frame);
    switch (how % 8) {
    case 0:
    case 1: weft_buf_append(&w.frame, texts[how / 8 % 16], strlen(texts[how / 8 % 16])); break;
    case 2:
        for (unsigned i = 0; i <= how / 8u; i++) s_put_event(in);
        break;
    case 3: s_put_body(in); break;
    case 4:
        weft_buf_append(&w.frame, in->at, fuzz_left(in)); /* the rest */
        in->at = in->end;
        break;
    case 5:
        size = (size_t) fuzz_byte(in) << (how >= 0xe0 ? 12 : how >> 4 & 7);
        if (weft_buf_reserve(&w.frame, size)) memset(w.frame.data, how, size);
        w.frame.size = size;
        break;
    default:
        bytes = fuzz_bytes(in, &size);
        weft_buf_append(&w.frame, bytes, size);
        break;
    }
    WEFT_ASSERT(weft_buf_ok(&w.frame));
}

static void s_subscribe(fuzz_t *in) {
    s_frame(in);
    if (w.frame.size > 255) w.frame.size = 255;
    s_send(w.fanout, w.frame.data, w.frame.size, 0);
    if (!w.frame.size || w.frame.data[0] != 1) return;
    uint8_t length = (uint8_t) w.frame.size;
    weft_buf_append(&w.topics, &length, 1);
    weft_buf_append(&w.topics, w.frame.data, w.frame.size);
}

static void s_message(fuzz_t *in) {
    uint8_t where = fuzz_byte(in);
    w.messages++;
    if (where % 8 == 7) {
        s_subscribe(in);
        return;
    }
    bool ingest = where & 1;
    void *socket = ingest ? w.ingest : w.control;
    unsigned count = where & 8 ? 1 + fuzz_below(in, 5) : 2; /* most have as many as they should */
    if (ingest) w.to_ingest++;
    for (unsigned i = 0; i < count; i++) {
        s_frame(in);
        int more = i + 1 < count ? ZMQ_SNDMORE : 0;
        s_send(socket, w.frame.data, w.frame.size, more);
    }
}

static void s_unsubscribe_all(void) {
    for (size_t at = 0; at < w.topics.size; at += 1u + w.topics.data[at]) {
        w.topics.data[at + 1] = 0;
        s_send(w.fanout, w.topics.data + at + 1, w.topics.data[at], 0);
    }
    weft_buf_clear(&w.topics);
    weft_net_readable(w.fanout);
    zmq_msg_t frame;
    unsigned got;
    while (weft_net_recv(w.fanout, &frame, 1, &got) == WEFT_OK)
        weft_net_close_frames(&frame, got, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_t in = fuzz_input(data, size);
    if (!w.context) s_open();
    for (unsigned i = 0; i < MESSAGES_MAX && fuzz_left(&in); i++) s_message(&in);
    s_sync_ingest();
    s_sync_control();
    s_unsubscribe_all();
    return 0;
}
