/* bridge_hook: one hook: a durable subscription whose events are POSTed to a URL.
 *
 * Everything runs on the service's thread. A hook reads a batch, sends its events, and reads on when all of
 * them are through: what waits, waits in the log. */
#ifndef BRIDGE_HOOK_H
#define BRIDGE_HOOK_H

#include <jansson.h>
#include <sqlite3.h>

#include <http_client.h>
#include <weft.h>

#include "bridge_hook_spec.h"
#include "bridge_hook_store.h"
#include "bridge_names.h"

typedef struct bridge_hook bridge_hook_t;

/* What all hooks share; outlives them. */
typedef struct {
    weft_service_t *service;
    sqlite3 *db;
    http_client_t *client;
    const bridge_names_t *names;
} bridge_hook_env_t;

/* spec is taken if it returns WEFT_OK. row: name, place, start and counters; borrowed. Nothing happens before
 * bridge_hook_go. WEFT_OK, WEFT_E_NOMEM. */
weft_err_t bridge_hook_new(bridge_hook_t **out, const bridge_hook_env_t *env,
                           bridge_hook_spec_t *spec, const bridge_hook_row_t *row);
/* Requests under way are cut. */
void bridge_hook_destroy(bridge_hook_t **self_p);
/* Begin nothing more. */
void bridge_hook_end(bridge_hook_t *self);
/* Do what can be done now. */
void bridge_hook_go(bridge_hook_t *self);

const char *bridge_hook_name(const bridge_hook_t *self);
const bridge_hook_spec_t *bridge_hook_spec(const bridge_hook_t *self);
/* Another spec, which is taken; start RESUME: goes on where it stands. What is under way ends first. A hook that
 * waits or has stopped tries again at once. */
void bridge_hook_change(bridge_hook_t *self, bridge_hook_spec_t *spec, const bridge_start_t *start);

/* Whether place or counters have changed since they were written. */
bool bridge_hook_dirty(const bridge_hook_t *self);
/* spec stays NULL. Borrowed until the next call. */
void bridge_hook_row(const bridge_hook_t *self, bridge_hook_row_t *out);
void bridge_hook_written(bridge_hook_t *self);

/* Spec and state. NULL without memory. */
json_t *bridge_hook_json(const bridge_hook_t *self);
/* Send what is parked once more, the oldest first, beside what comes from the log; the first that is refused
 * again ends it. */
void bridge_hook_retry(bridge_hook_t *self);

#endif
