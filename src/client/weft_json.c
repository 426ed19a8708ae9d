/* weft_json: see weft_json.h. Recursion is bounded by WEFT_MSGPACK_DEPTH_MAX, checked on the way in. */
#include "weft_json.h"

#include "weft_limits.h"
#include "weft_mp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_BINARY "$binary"
#define TAG_UINT "$uint"

typedef struct {
    char *reason;
    size_t reason_size;
} weft_json_job_t;

static weft_err_t s_refuse(const weft_json_job_t *job, weft_err_t rc, const char *why) {
    if (job->reason && job->reason_size) snprintf(job->reason, job->reason_size, "%s", why);
    return rc;
}

/* ---- base64 (RFC 4648, section 4) */

static const char s_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *s_base64(const uint8_t *bytes, size_t size) {
    char *text = malloc((size + 2) / 3 * 4 + 1), *to = text;
    if (!text) return NULL;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t) bytes[i] << 16;
        if (i + 1 < size) group |= (uint32_t) bytes[i + 1] << 8;
        if (i + 2 < size) group |= bytes[i + 2];
        *to++ = s_alphabet[group >> 18];
        *to++ = s_alphabet[group >> 12 & 63];
        *to++ = i + 1 < size ? s_alphabet[group >> 6 & 63] : '=';
        *to++ = i + 2 < size ? s_alphabet[group & 63] : '=';
    }
    *to = '\0';
    return text;
}

/* Digits of one group of four; false if it is not base64. */
static bool s_base64_group(const char *text, bool last, uint8_t out[3], unsigned *count) {
    uint32_t group = 0;
    unsigned pad = 0;
    for (unsigned i = 0; i < 4; i++) {
        const char *at = text[i] == '=' ? NULL : strchr(s_alphabet, text[i]);
        if (text[i] == '=' && last && i >= 2)
            pad++;
        else if (!at || !text[i] || pad)
            return false;
        group = group << 6 | (at ? (uint32_t) (at - s_alphabet) : 0);
    }
    *count = 3 - pad;
    for (unsigned i = 0; i < 3; i++) out[i] = (uint8_t) (group >> (16 - 8 * i));
    return (pad < 1 || out[2] == 0) && (pad < 2 || out[1] == 0); /* no stray bits */
}

static bool s_put_base64(weft_buf_t *w, const char *text, size_t size) {
    weft_buf_t bytes;
    bool ok = size % 4 == 0;
    weft_buf_init(&bytes);
    for (size_t i = 0; ok && i < size; i += 4) {
        uint8_t group[3];
        unsigned count;
        ok = s_base64_group(text + i, i + 4 == size, group, &count);
        if (ok) weft_buf_append(&bytes, group, count);
    }
    if (ok) weft_mp_put_bin(w, bytes.data, bytes.size);
    if (bytes.failed) w->failed = true;
    weft_buf_free(&bytes);
    return ok;
}

/* ---- msgpack → JSON */

static weft_err_t s_read(const weft_json_job_t *job, weft_mp_t *r, unsigned depth, json_t **out);

