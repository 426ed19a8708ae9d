/* Events and stamps: what is refused, where the limits lie, where the cursor stands afterwards. */
#include "kit.h"

#include "weft_limits.h"

/* An event as an array of pieces of msgpack, so that each can be changed. */
#define FIELDS 9
typedef struct {
    weft_buf_t piece[FIELDS];
} s_pieces_t;

static void s_init(s_pieces_t *p) {
    static const uint8_t origin[16] = {1, 2, 3}, trace[WEFT_TRACEPARENT_BYTES] = {7};
    for (size_t i = 0; i < FIELDS; i++) weft_buf_init(&p->piece[i]);
    weft_mp_put_uint(&p->piece[0], WEFT_PROTOCOL_VERSION);
    weft_mp_put_bin(&p->piece[1], origin, sizeof origin);
    weft_mp_put_uint(&p->piece[2], 5);
    weft_mp_put_uint(&p->piece[3], 1000);
    weft_mp_put_text(&p->piece[4], "source");
    weft_mp_put_text(&p->piece[5], "subject/1");
    weft_mp_put_uint(&p->piece[6], 3);
    weft_mp_put_bin(&p->piece[7], trace, sizeof trace);
    weft_mp_put_text(&p->piece[8], "data");
}

static void s_join(const s_pieces_t *p, weft_buf_t *w) {
    weft_mp_put_array(w, FIELDS);
    for (size_t i = 0; i < FIELDS; i++) weft_buf_append(w, p->piece[i].data, p->piece[i].size);
}

static void s_free(s_pieces_t *p) {
    for (size_t i = 0; i < FIELDS; i++) weft_buf_free(&p->piece[i]);
}

/* Take it from memory of exactly its size; passed out: the cursor has gone past it. */
static weft_err_t s_take(const weft_buf_t *w, weft_wire_event_t *out, bool *passed) {
    static uint8_t *exact;
    free(exact);
    exact = malloc(w->size ? w->size : 1);
    assert_non_null(exact);
    if (w->size) memcpy(exact, w->data, w->size);
    weft_mp_t r = weft_mp_reader(exact, w->size);
    weft_err_t rc = weft_wire_event_take(&r, out);
    *passed = r.at == exact + w->size;
    if (!*passed) assert_ptr_equal(r.at, exact);
    return rc;
}

static weft_err_t s_take_pieces(const s_pieces_t *p, weft_wire_event_t *out) {
    weft_buf_t w = {0};
    bool passed;
    s_join(p, &w);
    weft_err_t rc = s_take(&w, out, &passed);
    assert_true(passed);
    weft_buf_free(&w);
    return rc;
}

/* With one field replaced by these bytes. */
static weft_err_t s_with(size_t field, const void *bytes, size_t size) {
    s_pieces_t p;
    weft_wire_event_t event;
    s_init(&p);
    weft_buf_clear(&p.piece[field]);
    weft_buf_append(&p.piece[field], bytes, size);
    weft_err_t rc = s_take_pieces(&p, &event);
    s_free(&p);
    return rc;
}

static void a_malformed_field_is_refused_and_passed_over(void **state) {
    (void) state;
    static const struct {
        size_t field;
        const char *bytes;
        size_t size;
    } wrong[] = {
        {1, "\xc0", 1},
        {1,
         "\xc4\x0f"
         "123456789012345",
         17},
        {1,
         "\xc4\x11"
         "12345678901234567",
         19},
        {1,
         "\xb0"
         "1234567890123456",
         17}, /* text is no UUID */
        {2, "\xff", 1},
        {2, "\xcf\x80\0\0\0\0\0\0\0", 9}, /* 2^63 */
        {2, "\xc0", 1},
        {3, "\xff", 1},
        {3, "\xcf\x80\0\0\0\0\0\0\0", 9},
        {4, "\xa0", 1}, /* a source has a name */
        {4, "\xc0", 1},
        {4, "\xa1\x07", 2},
        {4, "\xa1\x80", 2},
        {5, "\xa1\n", 2},
        {5, "\x01", 1},
        {6, "\xff", 1},
        {6, "\xcf\x80\0\0\0\0\0\0\0", 9},
        {7,
         "\xc4\x01"
         "1",
         3},
        {7,
         "\xb9"
         "1234567890123456789012345",
         26},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weft_err_t rc = s_with(wrong[i].field, wrong[i].bytes, wrong[i].size);
        if (rc != WEFT_E_BAD_EVENT) fail_msg("wrong[%zu]: %s", i, weft_err_name(rc));
    }
}

static void what_is_optional_may_be_nil(void **state) {
    (void) state;
    for (size_t field = 5; field <= 8; field++) assert_rc(s_with(field, "\xc0", 1), WEFT_OK);
    assert_rc(s_with(5, "\xa0", 1), WEFT_OK); /* an empty subject is none, too */
}

