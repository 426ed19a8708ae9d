/* weft_log_trust: see weft_log_trust.h. Numbers enter the hash as 8 bytes, little-endian. */
#include "weft_log_trust.h"

#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_log_sql.h"

#include <string.h>

#define ORIGIN_BYTES_MAX (16u + 3 * 8 + WEFT_SOURCE_BYTES_MAX)
#define SUM_COLUMN 5 /* of origins; in a store of schema 1 there is none */

const char weft_log_meta_damaged[] =
    "the log's id, its beginning or the number of its origins is wrong";

static uint8_t *s_put(uint8_t *to, uint64_t value) {
    for (unsigned i = 0; i < 8; i++) *to++ = (uint8_t) (value >> (8 * i));
    return to;
}

uint64_t weft_log_origin_sum(const weft_log_origin_t *origin) {
    uint8_t bytes[ORIGIN_BYTES_MAX], *at = bytes + 16;
    memcpy(bytes, origin->uuid, 16);
    at = s_put(at, origin->last);
    at = s_put(at, origin->position);
    at = s_put(at, origin->chain);
    memcpy(at, origin->source, origin->source_size);
    return weft_hash(bytes, (size_t) (at - bytes) + origin->source_size);
}

uint64_t weft_log_meta_sum(const weft_log_meta_t *meta) {
    uint8_t bytes[16 + 4 * 8], *at = bytes + 16;
    memcpy(bytes, meta->log.bytes, 16);
    at = s_put(at, meta->anchor);
    at = s_put(at, meta->anchor_chain);
    at = s_put(at, (uint64_t) meta->anchor_stored_us);
    s_put(at, meta->origins);
    return weft_hash(bytes, sizeof bytes);
}

/* ---- origins */

/* Text in place of a blob, or the other way round, has the same bytes, but is not what was written. To be
 * asked first: reading a value as text makes it one. */
static bool s_take(const weft_stmt_t *st, weft_log_origin_t *out) {
    size_t size = 0;
    bool kinds = weft_stmt_is_blob(st, 0) && !weft_stmt_is_blob(st, 1);
    out->uuid = weft_stmt_is_blob(st, 0) ? weft_stmt_blob(st, 0, &size) : NULL;
    if (size != 16) out->uuid = NULL;
    out->source = weft_stmt_text(st, 1, &out->source_size);
    out->last = weft_stmt_bits(st, 2);
    out->position = weft_stmt_bits(st, 3);
    out->chain = weft_stmt_bits(st, 4);
    return kinds && out->uuid && out->source && out->source_size <= WEFT_SOURCE_BYTES_MAX;
}

weft_err_t weft_log_take_origin(const weft_stmt_t *st, weft_log_origin_t *out) {
    if (!s_take(st, out)) return WEFT_E_CORRUPT;
    if (weft_stmt_columns(st) <= SUM_COLUMN) return WEFT_OK;
    bool whole = !weft_stmt_is_null(st, SUM_COLUMN) &&
                 weft_stmt_bits(st, SUM_COLUMN) == weft_log_origin_sum(out);
    return whole ? WEFT_OK : WEFT_E_CORRUPT;
}

void weft_log_bind_origin(weft_stmt_t *st, const weft_log_origin_t *origin) {
    weft_stmt_bind_blob(st, 1, origin->uuid, 16);
    weft_stmt_bind_text(st, 2, origin->source, origin->source_size);
    weft_stmt_bind_bits(st, 3, origin->last);
    weft_stmt_bind_bits(st, 4, origin->position);
    weft_stmt_bind_bits(st, 5, origin->chain);
    weft_stmt_bind_bits(st, 6, weft_log_origin_sum(origin));
}

/* ---- meta */

/* Columns of weft_sql_meta_all. */
enum { ANCHOR, ANCHOR_CHAIN, ANCHOR_STORED_US, LOG, ORIGINS, SUM, SCHEMA };

