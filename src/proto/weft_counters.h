/* weft_counters: one counter for every way in which something is not taken as it came. */
#ifndef WEFT_COUNTERS_H
#define WEFT_COUNTERS_H

#include <stdint.h>

/* Of the bus' ingest. Books: taken == stored + the sum of all these. One item is one event, or the
 * unreadable rest of a message. */
#define WEFT_DROPS(X)                                                              \
    X(DUPLICATE, "duplicate", "events that are stored already")                    \
    X(GAP, "gap", "events whose predecessor is missing")                           \
    X(BAD_FRAME, "bad_frame", "messages that are not a type and a body")           \
    X(BAD_TYPE, "bad_type", "events of a type outside the grammar, $… among them") \
    X(BAD_EVENT, "bad_event", "malformed events")                                  \
    X(BAD_VERSION, "bad_version", "events of another protocol version")            \
    X(TOO_BIG, "too_big", "events beyond a limit")                                 \
    X(TYPES_FULL, "types_full", "events of a type beyond the last one allowed")    \
    X(STORE_FAILED, "store_failed", "events of a batch that was not committed")    \
    X(NOT_ACCEPTING, "not_accepting", "events while the store is closed to writes")

/* Of a subscriber: what it was sent and did not take. What is missing then, a record or a page tells. */
#define WEFT_SUB_DROPS(X)                                                        \
    X(MALFORMED, "malformed", "messages and events that cannot be read")         \
    X(UNASKED, "unasked", "replies that nobody waits for any more")              \
    X(BAD_PAGE, "bad_page", "pages that do not add up")                          \
    X(OTHER_BOOT, "other_boot", "records of another log or another start of it") \
    X(HELD_TOO_MUCH, "held_too_much", "times that all live events held were let go")

#define X(name, text, help) WEFT_DROP_##name,
typedef enum { WEFT_DROPS(X) WEFT_DROP_COUNT } weft_drop_t;
#undef X

#define X(name, text, help) WEFT_SUB_DROP_##name,
typedef enum { WEFT_SUB_DROPS(X) WEFT_SUB_DROP_COUNT } weft_sub_drop_t;
#undef X

#endif
