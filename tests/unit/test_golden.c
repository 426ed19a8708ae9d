/* One frame of each kind, made by another implementation (tests/golden/make.py): decoding gives the
 * fields, encoding gives the bytes back, and a frame that was changed is refused. */
#include "kit.h"

#include "weft_checksum.h"
#include "weft_limits.h"

#define BOOT UINT64_C(0x0123456789abcdef)
#define TIME 1764000000123456
#define BIG (UINT64_C(1) << 63)

static uint8_t s_log(size_t i) {
    return (uint8_t) (0x10 + i);
}
static uint8_t s_origin(size_t i) {
    return (uint8_t) (0xa0 + i);
}

static void s_is_log(const weft_uuid_t *uuid) {
    for (size_t i = 0; i < 16; i++) assert_int_equal(uuid->bytes[i], s_log(i));
}

static void s_is_origin(const void *bytes) {
    for (size_t i = 0; i < 16; i++) assert_int_equal(((const uint8_t *) bytes)[i], s_origin(i));
}

static void s_is_text(weft_text_t text, const char *wanted) {
    assert_int_equal(text.size, strlen(wanted));
    assert_memory_equal(text.data, wanted, text.size);
}

static void s_same(weft_buf_t *w, const uint8_t *bytes, size_t size) {
    assert_true(weft_buf_ok(w));
    assert_int_equal(w->size, size);
    assert_memory_equal(w->data, bytes, size);
    weft_buf_free(w);
}

/* ---- events */

static void event_decodes_and_encodes(void **state) {
    (void) state;
    size_t size;
    uint8_t *bytes = kit_golden("event", &size);
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_wire_event_t e;
    weft_buf_t w = {0};
    assert_rc(weft_wire_event_take(&r, &e), WEFT_OK);
    assert_int_equal(weft_mp_left(&r), 0);
    s_is_origin(e.origin);
    assert_int_equal(e.source_seq, 41);
    assert_int_equal(e.time_us, TIME);
    s_is_text((weft_text_t){e.source, e.source_size}, "posts");
    s_is_text((weft_text_t){e.subject, e.subject_size}, "post/42");
    assert_int_equal(e.cause, 40);
    for (size_t i = 0; i < WEFT_TRACEPARENT_BYTES; i++)
        assert_int_equal(e.traceparent[i], 0x40 + i);
    assert_int_equal(e.data[0], 0x83);
    assert_ptr_equal(e.data + e.data_size, bytes + size);
    assert_ptr_equal(e.bytes, bytes);
    assert_int_equal(e.size, size);
    assert_rc(weft_wire_event_check(&e), WEFT_OK);
    weft_wire_event_put(&w, &e);
    s_same(&w, bytes, size);
    free(bytes);
}

static void event_without_what_is_optional(void **state) {
    (void) state;
    size_t size;
    uint8_t *bytes = kit_golden("event_bare", &size);
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_wire_event_t e;
    weft_buf_t w = {0};
    assert_rc(weft_wire_event_take(&r, &e), WEFT_OK);
    assert_int_equal(e.source_seq, 0);
    assert_null(e.subject);
    assert_int_equal(e.subject_size, 0);
    assert_int_equal(e.cause, 0);
    assert_null(e.traceparent);
    assert_int_equal(e.data_size, 1);
    weft_wire_event_put(&w, &e);
    s_same(&w, bytes, size);
    free(bytes);
}

static void stamp_decodes_and_encodes(void **state) {
    (void) state;
    size_t size;
    uint8_t *bytes = kit_golden("stamp", &size), written[WEFT_STAMP_BYTES_MAX];
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_stamp_t s;
    assert_true(weft_stamp_take(&r, &s));
    assert_int_equal(weft_mp_left(&r), 0);
    assert_int_equal(s.position, 1000);
    assert_int_equal(s.stored_us, TIME + 7);
    assert_true(s.chain == UINT64_MAX - 1);
    weft_stamp_write(written, &s);
    assert_int_equal(size, sizeof written);
    assert_memory_equal(written, bytes, size);
    for (size_t cut = 0; cut < size; cut++) {
        r = weft_mp_reader(bytes, cut);
        assert_false(weft_stamp_take(&r, &s));
        assert_ptr_equal(r.at, bytes);
    }
    free(bytes);
}

