/* weft outbox: what a service has emitted and the bus has not acknowledged, read from its database. A
 * running service writes acknowledgements down each second: until then rows are listed that the bus
 * has already. */
#include "weft_verb.h"

#include "weft_database.h"
#include "weft_json.h"
#include "weft_options.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_table.h"
#include "weft_time.h"

#include <string.h>

#define ROWS                                                                         \
    "SELECT seq, type, subject, time_us, cause, data, length(data) FROM weft_outbox" \
    " WHERE seq > (SELECT acked FROM weft_acked) AND (?1 = 0 OR seq = ?1) ORDER BY seq"

static void s_json(const weft_stmt_t *stmt) {
    char time[WEFT_TIME_BYTES];
    size_t size;
    json_t *data = NULL;
    const void *bytes = weft_stmt_blob(stmt, 5, &size);
    if (weft_json_from_msgpack(&data, bytes, size, NULL, 0) != WEFT_OK) data = json_null();
    weft_time_text(time, weft_stmt_int(stmt, 3), 6);
    weft_out_json(
        json_pack("{s:I, s:s, s:s, s:s, s:I, s:o}", "sequence", (json_int_t) weft_stmt_int(stmt, 0),
                  "type", weft_stmt_text(stmt, 1, NULL), "subject", weft_stmt_text(stmt, 2, NULL),
                  "time", time, "cause", (json_int_t) weft_stmt_int(stmt, 4), "data", data));
}

static void s_row(weft_table_t *table, const weft_stmt_t *stmt) {
    char ago[WEFT_AGO_BYTES];
    const char *subject = weft_stmt_text(stmt, 2, NULL);
    double seconds = (double) (weft_os_now_us() - weft_stmt_int(stmt, 3)) / 1e6;
    weft_table_cell(table, WEFT_PLAIN, "%lld", (long long) weft_stmt_int(stmt, 0));
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_stmt_text(stmt, 1, NULL));
    weft_table_cell(table, WEFT_PLAIN, "%s", *subject ? subject : "-");
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_ago(ago, seconds));
    weft_table_cell(table, WEFT_PLAIN, "%lld", (long long) weft_stmt_int(stmt, 4));
    weft_table_cell(table, WEFT_PLAIN, "%lld", (long long) weft_stmt_int(stmt, 6));
}

static void s_show(const weft_stmt_t *stmt) {
    char time[WEFT_TIME_BYTES], reason[128] = "out of memory";
    size_t size;
    char *data = NULL;
    const void *bytes = weft_stmt_blob(stmt, 5, &size);
    weft_time_text(time, weft_stmt_int(stmt, 3), 6);
    weft_err_t rc = weft_msgpack_to_json(bytes, size, &data, reason, sizeof reason);
    weft_out("%-10s %lld\n%-10s %s\n%-10s %s\n%-10s %s\n%-10s %lld\n%-10s %s\n", "sequence",
             (long long) weft_stmt_int(stmt, 0), "type", weft_stmt_text(stmt, 1, NULL), "subject",
             weft_stmt_text(stmt, 2, NULL), "time", time, "cause",
             (long long) weft_stmt_int(stmt, 4), "data", rc == WEFT_OK ? data : reason);
    free(data);
}

static weft_err_t s_read(const weft_database_t *database, const weft_args_t *args,
                         uint64_t sequence) {
    static const char *const heads[] = {">SEQUENCE", "TYPE", "SUBJECT", ">AGE", ">CAUSE", ">BYTES"};
    weft_stmt_t stmt;
    bool some = false;
    weft_err_t rc = weft_stmt_prepare(&stmt, database->db, ROWS);
    if (rc != WEFT_OK) return weft_database_failed(database, args, rc);
    weft_table_t *table = args->json || sequence ? NULL : weft_table_new(heads, 6);
    weft_stmt_bind_bits(&stmt, 1, sequence);
    while (weft_stmt_row(&stmt)) {
        some = true;
        if (args->json)
            s_json(&stmt);
        else if (sequence)
            s_show(&stmt);
        else
            s_row(table, &stmt);
    }
    rc = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    weft_table_print(&table);
    if (rc != WEFT_OK) return weft_database_failed(database, args, rc);
    if (some || !sequence) return WEFT_OK;
    return weft_say(args->verb, WEFT_E_NOT_FOUND, "no event %llu waits; see weft outbox ls",
                    (unsigned long long) sequence);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_database_t database;
    uint64_t sequence = 0;
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc != WEFT_OK) return rc;
    bool show = strcmp(args.words[0], "show") == 0;
    if (!show && strcmp(args.words[0], "ls") != 0)
        return weft_say_usage(verb, "'%s' is none of ls, show", args.words[0]);
    if (show && args.words_count < 3) return weft_say_usage(verb, "SEQUENCE is missing");
    if (!show && args.words_count > 2)
        return weft_say_usage(verb, "unexpected word '%s'", args.words[2]);
    if (show && !weft_options_number(args.words[2], 1, INT64_MAX, &sequence))
        return weft_say_usage(verb, "'%s' is no sequence", args.words[2]);
    rc = weft_database_open(&database, &args, args.words[1], WEFT_DATABASE_READ);
    if (rc != WEFT_OK) return rc;
    rc = s_read(&database, &args, sequence);
    weft_database_close(&database);
    return rc;
}

const weft_verb_t weft_verb_outbox = {
    .name = "outbox",
    .words = "ls|show SERVICE [SEQUENCE]",
    .words_least = 2,
    .words_most = 3,
    .help = "list or show the events of a service that the bus has not acknowledged",
    .more =
        "SERVICE is a name that reports to the bus, or a path: DIR/NAME.db, or the directory of it.\n"
        "A running service writes acknowledgements down each second.\n",
    .run = s_run,
    .online = true,
};
