/* weft_record: see weft_record.h. */
#include "weft_record.h"

#include "weft_type.h"

static const weft_field_t s_fields[] = {
    WEFT_FIELD(weft_record_t, boot, U64, false),
    WEFT_FIELD(weft_record_t, log, UUID, false),
    WEFT_FIELD(weft_record_t, prev, U64, false),
    WEFT_FIELD(weft_record_t, prev_chain, U64, false),
    WEFT_FIELD(weft_record_t, last, U64, false),
    WEFT_FIELD(weft_record_t, chain, U64, false),
    WEFT_FIELD(weft_record_t, at, TIME, false),
    {"types", WEFT_FIELD_RAW, offsetof(weft_record_t, types_raw), false},
};
#define FIELDS (sizeof s_fields / sizeof *s_fields)

static weft_err_t s_types(weft_record_t *out) {
    weft_mp_t r = weft_mp_reader(out->types_raw.data, out->types_raw.size);
    uint32_t pairs, two;
    uint64_t total = 0;
    if (!weft_mp_map(&r, &pairs)) return WEFT_E_BAD_FIELD;
    if (pairs > WEFT_BATCH_TYPES_MAX) return WEFT_E_TOO_BIG;
    for (out->types_count = 0; out->types_count < pairs; out->types_count++) {
        weft_record_type_t *t = &out->types[out->types_count];
        if (!weft_mp_str(&r, &t->type, &t->type_size)) return WEFT_E_BAD_FIELD;
        if (weft_type_check(t->type, t->type_size) != WEFT_OK) return WEFT_E_BAD_TYPE;
        if (!weft_mp_array(&r, &two) || two != 2 || !weft_mp_uint(&r, &t->count) ||
            !weft_mp_uint(&r, &t->sum))
            return WEFT_E_BAD_FIELD;
        if (t->count > out->last - out->prev - total) return WEFT_E_BAD_FIELD;
        total += t->count;
    }
    return total == out->last - out->prev ? WEFT_OK : WEFT_E_BAD_FIELD;
}

weft_err_t weft_record_decode(const void *bytes, size_t size, weft_record_t *out) {
    memset(out, 0, offsetof(weft_record_t, types));
    weft_err_t rc = weft_fields_decode(bytes, size, s_fields, FIELDS, out);
    if (rc != WEFT_OK) return rc;
    if (out->prev > out->last || out->last > INT64_MAX) return WEFT_E_BAD_FIELD;
    return s_types(out);
}

void weft_record_encode(weft_buf_t *w, const weft_record_t *record) {
    weft_mp_put_map(w, FIELDS);
    for (size_t i = 0; i + 1 < FIELDS; i++) {
        weft_mp_put_text(w, s_fields[i].key);
        const void *from = (const char *) record + s_fields[i].offset;
        if (s_fields[i].kind == WEFT_FIELD_UUID)
            weft_mp_put_bin(w, from, sizeof(weft_uuid_t));
        else
            weft_mp_put_uint(w, *(const uint64_t *) from);
    }
    weft_mp_put_text(w, "types");
    weft_mp_put_map(w, (uint32_t) record->types_count);
    for (size_t i = 0; i < record->types_count; i++) {
        weft_mp_put_str(w, record->types[i].type, record->types[i].type_size);
        weft_mp_put_array(w, 2);
        weft_mp_put_uint(w, record->types[i].count);
        weft_mp_put_uint(w, record->types[i].sum);
    }
}

weft_err_t weft_ack_decode(const void *bytes, size_t size, weft_ack_t *out) {
    weft_mp_t r = weft_mp_reader(bytes, size);
    uint32_t count;
    if (!weft_mp_array(&r, &count) || count != 3 || !weft_mp_uint(&r, &out->source_seq) ||
        !weft_mp_uint(&r, &out->position) || !weft_mp_uint(&r, &out->origin_chain) ||
        weft_mp_left(&r))
        return WEFT_E_BAD_FIELD;
    return WEFT_OK;
}

void weft_ack_encode(weft_buf_t *w, const weft_ack_t *ack) {
    weft_mp_put_array(w, 3);
    weft_mp_put_uint(w, ack->source_seq);
    weft_mp_put_uint(w, ack->position);
    weft_mp_put_uint(w, ack->origin_chain);
}

void weft_uuid_text(char text[33], const uint8_t uuid[16]) {
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        text[2 * i] = digits[uuid[i] >> 4];
        text[2 * i + 1] = digits[uuid[i] & 15];
    }
    text[32] = '\0';
}

bool weft_uuid_parse(weft_uuid_t *out, const char *text) {
    unsigned n = 0;
    for (; *text; text++) {
        char c = *text;
        if (c == '-') continue;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0 || n == 32) return false;
        uint8_t *byte = &out->bytes[n / 2];
        *byte = (uint8_t) (n % 2 ? *byte | digit : digit << 4);
        n++;
    }
    return n == 32;
}

void weft_ack_topic(char topic[WEFT_TOPIC_ACK_BYTES + 1], const uint8_t origin[16]) {
    memcpy(topic, WEFT_TOPIC_ACK, 5);
    weft_uuid_text(topic + 5, origin);
}