static void checksums_are_those_of_the_protocol(void **state) {
    (void) state;
    size_t size, event_size;
    uint8_t *sums = kit_golden("checksums", &size), *event = kit_golden("event", &event_size);
    assert_int_equal(size, 40);
    uint64_t type_hash = weft_hash("post.created", 12), event_hash = weft_hash(event, event_size);
    uint64_t row = weft_checksum_row(1000, TIME, type_hash, event_hash);
    assert_true(type_hash == weft_be(sums, 8));
    assert_true(event_hash == weft_be(sums + 8, 8));
    assert_true(row == weft_be(sums + 16, 8));
    assert_true(weft_checksum_chain(BIG, row) == weft_be(sums + 24, 8));
    assert_true(weft_checksum_origin(5, type_hash, event_hash) == weft_be(sums + 32, 8));
    free(sums);
    free(event);
}

/* ---- fan-out */

static void record_decodes_and_encodes(void **state) {
    (void) state;
    static weft_record_t record;
    size_t size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("record", &size);
    assert_rc(weft_record_decode(bytes, size, &record), WEFT_OK);
    assert_true(record.boot == BOOT);
    s_is_log(&record.log);
    assert_int_equal(record.prev, 997);
    assert_int_equal(record.prev_chain, 5);
    assert_int_equal(record.last, 1000);
    assert_true(record.chain == BIG);
    assert_int_equal(record.at, TIME);
    assert_int_equal(record.types_count, 2);
    s_is_text((weft_text_t){record.types[0].type, record.types[0].type_size}, "post.created");
    assert_int_equal(record.types[0].count, 2);
    assert_true(record.types[0].sum == UINT64_MAX);
    s_is_text((weft_text_t){record.types[1].type, record.types[1].type_size}, "comment.created");
    assert_int_equal(record.types[1].count, 1);
    weft_record_encode(&w, &record);
    s_same(&w, bytes, size);
    free(bytes);
    bytes = kit_golden("record_heartbeat", &size);
    assert_rc(weft_record_decode(bytes, size, &record), WEFT_OK);
    assert_int_equal(record.prev, record.last);
    assert_int_equal(record.types_count, 0);
    weft_record_encode(&w, &record);
    s_same(&w, bytes, size);
    free(bytes);
}

static void ack_decodes_and_encodes(void **state) {
    (void) state;
    weft_ack_t ack;
    size_t size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("ack", &size);
    assert_rc(weft_ack_decode(bytes, size, &ack), WEFT_OK);
    assert_int_equal(ack.source_seq, 41);
    assert_int_equal(ack.position, 1000);
    assert_true(ack.origin_chain == UINT64_MAX);
    weft_ack_encode(&w, &ack);
    s_same(&w, bytes, size);
    for (size_t cut = 0; cut < size; cut++)
        assert_rc(weft_ack_decode(bytes, cut, &ack), WEFT_E_BAD_FIELD);
    free(bytes);
}

/* ---- control */

static void s_is_origin_state(weft_bytes_t raw) {
    weft_origin_state_t o;
    assert_rc(weft_origin_state_decode(raw.data, raw.size, &o), WEFT_OK);
    assert_int_equal(o.last, 41);
    assert_true(o.chain == UINT64_MAX);
    assert_int_equal(o.position, 1000);
    assert_int_equal(o.refused_seq, 42);
    assert_int_equal(o.refused_code, WEFT_E_BAD_EVENT);
}

static void origin_state_decodes_and_encodes(void **state) {
    (void) state;
    size_t size;
    weft_buf_t w = {0};
    weft_origin_state_t o;
    uint8_t *bytes = kit_golden("origin_state", &size);
    s_is_origin_state((weft_bytes_t){bytes, size});
    assert_rc(weft_origin_state_decode(bytes, size, &o), WEFT_OK);
    weft_origin_state_encode(&w, &o);
    s_same(&w, bytes, size);
    free(bytes);
}

