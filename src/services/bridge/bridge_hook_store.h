/* bridge_hook_store: hooks, their places and what they have parked, in the bridge's database. */
#ifndef BRIDGE_HOOK_STORE_H
#define BRIDGE_HOOK_STORE_H

#include <sqlite3.h>
#include <stdbool.h>

#include <jansson.h>
#include <weft.h>

#include "bridge_hook_spec.h"

#define BRIDGE_HOOK_PARKED_MAX 10000u /* rows of one hook */

/* One step of the bridge's schema. */
extern const char bridge_hook_schema[];

typedef struct {
    const char *name;
    const char *spec; /* JSON */
    bridge_start_t start;
    bool placed; /* at is known; else it begins at start */
    weft_resume_t at;
    uint64_t delivered, retried, skipped;
} bridge_hook_row_t;

/* All in the transaction that is open, if one is. Errors as weft_service_transaction wants them. */
weft_err_t bridge_hook_store_put(sqlite3 *db, const bridge_hook_row_t *row);
/* Place and counters alone. */
weft_err_t bridge_hook_store_place(sqlite3 *db, const bridge_hook_row_t *row);
/* With all that it has parked. */
weft_err_t bridge_hook_store_delete(sqlite3 *db, const char *name);
typedef weft_err_t (*bridge_hook_row_fn)(const bridge_hook_row_t *row, void *arg);
weft_err_t bridge_hook_store_each(sqlite3 *db, bridge_hook_row_fn fn, void *arg);

typedef struct {
    const char *hook;
    uint64_t position;
    const char *type, *subject, *headers, *body, *error; /* headers: a JSON array of texts */
    size_t body_size;
    unsigned attempts;
    int64_t parked_us;
} bridge_parked_t;

weft_err_t bridge_hook_store_park(sqlite3 *db, const bridge_parked_t *parked);
uint64_t bridge_hook_store_parked_count(sqlite3 *db, const char *hook);
/* Call fn with the oldest rows after that position, at most limit. Borrowed until fn returns. */
typedef void (*bridge_parked_fn)(const bridge_parked_t *parked, void *arg);
weft_err_t bridge_hook_store_parked(sqlite3 *db, const char *hook, uint64_t after, unsigned limit,
                                    bridge_parked_fn fn, void *arg);
/* Forget one, or all for position 0. count out: rows. */
weft_err_t bridge_hook_store_unpark(sqlite3 *db, const char *hook, uint64_t position,
                                    uint64_t *count);

#endif
