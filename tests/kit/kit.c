/* kit: see kit.h. */
#include "kit.h"

#include "weft_checksum.h"
#include "weft_type.h"

#include <poll.h>
#include <time.h>

int64_t kit_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void kit_pause(void) {
    poll(NULL, 0, 2);
}

int kit_slow(void) {
    const char *slow = getenv("WEFT_TEST_SLOW");
    return slow && atoi(slow) > 0 ? atoi(slow) : 1;
}

const char *kit_dir(void) {
    const char *dir = getenv("WEFT_TEST_DIR");
    if (!dir)
        fail_msg("WEFT_TEST_DIR is not set: run the test by ctest or tests/kit/run-in-scratch");
    return dir;
}

char *kit_path(const char *format, ...) {
    char *name = NULL, *path = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&name, format, args);
    va_end(args);
    if (size < 0 || asprintf(&path, "%s/%s", kit_dir(), name) < 0) fail_msg("out of memory");
    free(name);
    return path;
}

uint64_t kit_random(uint64_t *seed) { /* splitmix64 */
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t kit_below(uint64_t *seed, uint64_t limit) {
    return kit_random(seed) % limit;
}

uint8_t *kit_golden(const char *name, size_t *size) {
    const char *source = getenv("WEFT_SOURCE_DIR");
    char path[512];
    int high = -1, c;
    snprintf(path, sizeof path, "%s/tests/golden/%s.hex", source ? source : ".", name);
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s cannot be read", path);
    uint8_t *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = 0;
    while ((c = fgetc(file)) != EOF) {
        if (c == ' ' || c == '\n') continue;
        int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
        if (digit < 0 || digit > 15) fail_msg("%s: '%c' is no hex digit", path, c);
        if (high < 0) {
            high = digit;
            continue;
        }
        bytes[(*size)++] = (uint8_t) (high << 4 | digit);
        high = -1;
    }
    fclose(file);
    assert_int_equal(high, -1);
    uint8_t *exact = malloc(*size); /* so that a read beyond the end shows */
    assert_non_null(exact);
    memcpy(exact, bytes, *size);
    free(bytes);
    return exact;
}

/* ---- events */

void kit_event(weft_buf_t *w, uint8_t origin_byte, uint64_t seq, const char *subject,
               size_t data_bytes) {
    uint8_t uuid[16] = {[0] = 0xee, [15] = origin_byte};
    weft_buf_t data;
    weft_buf_init(&data);
    char *text = malloc(data_bytes + 1);
    assert_non_null(text);
    memset(text, 'x', data_bytes);
    weft_mp_put_str(&data, text, data_bytes);
    free(text);
    weft_wire_event_t event = {.origin = uuid,
                               .source_seq = seq,
                               .time_us = 1700000000000000 + (int64_t) seq,
                               .source = "kit",
                               .source_size = 3,
                               .subject = subject,
                               .subject_size = subject ? strlen(subject) : 0,
                               .data = data.data,
                               .data_size = data.size};
    weft_wire_event_put(w, &event);
    weft_buf_free(&data);
    assert_true(weft_buf_ok(w));
}

weft_wire_event_t kit_decode_event(const weft_buf_t *w) {
    weft_wire_event_t event;
    weft_mp_t r = weft_mp_reader(w->data, w->size);
    assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
    assert_int_equal(weft_mp_left(&r), 0);
    return event;
}

/* ---- a naive log */

void kit_log_init(kit_log_t *self) {
    *self = (kit_log_t){.boot = 0xb007, .log = {{0x10, 0x60}}};
}

void kit_log_cut(kit_log_t *self, uint64_t position) {
    while (self->count > position) {
        kit_row_t *row = &self->rows[--self->count];
        free(row->type);
        weft_buf_free(&row->event);
    }
}

void kit_log_free(kit_log_t *self) {
    kit_log_cut(self, 0);
    free(self->rows);
    *self = (kit_log_t){0};
}

void kit_log_add(kit_log_t *self, const char *type, uint8_t origin_byte, uint64_t seq,
                 size_t data_bytes) {
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->rows = realloc(self->rows, self->capacity * sizeof *self->rows);
        assert_non_null(self->rows);
    }
    uint64_t before = kit_log_chain(self, self->count);
    kit_row_t *row = &self->rows[self->count++];
    *row = (kit_row_t){.type = strdup(type)};
    weft_buf_init(&row->event);
    kit_event(&row->event, origin_byte, seq, NULL, data_bytes);
    row->stamp.position = self->count;
    row->stamp.stored_us = 1800000000000000 + (int64_t) self->count;
    row->checksum = weft_checksum_row(row->stamp.position, row->stamp.stored_us,
                                      weft_hash(type, strlen(type)),
                                      weft_hash(row->event.data, row->event.size));
    row->stamp.chain = weft_checksum_chain(before, row->checksum);
}

