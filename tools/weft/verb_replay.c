/* weft replay: erase what a stopped service has derived from events, so that it builds it anew.
 *
 * In one transaction: the service's own tables, views and triggers are dropped, its schema steps begin
 * anew, its position is the start of the log, nothing is parked. The service makes its tables and handles
 * every event when it starts. Only for a service that never emitted: what one emitted it did for reasons
 * that the log does not hold, and its outbox' numbers must go on. */
#include "weft_verb.h"

#include "weft_commands.h"
#include "weft_out.h"
#include "weft_replay.h"

#include <stdlib.h>
#include <string.h>

/* Virtual tables first: their shadow tables go with them. */
#define OWN                                                                                \
    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view', 'trigger')"      \
    " AND name NOT LIKE 'weft\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'" \
    " ORDER BY type = 'table', sql NOT LIKE 'CREATE VIRTUAL%', name"

/* ---- the tables */

static char *s_sql(const char *format, const char *type, const char *name) {
    return strcmp(format, "count") == 0 ? sqlite3_mprintf("SELECT count(*) FROM \"%w\"", name)
                                        : sqlite3_mprintf("DROP %s IF EXISTS \"%w\"", type, name);
}

static weft_err_t s_tables(weft_replay_t *self, const weft_args_t *args, json_t *tables) {
    weft_stmt_t stmt;
    weft_err_t rc = weft_stmt_prepare(&stmt, self->database.db, OWN);
    if (rc != WEFT_OK) return weft_database_failed(&self->database, args, rc);
    while (rc == WEFT_OK && weft_stmt_row(&stmt)) {
        const char *type = weft_stmt_text(&stmt, 0, NULL), *name = weft_stmt_text(&stmt, 1, NULL);
        uint64_t rows = 0;
        char *sql = s_sql("count", type, name);
        if (!sql) rc = WEFT_E_NOMEM;
        if (rc == WEFT_OK && strcmp(type, "table") == 0)
            rc = weft_database_number(&self->database, sql, &rows);
        sqlite3_free(sql);
        json_array_append_new(tables, json_pack("{s:s, s:s, s:I}", "type", type, "name", name,
                                                "rows", (json_int_t) rows));
    }
    weft_err_t end = weft_stmt_done(&stmt);
    weft_stmt_free(&stmt);
    if (rc == WEFT_OK) rc = end;
    return rc == WEFT_OK ? rc : weft_database_failed(&self->database, args, rc);
}

static weft_err_t s_erase_in(weft_replay_t *self, const json_t *tables) {
    size_t i;
    const json_t *table;
    weft_err_t rc = WEFT_OK;
    json_array_foreach(tables, i, table) {
        char *sql = s_sql("drop", json_string_value(json_object_get(table, "type")),
                          json_string_value(json_object_get(table, "name")));
        if (!sql) rc = WEFT_E_NOMEM;
        if (rc == WEFT_OK) rc = weft_db_exec(self->database.db, sql);
        sqlite3_free(sql);
    }
    if (rc == WEFT_OK)
        rc = weft_db_exec(self->database.db, "UPDATE weft_meta SET value = 0 WHERE key = 'steps';"
                                             "DELETE FROM weft_commands WHERE done_us IS NULL");
    return rc == WEFT_OK ? weft_replay_move_in(self) : rc;
}

static weft_err_t s_erase(weft_replay_t *self, const weft_args_t *args, const json_t *tables) {
    sqlite3 *db = self->database.db;
    weft_err_t rc = weft_db_exec(db, "PRAGMA foreign_keys = OFF"); /* the order is no matter then */
    if (rc == WEFT_OK) rc = weft_db_exec(db, "BEGIN IMMEDIATE");
    if (rc == WEFT_OK) rc = s_erase_in(self, tables);
    if (rc == WEFT_OK) rc = weft_db_exec(db, "COMMIT");
    if (rc == WEFT_OK) return rc;
    weft_database_failed(&self->database, args, rc);
    (void) weft_db_exec(db, "ROLLBACK"); /* fails only if SQLite has done it */
    return rc;
}

/* ---- the verb */

static void s_tell(const weft_replay_t *self, const json_t *tables, uint64_t events, bool dry_run) {
    size_t i;
    const json_t *table;
    weft_out("%s %s, then handle %llu events from the start of the log\n", self->database.name,
             dry_run ? "would erase" : "erased; on its next start it will make its tables",
             (unsigned long long) events);
    json_array_foreach(tables, i, table) {
        const char *type = json_string_value(json_object_get(table, "type"));
        weft_out("%s %s", type, json_string_value(json_object_get(table, "name")));
        if (strcmp(type, "table") == 0)
            weft_out(", %lld rows", (long long) json_integer_value(json_object_get(table, "rows")));
        weft_out("\n");
    }
}

static weft_err_t s_replay(weft_replay_t *self, const weft_args_t *args, bool dry_run) {
    weft_replay_counts_t counts;
    json_t *tables = json_array();
    weft_err_t rc = weft_replay_place(self, args, 0);
    uint64_t stood = self->from;
    self->from = self->head; /* all that the log has is handled, not only what was */
    if (rc == WEFT_OK) rc = weft_replay_count(self, args, 0, &counts);
    self->from = stood;
    if (rc == WEFT_OK && counts.emitted)
        rc = weft_say(args->verb, WEFT_E_STATE,
                      "%s has emitted %llu events: it owns data that no other has. weft reset"
                      " --to 0 lets it handle events again and erases nothing",
                      self->database.name, (unsigned long long) counts.emitted);
    if (rc == WEFT_OK) rc = s_tables(self, args, tables);
    if (rc == WEFT_OK && !dry_run) rc = s_erase(self, args, tables);
    if (rc == WEFT_OK && args->json)
        weft_out_json(json_pack("{s:s, s:I, s:I, s:O, s:b}", "service", self->database.name, "from",
                                (json_int_t) self->from, "again", (json_int_t) counts.again,
                                "erased", tables, "dryRun", dry_run));
    else if (rc == WEFT_OK)
        s_tell(self, tables, counts.again, dry_run);
    json_decref(tables);
    return rc;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_replay_t self;
    bool dry_run = false;
    const weft_verb_option_t options[] = {
        {"dry-run", NULL, "only tell what it would do", NULL, NULL, &dry_run},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options, 1);
    if (rc == WEFT_OK) rc = weft_replay_open(&self, &args, args.words[0], dry_run);
    if (rc != WEFT_OK) return rc;
    rc = s_replay(&self, &args, dry_run);
    weft_replay_close(&self);
    return rc;
}

const weft_verb_t weft_verb_replay = {
    .name = "replay",
    .words = "SERVICE",
    .words_least = 1,
    .words_most = 1,
    .help = "erase what a stopped service derived from events; it builds it anew when it starts",
    .more =
        "SERVICE is a name that reports to the bus, or a path: DIR/NAME.db, or the directory of it.\n"
        "In one transaction its own tables, views and triggers are dropped, parked events and wishes\n"
        "are forgotten, and it stands at the start of the log. Its tables are made by its schema steps\n"
        "when it starts. Refused for a service that has ever emitted an event, and if the log no longer\n"
        "holds its start. Data that came to the service by other ways than events is lost.\n"
        "--dry-run also looks at a running service; to be replayed it must be stopped.\n",
    .run = s_run,
    .online = true,
};