static json_t *s_tagged(const char *tag, const char *text) {
    json_t *object = json_object();
    if (object && json_object_set_new(object, tag, json_string(text)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static weft_err_t s_read_text(const weft_json_job_t *job, const char *text, size_t size,
                              json_t **out) {
    if (memchr(text, '\0', size)) return s_refuse(job, WEFT_E_JSON, "text holds U+0000");
    *out = json_stringn(text, size);
    return *out ? WEFT_OK : s_refuse(job, WEFT_E_JSON, "text is not UTF-8");
}

static weft_err_t s_read_float(const weft_json_job_t *job, weft_mp_t *r, json_t **out) {
    uint8_t tag = r->at[0];
    size_t size = tag == 0xca ? 4 : 8;
    if (weft_mp_left(r) < 1 + size) return s_refuse(job, WEFT_E_JSON, "msgpack is cut off");
    uint64_t bits = weft_be(r->at + 1, (unsigned) size);
    double value;
    if (size == 4) {
        uint32_t half = (uint32_t) bits;
        float single;
        memcpy(&single, &half, sizeof single);
        value = single;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    if (!isfinite(value)) return s_refuse(job, WEFT_E_JSON, "number is not finite");
    r->at += 1 + size;
    *out = json_real(value);
    return *out ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_err_t s_read_array(const weft_json_job_t *job, weft_mp_t *r, uint32_t count,
                               unsigned depth, json_t **out) {
    json_t *array = json_array();
    if (!array) return WEFT_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        json_t *item = NULL;
        weft_err_t rc = s_read(job, r, depth + 1, &item);
        if (rc == WEFT_OK && json_array_append_new(array, item) != 0) rc = WEFT_E_NOMEM;
        if (rc == WEFT_OK) continue;
        json_decref(array);
        return rc;
    }
    *out = array;
    return WEFT_OK;
}

static weft_err_t s_read_pair(const weft_json_job_t *job, weft_mp_t *r, unsigned depth,
                              json_t *object) {
    const char *text;
    size_t size;
    json_t *value = NULL;
    if (!weft_mp_str(r, &text, &size)) return s_refuse(job, WEFT_E_JSON, "map key is not text");
    if (memchr(text, '\0', size)) return s_refuse(job, WEFT_E_JSON, "text holds U+0000");
    char *key = malloc(size + 2);
    if (!key) return WEFT_E_NOMEM;
    size_t escape = size && text[0] == '$' ? 1 : 0;
    key[0] = '$';
    memcpy(key + escape, text, size);
    key[escape + size] = '\0';
    weft_err_t rc = WEFT_OK;
    if (json_object_get(object, key)) rc = s_refuse(job, WEFT_E_JSON, "map key is doubled");
    if (rc == WEFT_OK) rc = s_read(job, r, depth + 1, &value);
    if (rc == WEFT_OK && json_object_set_new(object, key, value) != 0)
        rc = s_refuse(job, WEFT_E_JSON, "map key is not UTF-8");
    free(key);
    return rc;
}

static weft_err_t s_read_map(const weft_json_job_t *job, weft_mp_t *r, uint32_t count,
                             unsigned depth, json_t **out) {
    json_t *object = json_object();
    if (!object) return WEFT_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        weft_err_t rc = s_read_pair(job, r, depth, object);
        if (rc == WEFT_OK) continue;
        json_decref(object);
        return rc;
    }
    *out = object;
    return WEFT_OK;
}

static weft_err_t s_read_binary(const uint8_t *bytes, size_t size, json_t **out) {
    char *text = s_base64(bytes, size);
    if (!text) return WEFT_E_NOMEM;
    *out = s_tagged(TAG_BINARY, text);
    free(text);
    return *out ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_err_t s_read_uint(uint64_t value, json_t **out) {
    char digits[24];
    if (value <= INT64_MAX) {
        *out = json_integer((json_int_t) value);
    } else {
        snprintf(digits, sizeof digits, "%llu", (unsigned long long) value);
        *out = s_tagged(TAG_UINT, digits);
    }
    return *out ? WEFT_OK : WEFT_E_NOMEM;
}

static weft_err_t s_read(const weft_json_job_t *job, weft_mp_t *r, unsigned depth, json_t **out) {
    uint64_t number;
    int64_t negative;
    uint32_t count;
    bool flag;
    const char *text;
    const uint8_t *bytes;
    size_t size;
    weft_mp_t inside = *r;
    if (depth >= WEFT_MSGPACK_DEPTH_MAX &&
        (weft_mp_array(&inside, &count) || weft_mp_map(&inside, &count)))
        return s_refuse(job, WEFT_E_TOO_BIG, "nested too deep");
    if (!weft_mp_left(r)) return s_refuse(job, WEFT_E_JSON, "msgpack is cut off");
    if (weft_mp_nil(r)) {
        *out = json_null();
        return WEFT_OK;
    }
    if (weft_mp_bool(r, &flag)) {
        *out = json_boolean(flag);
        return WEFT_OK;
    }
    if (weft_mp_uint(r, &number)) return s_read_uint(number, out);
    if (weft_mp_int(r, &negative)) {
        *out = json_integer((json_int_t) negative);
        return *out ? WEFT_OK : WEFT_E_NOMEM;
    }
    if (weft_mp_str(r, &text, &size)) return s_read_text(job, text, size, out);
    if (weft_mp_bin(r, &bytes, &size)) return s_read_binary(bytes, size, out);
    if (weft_mp_array(r, &count)) return s_read_array(job, r, count, depth, out);
    if (weft_mp_map(r, &count)) return s_read_map(job, r, count, depth, out);
    if (r->at[0] == 0xca || r->at[0] == 0xcb) return s_read_float(job, r, out);
    weft_mp_t copy = *r;
    return s_refuse(job, WEFT_E_JSON,
                    weft_mp_skip(&copy) ? "extension type" : "msgpack is malformed or cut off");
}

weft_err_t weft_json_from_msgpack(json_t **out, const void *data, size_t size, char *reason,
                                  size_t reason_size) {
    weft_json_job_t job = {reason, reason_size};
    weft_mp_t r = weft_mp_reader(data, size);
    json_t *json = NULL;
    weft_err_t rc = s_read(&job, &r, 0, &json);
    if (rc == WEFT_OK && weft_mp_left(&r)) {
        json_decref(json);
        rc = s_refuse(&job, WEFT_E_JSON, "more than one msgpack value");
    }
    if (rc == WEFT_OK) *out = json;
    return rc;
}

/* ---- JSON → msgpack */

static const char s_too_deep[] = "nested too deep";

/* {"$binary": …} or {"$uint": …}: handled says whether it was one. */
static weft_err_t s_write_tagged(const weft_json_job_t *job, weft_buf_t *w, const json_t *object,
                                 bool *handled) {
    *handled = true;
    json_t *value = json_object_get(object, TAG_BINARY);
    if (value) {
        if (json_object_size(object) != 1 || !json_is_string(value) ||
            !s_put_base64(w, json_string_value(value), json_string_length(value)))
            return s_refuse(job, WEFT_E_JSON, "$binary wants base64 and stands alone");
        return WEFT_OK;
    }
    value = json_object_get(object, TAG_UINT);
    if (value) {
        const char *digits = json_string_value(value);
        char *end = NULL;
        if (json_object_size(object) == 1 && digits && strlen(digits) <= 20 &&
            strspn(digits, "0123456789") == strlen(digits) && *digits) {
            char check[24];
            unsigned long long number = strtoull(digits, &end, 10);
            snprintf(check, sizeof check, "%llu", number);
            if (strcmp(check, digits) == 0) {
                weft_mp_put_uint(w, number);
                return WEFT_OK;
            }
        }
        return s_refuse(job, WEFT_E_JSON,
                        "$uint wants decimal digits up to 2^64-1 and stands alone");
    }
    *handled = false;
    return WEFT_OK;
}

static weft_err_t s_write(const weft_json_job_t *job, weft_buf_t *w, const json_t *json,
                          unsigned depth);

static weft_err_t s_write_object(const weft_json_job_t *job, weft_buf_t *w, const json_t *object,
                                 unsigned depth) {
    bool handled;
    const char *key;
    json_t *value;
    weft_err_t rc = s_write_tagged(job, w, object, &handled);
    if (rc != WEFT_OK || handled) return rc; /* a tag is no level of msgpack */
    if (depth >= WEFT_MSGPACK_DEPTH_MAX) return s_refuse(job, WEFT_E_TOO_BIG, s_too_deep);
    weft_mp_put_map(w, (uint32_t) json_object_size(object));
    json_object_foreach((json_t *) (uintptr_t) object, key, value) {
        if (key[0] == '$' && key[1] != '$') return s_refuse(job, WEFT_E_JSON, "unknown $ tag");
        weft_mp_put_text(w, key[0] == '$' ? key + 1 : key);
        rc = s_write(job, w, value, depth + 1);
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

static weft_err_t s_write_array(const weft_json_job_t *job, weft_buf_t *w, const json_t *array,
                                unsigned depth) {
    size_t count = json_array_size(array);
    if (depth >= WEFT_MSGPACK_DEPTH_MAX) return s_refuse(job, WEFT_E_TOO_BIG, s_too_deep);
    weft_mp_put_array(w, (uint32_t) count);
    for (size_t i = 0; i < count; i++) {
        weft_err_t rc = s_write(job, w, json_array_get(array, i), depth + 1);
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

static weft_err_t s_write(const weft_json_job_t *job, weft_buf_t *w, const json_t *json,
                          unsigned depth) {
    switch (json_typeof(json)) {
    case JSON_OBJECT: return s_write_object(job, w, json, depth);
    case JSON_ARRAY: return s_write_array(job, w, json, depth);
    case JSON_STRING: weft_mp_put_str(w, json_string_value(json), json_string_length(json)); break;
    case JSON_INTEGER: weft_mp_put_int(w, (int64_t) json_integer_value(json)); break;
    case JSON_REAL: weft_mp_put_double(w, json_real_value(json)); break;
    case JSON_TRUE: weft_mp_put_bool(w, true); break;
    case JSON_FALSE: weft_mp_put_bool(w, false); break;
    case JSON_NULL: weft_mp_put_nil(w); break;
    }
    return WEFT_OK;
}

weft_err_t weft_json_put(weft_buf_t *w, const json_t *json, char *reason, size_t reason_size) {
    weft_json_job_t job = {reason, reason_size};
    weft_err_t rc = s_write(&job, w, json, 0);
    return rc == WEFT_OK && !weft_buf_ok(w) ? WEFT_E_NOMEM : rc;
}

/* ---- the public face */

weft_err_t weft_json_to_msgpack(const char *text, size_t size, void **out, size_t *out_size,
                                char *reason, size_t reason_size) {
    weft_json_job_t job = {reason, reason_size};
    json_error_t error;
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        if (reason && reason_size)
            snprintf(reason, reason_size, "line %d column %d: %s", error.line, error.column,
                     error.text);
        return WEFT_E_JSON;
    }
    weft_buf_t w;
    weft_buf_init(&w);
    weft_err_t rc = weft_json_put(&w, json, job.reason, job.reason_size);
    json_decref(json);
    if (rc != WEFT_OK) {
        weft_buf_free(&w);
        return rc;
    }
    *out = w.data;
    *out_size = w.size;
    return WEFT_OK;
}

weft_err_t weft_msgpack_to_json(const void *data, size_t size, char **out, char *reason,
                                size_t reason_size) {
    json_t *json = NULL;
    weft_err_t rc = weft_json_from_msgpack(&json, data, size, reason, reason_size);
    if (rc != WEFT_OK) return rc;
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(json);
    if (!text) return WEFT_E_NOMEM;
    *out = text;
    return WEFT_OK;
}
