/* chaos-service NAME [OPTION...]: a service whose every effect a checker can compute from the log.
 *
 * Each --every MS, while the file --go is there, it writes a row of "made" and emits --make TYPE in the
 * same transaction. For each event that one of --on FILTER,FILTER matches it writes a row of
 * "applied", folds the event's amount into "totals", and emits --emit TYPE. Nothing here forbids a
 * double or a wrong order: these must show in the tables. */
#include "weft.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIX_PRIME 1000003 /* totals.mix depends on the order of what was folded in */

static const char *const s_schema[] = {
    "CREATE TABLE made (n INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, amount INTEGER NOT NULL)",
    "CREATE TABLE applied (id INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL,"
    " type TEXT NOT NULL, event BLOB NOT NULL);"
    "CREATE TABLE totals (subject TEXT PRIMARY KEY, amount INTEGER NOT NULL, mix INTEGER NOT NULL)",
};

typedef struct {
    weft_service_t *service;
    const char *on, *emit, *make, *every, *go;
    sqlite3_stmt *made, *applied, *total;
} chaos_service_t;

/* ---- small things */

static weft_err_t s_step(sqlite3_stmt *stmt) {
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? WEFT_OK : rc == SQLITE_FULL ? WEFT_E_FULL : WEFT_E_STORE;
}

static weft_err_t s_emit(weft_tx_t *tx, const char *type, const char *subject, const char *key,
                         int64_t number, int64_t amount) {
    char json[128];
    void *data;
    size_t size;
    int used = snprintf(json, sizeof json, "{\"%s\":%" PRId64 ",\"amount\":%" PRId64 "}", key,
                        number, amount);
    weft_err_t rc = weft_json_to_msgpack(json, (size_t) used, &data, &size, NULL, 0);
    if (rc != WEFT_OK) return rc;
    rc = weft_tx_emit(tx, type, subject, data, size);
    free(data);
    return rc;
}

static weft_err_t s_amount(const weft_event_t *event, int64_t *amount) {
    char *json;
    weft_err_t rc = weft_msgpack_to_json(event->data, event->data_size, &json, NULL, 0);
    if (rc != WEFT_OK) return rc;
    const char *at = strstr(json, "\"amount\":");
    if (at) *amount = strtoll(at + strlen("\"amount\":"), NULL, 10);
    free(json);
    return at ? WEFT_OK : WEFT_E_BAD_EVENT;
}

/* ---- what it does */

static weft_err_t s_on_event(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    chaos_service_t *self = arg;
    int64_t amount = 0, position = (int64_t) event->position.value;
    weft_err_t rc = s_amount(event, &amount);
    if (rc != WEFT_OK) return rc;
    sqlite3_bind_int64(self->applied, 1, position);
    sqlite3_bind_text(self->applied, 2, event->type, -1, SQLITE_TRANSIENT);
    sqlite3_bind_blob(self->applied, 3, event->raw, (int) event->raw_size, SQLITE_TRANSIENT);
    rc = s_step(self->applied);
    if (rc != WEFT_OK) return rc;
    sqlite3_bind_text(self->total, 1, event->subject, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(self->total, 2, amount);
    sqlite3_bind_int64(self->total, 3, MIX_PRIME);
    rc = s_step(self->total);
    if (rc != WEFT_OK || !*self->emit) return rc;
    return s_emit(tx, self->emit, event->subject, "of", position, amount + 1);
}

static weft_err_t s_make_one(weft_tx_t *tx, void *arg) {
    chaos_service_t *self = arg;
    char subject[32];
    int64_t amount = random() % 1000;
    snprintf(subject, sizeof subject, "account/%ld", random() % 7);
    sqlite3_bind_text(self->made, 1, subject, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(self->made, 2, amount);
    weft_err_t rc = s_step(self->made);
    if (rc != WEFT_OK) return rc;
    return s_emit(tx, self->make, subject, "n", sqlite3_last_insert_rowid(weft_tx_db(tx)), amount);
}

static void s_on_timer(void *arg) {
    chaos_service_t *self = arg;
    if (access(self->go, F_OK) != 0) return;
    weft_err_t rc = weft_service_transaction(self->service, s_make_one, self);
    if (rc != WEFT_OK) weft_diag(WEFT_DIAG_WARN, "chaos.make", "error=%s", weft_err_name(rc));
}

/* ---- running */

static weft_err_t s_prepare(chaos_service_t *self) {
    const struct {
        sqlite3_stmt **out;
        const char *sql;
    } all[] = {
        {&self->made, "INSERT INTO made (subject, amount) VALUES (?, ?)"},
        {&self->applied, "INSERT INTO applied (position, type, event) VALUES (?, ?, ?)"},
        {&self->total, "INSERT INTO totals VALUES (?1, ?2, ?2) ON CONFLICT (subject) DO UPDATE"
                       " SET amount = amount + ?2, mix = (mix * 31 + ?2) % ?3"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (sqlite3_prepare_v2(weft_service_db(self->service), all[i].sql, -1, all[i].out, NULL) !=
            SQLITE_OK)
            return WEFT_E_STORE;
    return WEFT_OK;
}

static weft_err_t s_listen(chaos_service_t *self) {
    weft_err_t rc = WEFT_OK;
    char *copy = strdup(self->on), *rest = copy;
    if (!copy) return WEFT_E_NOMEM;
    for (char *filter = strtok_r(copy, ",", &rest); filter && rc == WEFT_OK;
         filter = strtok_r(NULL, ",", &rest))
        rc = weft_service_on(self->service, filter, s_on_event, self);
    free(copy);
    return rc;
}

int main(int argc, char **argv) {
    chaos_service_t self = {0};
    const weft_option_t options[] = {
        {"on", "FILTERS", "what to handle", "", &self.on},
        {"emit", "TYPE", "what to emit for each event handled", "", &self.emit},
        {"make", "TYPE", "what to emit by itself", "", &self.make},
        {"every", "MS", "how often", "10", &self.every},
        {"go", "FILE", "only while it is there", "go", &self.go},
    };
    if (argc < 2) return 2;
    srandom((unsigned) getpid());
    weft_err_t rc = weft_service_new_options(&self.service, argv[1], argc - 1, argv + 1, options,
                                             sizeof options / sizeof *options);
    if (rc == WEFT_OK)
        rc = weft_service_schema(self.service, s_schema, sizeof s_schema / sizeof *s_schema);
    if (rc == WEFT_OK) rc = s_prepare(&self);
    if (rc == WEFT_OK) rc = s_listen(&self);
    if (rc == WEFT_OK && *self.make)
        rc = weft_service_timer(self.service, (unsigned) atoi(self.every), 0, s_on_timer, &self,
                                NULL);
    if (rc == WEFT_OK) rc = weft_service_run(self.service);
    sqlite3_finalize(self.made);
    sqlite3_finalize(self.applied);
    sqlite3_finalize(self.total);
    weft_service_destroy(&self.service);
    return weft_exit_code(rc);
}
