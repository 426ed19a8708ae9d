/* http_thread: a server on a thread and a loop of its own, for a program whose own loop must not be
 * kept waiting by whoever asks. Handlers run on that thread. */
#ifndef HTTP_THREAD_H
#define HTTP_THREAD_H

#include "http_server.h"

typedef struct http_thread http_thread_t;

/* Serve until destroy. Arguments and errors as http_server_new.
 * nice  how much the thread gives way to all others, 0..19. */
weft_err_t http_thread_new(http_thread_t **out, const char *listen, const http_route_t *routes,
                           size_t routes_count, int nice);
const char *http_thread_address(const http_thread_t *self);
/* Answers what is under way, for at most HTTP_LEAVE_MS. NULL-safe, clears *self_p. */
void http_thread_destroy(http_thread_t **self_p);

#endif
