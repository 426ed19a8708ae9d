/* web_watch: what flows through the mesh, in a bounded size, however much that is.
 *
 * It reads the whole log live while it is open, counts events by emitter and type, and keeps the last
 * few. Where it cannot keep up it jumps to the end: it shows, and promises nothing. */
#ifndef WEB_WATCH_H
#define WEB_WATCH_H

#include <jansson.h>

#include <weft.h>

#define WEB_WATCH_PAIRS_MAX \
    256u /* of emitter and type; what is beyond is counted in the total alone */
#define WEB_WATCH_LAST 50u

typedef struct web_watch web_watch_t;

weft_err_t web_watch_new(web_watch_t **out, weft_service_t *service);
/* NULL-safe, clears *self_p. */
void web_watch_destroy(web_watch_t **self_p);

/* Begin to read, after position, or at the end of the log where it had to jump. Nothing if it is open:
 * call it again and again, since trouble with the bus closes it. */
void web_watch_open(web_watch_t *self, weft_position_t position);
void web_watch_close(web_watch_t *self);

/* All that is known: {events, pairs: [[source, type, count]…], last: [event…]} with the oldest first.
 * NULL without memory. */
json_t *web_watch_all(const web_watch_t *self);
/* The same of what came since the last call, with at most last events; NULL if nothing came. */
json_t *web_watch_take(web_watch_t *self, unsigned last);

#endif
