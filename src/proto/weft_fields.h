/* weft_fields: a message body is a msgpack map with text keys; a table says which.
 *
 * Decoding refuses an unknown, doubled, missing or malformed field with WEFT_E_BAD_FIELD. Keys may
 * come in any order; encoding writes them in the order of the table. */
#ifndef WEFT_FIELDS_H
#define WEFT_FIELDS_H

#include "weft.h"
#include "weft_mp.h"

typedef struct {
    const char *data; /* NULL: absent or nil; not terminated */
    size_t size;
} weft_text_t;

typedef struct {
    const uint8_t *data; /* NULL: absent or nil */
    size_t size;
} weft_bytes_t;

/* Where a reader stands, as it says it: nothing, a bare number, or with log and chain. */
typedef struct {
    enum { WEFT_PLACE_NONE, WEFT_PLACE_NUMBER, WEFT_PLACE_CHECKED } kind;
    weft_resume_t at;
} weft_place_t;

typedef enum {
    WEFT_FIELD_U64,   /* uint64_t; msgpack uint */
    WEFT_FIELD_TIME,  /* int64_t ≥ 0; msgpack uint */
    WEFT_FIELD_BOOL,  /* bool */
    WEFT_FIELD_UUID,  /* weft_uuid_t; bin of 16 */
    WEFT_FIELD_TEXT,  /* weft_text_t; str of at most WEFT_TEXT_BYTES_MAX, UTF-8 without controls */
    WEFT_FIELD_PLACE, /* weft_place_t; nil or [bin 16 or nil, uint, uint or nil] */
    WEFT_FIELD_RAW    /* weft_bytes_t; any one value, taken whole */
} weft_field_kind_t;

typedef struct {
    const char *key;
    weft_field_kind_t kind;
    size_t offset;
    bool optional; /* TEXT, RAW, UUID and PLACE only: absent and nil mean the same */
} weft_field_t;

/* out must be zeroed. Takes the map from r, which moves past it. At most 32 fields a table. */
weft_err_t weft_fields_take(weft_mp_t *r, const weft_field_t *fields, size_t count, void *out);
/* As above; nothing may follow the map. */
weft_err_t weft_fields_decode(const void *bytes, size_t size, const weft_field_t *fields,
                              size_t count, void *out);
void weft_fields_encode(weft_buf_t *w, const weft_field_t *fields, size_t count, const void *in);

#define WEFT_FIELD(type, member, kind, optional) \
    { #member, WEFT_FIELD_##kind, offsetof(type, member), optional }

#endif