static void hello_decodes_and_encodes(void **state) {
    (void) state;
    weft_hello_t h;
    size_t size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("hello", &size);
    assert_rc(weft_hello_decode(bytes, size, &h), WEFT_OK);
    assert_true(h.id == UINT64_MAX);
    assert_int_equal(h.version, 1);
    s_is_text(h.name, "query");
    assert_int_equal(h.position.kind, WEFT_PLACE_CHECKED);
    s_is_log(&h.position.at.log);
    assert_int_equal(h.position.at.position.value, 1000);
    assert_true(h.position.at.chain == BIG);
    s_is_origin(h.origin.bytes);
    weft_hello_encode(&w, &h);
    s_same(&w, bytes, size);
    free(bytes);

    bytes = kit_golden("hello_number", &size);
    assert_rc(weft_hello_decode(bytes, size, &h), WEFT_OK);
    assert_int_equal(h.position.kind, WEFT_PLACE_NUMBER);
    assert_int_equal(h.position.at.position.value, 1000);
    weft_hello_encode(&w, &h);
    s_same(&w, bytes, size);
    free(bytes);

    bytes = kit_golden("hello_bare", &size);
    assert_rc(weft_hello_decode(bytes, size, &h), WEFT_OK);
    assert_int_equal(h.position.kind, WEFT_PLACE_NONE);
    weft_hello_encode(&w, &h);
    s_same(&w, bytes, size);
    free(bytes);
}

static void welcome_decodes_and_encodes(void **state) {
    (void) state;
    weft_welcome_t x;
    size_t size, limits_size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("welcome", &size), *limits = kit_golden("limits", &limits_size);
    assert_rc(weft_welcome_decode(bytes, size, &x), WEFT_OK);
    assert_int_equal(x.id, 7);
    assert_int_equal(x.version, 1);
    assert_true(x.boot == BOOT);
    s_is_log(&x.log);
    assert_int_equal(x.first, 3);
    assert_true(x.first_chain == UINT64_MAX - 2);
    assert_int_equal(x.head, 1000);
    assert_true(x.chain == BIG);
    assert_int_equal(x.at, TIME);
    s_is_text(x.fanout, "tcp://127.0.0.1:7601");
    s_is_text(x.ingest, "tcp://127.0.0.1:7602");
    s_is_text(x.software, "weft-bus 0.1.0");
    assert_false(x.accepting);
    s_is_text(x.reason, "disk is full");
    assert_int_equal(x.limits.size, limits_size);
    assert_memory_equal(x.limits.data, limits, limits_size);
    s_is_origin_state(x.origin);
    weft_welcome_encode(&w, &x);
    s_same(&w, bytes, size);
    weft_limits_encode(&w); /* the numbers of this build */
    s_same(&w, limits, limits_size);
    free(bytes);
    free(limits);
}

static void filters_decode_and_encode(void **state) {
    (void) state;
    static const char *const wanted[] = {"comment.created", "post.*", "order.>", "*", ">"};
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters = {.items = items};
    size_t size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("filters", &size);
    assert_rc(weft_filters_decode((weft_bytes_t){bytes, size}, &filters), WEFT_OK);
    assert_int_equal(filters.count, 5);
    for (size_t i = 0; i < 5; i++) s_is_text(items[i], wanted[i]);
    weft_filters_encode(&w, &filters);
    s_same(&w, bytes, size);
    for (size_t cut = 0; cut < size; cut++)
        assert_rc(weft_filters_decode((weft_bytes_t){bytes, cut}, &filters), WEFT_E_BAD_FIELD);
    free(bytes);
}

static void fetch_and_page_decode_and_encode(void **state) {
    (void) state;
    weft_fetch_t f;
    weft_page_t p;
    size_t size, filters_size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("fetch", &size), *filters = kit_golden("filters", &filters_size);
    assert_rc(weft_fetch_decode(bytes, size, &f), WEFT_OK);
    assert_int_equal(f.id, 8);
    assert_int_equal(f.position.kind, WEFT_PLACE_CHECKED);
    assert_int_equal(f.position.at.position.value, 1000);
    assert_int_equal(f.max_events, 4096);
    assert_int_equal(f.max_bytes, 786432);
    assert_int_equal(f.filters.size, filters_size);
    assert_memory_equal(f.filters.data, filters, filters_size);
    weft_fetch_encode(&w, &f);
    s_same(&w, bytes, size);
    free(bytes);
    free(filters);

    bytes = kit_golden("page", &size);
    assert_rc(weft_page_decode(bytes, size, &p), WEFT_OK);
    assert_int_equal(p.id, 8);
    assert_true(p.boot == BOOT);
    s_is_log(&p.log);
    assert_int_equal(p.from, 1000);
    assert_int_equal(p.next, 1010);
    assert_true(p.chain == BIG + 1);
    assert_int_equal(p.head, 2000);
    assert_int_equal(p.count, 1);
    assert_true(p.sum == UINT64_MAX);
    weft_page_encode(&w, &p);
    s_same(&w, bytes, size);
    free(bytes);
}