static void numbers_reach_up_to_the_largest(void **state) {
    (void) state;
    static const char most[] = "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff";
    assert_rc(s_with(2, most, 9), WEFT_OK);
    assert_rc(s_with(3, most, 9), WEFT_OK);
    assert_rc(s_with(6, most, 9), WEFT_OK);
    assert_rc(s_with(2, "\x00", 1), WEFT_OK); /* fire-and-forget */
}

static void data_is_any_one_value(void **state) {
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
    } data[] = {{"\xc0", 1},
                {"\xc3", 1},
                {"\x80", 1},
                {"\x90", 1},
                {"\xcb\0\0\0\0\0\0\0\0", 9},
                {"\xd4\1\1", 3},
                {"\xc4\1\xff", 3},
                {"\xa1\xff", 2} /* its text is not looked at */};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        assert_rc(s_with(8, data[i].bytes, data[i].size), WEFT_OK);
}

static void another_number_of_fields_is_refused(void **state) {
    (void) state;
    for (int more = -1; more <= 1; more += 2) {
        s_pieces_t p;
        weft_buf_t w = {0};
        weft_wire_event_t event;
        bool passed;
        s_init(&p);
        weft_mp_put_array(&w, (uint32_t) (FIELDS + more));
        for (int i = 0; i < FIELDS + more; i++)
            weft_buf_append(&w, p.piece[i % FIELDS].data, p.piece[i % FIELDS].size);
        assert_rc(s_take(&w, &event, &passed), WEFT_E_BAD_EVENT);
        assert_true(passed);
        weft_buf_free(&w);
        s_free(&p);
    }
}

static void what_is_no_array_is_refused(void **state) {
    (void) state;
    static const char *const values[] = {"\xc0", "\x80", "\x05", "\x90", "\x91\xc0", "\x91\xa0"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        weft_buf_t w = {0};
        weft_wire_event_t event;
        bool passed;
        weft_buf_append(&w, values[i], strlen(values[i]));
        assert_rc(s_take(&w, &event, &passed), WEFT_E_BAD_EVENT);
        assert_true(passed);
        weft_buf_free(&w);
    }
}

static void an_event_cut_off_at_any_length_is_refused(void **state) {
    (void) state;
    size_t size;
    uint8_t *bytes = kit_golden("event", &size);
    for (size_t cut = 0; cut < size; cut++) {
        weft_buf_t w = {0};
        weft_wire_event_t event;
        bool passed;
        weft_buf_append(&w, bytes, cut);
        assert_rc(s_take(&w, &event, &passed), WEFT_E_BAD_EVENT);
        assert_int_equal(passed, cut == 0); /* there is no telling where the next one begins */
        weft_buf_free(&w);
    }
    free(bytes);
}

static void an_event_of_another_version_is_passed_over(void **state) {
    (void) state;
    weft_wire_event_t event;
    bool passed;
    weft_buf_t w = {0};
    assert_rc(s_with(0, "\x02", 1), WEFT_E_VERSION);
    assert_rc(s_with(0, "\x00", 1), WEFT_E_VERSION);
    weft_mp_put_array(&w, 2); /* whatever it looks like otherwise */
    weft_mp_put_uint(&w, 2);
    weft_mp_put_map(&w, 0);
    assert_rc(s_take(&w, &event, &passed), WEFT_E_VERSION);
    assert_true(passed);
    assert_null(event.origin);
    weft_buf_free(&w);
}

static void a_bad_event_still_tells_whose_it_is(void **state) {
    (void) state;
    s_pieces_t p;
    weft_wire_event_t event;
    s_init(&p);
    weft_buf_clear(&p.piece[4]);
    weft_mp_put_nil(&p.piece[4]);
    assert_rc(s_take_pieces(&p, &event), WEFT_E_BAD_EVENT);
    assert_non_null(event.origin);
    assert_int_equal(event.source_seq, 5);
    s_free(&p);
}

static void the_next_event_of_a_run_follows(void **state) {
    (void) state;
    weft_buf_t w = {0};
    weft_wire_event_t event;
    kit_event(&w, 1, 1, NULL, 10);
    weft_mp_put_array(&w, 1); /* malformed, yet whole */
    weft_mp_put_uint(&w, 1);
    kit_event(&w, 1, 2, "s", 10);
    weft_mp_t r = weft_mp_reader(w.data, w.size);
    assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
    assert_int_equal(event.source_seq, 1);
    assert_rc(weft_wire_event_take(&r, &event), WEFT_E_BAD_EVENT);
    assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
    assert_int_equal(event.source_seq, 2);
    assert_int_equal(weft_mp_left(&r), 0);
    weft_buf_free(&w);
}

/* ---- limits */

