/* weft_record: what the bus says about the log on the fan-out socket: commit records and acks
 * (docs/protocol.md, Commit record and Acknowledgement). */
#ifndef WEFT_RECORD_H
#define WEFT_RECORD_H

#include "weft.h"
#include "weft_fields.h"
#include "weft_limits.h"

#define WEFT_TOPIC_COMMIT "$commit"
#define WEFT_TOPIC_ACK "$ack/"
#define WEFT_TOPIC_ACK_BYTES (5u + 32u) /* with the origin in hex, without NUL */

typedef struct {
    const char *type;
    size_t type_size;
    uint64_t count; /* events of this type in (prev, last] */
    uint64_t sum;   /* of their row checksums, mod 2^64 */
} weft_record_type_t;

typedef struct {
    uint64_t boot;
    weft_uuid_t log;
    uint64_t prev;
    uint64_t prev_chain;
    uint64_t last;
    uint64_t chain;
    int64_t at; /* Unix time in µs of the commit, or of the heartbeat */
    weft_bytes_t types_raw;
    size_t types_count;
    weft_record_type_t types[WEFT_BATCH_TYPES_MAX];
} weft_record_t;

/* types point into bytes. WEFT_OK, WEFT_E_BAD_FIELD, WEFT_E_BAD_TYPE, WEFT_E_TOO_BIG. */
weft_err_t weft_record_decode(const void *bytes, size_t size, weft_record_t *out);
/* types_raw is ignored. */
void weft_record_encode(weft_buf_t *w, const weft_record_t *record);

typedef struct {
    uint64_t source_seq;
    uint64_t position;
    uint64_t origin_chain;
} weft_ack_t;

weft_err_t weft_ack_decode(const void *bytes, size_t size, weft_ack_t *out);
void weft_ack_encode(weft_buf_t *w, const weft_ack_t *ack);
/* "$ack/" and 32 hex digits. */
void weft_ack_topic(char topic[WEFT_TOPIC_ACK_BYTES + 1], const uint8_t origin[16]);

/* 32 lower-case hex digits and NUL. */
void weft_uuid_text(char text[33], const uint8_t uuid[16]);
/* Takes hex digits with or without dashes. */
bool weft_uuid_parse(weft_uuid_t *out, const char *text);

#endif
