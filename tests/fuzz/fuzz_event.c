/* fuzz_event: a run of events as ingest reads it; what is taken encodes to bytes that mean the same. */
#include "fuzz.h"

#include "weft_limits.h"
#include "weft_wire_event.h"

#define FRAME_BYTES 80u /* what weft_wire_event_check allows for all but the texts and data */

static void s_assert_equal(const weft_wire_event_t *a, const weft_wire_event_t *b) {
    WEFT_ASSERT(memcmp(a->origin, b->origin, 16) == 0);
    WEFT_ASSERT(a->source_seq == b->source_seq && a->time_us == b->time_us);
    WEFT_ASSERT(fuzz_same(a->source, a->source_size, b->source, b->source_size));
    WEFT_ASSERT(fuzz_same(a->subject, a->subject_size, b->subject, b->subject_size));
    WEFT_ASSERT(a->cause == b->cause);
    WEFT_ASSERT(!a->traceparent == !b->traceparent);
    if (a->traceparent)
        WEFT_ASSERT(memcmp(a->traceparent, b->traceparent, WEFT_TRACEPARENT_BYTES) == 0);
    WEFT_ASSERT(fuzz_same(a->data, a->data_size, b->data, b->data_size));
}

static void s_check_taken(const weft_wire_event_t *event) {
    weft_buf_t once, twice;
    weft_wire_event_t again;
    weft_buf_init(&once);
    weft_buf_init(&twice);
    if (event->size <= WEFT_EVENT_BYTES_MAX - FRAME_BYTES)
        WEFT_ASSERT(weft_wire_event_check(event) == WEFT_OK);
    weft_wire_event_put(&once, event);
    WEFT_ASSERT(weft_buf_ok(&once) && once.size <= event->size); /* the shortest form */
    weft_mp_t r = weft_mp_reader(once.data, once.size);
    WEFT_ASSERT(weft_wire_event_take(&r, &again) == WEFT_OK && !weft_mp_left(&r));
    s_assert_equal(event, &again);
    weft_wire_event_put(&twice, &again);
    fuzz_assert_same(&once, &twice);
    weft_buf_free(&once);
    weft_buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weft_mp_t r = weft_mp_reader(data, size);
    while (weft_mp_left(&r)) {
        weft_wire_event_t event;
        weft_mp_t skipped = r, before = r;
        bool whole = weft_mp_skip(&skipped);
        weft_err_t rc = weft_wire_event_take(&r, &event);
        if (event.origin) WEFT_ASSERT(event.origin >= data && event.origin + 16 <= data + size);
        if (!whole && rc != WEFT_OK) { /* the rest has no structure */
            WEFT_ASSERT(r.at == before.at || rc == WEFT_E_TOO_BIG);
            break;
        }
        /* data may nest as deep as a value may: the event around it is one deeper */
        if (whole) WEFT_ASSERT(r.at == skipped.at);
        if (rc != WEFT_OK) continue;
        WEFT_ASSERT(event.bytes == before.at && event.bytes + event.size == r.at);
        s_check_taken(&event);
    }
    return 0;
}