static bool s_take_values(const weft_stmt_t *st, weft_log_meta_t *out) {
    size_t size;
    const void *log = weft_stmt_blob(st, LOG, &size);
    if (!log || size != sizeof out->log.bytes || !weft_stmt_is_blob(st, LOG)) return false;
    memcpy(out->log.bytes, log, size);
    if (weft_stmt_is_null(st, ANCHOR) || weft_stmt_is_null(st, ANCHOR_CHAIN)) return false;
    out->anchor = weft_stmt_bits(st, ANCHOR);
    out->anchor_chain = weft_stmt_bits(st, ANCHOR_CHAIN);
    out->anchor_stored_us = weft_stmt_int(st, ANCHOR_STORED_US);
    out->origins = weft_stmt_bits(st, ORIGINS);
    return out->anchor <= INT64_MAX;
}

static bool s_take_meta(const weft_stmt_t *st, weft_log_meta_t *out) {
    out->trusted = weft_stmt_int(st, SCHEMA) >= WEFT_LOG_SCHEMA_TRUSTED;
    if (!s_take_values(st, out)) return false;
    return !out->trusted || (!weft_stmt_is_null(st, ORIGINS) && !weft_stmt_is_null(st, SUM) &&
                             weft_stmt_bits(st, SUM) == weft_log_meta_sum(out));
}

weft_err_t weft_log_read_meta(weft_stmt_t *st, weft_log_meta_t *out) {
    bool whole = weft_stmt_row(st) && s_take_meta(st, out);
    weft_err_t rc = weft_stmt_done(st);
    return rc == WEFT_OK && !whole ? WEFT_E_CORRUPT : rc;
}

/* ---- making them */

static weft_err_t s_trust_origins(sqlite3 *db) {
    weft_stmt_t all, put;
    weft_log_origin_t origin;
    weft_err_t damaged = WEFT_OK, rc = weft_stmt_prepare(&all, db, weft_sql_origins);
    if (rc != WEFT_OK) return rc;
    rc = weft_stmt_prepare(&put, db, weft_sql_origin_trust);
    while (rc == WEFT_OK && damaged == WEFT_OK && weft_stmt_row(&all)) {
        if (!s_take(&all, &origin)) {
            damaged = WEFT_E_CORRUPT;
            break;
        }
        weft_stmt_bind_blob(&put, 1, origin.uuid, 16);
        weft_stmt_bind_bits(&put, 2, weft_log_origin_sum(&origin));
        rc = weft_stmt_run(&put);
    }
    weft_err_t read = weft_stmt_done(&all);
    weft_stmt_free(&all);
    weft_stmt_free(&put);
    return rc != WEFT_OK ? rc : read != WEFT_OK ? read : damaged;
}

weft_err_t weft_log_trust_all(sqlite3 *db) {
    weft_err_t rc = weft_db_exec(db, weft_sql_create_sums);
    if (rc == WEFT_OK) rc = s_trust_origins(db);
    return rc == WEFT_OK ? weft_log_trust_meta(db) : rc;
}

static weft_err_t s_put_meta(sqlite3 *db, const char *key, uint64_t value) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, db, weft_sql_meta_put);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_text(&st, 1, key, strlen(key));
    weft_stmt_bind_bits(&st, 2, value);
    rc = weft_stmt_run(&st);
    weft_stmt_free(&st);
    return rc;
}

weft_err_t weft_log_trust_meta(sqlite3 *db) {
    weft_stmt_t st;
    weft_log_meta_t meta = {0};
    weft_err_t rc = weft_db_exec(db, weft_sql_origins_count);
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&st, db, weft_sql_meta_all);
    if (rc != WEFT_OK) return rc;
    bool whole = weft_stmt_row(&st) && s_take_values(&st, &meta);
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    if (rc == WEFT_OK && !whole) rc = WEFT_E_CORRUPT;
    return rc == WEFT_OK ? s_put_meta(db, "sum", weft_log_meta_sum(&meta)) : rc;
}
