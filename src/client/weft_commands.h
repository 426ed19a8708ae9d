/* weft_commands: what an operator asks of a service, as rows in its own database.
 *
 *   weft_commands (id, verb, subject, position, asked_us, done_us, count, error)
 *
 * The asker adds a row, whether the service runs or not; the service works rows off in their order,
 * at once or at its next start, and writes down how it went. A row is seen by a change of the
 * database's data version, so an idle service reads no table. */
#ifndef WEFT_COMMANDS_H
#define WEFT_COMMANDS_H

#include "weft_stmt.h"

#define WEFT_COMMAND_VERB_BYTES 16u

typedef struct {
    int64_t id;
    char verb[WEFT_COMMAND_VERB_BYTES]; /* "retry", "drop" */
    char *subject;                      /* NULL: any; freed by weft_commands_free */
    weft_position_t position;           /* 0: any */
    bool done;
    uint64_t count; /* events worked off; with done */
    char *error;    /* "" or why some remain; with done; freed by weft_commands_free */
} weft_command_row_t;

/* Make the table if it is not there. */
weft_err_t weft_commands_create(sqlite3 *db);
/* id out. */
weft_err_t weft_commands_add(sqlite3 *db, const char *verb, const char *subject,
                             weft_position_t position, int64_t *id);
/* The row of an id. WEFT_E_NOT_FOUND: there is none. */
weft_err_t weft_commands_get(sqlite3 *db, int64_t id, weft_command_row_t *out);
/* The oldest row that is not done. WEFT_E_NOT_FOUND: none. */
weft_err_t weft_commands_next(sqlite3 *db, weft_command_row_t *out);
/* It is done; rows that were done long ago are forgotten. */
weft_err_t weft_commands_finish(sqlite3 *db, int64_t id, uint64_t count, const char *error);
void weft_commands_free(weft_command_row_t *row);
/* Has another connection committed since the last call? version is kept by the caller, first 0. */
bool weft_commands_changed(sqlite3 *db, int64_t *version);

#endif
