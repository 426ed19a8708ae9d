/* kit: what the C tests of this tree share: cmocka, waiting, scratch paths, random numbers with a
 * seed, golden frames, and a naive log that makes records and pages by hand. */
#ifndef KIT_H
#define KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weft_control.h"
#include "weft_record.h"
#include "weft_wire_event.h"

/* Names both codes when it fails. */
#define assert_rc(call, wanted) assert_string_equal(weft_err_name(call), weft_err_name(wanted))

/* Wait for something observable, at most ms (longer under sanitizers). */
#define WAIT_UNTIL(cond, ms)                                                    \
    do {                                                                        \
        int64_t end_ = kit_now_ms() + (int64_t) (ms) *kit_slow();               \
        bool ok_;                                                               \
        while (!(ok_ = (cond)) && kit_now_ms() < end_) kit_pause();             \
        if (!ok_)                                                               \
            fail_msg("%s:%d: waited %d ms in vain for: %s", __FILE__, __LINE__, \
                     (int) (ms) *kit_slow(), #cond);                            \
    } while (0)

int64_t kit_now_ms(void);
void kit_pause(void); /* a few ms, between two looks at a condition */
int kit_slow(void);   /* factor for waits: WEFT_TEST_SLOW */

const char *kit_dir(void); /* the test's scratch directory */
/* A path in it; the caller frees. */
char *kit_path(const char *format, ...) WEFT_PRINTF(1, 2);

uint64_t kit_random(uint64_t *seed);
uint64_t kit_below(uint64_t *seed, uint64_t limit); /* 0..limit-1 */

/* Bytes of tests/golden/NAME.hex; the caller frees. */
uint8_t *kit_golden(const char *name, size_t *size);

/* ---- events */

/* Append an event with these words; data is one msgpack str of that many bytes. */
void kit_event(weft_buf_t *w, uint8_t origin_byte, uint64_t seq, const char *subject,
               size_t data_bytes);
/* The same, decoded: points into w, which must not change any more. */
weft_wire_event_t kit_decode_event(const weft_buf_t *w);

/* ---- a naive log: an array of rows */

typedef struct {
    char *type;
    weft_buf_t event;
    weft_stamp_t stamp;
    uint64_t checksum;
} kit_row_t;

typedef struct {
    weft_uuid_t log;
    uint64_t boot;
    kit_row_t *rows; /* of positions 1, 2, 3 … */
    size_t count, capacity;
} kit_log_t;

void kit_log_init(kit_log_t *self);
void kit_log_free(kit_log_t *self);
/* Forget all rows above position. */
void kit_log_cut(kit_log_t *self, uint64_t position);
/* Store one more event. */
void kit_log_add(kit_log_t *self, const char *type, uint8_t origin_byte, uint64_t seq,
                 size_t data_bytes);
const kit_row_t *kit_log_row(const kit_log_t *self, uint64_t position);
uint64_t kit_log_chain(const kit_log_t *self, uint64_t position);
/* Stamp and event of that position, as on fan-out. */
void kit_log_put(const kit_log_t *self, uint64_t position, weft_buf_t *w);
/* The record over (prev, last], counted by hand. types point into the log. */
void kit_log_record(const kit_log_t *self, uint64_t prev, uint64_t last, weft_record_t *out);
/* A page after from: at most max_events that match one of the filters; at most max_rows looked at. */
void kit_log_page(const kit_log_t *self, uint64_t id, uint64_t from, const char *const *filters,
                  size_t filters_count, size_t max_events, size_t max_rows, weft_page_t *page,
                  weft_buf_t *body);
/* WELCOME as of now. */
weft_welcome_t kit_log_welcome(const kit_log_t *self, uint64_t id);

#endif
