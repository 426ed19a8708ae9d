/* What the tests of the store share: batches of events through a real sequencer, and SQL behind the
 * store's back. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_checksum.h"
#include "weft_log_reader.h"
#include "weft_sequencer.h"
#include "weft_store.h"
#include "weft_wire_event.h"

#define assert_rc(call, wanted) assert_string_equal(weft_err_name(call), weft_err_name(wanted))

typedef struct {
    char dir[256];
    char reason[1024];
    weft_store_t *store;
    weft_sequencer_t *sequencer;
    weft_buf_t bytes[WEFT_BATCH_EVENTS_MAX]; /* of the batch in hand */
    size_t count;
} fixture_t;

static inline weft_err_t fixture_try_open(fixture_t *f) {
    return weft_store_open(&f->store, f->dir, true, f->reason, sizeof f->reason);
}

static inline void fixture_open(fixture_t *f) {
    assert_rc(fixture_try_open(f), WEFT_OK);
    const weft_log_head_t *head = weft_store_head(f->store);
    f->sequencer = weft_sequencer_new(head->position, head->chain, head->stored_us);
    assert_non_null(f->sequencer);
    assert_rc(weft_store_load_types(f->store, f->sequencer), WEFT_OK);
}

static inline void fixture_clear_batch(fixture_t *f) {
    for (size_t i = 0; i < f->count; i++) weft_buf_free(&f->bytes[i]);
    f->count = 0;
}

static inline void fixture_close(fixture_t *f) {
    fixture_clear_batch(f);
    weft_sequencer_destroy(&f->sequencer);
    weft_store_destroy(&f->store);
}

static inline void fixture_reopen(fixture_t *f) {
    fixture_close(f);
    fixture_open(f);
}

static inline int fixture_set_up(void **state) {
    static unsigned serial;
    const char *scratch = getenv("WEFT_TEST_DIR");
    fixture_t *f = calloc(1, sizeof *f);
    if (!f || !scratch) return -1;
    snprintf(f->dir, sizeof f->dir, "%s/store-%u", scratch, ++serial);
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_tear_down(void **state) {
    fixture_t *f = *state;
    fixture_close(f);
    free(f);
    return 0;
}

static inline void fixture_begin(fixture_t *f) {
    fixture_clear_batch(f);
    weft_sequencer_begin(f->sequencer, 1000000);
}

/* An event of origin 00…origin, with seq, into the batch in hand. */
static inline bool fixture_take(fixture_t *f, const char *type_name, uint8_t origin_byte,
                                uint64_t seq, size_t data_size) {
    uint8_t uuid[16] = {[15] = origin_byte};
    weft_seq_type_t *type;
    weft_drop_t drop;
    weft_buf_t data, *bytes = &f->bytes[f->count++];
    weft_buf_init(&data);
    weft_buf_init(bytes);
    char *text = malloc(data_size + 1);
    memset(text, 'x', data_size);
    weft_mp_put_str(&data, text, data_size);
    free(text);
    weft_wire_event_t event = {.origin = uuid,
                               .source_seq = seq,
                               .time_us = 5,
                               .source = "test",
                               .source_size = 4,
                               .data = data.data,
                               .data_size = data.size};
    weft_wire_event_put(bytes, &event);
    weft_buf_free(&data);
    weft_mp_t r = weft_mp_reader(bytes->data, bytes->size);
    assert_rc(weft_wire_event_take(&r, &event), WEFT_OK);
    assert_rc(weft_sequencer_type(f->sequencer, type_name, strlen(type_name), &type), WEFT_OK);
    weft_seq_origin_t *known = weft_sequencer_origin(f->sequencer, uuid);
    if (!known && seq) {
        uint64_t last, position, chain;
        assert_rc(weft_store_origin(f->store, uuid, &last, &position, &chain), WEFT_OK);
        known = weft_sequencer_load_origin(f->sequencer, uuid, last, position, chain);
    }
    return weft_sequencer_take(f->sequencer, type, known, &event, &drop);
}

static inline weft_err_t fixture_end(fixture_t *f) {
    weft_err_t rc = weft_store_append(f->store, f->sequencer);
    if (rc == WEFT_OK)
        weft_sequencer_commit(f->sequencer);
    else
        weft_sequencer_rollback(f->sequencer, WEFT_DROP_STORE_FAILED);
    return rc;
}

/* Events first..last of an origin, of types a.even and a.odd, in one batch. */
static inline weft_err_t fixture_append(fixture_t *f, uint8_t origin, uint64_t first,
                                        uint64_t last) {
    fixture_begin(f);
    for (uint64_t seq = first; seq <= last; seq++)
        assert_true(fixture_take(f, seq % 2 ? "a.odd" : "a.even", origin, seq, 10 + seq % 50));
    return fixture_end(f);
}

/* SQL by a connection of our own; the integer it answers, or 0. */
static inline int64_t fixture_sql(fixture_t *f, const char *format, ...) {
    char path[512], sql[1024];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s/log.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int rc = sqlite3_step(stmt);
    assert_true(rc == SQLITE_ROW || rc == SQLITE_DONE);
    int64_t answer = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return answer;
}

/* As schema 1 had it, without checksums of what stands beside the rows; the next opening makes them anew. */
static inline void fixture_make_old(fixture_t *f) {
    fixture_sql(f, "ALTER TABLE origins DROP COLUMN sum");
    fixture_sql(f, "DELETE FROM meta WHERE key IN ('origins', 'sum')");
    fixture_sql(f, "UPDATE meta SET value = 1 WHERE key = 'schema'");
    fixture_sql(f, "PRAGMA user_version=1");
}

/* One read transaction with one page of it. */
static inline weft_err_t fixture_page(fixture_t *f, uint64_t from, const char *filter,
                                      uint64_t max_events, uint64_t max_bytes, weft_buf_t *w,
                                      weft_log_page_t *page, char reason[256]) {
    weft_log_reader_t *reader;
    weft_log_head_t head;
    weft_text_t items[WEFT_FILTERS_MAX] = {weft_text(filter)};
    weft_filters_t filters = {.count = 1, .items = items};
    assert_rc(weft_log_reader_new(&reader, weft_store_path(f->store)), WEFT_OK);
    weft_err_t rc = weft_log_reader_begin(reader, &head);
    if (rc == WEFT_OK)
        rc = weft_log_reader_page(reader, from, &filters, max_events, max_bytes, w, page);
    weft_log_reader_end(reader);
    snprintf(reason, 256, "%s", weft_log_reader_reason(reader));
    weft_log_reader_destroy(&reader);
    return rc;
}

#endif
