/* weft_database: a service's database, found by the service's name or by its path.
 *
 * A name is asked of the bus, which knows it from the service's reports; then the file must be on this
 * machine. A path is a file NAME.db or a directory that holds one. */
#ifndef WEFT_DATABASE_H
#define WEFT_DATABASE_H

#include "weft_stmt.h"
#include "weft_verb.h"

typedef struct {
    sqlite3 *db;
    char *path;
    char *name; /* of the service */
    int lock_fd;
    bool running; /* another process holds its lock */
    long pid;     /* of that one, as far as known */
} weft_database_t;

typedef enum {
    WEFT_DATABASE_READ,
    WEFT_DATABASE_WRITE, /* the service may run: only weft_commands may be written then */
    WEFT_DATABASE_OWN    /* takes the lock; the service must not run */
} weft_database_mode_t;

/* What is wrong has been told. WEFT_OK, WEFT_E_NOT_FOUND, WEFT_E_LOCKED, WEFT_E_STORE … */
weft_err_t weft_database_open(weft_database_t *self, const weft_args_t *args, const char *which,
                              weft_database_mode_t mode);
void weft_database_close(weft_database_t *self);
/* Tell that SQLite refused. Returns rc. */
weft_err_t weft_database_failed(const weft_database_t *self, const weft_args_t *args,
                                weft_err_t rc);
/* One number; 0 if there is no row or it is NULL. */
weft_err_t weft_database_number(const weft_database_t *self, const char *sql, uint64_t *out);

#endif
