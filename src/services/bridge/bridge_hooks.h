/* bridge_hooks: all hooks of a bridge: kept in its database, set by the command line and over HTTP. */
#ifndef BRIDGE_HOOKS_H
#define BRIDGE_HOOKS_H

#include "bridge.h"
#include "bridge_hook.h"

#define BRIDGE_HOOKS_MAX 256u

typedef struct bridge_hooks bridge_hooks_t;

/* Begin the hooks of the database, set those that argv names by --hook, and register the routes:
 *   GET /hooks  GET PUT DELETE /hooks/NAME  GET DELETE /hooks/NAME/parked  POST /hooks/NAME/retry
 * Returns WEFT_OK, WEFT_E_USAGE (a word of the command line, told on stderr), WEFT_E_STORE, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t bridge_hooks_new(bridge_hooks_t **out, bridge_t *bridge, int argc, char **argv);
/* Writes down how far each hook has come. While the service is still there. */
void bridge_hooks_destroy(bridge_hooks_t **self_p);

/* ---- for the routes */

size_t bridge_hooks_count(const bridge_hooks_t *self);
bridge_hook_t *bridge_hooks_at(const bridge_hooks_t *self, size_t index); /* by name */
bridge_hook_t *bridge_hooks_find(const bridge_hooks_t *self, const char *name);
/* Add or change a hook, in the database first. json: as bridge_hook_spec_read; created out: it was not there.
 * restart: whether "start" counts for a hook that is there already.
 * Returns WEFT_OK, WEFT_E_ARG (field, reason), WEFT_E_FULL (too many, or the disk), WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t bridge_hooks_put(bridge_hooks_t *self, const char *name, const json_t *json,
                            bool restart, bool *created, const char **field, char *reason);
weft_err_t bridge_hooks_remove(bridge_hooks_t *self, const char *name);
/* position 0: all. */
weft_err_t bridge_hooks_unpark(bridge_hooks_t *self, const char *name, uint64_t position,
                               uint64_t *count);
bridge_t *bridge_hooks_bridge(const bridge_hooks_t *self);

/* In bridge_hooks_http.c. */
void bridge_hooks_routes(bridge_hooks_t *self);

#endif
