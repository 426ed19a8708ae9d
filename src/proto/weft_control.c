/* weft_control: the field tables; weft_fields does the work. */
#include "weft_control.h"

#include "weft_limits.h"
#include "weft_type.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const s_names[] = {NULL,
#define X(name) #name,
                                      WEFT_COMMANDS(X)
#undef X
};

weft_command_t weft_command_parse(const void *frame, size_t size) {
    for (size_t i = 1; i < COUNT(s_names); i++)
        if (strlen(s_names[i]) == size && memcmp(s_names[i], frame, size) == 0)
            return (weft_command_t) i;
    return WEFT_COMMAND_NONE;
}

const char *weft_command_name(weft_command_t command) {
    return command > WEFT_COMMAND_NONE && command < COUNT(s_names) ? s_names[command] : "?";
}

#define F(member, kind) WEFT_FIELD(T, member, kind, false)
#define OPT(member, kind) WEFT_FIELD(T, member, kind, true)

#define T weft_hello_t
static const weft_field_t s_hello[] = {F(id, U64), F(version, U64), F(name, TEXT),
                                       OPT(position, PLACE), OPT(origin, UUID)};
#undef T
#define T weft_origin_state_t
static const weft_field_t s_origin_state[] = {F(last, U64), F(chain, U64), F(position, U64),
                                              F(refused_seq, U64), F(refused_code, U64)};
#undef T
#define T weft_welcome_t
static const weft_field_t s_welcome[] = {
    F(id, U64),         F(version, U64),     F(boot, U64),    F(log, UUID),
    F(first, U64),      F(first_chain, U64), F(head, U64),    F(chain, U64),
    F(at, TIME),        F(fanout, TEXT),     F(ingest, TEXT), F(software, TEXT),
    F(accepting, BOOL), F(reason, TEXT),     F(limits, RAW),  OPT(origin, RAW)};
#undef T
#define T weft_fetch_t
static const weft_field_t s_fetch[] = {F(id, U64), F(position, PLACE), F(filters, RAW),
                                       F(max_events, U64), F(max_bytes, U64)};
#undef T
#define T weft_page_t
static const weft_field_t s_page[] = {F(id, U64),   F(boot, U64),  F(log, UUID),
                                      F(from, U64), F(next, U64),  F(chain, U64),
                                      F(head, U64), F(count, U64), F(sum, U64)};
#undef T
#define T weft_report_t
static const weft_field_t s_report[] = {
    F(name, TEXT),     F(instance, UUID),        F(software, TEXT),    F(position, U64),
    F(resume, U64),    F(outbox, U64),           F(parked, U64),       F(parked_oldest, TIME),
    F(skipped, U64),   F(applied_catch_up, U64), F(applied_live, U64), F(live, BOOL),
    F(on_error, TEXT), F(database, TEXT),        F(filters, RAW)};
#undef T
#define T weft_status_t
static const weft_field_t s_status[] = {F(id, U64)};
#undef T
#define T weft_state_t
static const weft_field_t s_state[] = {
    F(id, U64),      F(boot, U64),       F(log, UUID),     F(first, U64),     F(head, U64),
    F(chain, U64),   F(at, TIME),        F(started, TIME), F(software, TEXT), F(fanout, TEXT),
    F(ingest, TEXT), F(accepting, BOOL), F(reason, TEXT),  F(counters, RAW),  F(services, RAW)};
#undef T
#define T weft_error_t
static const weft_field_t s_error[] = {F(id, U64), F(code, U64), F(text, TEXT), F(version, U64)};
#undef T

#define T weft_trim_t
static const weft_field_t s_trim[] = {F(id, U64),    F(to, U64),     F(age_us, U64),
                                      F(bytes, U64), F(force, BOOL), F(dry_run, BOOL)};
#undef T
#define T weft_trimmed_t
static const weft_field_t s_trimmed[] = {F(id, U64),      F(first, U64),        F(to, U64),
                                         F(wanted, U64),  F(head, U64),         F(bytes, U64),
                                         F(holder, TEXT), F(holder_resume, U64)};
#undef T

#define T weft_effects_t
static const weft_field_t s_effects[] = {F(id, U64), F(causes, RAW), F(after, U64)};
#undef T
#define T weft_trace_t
static const weft_field_t s_trace[] = {F(id, U64), F(trace, UUID), F(after, U64)};
#undef T
#define T weft_found_t
static const weft_field_t s_found[] = {F(id, U64),        F(boot, U64), F(log, UUID),
                                       F(first, U64),     F(head, U64), F(indexed, U64),
                                       F(positions, RAW), F(more, BOOL)};
#undef T

/* id and version of a body whose other fields may be those of another version. */
static weft_err_t s_peek(const void *bytes, size_t size, uint64_t *id, uint64_t *version) {
    weft_mp_t r = weft_mp_reader(bytes, size);
    uint32_t pairs;
    bool has_id = false, has_version = false;
    if (!weft_mp_map(&r, &pairs)) return WEFT_E_BAD_FIELD;
    while (pairs--) {
        const char *key;
        size_t key_size;
        if (!weft_mp_str(&r, &key, &key_size)) return WEFT_E_BAD_FIELD;
        weft_mp_t value = r;
        if (!weft_mp_skip(&r)) return WEFT_E_BAD_FIELD;
        if (key_size == 2 && memcmp(key, "id", 2) == 0) has_id = weft_mp_uint(&value, id);
        if (key_size == 7 && memcmp(key, "version", 7) == 0)
            has_version = weft_mp_uint(&value, version);
    }
    if (!has_id || !has_version) return WEFT_E_BAD_FIELD;
    return *version == WEFT_PROTOCOL_VERSION ? WEFT_OK : WEFT_E_VERSION;
}