static void s_is_report(const uint8_t *bytes, size_t size) {
    weft_report_t r;
    weft_buf_t w = {0};
    assert_rc(weft_report_decode(bytes, size, &r), WEFT_OK);
    s_is_text(r.name, "query");
    s_is_origin(r.instance.bytes);
    s_is_text(r.software, "0.1.0");
    assert_int_equal(r.position, 1000);
    assert_int_equal(r.resume, 990);
    assert_int_equal(r.outbox, 3);
    assert_int_equal(r.parked, 2);
    assert_true(r.parked_oldest == INT64_C(1764000000123456) - 5000000);
    assert_int_equal(r.skipped, 4);
    s_is_text(r.on_error, "park");
    s_is_text(r.database, "/var/lib/weft/query.db");
    assert_int_equal(r.applied_catch_up, 900);
    assert_int_equal(r.applied_live, 100);
    assert_true(r.live);
    assert_int_equal(r.filters.data[0], 0x95);
    weft_report_encode(&w, &r);
    s_same(&w, bytes, size);
}

static void report_status_state_and_error_decode_and_encode(void **state) {
    (void) state;
    weft_status_t status;
    weft_state_t x;
    weft_error_t e;
    size_t size, report_size;
    weft_buf_t w = {0};
    uint8_t *report = kit_golden("report", &report_size), *bytes = kit_golden("status", &size);
    s_is_report(report, report_size);
    assert_rc(weft_status_decode(bytes, size, &status), WEFT_OK);
    assert_int_equal(status.id, 9);
    weft_status_encode(&w, &status);
    s_same(&w, bytes, size);
    free(bytes);

    bytes = kit_golden("state", &size);
    assert_rc(weft_state_decode(bytes, size, &x), WEFT_OK);
    assert_int_equal(x.id, 9);
    assert_true(x.boot == BOOT);
    s_is_log(&x.log);
    assert_int_equal(x.first, 0);
    assert_int_equal(x.head, 1000);
    assert_true(x.chain == BIG);
    assert_int_equal(x.at, TIME);
    assert_int_equal(x.started, TIME - 1000000);
    s_is_text(x.fanout, "ipc:///run/weft.fan");
    s_is_text(x.ingest, "ipc:///run/weft.in");
    assert_true(x.accepting);
    assert_int_equal(x.counters.data[0], 0x83);
    assert_memory_equal(x.services.data + x.services.size - report_size, report, report_size);
    weft_state_encode(&w, &x);
    s_same(&w, bytes, size);
    free(bytes);
    free(report);

    bytes = kit_golden("error", &size);
    assert_rc(weft_error_decode(bytes, size, &e), WEFT_OK);
    assert_int_equal(e.id, 8);
    assert_int_equal(e.code, WEFT_E_FORKED);
    s_is_text(e.text, "log has another history at 1000");
    assert_int_equal(e.version, 1);
    weft_error_encode(&w, &e);
    s_same(&w, bytes, size);
    free(bytes);
}

static void trim_and_trimmed_decode_and_encode(void **state) {
    (void) state;
    weft_trim_t t;
    weft_trimmed_t x;
    size_t size;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("trim", &size);
    assert_rc(weft_trim_decode(bytes, size, &t), WEFT_OK);
    assert_int_equal(t.id, 10);
    assert_int_equal(t.to, 900);
    assert_true(t.age_us == UINT64_C(2592000000000));
    assert_true(t.bytes == UINT64_C(20000000000));
    assert_true(t.force);
    assert_false(t.dry_run);
    weft_trim_encode(&w, &t);
    s_same(&w, bytes, size);
    free(bytes);

    bytes = kit_golden("trimmed", &size);
    assert_rc(weft_trimmed_decode(bytes, size, &x), WEFT_OK);
    assert_int_equal(x.id, 10);
    assert_int_equal(x.first, 3);
    assert_int_equal(x.to, 990);
    assert_int_equal(x.wanted, 995);
    assert_int_equal(x.head, 1000);
    assert_int_equal(x.bytes, 123456);
    s_is_text(x.holder, "query");
    assert_int_equal(x.holder_resume, 990);
    weft_trimmed_encode(&w, &x);
    s_same(&w, bytes, size);
    free(bytes);
}

