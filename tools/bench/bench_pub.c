/* bench_pub: see bench_pub.h. */
#include "bench_pub.h"

#include "bench_run.h"

#include <string.h>

#define TRACE_EVENTS 4

static void s_check(weft_err_t rc, const char *what) {
    if (rc != WEFT_OK) bench_fail("weft: %s: %s", what, weft_err_text(rc));
}

/* Xorshift: the next number, never 0. */
static void s_stir(uint8_t *bytes) {
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
    memcpy(bytes, &number, sizeof number);
}

/* A service gets them with its requests: what it costs to draw them is not measured. */
bool bench_trace_at(uint64_t event, uint8_t *trace) {
    if (event % TRACE_EVENTS) return false;
    if (!event) weft_trace_begin(trace);
    s_stir(trace);
    s_stir(trace + 8);
    return true;
}

void bench_pub_open(bench_pub_t *self, const char *bus, const bench_data_t *data) {
    weft_pub_config_t config;
    weft_sequence_t sequence;
    weft_position_t position;
    *self = (bench_pub_t){0};
    weft_pub_config_init(&config);
    config.bus = bus;
    config.source = BENCH_SOURCE;
    s_check(weft_pub_new(&self->pub, &config), "publisher");
    memset((char *) data->bytes + BENCH_DUE_AT, 0, sizeof(int64_t));
    s_check(
        weft_pub_send(self->pub, BENCH_TYPE, bench_subject(), data->bytes, data->size, &sequence),
        "first event");
    s_check(weft_pub_wait(self->pub, sequence, BENCH_WAIT_MS, &position), "first acknowledgement");
    self->first = position.value;
    self->cause = self->first - 1;
}

void bench_pub_close(bench_pub_t *self) {
    weft_pub_destroy(&self->pub);
}

/* The log holds at least as many events beyond the first one as were acknowledged here. */
static void s_follow(bench_pub_t *self) {
    uint64_t stored = self->first + weft_pub_acked(self->pub).value - 1;
    if (self->cause < stored) weft_pub_cause(self->pub, (weft_position_t){++self->cause});
    if (bench_trace_at(self->sent++, self->trace)) weft_pub_trace(self->pub, self->trace);
}

void bench_pub_send(bench_pub_t *self, const char *type, const bench_data_t *data,
                    weft_sequence_t *sequence) {
    s_follow(self);
    for (;;) {
        weft_err_t rc = weft_pub_send(self->pub, type, bench_subject(), data->bytes, data->size,
                                      sequence);
        if (rc == WEFT_OK) return;
        if (rc != WEFT_E_FULL) s_check(rc, "send");
        weft_sequence_t next = {weft_pub_acked(self->pub).value + 1};
        s_check(weft_pub_wait(self->pub, next, BENCH_WAIT_MS, NULL), "wait for room");
    }
}

uint64_t bench_pub_flush(bench_pub_t *self) {
    s_check(weft_pub_flush(self->pub, BENCH_WAIT_MS), "acknowledgements");
    return weft_pub_acked(self->pub).value;
}
