/* bridge_post: POST /events. Accepted means durable in the bridge's outbox; the bus may be away.
 *
 * The requests of one turn of the loop become one transaction and are answered after its commit: the
 * cost of making things durable is shared among all who wait for it. */
#ifndef BRIDGE_POST_H
#define BRIDGE_POST_H

#include "bridge.h"

typedef struct bridge_posts bridge_posts_t;

/* keep_us: how long keys that tell doubles are kept. Registers the route.
 * Returns WEFT_OK, WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t bridge_posts_new(bridge_posts_t **out, bridge_t *bridge, int64_t keep_us);
/* The server is there: call bridge_posts_turn on its turns. */
void bridge_posts_turn(void *self);
/* After the server has stopped. */
void bridge_posts_destroy(bridge_posts_t **self_p);

#endif