static void effects_trace_and_found_decode_and_encode(void **state) {
    (void) state;
    weft_effects_t e;
    weft_trace_t t;
    weft_found_t f;
    uint64_t numbers[4];
    size_t size, count;
    weft_buf_t w = {0};
    uint8_t *bytes = kit_golden("effects", &size);
    assert_rc(weft_effects_decode(bytes, size, &e), WEFT_OK);
    assert_int_equal(e.id, 11);
    assert_int_equal(e.after, 7);
    assert_rc(weft_positions_decode(e.causes, numbers, 3, &count), WEFT_OK);
    assert_int_equal(count, 3);
    assert_int_equal(numbers[1], 1000);
    assert_true(numbers[2] == INT64_MAX);
    weft_effects_encode(&w, &e);
    s_same(&w, bytes, size);
    free(bytes);

    bytes = kit_golden("trace", &size);
    assert_rc(weft_trace_decode(bytes, size, &t), WEFT_OK);
    assert_int_equal(t.id, 12);
    assert_int_equal(t.trace.bytes[15], 15);
    assert_int_equal(t.after, 0);
    weft_trace_encode(&w, &t);
    s_same(&w, bytes, size);
    free(bytes);

    bytes = kit_golden("found", &size);
    assert_rc(weft_found_decode(bytes, size, &f), WEFT_OK);
    assert_int_equal(f.id, 11);
    assert_int_equal(f.first, 3);
    assert_int_equal(f.head, 1000);
    assert_int_equal(f.indexed, 990);
    assert_true(f.more);
    assert_rc(weft_positions_decode(f.positions, numbers, 4, &count), WEFT_OK);
    assert_int_equal(count, 4);
    assert_int_equal(numbers[3], 900);
    weft_found_encode(&w, &f);
    s_same(&w, bytes, size);
    free(bytes);
}

static void commands_have_names(void **state) {
    (void) state;
    static const char *const names[] = {"HELLO",   "WELCOME", "FETCH", "PAGE", "REPORT",
                                        "STATUS",  "STATE",   "ERROR", "TRIM", "TRIMMED",
                                        "EFFECTS", "TRACE",   "FOUND"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        weft_command_t command = weft_command_parse(names[i], strlen(names[i]));
        assert_int_equal(command, i + 1);
        assert_string_equal(weft_command_name(command), names[i]);
        assert_int_equal(weft_command_parse(names[i], strlen(names[i]) - 1), WEFT_COMMAND_NONE);
    }
    assert_int_equal(weft_command_parse("hello", 5), WEFT_COMMAND_NONE);
    assert_int_equal(weft_command_parse("HELLO\0", 6), WEFT_COMMAND_NONE);
    assert_int_equal(weft_command_parse("", 0), WEFT_COMMAND_NONE);
    assert_string_equal(weft_command_name(WEFT_COMMAND_NONE), "?");
    assert_string_equal(weft_command_name((weft_command_t) 99), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_decodes_and_encodes),
        cmocka_unit_test(event_without_what_is_optional),
        cmocka_unit_test(stamp_decodes_and_encodes),
        cmocka_unit_test(checksums_are_those_of_the_protocol),
        cmocka_unit_test(record_decodes_and_encodes),
        cmocka_unit_test(ack_decodes_and_encodes),
        cmocka_unit_test(origin_state_decodes_and_encodes),
        cmocka_unit_test(hello_decodes_and_encodes),
        cmocka_unit_test(welcome_decodes_and_encodes),
        cmocka_unit_test(filters_decode_and_encode),
        cmocka_unit_test(fetch_and_page_decode_and_encode),
        cmocka_unit_test(report_status_state_and_error_decode_and_encode),
        cmocka_unit_test(trim_and_trimmed_decode_and_encode),
        cmocka_unit_test(effects_trace_and_found_decode_and_encode),
        cmocka_unit_test(commands_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
