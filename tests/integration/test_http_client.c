/* http_client against a server whose paths answer well, slowly, never, by halves or not in HTTP. */
#include <kit.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_client.h"

/* ---- the server: a thread for each connection */

static struct {
    int fd;
    uint16_t port;
    atomic_int connections, requests, goes_on, leaves;
} s_server;

static void s_say(int fd, const char *text) {
    (void) !send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void s_ok(int fd, const char *body) {
    char text[20000];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Kind: a\r\nX-Kind: b\r\n\r\n%s",
             strlen(body), body);
    s_say(fd, text);
}

/* Read one request with its body. False: the peer has gone. */
static bool s_request(int fd, char *text, size_t room) {
    size_t size = 0, wanted = room;
    while (size < wanted && size < room - 1) {
        ssize_t got = recv(fd, text + size, room - 1 - size, 0);
        if (got <= 0) return false;
        size += (size_t) got;
        text[size] = 0;
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && wanted == room)
            wanted = (size_t) (end - text) + 4 +
                     (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
    }
    atomic_fetch_add(&s_server.requests, 1);
    return true;
}

static void s_reset(int fd) {
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* False: close the connection. */
static bool s_answer(int fd, const char *text) {
    char path[64] = "";
    sscanf(text, "%*s %63s", path);
    if (strcmp(path, "/echo") == 0) {
        s_ok(fd, text);
    } else if (strcmp(path, "/chunks") == 0) {
        s_say(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n3\r\nabc\r\n");
        while (!atomic_load(&s_server.goes_on)) kit_pause();
        s_say(fd, "4\r\ndefg\r\n0\r\n\r\n");
    } else if (strcmp(path, "/hang") == 0) {
        while (!atomic_load(&s_server.leaves)) kit_pause();
        return false;
    } else if (strcmp(path, "/reset") == 0) {
        s_reset(fd);
        return false;
    } else if (strcmp(path, "/half") == 0) {
        s_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
        return false;
    } else if (strcmp(path, "/noise") == 0) {
        s_say(fd, "220 smtp.example.com ESMTP\r\n");
        return false;
    } else if (strcmp(path, "/heads") == 0) {
        s_say(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 9000; i++) s_say(fd, "X-Much: too much\r\n");
        return false;
    } else if (strcmp(path, "/line") == 0) {
        s_say(fd, "HTTP/1.1 200 OK\r\nX-Much: ");
        for (int i = 0; i < 9000; i++) s_say(fd, "more than what is taken ");
        return false;
    } else if (strcmp(path, "/last") == 0) {
        s_ok(fd, "last");
        return false; /* without saying so */
    } else if (strcmp(path, "/away") == 0) {
        s_say(fd, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
    } else {
        s_say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    return true;
}

static void *s_connection(void *arg) {
    int fd = (int) (intptr_t) arg;
    char text[16384];
    while (s_request(fd, text, sizeof text) && s_answer(fd, text)) continue;
    close(fd);
    return NULL;
}

static void *s_serve(void *arg) {
    (void) arg;
    for (;;) {
        int fd = accept(s_server.fd, NULL, NULL);
        pthread_t thread;
        if (fd < 0) return NULL;
        atomic_fetch_add(&s_server.connections, 1);
        pthread_create(&thread, NULL, s_connection, (void *) (intptr_t) fd);
        pthread_detach(thread);
    }
}

static int s_bind(uint16_t *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int s_listen(uint16_t *port) {
    int fd = s_bind(port);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

/* ---- a name server that takes its time: libcurl looks up names on a thread of its own */

static atomic_int s_resolve, s_resolved;

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **out) {
    typedef int (*resolve_fn)(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);
    resolve_fn resolve;
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&resolve, &found, sizeof resolve);
    if (strcmp(name, "slow.test") != 0) return resolve(name, service, hints, out);
    int64_t end_ms = kit_now_ms() + 20000;
    while (!atomic_load(&s_resolve) && kit_now_ms() < end_ms) kit_pause();
    atomic_store(&s_resolved, 1);
    return EAI_AGAIN;
}

/* ---- the loop: the client has one descriptor, and no timer */

static struct {
    int fd;
    weft_fd_fn fn;
    void *arg;
} s_loop;

static weft_err_t s_loop_fd(void *loop, int fd, weft_fd_fn fn, void *arg) {
    (void) loop;
    s_loop.fd = fd;
    s_loop.fn = fn;
    s_loop.arg = arg;
    return WEFT_OK;
}

static void s_loop_fd_end(void *loop, int fd) {
    (void) loop;
    (void) fd;
    s_loop.fn = NULL;
}

static bool s_loop_turn(void) {
    struct pollfd item = {.fd = s_loop.fd, .events = POLLIN};
    if (poll(&item, 1, 20) > 0) s_loop.fn(s_loop.fd, POLLIN, s_loop.arg);
    return true;
}

/* ---- what came of a call */

typedef struct {
    http_client_t *client;
    http_call_t *call;
    int heads, parts, dones, again; /* again: calls to follow */
    int pauses;                     /* parts to refuse first */
    http_flow_t flow;               /* of on_head and on_part */
    http_end_t end;
    unsigned status;
    bool connected;
    char body[4096], reason[HTTP_CLIENT_REASON_BYTES], kind[64];
    size_t body_size;
} s_seen_t;

static void s_call(s_seen_t *seen, const char *path, http_call_config_t config);

static http_flow_t s_on_head(http_call_t *call, unsigned status, void *arg) {
    s_seen_t *seen = arg;
    const char *kind = http_call_header(call, "x-kind");
    seen->heads++;
    seen->status = status;
    snprintf(seen->kind, sizeof seen->kind, "%s", kind ? kind : "");
    return seen->flow;
}

static http_flow_t s_on_part(http_call_t *call, const void *data, size_t size, void *arg) {
    s_seen_t *seen = arg;
    (void) call;
    if (seen->pauses) {
        seen->pauses--;
        return HTTP_PAUSE;
    }
    seen->parts++;
    assert_in_range(seen->body_size + size, 0, sizeof seen->body - 1);
    memcpy(seen->body + seen->body_size, data, size);
    seen->body_size += size;
    return seen->flow;
}

static void s_on_done(http_call_t *call, const http_result_t *result, void *arg) {
    s_seen_t *seen = arg;
    const char *name, *value;
    seen->dones++;
    seen->end = result->end;
    seen->status = result->status;
    seen->connected = result->connected;
    snprintf(seen->reason, sizeof seen->reason, "%s", result->reason);
    if (result->body_size) {
        seen->body_size = result->body_size;
        snprintf(seen->body, sizeof seen->body, "%s", result->body);
    }
    seen->kind[0] = 0;
    for (void *at = NULL; http_call_header_next(call, &at, &name, &value);)
        if (strcasecmp(name, "X-Kind") == 0) strcat(seen->kind, value);
    if (seen->again-- > 0) s_call(seen, "/echo", (http_call_config_t){0});
}

static void s_call(s_seen_t *seen, const char *path, http_call_config_t config) {
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s_server.port, path);
    config.url = url;
    config.on_done = s_on_done;
    config.arg = seen;
    assert_rc(http_client_call(seen->client, &config, &seen->call), WEFT_OK);
}

/* Make the call, wait for its end. */
static void s_try(s_seen_t *seen, const char *path, http_call_config_t config) {
    int dones = seen->dones;
    seen->body_size = 0;
    memset(seen->body, 0, sizeof seen->body);
    s_call(seen, path, config);
    WAIT_UNTIL(s_loop_turn() && seen->dones > dones, 10000);
    assert_int_equal(seen->dones, dones + 1);
}

static int s_set_up(void **state) {
    static const http_loop_t loop = {.fd = s_loop_fd, .fd_end = s_loop_fd_end};
    static s_seen_t seen;
    seen = (s_seen_t){0};
    atomic_store(&s_server.goes_on, 0);
    atomic_store(&s_server.connections, 0);
    atomic_store(&s_server.requests, 0);
    assert_rc(http_client_new(&seen.client, &loop, NULL), WEFT_OK);
    *state = &seen;
    return 0;
}

static int s_tear_down(void **state) {
    s_seen_t *seen = *state;
    http_client_destroy(&seen->client);
    assert_null(s_loop.fn);
    return 0;
}

/* ---- tests */

static void methods_headers_and_bodies_arrive_as_given(void **state) {
    s_seen_t *seen = *state;
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    static const char *const headers[] = {"Content-Type: application/json", "X-Empty:", "X-One: 1"};
    char line[64];
    for (size_t i = 0; i < 5; i++) {
        s_try(seen, "/echo",
              (http_call_config_t){.method = methods[i],
                                   .headers = headers,
                                   .headers_count = 3,
                                   .body = i ? "{\"a\":1}" : NULL,
                                   .body_size = i ? 7 : 0});
        assert_int_equal(seen->end, HTTP_END_ANSWERED);
        assert_int_equal(seen->status, 200);
        assert_string_equal(seen->reason, "");
        assert_string_equal(seen->kind, "ab");
        snprintf(line, sizeof line, "%s /echo HTTP/1.1\r\n", methods[i]);
        assert_memory_equal(seen->body, line, strlen(line));
        assert_non_null(strstr(seen->body, "Content-Type: application/json\r\n"));
        assert_non_null(strstr(seen->body, "X-Empty:\r\n"));
        assert_non_null(strstr(seen->body, "X-One: 1\r\n"));
        assert_null(strstr(seen->body, "Expect"));
        if (i) assert_non_null(strstr(seen->body, "\r\n\r\n{\"a\":1}"));
    }
    s_try(seen, "/echo", (http_call_config_t){.body = "x", .body_size = 1});
    assert_null(strstr(seen->body, "Content-Type"));
    assert_memory_equal(seen->body, "GET ", 4);
    assert_int_equal(atomic_load(&s_server.connections), 1); /* kept */
}

static void a_kept_connection_that_was_closed_is_no_error(void **state) {
    s_seen_t *seen = *state;
    for (int i = 0; i < 20; i++) {
        s_try(seen, i % 2 ? "/echo" : "/last", (http_call_config_t){.method = "POST"});
        assert_int_equal(seen->end, HTTP_END_ANSWERED);
    }
}

static void failures_have_their_names(void **state) {
    s_seen_t *seen = *state;
    static const struct {
        const char *path;
        http_end_t end;
    } rows[] = {{"/hang", HTTP_END_TIMEOUT},  {"/reset", HTTP_END_CUT},
                {"/half", HTTP_END_CUT},      {"/noise", HTTP_END_BAD},
                {"/heads", HTTP_END_TOO_BIG}, {"/line", HTTP_END_TOO_BIG},
                {"/echo", HTTP_END_ANSWERED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s_try(seen, rows[i].path, (http_call_config_t){.timeout_ms = i == 0 ? 150 : 5000});
        assert_string_equal(http_end_name(seen->end), http_end_name(rows[i].end));
        assert_int_equal(*seen->reason == 0, rows[i].end == HTTP_END_ANSWERED);
    }
    s_try(seen, "/hang", (http_call_config_t){.idle_ms = 100});
    assert_int_equal(seen->end, HTTP_END_TIMEOUT);
    s_try(seen, "/echo", (http_call_config_t){.answer_max = 20});
    assert_int_equal(seen->end, HTTP_END_TOO_BIG);
    s_try(seen, "/away", (http_call_config_t){0});
    assert_int_equal(seen->status, 302);
    uint16_t port = s_server.port;
    int deaf = s_bind(&s_server.port); /* held, so that nobody else can listen there */
    s_try(seen, "/echo", (http_call_config_t){0});
    s_server.port = port;
    close(deaf);
    assert_int_equal(seen->end, HTTP_END_CONNECT);
}

static void a_stream_comes_in_parts_and_can_be_paused(void **state) {
    s_seen_t *seen = *state;
    seen->pauses = 1;
    s_call(seen, "/chunks",
           (http_call_config_t){.on_head = s_on_head, .on_part = s_on_part, .idle_ms = 5000});
    WAIT_UNTIL(s_loop_turn() && seen->heads && seen->pauses == 0, 5000);
    assert_int_equal(seen->status, 201); /* the 100 before it is not told */
    for (int i = 0; i < 3; i++) s_loop_turn();
    assert_int_equal(seen->parts, 0);
    http_call_resume(seen->call);
    WAIT_UNTIL(s_loop_turn() && seen->parts == 1, 5000);
    assert_string_equal(seen->body, "abc");
    assert_int_equal(seen->dones, 0);
    atomic_store(&s_server.goes_on, 1);
    WAIT_UNTIL(s_loop_turn() && seen->dones == 1, 5000);
    assert_int_equal(seen->end, HTTP_END_ANSWERED);
    assert_string_equal(seen->body, "abcdefg");
    assert_int_equal(seen->heads, 1);
}

static void a_callback_can_stop_its_call(void **state) {
    s_seen_t *seen = *state;
    seen->flow = HTTP_STOP;
    s_try(seen, "/chunks", (http_call_config_t){.on_head = s_on_head, .on_part = s_on_part});
    assert_int_equal(seen->end, HTTP_END_STOPPED);
    assert_int_equal(seen->parts, 0);
    s_try(seen, "/chunks", (http_call_config_t){.on_part = s_on_part});
    assert_int_equal(seen->end, HTTP_END_STOPPED);
    assert_int_equal(seen->parts, 1);
    atomic_store(&s_server.goes_on, 1);
}

static http_flow_t s_cancel_on_part(http_call_t *call, const void *data, size_t size, void *arg) {
    s_seen_t *seen = arg;
    (void) data;
    (void) size;
    seen->parts++;
    http_call_cancel(&call);
    s_call(seen, "/echo", (http_call_config_t){0}); /* and begin another one */
    return HTTP_GO;
}

static void calls_are_cancelled_anywhere(void **state) {
    s_seen_t *seen = *state;
    s_call(seen, "/echo", (http_call_config_t){0}); /* before it began */
    http_call_cancel(&seen->call);
    assert_null(seen->call);
    int before = atomic_load(&s_server.requests);
    s_call(seen, "/hang", (http_call_config_t){0}); /* under way */
    WAIT_UNTIL(s_loop_turn() && atomic_load(&s_server.requests) > before, 5000);
    http_call_cancel(&seen->call);
    assert_int_equal(http_client_calls(seen->client), 0);
    assert_int_equal(seen->dones, 0);
    s_call(seen, "/chunks", (http_call_config_t){.on_part = s_cancel_on_part});
    WAIT_UNTIL(s_loop_turn() && seen->dones == 1, 5000);
    assert_int_equal(seen->end, HTTP_END_ANSWERED);
    assert_memory_equal(seen->body, "GET /echo", 9);
    assert_int_equal(http_client_calls(seen->client), 0);
    before = atomic_load(&s_server.requests);
    s_call(seen, "/hang", (http_call_config_t){0}); /* the client goes first */
    WAIT_UNTIL(s_loop_turn() && atomic_load(&s_server.requests) > before, 5000);
}

static void a_name_server_that_is_silent_holds_nobody_up(void **state) {
    s_seen_t *seen = *state;
    http_call_config_t config = {.url = "http://slow.test/", .on_done = s_on_done, .arg = seen};
    http_call_t *slow;
    for (int i = 0; i < 2; i++) { /* once it ends by itself, once it is cancelled */
        atomic_store(&s_resolve, 0);
        atomic_store(&s_resolved, 0);
        config.connect_ms = i == 0 ? 100 : 20000;
        assert_rc(http_client_call(seen->client, &config, &slow), WEFT_OK);
        if (i == 0) WAIT_UNTIL(s_loop_turn() && seen->dones == 1, 10000);
        if (i == 0) assert_int_equal(seen->end, HTTP_END_TIMEOUT);
        s_try(seen, "/echo", (http_call_config_t){0});
        if (i == 1) http_call_cancel(&slow);
        assert_int_equal(atomic_load(&s_resolved), 0);
        atomic_store(&s_resolve, 1);
        WAIT_UNTIL(atomic_load(&s_resolved), 5000);
    }
}

static void a_timeout_tells_whether_there_was_a_connection(void **state) {
    s_seen_t *seen = *state;
    /* who does not run for so long has not connected: then once more */
    WAIT_UNTIL((s_try(seen, "/hang", (http_call_config_t){.timeout_ms = 150}),
                assert_int_equal(seen->end, HTTP_END_TIMEOUT), seen->connected),
               10000);
    uint16_t port = s_server.port;
    int full = s_listen(&s_server.port), first = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(listen(full, 0), 0); /* after the first nobody gets an answer */
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(s_server.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(first, (struct sockaddr *) &at, sizeof at), 0);
    s_try(seen, "/echo", (http_call_config_t){.timeout_ms = 150});
    s_server.port = port;
    close(first);
    close(full);
    assert_int_equal(seen->end, HTTP_END_TIMEOUT);
    assert_false(seen->connected);
}

static void many_calls_at_once_and_one_after_the_other(void **state) {
    s_seen_t *seen = *state;
    enum { MANY = 100 };
    for (int i = 0; i < MANY; i++) s_call(seen, "/echo", (http_call_config_t){0});
    WAIT_UNTIL(s_loop_turn() && seen->dones == MANY, 10000);
    seen->again = 1000;
    s_call(seen, "/echo", (http_call_config_t){0}); /* each begins the next one in on_done */
    WAIT_UNTIL(s_loop_turn() && seen->dones == MANY + 1001, 20000);
    assert_int_equal(atomic_load(&s_server.requests), MANY + 1001);
    assert_in_range(atomic_load(&s_server.connections), 1, MANY);
}

static void wrong_calls_are_refused_at_once(void **state) {
    s_seen_t *seen = *state;
    static const char *const bad_header[] = {"X-A: 1\r\nX-B: 2"};
    http_call_config_t config = {.url = "ftp://h/", .on_done = s_on_done, .arg = seen};
    assert_rc(http_client_call(seen->client, &config, NULL), WEFT_E_ARG);
    config.url = "http://h/a b";
    assert_rc(http_client_call(seen->client, &config, NULL), WEFT_E_ARG);
    config.url = "http://h/";
    config.method = "GET /x HTTP/1.1\r\n";
    assert_rc(http_client_call(seen->client, &config, NULL), WEFT_E_ARG);
    config.method = NULL;
    config.headers = bad_header;
    config.headers_count = 1;
    assert_rc(http_client_call(seen->client, &config, NULL), WEFT_E_ARG);
    assert_int_equal(http_client_calls(seen->client), 0);
    assert_true(http_url_valid("http://127.0.0.1:4000/events"));
    assert_true(http_url_valid("https://example.com"));
    assert_false(http_url_valid("http://"));
    assert_false(http_url_valid("127.0.0.1:4000"));
    assert_false(http_url_valid("http://host:99999/"));
    assert_false(http_url_valid("http://user:secret@host/"));
    assert_false(http_url_valid("file:///etc/passwd"));
}

int main(void) {
    pthread_t thread;
    s_server.fd = s_listen(&s_server.port);
    pthread_create(&thread, NULL, s_serve, NULL);
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, s_set_up, s_tear_down)
        T(methods_headers_and_bodies_arrive_as_given),
        T(a_kept_connection_that_was_closed_is_no_error),
        T(failures_have_their_names),
        T(a_stream_comes_in_parts_and_can_be_paused),
        T(a_callback_can_stop_its_call),
        T(calls_are_cancelled_anywhere),
        T(a_name_server_that_is_silent_holds_nobody_up),
        T(a_timeout_tells_whether_there_was_a_connection),
        T(many_calls_at_once_and_one_after_the_other),
        T(wrong_calls_are_refused_at_once),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    atomic_store(&s_server.leaves, 1);
    shutdown(s_server.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(s_server.fd);
    return failed;
}