#define DECODE(name)                                                                        \
    weft_err_t weft_##name##_decode(const void *bytes, size_t size, weft_##name##_t *out) { \
        memset(out, 0, sizeof *out);                                                        \
        return weft_fields_decode(bytes, size, s_##name, COUNT(s_##name), out);             \
    }
#define DECODE_VERSIONED(name)                                                              \
    weft_err_t weft_##name##_decode(const void *bytes, size_t size, weft_##name##_t *out) { \
        memset(out, 0, sizeof *out);                                                        \
        weft_err_t rc = s_peek(bytes, size, &out->id, &out->version);                       \
        if (rc != WEFT_OK) return rc;                                                       \
        return weft_fields_decode(bytes, size, s_##name, COUNT(s_##name), out);             \
    }
#define ENCODE(name)                                                      \
    void weft_##name##_encode(weft_buf_t *w, const weft_##name##_t *in) { \
        weft_fields_encode(w, s_##name, COUNT(s_##name), in);             \
    }

DECODE_VERSIONED(hello)
DECODE_VERSIONED(welcome)
DECODE(fetch)
DECODE(page)
DECODE(report)
DECODE(status)
DECODE(state)
DECODE_VERSIONED(error)
DECODE(trim)
DECODE(trimmed)
DECODE(effects)
DECODE(trace)
DECODE(found)
DECODE(origin_state)
ENCODE(hello)
ENCODE(welcome)
ENCODE(fetch)
ENCODE(page)
ENCODE(report)
ENCODE(status)
ENCODE(state)
ENCODE(error)
ENCODE(trim)
ENCODE(trimmed)
ENCODE(effects)
ENCODE(trace)
ENCODE(found)
ENCODE(origin_state)

void weft_limits_encode(weft_buf_t *w) {
    static const struct {
        const char *name;
        uint64_t value;
    } limits[] = {
        {"type_bytes", WEFT_TYPE_BYTES_MAX},
        {"subject_bytes", WEFT_SUBJECT_BYTES_MAX},
        {"event_bytes", WEFT_EVENT_BYTES_MAX},
        {"live_message_bytes", WEFT_LIVE_MESSAGE_BYTES_MAX},
        {"batch_events", WEFT_BATCH_EVENTS_MAX},
        {"page_bytes", WEFT_PAGE_BYTES_MAX},
        {"window_events", WEFT_WINDOW_EVENTS_MAX},
        {"filters", WEFT_FILTERS_MAX},
        {"types", WEFT_TYPES_MAX},
    };
    weft_mp_put_map(w, COUNT(limits));
    for (size_t i = 0; i < COUNT(limits); i++) {
        weft_mp_put_text(w, limits[i].name);
        weft_mp_put_uint(w, limits[i].value);
    }
}

weft_err_t weft_filters_decode(weft_bytes_t raw, weft_filters_t *out) {
    weft_mp_t r = weft_mp_reader(raw.data, raw.size);
    uint32_t count;
    if (!weft_mp_array(&r, &count)) return WEFT_E_BAD_FIELD;
    if (count > WEFT_FILTERS_MAX) return WEFT_E_TOO_BIG;
    for (out->count = 0; out->count < count; out->count++) {
        weft_text_t *item = &out->items[out->count];
        if (!weft_mp_str(&r, &item->data, &item->size)) return WEFT_E_BAD_FIELD;
        weft_err_t rc = weft_filter_check(item->data, item->size);
        if (rc != WEFT_OK) return rc;
    }
    return WEFT_OK;
}

void weft_filters_encode(weft_buf_t *w, const weft_filters_t *in) {
    weft_mp_put_array(w, (uint32_t) in->count);
    for (size_t i = 0; i < in->count; i++) weft_mp_put_str(w, in->items[i].data, in->items[i].size);
}

weft_err_t weft_positions_decode(weft_bytes_t raw, uint64_t *out, size_t max, size_t *count) {
    weft_mp_t r = weft_mp_reader(raw.data, raw.size);
    uint32_t wanted;
    *count = 0;
    if (!weft_mp_array(&r, &wanted)) return WEFT_E_BAD_FIELD;
    if (wanted > max) return WEFT_E_TOO_BIG;
    for (size_t i = 0; i < wanted; i++)
        if (!weft_mp_uint(&r, &out[i]) || !out[i] || out[i] > INT64_MAX) return WEFT_E_BAD_FIELD;
    *count = wanted;
    return WEFT_OK;
}

void weft_positions_encode(weft_buf_t *w, const uint64_t *in, size_t count) {
    weft_mp_put_array(w, (uint32_t) count);
    for (size_t i = 0; i < count; i++) weft_mp_put_uint(w, in[i]);
}

weft_text_t weft_text(const char *text) {
    return (weft_text_t){.data = text, .size = strlen(text)};
}
