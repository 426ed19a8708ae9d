/* weft_fields: one decoder and one encoder for every message body. */
#include "weft_fields.h"

#include "weft_assert.h"
#include "weft_limits.h"

static bool s_take_uuid(weft_mp_t *r, weft_uuid_t *out) {
    const uint8_t *bytes;
    size_t size;
    if (!weft_mp_bin(r, &bytes, &size) || size != sizeof out->bytes) return false;
    memcpy(out->bytes, bytes, sizeof out->bytes);
    return true;
}

static bool s_take_place(weft_mp_t *r, weft_place_t *out) {
    uint32_t count;
    if (!weft_mp_array(r, &count) || count != 3) return false;
    bool has_log = !weft_mp_nil(r);
    if (has_log && !s_take_uuid(r, &out->at.log)) return false;
    if (!weft_mp_uint(r, &out->at.position.value) || out->at.position.value > INT64_MAX)
        return false;
    bool has_chain = !weft_mp_nil(r);
    if (has_chain && !weft_mp_uint(r, &out->at.chain)) return false;
    if (has_log != has_chain) return false;
    out->kind = has_log ? WEFT_PLACE_CHECKED : WEFT_PLACE_NUMBER;
    return true;
}

static bool s_take_value(weft_mp_t *r, const weft_field_t *field, void *to) {
    if (field->optional && weft_mp_nil(r)) return true;
    switch (field->kind) {
    case WEFT_FIELD_U64: return weft_mp_uint(r, to);
    case WEFT_FIELD_TIME: return weft_mp_int(r, to) && *(int64_t *) to >= 0;
    case WEFT_FIELD_BOOL: return weft_mp_bool(r, to);
    case WEFT_FIELD_UUID: return s_take_uuid(r, to);
    case WEFT_FIELD_PLACE: return s_take_place(r, to);
    case WEFT_FIELD_TEXT: {
        weft_text_t *text = to;
        return weft_mp_str(r, &text->data, &text->size) && text->size <= WEFT_TEXT_BYTES_MAX &&
               weft_text_ok(text->data, text->size);
    }
    case WEFT_FIELD_RAW: {
        weft_bytes_t *raw = to;
        raw->data = r->at;
        if (!weft_mp_skip(r)) return false;
        raw->size = (size_t) (r->at - raw->data);
        return true;
    }
    }
    return false;
}

weft_err_t weft_fields_take(weft_mp_t *r, const weft_field_t *fields, size_t count, void *out) {
    WEFT_ASSERT(count <= 32);
    uint32_t pairs, seen = 0;
    if (!weft_mp_map(r, &pairs)) return WEFT_E_BAD_FIELD;
    while (pairs--) {
        const char *key;
        size_t size, i;
        if (!weft_mp_str(r, &key, &size)) return WEFT_E_BAD_FIELD;
        for (i = 0; i < count; i++)
            if (strlen(fields[i].key) == size && memcmp(fields[i].key, key, size) == 0) break;
        if (i == count || seen & (1u << i)) return WEFT_E_BAD_FIELD;
        seen |= 1u << i;
        if (!s_take_value(r, &fields[i], (char *) out + fields[i].offset)) return WEFT_E_BAD_FIELD;
    }
    for (size_t i = 0; i < count; i++)
        if (!fields[i].optional && !(seen & (1u << i))) return WEFT_E_BAD_FIELD;
    return WEFT_OK;
}

weft_err_t weft_fields_decode(const void *bytes, size_t size, const weft_field_t *fields,
                              size_t count, void *out) {
    weft_mp_t r = weft_mp_reader(bytes, size);
    weft_err_t rc = weft_fields_take(&r, fields, count, out);
    return rc == WEFT_OK && weft_mp_left(&r) ? WEFT_E_BAD_FIELD : rc;
}

static void s_put_place(weft_buf_t *w, const weft_place_t *place) {
    if (place->kind == WEFT_PLACE_NONE) {
        weft_mp_put_nil(w);
        return;
    }
    bool checked = place->kind == WEFT_PLACE_CHECKED;
    weft_mp_put_array(w, 3);
    if (checked)
        weft_mp_put_bin(w, place->at.log.bytes, sizeof place->at.log.bytes);
    else
        weft_mp_put_nil(w);
    weft_mp_put_uint(w, place->at.position.value);
    if (checked)
        weft_mp_put_uint(w, place->at.chain);
    else
        weft_mp_put_nil(w);
}

static bool s_is_zero(const weft_uuid_t *uuid) {
    static const weft_uuid_t zero;
    return memcmp(uuid, &zero, sizeof zero) == 0;
}

static void s_put_value(weft_buf_t *w, const weft_field_t *field, const void *from) {
    const weft_text_t *text = from;
    const weft_bytes_t *raw = from;
    switch (field->kind) {
    case WEFT_FIELD_U64: weft_mp_put_uint(w, *(const uint64_t *) from); break;
    case WEFT_FIELD_TIME: weft_mp_put_int(w, *(const int64_t *) from); break;
    case WEFT_FIELD_BOOL: weft_mp_put_bool(w, *(const bool *) from); break;
    case WEFT_FIELD_PLACE: s_put_place(w, from); break;
    case WEFT_FIELD_UUID:
        if (field->optional && s_is_zero(from))
            weft_mp_put_nil(w);
        else
            weft_mp_put_bin(w, from, sizeof(weft_uuid_t));
        break;
    case WEFT_FIELD_TEXT:
        if (field->optional && !text->data)
            weft_mp_put_nil(w);
        else
            weft_mp_put_str(w, text->data, text->size);
        break;
    case WEFT_FIELD_RAW:
        if (!raw->data)
            weft_mp_put_nil(w);
        else
            weft_buf_append(w, raw->data, raw->size);
        break;
    }
}

void weft_fields_encode(weft_buf_t *w, const weft_field_t *fields, size_t count, const void *in) {
    weft_mp_put_map(w, (uint32_t) count);
    for (size_t i = 0; i < count; i++) {
        weft_mp_put_text(w, fields[i].key);
        s_put_value(w, &fields[i], (const char *) in + fields[i].offset);
    }
}