const kit_row_t *kit_log_row(const kit_log_t *self, uint64_t position) {
    assert_in_range(position, 1, self->count);
    return &self->rows[position - 1];
}

uint64_t kit_log_chain(const kit_log_t *self, uint64_t position) {
    return position ? self->rows[position - 1].stamp.chain : 0;
}

void kit_log_put(const kit_log_t *self, uint64_t position, weft_buf_t *w) {
    const kit_row_t *row = kit_log_row(self, position);
    uint8_t stamp[WEFT_STAMP_BYTES_MAX];
    weft_stamp_write(stamp, &row->stamp);
    weft_buf_append(w, stamp, sizeof stamp);
    weft_buf_append(w, row->event.data, row->event.size);
}

void kit_log_record(const kit_log_t *self, uint64_t prev, uint64_t last, weft_record_t *out) {
    memset(out, 0, sizeof *out);
    out->boot = self->boot;
    out->log = self->log;
    out->prev = prev;
    out->prev_chain = kit_log_chain(self, prev);
    out->last = last;
    out->chain = kit_log_chain(self, last);
    out->at = 1900000000000000;
    for (uint64_t p = prev + 1; p <= last; p++) {
        const kit_row_t *row = kit_log_row(self, p);
        size_t i = 0;
        while (i < out->types_count && strcmp(out->types[i].type, row->type) != 0) i++;
        if (i == out->types_count) {
            assert_true(i < WEFT_BATCH_TYPES_MAX);
            out->types[out->types_count++] = (weft_record_type_t){.type = row->type,
                                                                  .type_size = strlen(row->type)};
        }
        out->types[i].count++;
        out->types[i].sum += row->checksum;
    }
}

void kit_log_page(const kit_log_t *self, uint64_t id, uint64_t from, const char *const *filters,
                  size_t filters_count, size_t max_events, size_t max_rows, weft_page_t *page,
                  weft_buf_t *body) {
    *page = (weft_page_t){.id = id,
                          .boot = self->boot,
                          .log = self->log,
                          .from = from,
                          .next = from,
                          .head = self->count};
    for (size_t looked = 0; page->next < self->count && looked < max_rows; looked++) {
        const kit_row_t *row = kit_log_row(self, page->next + 1);
        bool matches = false;
        for (size_t i = 0; i < filters_count; i++)
            matches = matches || weft_filter_match(filters[i], strlen(filters[i]), row->type,
                                                   strlen(row->type));
        if (matches && page->count == max_events) break;
        if (matches) {
            weft_mp_put_text(body, row->type);
            kit_log_put(self, page->next + 1, body);
            page->count++;
            page->sum += row->checksum;
        }
        page->next++;
    }
    page->chain = kit_log_chain(self, page->next);
}

weft_welcome_t kit_log_welcome(const kit_log_t *self, uint64_t id) {
    static const uint8_t no_limits[] = {0x80};
    return (weft_welcome_t){.id = id,
                            .version = WEFT_PROTOCOL_VERSION,
                            .boot = self->boot,
                            .log = self->log,
                            .first_chain = 0,
                            .head = self->count,
                            .chain = kit_log_chain(self, self->count),
                            .fanout = weft_text("ipc:///nowhere.fan"),
                            .ingest = weft_text("ipc:///nowhere.in"),
                            .software = weft_text("kit"),
                            .accepting = true,
                            .reason = weft_text(""),
                            .limits = {.data = no_limits, .size = 1}};
}