static weft_err_t s_sized(size_t source, size_t subject, size_t data_bytes) {
    static char text[WEFT_EVENT_BYTES_MAX + 1];
    s_pieces_t p;
    weft_wire_event_t event;
    memset(text, 'a', sizeof text);
    s_init(&p);
    weft_buf_clear(&p.piece[4]);
    weft_mp_put_str(&p.piece[4], text, source);
    weft_buf_clear(&p.piece[5]);
    weft_mp_put_str(&p.piece[5], text, subject);
    weft_buf_clear(&p.piece[8]);
    weft_mp_put_bin(&p.piece[8], text, data_bytes);
    weft_err_t rc = s_take_pieces(&p, &event);
    if (rc == WEFT_E_TOO_BIG) assert_int_equal(event.source_seq, 5);
    s_free(&p);
    return rc;
}

static void source_subject_and_event_end_at_their_limits(void **state) {
    (void) state;
    assert_rc(s_sized(WEFT_SOURCE_BYTES_MAX, 0, 0), WEFT_OK);
    assert_rc(s_sized(WEFT_SOURCE_BYTES_MAX + 1, 0, 0), WEFT_E_TOO_BIG);
    assert_rc(s_sized(1, WEFT_SUBJECT_BYTES_MAX, 0), WEFT_OK);
    assert_rc(s_sized(1, WEFT_SUBJECT_BYTES_MAX + 1, 0), WEFT_E_TOO_BIG);
    size_t around = 1 + 1 + 18 + 1 + 3 + 2 + 1 + 1 + 27 + 5; /* array, v … data's head */
    assert_rc(s_sized(1, 0, WEFT_EVENT_BYTES_MAX - around), WEFT_OK);
    assert_rc(s_sized(1, 0, WEFT_EVENT_BYTES_MAX - around + 1), WEFT_E_TOO_BIG);
}

static void data_nests_up_to_the_limit(void **state) {
    (void) state;
    for (unsigned more = 0; more <= 1; more++) {
        s_pieces_t p;
        weft_buf_t w = {0};
        weft_wire_event_t event;
        bool passed;
        s_init(&p);
        weft_buf_clear(&p.piece[8]);
        for (unsigned i = 1; i < WEFT_MSGPACK_DEPTH_MAX + more; i++)
            weft_mp_put_array(&p.piece[8], 1);
        weft_mp_put_map(&p.piece[8], 0);
        s_join(&p, &w);
        assert_rc(s_take(&w, &event, &passed), more ? WEFT_E_BAD_EVENT : WEFT_OK);
        weft_mp_t data = weft_mp_reader(p.piece[8].data, p.piece[8].size);
        event.source = "s", event.source_size = 1, event.subject = NULL, event.subject_size = 0;
        event.data = data.at, event.data_size = weft_mp_left(&data);
        assert_rc(weft_wire_event_check(&event), more ? WEFT_E_BAD_EVENT : WEFT_OK);
        weft_buf_free(&w);
        s_free(&p);
    }
}

/* ---- the door on the way out */

static weft_err_t s_check(const char *source, size_t source_size, const char *subject,
                          size_t subject_size, const void *data, size_t data_size) {
    static const uint8_t origin[16];
    weft_wire_event_t event = {.origin = origin,
                               .source_seq = INT64_MAX,
                               .time_us = INT64_MAX,
                               .source = source,
                               .source_size = source_size,
                               .subject = subject,
                               .subject_size = subject_size,
                               .cause = INT64_MAX,
                               .data = data,
                               .data_size = data_size};
    weft_err_t rc = weft_wire_event_check(&event);
    if (rc == WEFT_OK) { /* what passes here is taken at the other end */
        weft_buf_t w = {0};
        weft_wire_event_t taken;
        bool passed;
        weft_wire_event_put(&w, &event);
        assert_rc(s_take(&w, &taken, &passed), WEFT_OK);
        assert_int_equal(taken.data_size, data_size);
        weft_buf_free(&w);
    }
    return rc;
}

static void a_cause_beyond_any_position_is_not_sent(void **state) {
    (void) state;
    static const uint8_t five[] = {5};
    weft_wire_event_t event = {.source = "s",
                               .source_size = 1,
                               .cause = INT64_MAX,
                               .data = five,
                               .data_size = sizeof five};
    assert_rc(weft_wire_event_check(&event), WEFT_OK);
    event.cause++;
    assert_rc(weft_wire_event_check(&event), WEFT_E_BAD_EVENT);
}

