/* libweft_sqlite: a loadable extension for SQLite that reads events.
 *
 *   .load libweft_sqlite          in the shell; sqlite3_load_extension elsewhere
 *
 *   weft_json(event)      all that an event's bytes say, as weft sub --json writes it
 *   weft_data(event)      its data as JSON; NULL if it has no JSON form
 *   weft_subject(event)   NULL: none
 *   weft_source(event)
 *   weft_time(us)         Unix time in µs as RFC 3339
 *
 * In a log it also makes views with readable columns: log, log_types, log_origins, log_readers. They are
 * temporary, so they live in this connection alone: any store will do, also one that may only be read. */
#include "weft_event_json.h"
#include "weft_time.h"
#include "weft_wire_event.h"

#include <sqlite3ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SQLITE_EXTENSION_INIT1

#define JSON_SUBTYPE 74 /* what SQLite's own JSON functions mark their results with */
#ifdef SQLITE_RESULT_SUBTYPE
#define FLAGS (SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS | SQLITE_RESULT_SUBTYPE)
#else
#define FLAGS (SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)
#endif
#define APPLICATION_ID 0x77656674 /* of a log: "weft" */

#define HEX_CHAIN(column) "printf('%016x', " column ")"

static const char s_views[] =
    "CREATE TEMP VIEW log AS SELECT position, weft_time(stored_us) AS stored, name AS type,"
    " weft_source(event) AS source, weft_subject(event) AS subject, weft_data(event) AS data,"
    " weft_json(event) ->> '$.time' AS time, weft_json(event) ->> '$.origin' AS origin,"
    " weft_json(event) ->> '$.sequence' AS sequence, weft_json(event) ->> '$.cause' AS cause,"
    " weft_json(event) ->> '$.traceparent' AS traceparent, " HEX_CHAIN(
        "chain") " AS chain"
                 " FROM main.events CROSS JOIN main.types ON id = events.type;"
                 "CREATE TEMP VIEW log_types AS SELECT name AS type, count(*) AS events,"
                 " min(position) AS first, max(position) AS last, weft_time(max(stored_us)) AS last_stored,"
                 " sum(length(event)) AS bytes"
                 " FROM main.events CROSS JOIN main.types ON id = events.type GROUP BY id;"
                 "CREATE TEMP VIEW log_origins AS SELECT lower(hex(origin)) AS origin, source, last AS sequence,"
                 " position, " HEX_CHAIN("chain") " AS chain FROM main.origins;";
/* Stores that were last written by an early version have none. */
static const char s_view_readers[] =
    "CREATE TEMP VIEW log_readers AS SELECT name, lower(hex(instance)) AS instance, resume,"
    " weft_time(seen_us) AS seen FROM main.readers;";

/* The event in a value. False: a result, NULL or an error, has been set. */
static bool s_event(sqlite3_context *context, sqlite3_value *value, weft_wire_event_t *out) {
    if (sqlite3_value_type(value) == SQLITE_NULL) return false;
    const void *bytes = sqlite3_value_blob(value);
    size_t size = (size_t) sqlite3_value_bytes(value);
    weft_mp_t r = weft_mp_reader(bytes, size);
    if (bytes && weft_wire_event_take(&r, out) == WEFT_OK && !weft_mp_left(&r)) return true;
    sqlite3_result_error(context, "weft: this is no event", -1);
    return false;
}

static void s_result(sqlite3_context *context, char *text) {
    if (!text) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sqlite3_result_text(context, text, -1, free);
    sqlite3_result_subtype(context, JSON_SUBTYPE);
}

static void s_json(sqlite3_context *context, int argc, sqlite3_value **argv) {
    weft_wire_event_t wire;
    (void) argc;
    if (!s_event(context, argv[0], &wire)) return;
    char *source = strndup(wire.source, wire.source_size);
    char *subject = strndup(wire.subject ? wire.subject : "", wire.subject_size);
    json_t *object = json_object();
    char *text = NULL;
    if (source && subject && object) {
        weft_event_t event = {
            .sequence = {wire.source_seq},
            .time_us = wire.time_us,
            .source = source,
            .subject = subject,
            .cause = {wire.cause},
            .traceparent = wire.traceparent,
            .data = wire.data,
            .data_size = wire.data_size,
        };
        memcpy(event.origin.bytes, wire.origin, sizeof event.origin.bytes);
        weft_event_json_put(object, &event);
        text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    }
    json_decref(object);
    free(source);
    free(subject);
    s_result(context, text);
}

static void s_data(sqlite3_context *context, int argc, sqlite3_value **argv) {
    weft_wire_event_t wire;
    char *text = NULL;
    (void) argc;
    if (!s_event(context, argv[0], &wire)) return;
    weft_err_t rc = weft_msgpack_to_json(wire.data, wire.data_size, &text, NULL, 0);
    if (rc == WEFT_OK || rc == WEFT_E_NOMEM) s_result(context, text);
}

static void s_subject(sqlite3_context *context, int argc, sqlite3_value **argv) {
    weft_wire_event_t wire;
    (void) argc;
    if (s_event(context, argv[0], &wire) && wire.subject)
        sqlite3_result_text(context, wire.subject, (int) wire.subject_size, SQLITE_TRANSIENT);
}

static void s_source(sqlite3_context *context, int argc, sqlite3_value **argv) {
    weft_wire_event_t wire;
    (void) argc;
    if (s_event(context, argv[0], &wire))
        sqlite3_result_text(context, wire.source, (int) wire.source_size, SQLITE_TRANSIENT);
}

static void s_time(sqlite3_context *context, int argc, sqlite3_value **argv) {
    char text[WEFT_TIME_BYTES];
    (void) argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    weft_time_text(text, sqlite3_value_int64(argv[0]), 6);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* One number, -1 if there is none. */
static sqlite3_int64 s_number(sqlite3 *db, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    sqlite3_int64 value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

__attribute__((visibility("default"))) int sqlite3_weftsqlite_init(sqlite3 *db, char **error,
                                                                   const sqlite3_api_routines *api);

int sqlite3_weftsqlite_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
    static const struct {
        const char *name;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"weft_json", s_json},     {"weft_data", s_data}, {"weft_subject", s_subject},
        {"weft_source", s_source}, {"weft_time", s_time},
    };
    SQLITE_EXTENSION_INIT2(api);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof functions / sizeof *functions && rc == SQLITE_OK; i++)
        rc = sqlite3_create_function_v2(db, functions[i].name, 1, FLAGS, NULL,
                                        functions[i].function, NULL, NULL, NULL);
    if (rc != SQLITE_OK || s_number(db, "PRAGMA main.application_id") != APPLICATION_ID) return rc;
    rc = sqlite3_exec(db, s_views, NULL, NULL, error);
    if (rc == SQLITE_OK &&
        s_number(db, "SELECT 1 FROM main.sqlite_schema WHERE name = 'readers'") == 1)
        rc = sqlite3_exec(db, s_view_readers, NULL, NULL, error);
    return rc;
}
