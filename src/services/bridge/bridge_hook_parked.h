/* bridge_hook_parked: what a receiver has refused for good: putting it aside, and sending it once more. */
#ifndef BRIDGE_HOOK_PARKED_H
#define BRIDGE_HOOK_PARKED_H

#include <http_client.h>

#include "bridge_hook.h"
#include "bridge_hook_body.h"

typedef struct bridge_hook_parked bridge_hook_parked_t;

typedef enum {
    BRIDGE_TAKEN,
    BRIDGE_AWAY,   /* nobody there, or it has no time: no fault of the event */
    BRIDGE_REFUSED /* it answered, but not with 2xx, or began and did not end */
} bridge_outcome_t;

/* What a receiver says beside its status is of no interest, however long it is. */
http_flow_t bridge_hook_on_part(http_call_t *call, const void *data, size_t size, void *arg);
/* error  out: BRIDGE_HOOK_REASON_BYTES bytes of UTF-8, why it was not taken; untouched if it was. */
bridge_outcome_t bridge_hook_outcome(const http_result_t *result, char *error);

/* Put an event aside, in a transaction of its own. WEFT_OK, WEFT_E_FULL (too many rows, or the disk),
 * WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t bridge_hook_park(const bridge_hook_env_t *env, const char *hook,
                            const weft_event_t *event, const bridge_hook_body_t *body,
                            unsigned attempts, const char *error);

/* name is borrowed. */
weft_err_t bridge_hook_parked_new(bridge_hook_parked_t **out, const bridge_hook_env_t *env,
                                  const char *name);
void bridge_hook_parked_destroy(bridge_hook_parked_t **self_p);
/* Send all that is parked, one after the other, each forgotten when it is taken; the first that is not ends it. */
void bridge_hook_parked_retry(bridge_hook_parked_t *self, const char *url, unsigned timeout_ms);

#endif