static void what_is_to_be_sent_is_checked_the_same(void **state) {
    (void) state;
    static char text[2000];
    memset(text, 'a', sizeof text);
    assert_rc(s_check("s", 1, "x", 1, "\x05", 1), WEFT_OK);
    assert_rc(s_check("s", 1, NULL, 0, "\x05", 1), WEFT_OK);
    assert_rc(s_check("", 0, NULL, 0, "\x05", 1), WEFT_E_BAD_EVENT);
    assert_rc(s_check("\n", 1, NULL, 0, "\x05", 1), WEFT_E_BAD_EVENT);
    assert_rc(s_check("s", 1, "\x01", 1, "\x05", 1), WEFT_E_BAD_EVENT);
    assert_rc(s_check("s", 1, NULL, 0, "\x05\x05", 2), WEFT_E_BAD_EVENT); /* two values */
    assert_rc(s_check("s", 1, NULL, 0, "", 0), WEFT_E_BAD_EVENT);
    assert_rc(s_check("s", 1, NULL, 0,
                      "\xa5"
                      "cut",
                      4),
              WEFT_E_BAD_EVENT);
    assert_rc(s_check("s", 1, NULL, 0, "\xc1", 1), WEFT_E_BAD_EVENT);
    assert_rc(s_check(text, WEFT_SOURCE_BYTES_MAX, NULL, 0, "\x05", 1), WEFT_OK);
    assert_rc(s_check(text, WEFT_SOURCE_BYTES_MAX + 1, NULL, 0, "\x05", 1), WEFT_E_TOO_BIG);
    assert_rc(s_check("s", 1, text, WEFT_SUBJECT_BYTES_MAX, "\x05", 1), WEFT_OK);
    assert_rc(s_check("s", 1, text, WEFT_SUBJECT_BYTES_MAX + 1, "\x05", 1), WEFT_E_TOO_BIG);
}

static void the_largest_data_that_may_be_sent_makes_a_legal_event(void **state) {
    (void) state;
    static char text[WEFT_SUBJECT_BYTES_MAX], filler[WEFT_EVENT_BYTES_MAX];
    memset(text, 'a', sizeof text);
    weft_err_t rc = WEFT_OK;
    size_t size = WEFT_EVENT_BYTES_MAX - 1600;
    for (; rc == WEFT_OK; size++) {
        weft_buf_t data = {0};
        weft_mp_put_bin(&data, filler, size);
        rc = s_check(text, WEFT_SOURCE_BYTES_MAX, text, WEFT_SUBJECT_BYTES_MAX, data.data,
                     data.size);
        weft_buf_free(&data);
    }
    assert_rc(rc, WEFT_E_TOO_BIG);
    assert_in_range(size, WEFT_EVENT_BYTES_MAX - 1400,
                    WEFT_EVENT_BYTES_MAX - 1300); /* nothing is given away */
}

/* ---- stamps */

static bool s_stamp(const void *bytes, size_t size) {
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_stamp_t stamp;
    bool ok = weft_stamp_take(&r, &stamp);
    assert_ptr_equal(r.at, ok ? (const uint8_t *) bytes + size : (const uint8_t *) bytes);
    return ok;
}

static void stamps_are_checked(void **state) {
    (void) state;
    assert_true(s_stamp("\x93\x01\x02\x03", 4)); /* shorter than the bus writes them */
    assert_true(s_stamp("\x93\x01\x02\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 12));
    assert_false(s_stamp("\x93\x00\x02\x03", 4)); /* there is no position 0 */
    assert_false(s_stamp("\x93\xcf\x80\0\0\0\0\0\0\0\x02\x03", 12));
    assert_false(s_stamp("\x93\x01\xcf\x80\0\0\0\0\0\0\0\x03", 12));
    assert_false(s_stamp("\x93\x01\xff\x03", 4));
    assert_false(s_stamp("\x93\x01\x02\xff", 4));
    assert_false(s_stamp("\x92\x01\x02", 3));
    assert_false(s_stamp("\x94\x01\x02\x03\x04", 5));
    assert_false(s_stamp("\xc0", 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malformed_field_is_refused_and_passed_over),
        cmocka_unit_test(what_is_optional_may_be_nil),
        cmocka_unit_test(numbers_reach_up_to_the_largest),
        cmocka_unit_test(data_is_any_one_value),
        cmocka_unit_test(another_number_of_fields_is_refused),
        cmocka_unit_test(what_is_no_array_is_refused),
        cmocka_unit_test(an_event_cut_off_at_any_length_is_refused),
        cmocka_unit_test(an_event_of_another_version_is_passed_over),
        cmocka_unit_test(a_bad_event_still_tells_whose_it_is),
        cmocka_unit_test(the_next_event_of_a_run_follows),
        cmocka_unit_test(source_subject_and_event_end_at_their_limits),
        cmocka_unit_test(data_nests_up_to_the_limit),
        cmocka_unit_test(a_cause_beyond_any_position_is_not_sent),
        cmocka_unit_test(what_is_to_be_sent_is_checked_the_same),
        cmocka_unit_test(the_largest_data_that_may_be_sent_makes_a_legal_event),
        cmocka_unit_test(stamps_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
