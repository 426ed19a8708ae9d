/* weft_limits: every limit of the protocol, in one place (docs/protocol.md, Limits). */
#ifndef WEFT_LIMITS_H
#define WEFT_LIMITS_H

#include <stdint.h>

#define WEFT_PROTOCOL_VERSION 1u

#define WEFT_TYPE_BYTES_MAX 255u
#define WEFT_SOURCE_BYTES_MAX 255u
#define WEFT_SUBJECT_BYTES_MAX 1024u
#define WEFT_EVENT_BYTES_MAX (256u << 10)
#define WEFT_LIVE_MESSAGE_BYTES_MAX (64u << 10) /* F2: larger events come by catch-up alone */
#define WEFT_GROUP_BYTES_TARGET (32u << 10)     /* F1: a message closes once it holds this much */
#define WEFT_STAMP_BYTES_MAX 28u
#define WEFT_MESSAGE_BYTES_MAX (1u << 20) /* largest frame any socket takes (ZMQ_MAXMSGSIZE) */

#define WEFT_BATCH_EVENTS_MAX 4096u
#define WEFT_BATCH_BYTES_MAX (8u << 20)
#define WEFT_BATCH_TYPES_MAX 256u
#define WEFT_BATCH_US_MAX 5000
#define WEFT_MALFORMED_MAX 64u /* malformed events in one message; what follows them is not read */

#define WEFT_PAGE_BYTES_MAX (768u << 10)
#define WEFT_PAGE_BYTES_MIN (16u << 10) /* C3: no reader asks for less */
#define WEFT_PAGE_EVENTS_MAX 65536u
#define WEFT_PAGE_ROWS_MAX 65536u            /* C2: rows that one page may look at */
#define WEFT_PAGE_LOOK_BYTES_MAX (16u << 20) /* C2: bytes of events in them */

#define WEFT_WINDOW_EVENTS_MAX 8192u    /* O2 */
#define WEFT_FILTERS_MAX 256u           /* F4 */
#define WEFT_TOPIC_BYTES_MAX 72000u     /* F4: topics of one connection; 256 filters fit */
#define WEFT_TYPES_MAX 65536u           /* F4 */
#define WEFT_HOLD_BYTES_MAX (16u << 20) /* S1: a subscriber's events not yet covered by a record */
#define WEFT_READY_BYTES_MAX \
    (1u << 20) /* a subscriber stops reading beyond this much undelivered */
#define WEFT_BATCH_READY_EVENTS_MAX 4096u /* events handed out in one batch, from several records */

#define WEFT_MSGPACK_DEPTH_MAX 32u
#define WEFT_TEXT_BYTES_MAX 1024u /* any text field of a control message */
#define WEFT_REPORTS_MAX 1024u    /* services whose last REPORT the bus keeps */
#define WEFT_COUNTERS_MAX 256u    /* counters in one STATUS reply */

#define WEFT_CAUSES_MAX 256u /* in one EFFECTS */
#define WEFT_FOUND_MAX 8192u /* numbers in one FOUND: 4096 pairs, or positions */

#define WEFT_PARKED_MAX 10000u /* parked events in a service's database */

#define WEFT_LATELY_US \
    (UINT64_C(7) * 86400 * 1000000) /* a silent service holds a trim back so long */

#define WEFT_HEARTBEAT_MS 1000 /* idle commit record */
#define WEFT_SILENCE_MS 3000   /* S3 */
#define WEFT_REQUEST_MS 2000   /* C3: a request is repeated after this long */
#define WEFT_RETRY_MS_MIN 250  /* O2: first wait for an acknowledgement; doubles */
#define WEFT_RETRY_MS_MAX 4000
/* There is no connection to ask on: look again. A fresh one stands after a few ms; doubles while it does not. */
#define WEFT_UNSENT_MS_MIN 2
#define WEFT_UNSENT_MS_MAX 100

/* The wait after the next try that fails. */
static inline int64_t weft_unsent_longer(int64_t wait_ms) {
    return 2 * wait_ms < WEFT_UNSENT_MS_MAX ? 2 * wait_ms : WEFT_UNSENT_MS_MAX;
}

/* C3: what to ask for after a page of so many bytes did not come: a bad line may never let one through. */
static inline uint64_t weft_page_bytes_less(uint64_t bytes) {
    return bytes / 4 > WEFT_PAGE_BYTES_MIN ? bytes / 4 : WEFT_PAGE_BYTES_MIN;
}

_Static_assert(WEFT_BATCH_BYTES_MAX >= WEFT_EVENT_BYTES_MAX, "any legal event fits an empty batch");
_Static_assert(WEFT_PAGE_BYTES_MAX >= WEFT_LIVE_MESSAGE_BYTES_MAX, "a live message fits a page");
_Static_assert(WEFT_MESSAGE_BYTES_MAX >= 2 * WEFT_EVENT_BYTES_MAX + 4096,
               "a page of one event fits");
_Static_assert(WEFT_GROUP_BYTES_TARGET <= WEFT_LIVE_MESSAGE_BYTES_MAX,
               "a group fits a live message");
_Static_assert(WEFT_HOLD_BYTES_MAX >= WEFT_BATCH_BYTES_MAX, "one whole batch can be held");

#endif
