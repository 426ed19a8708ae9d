/* blog_idem: a POST repeated under the same Idempotency-Key gets its first answer again.
 *
 * The answer is kept in the transaction of what it tells of, so there is no moment at which one is
 * there without the other. Only successes are kept: a refusal changed nothing and may be tried
 * again. A key belongs to a method and a path, and is forgotten after a day. */
#ifndef BLOG_IDEM_H
#define BLOG_IDEM_H

#include <http_server.h>
#include <idempotency.h>
#include <weft.h>

#define BLOG_IDEM_KEEP_US ((int64_t) 24 * 3600 * 1000000)

/* True: go on with the request. False: it has been answered, with the first answer, 400 (malformed
 * key), 409 (the first is still in work) or 422 (another body). */
bool blog_idem_begin(idempotency_t *self, http_request_t *request);
/* Keep the answer, inside the transaction. Nothing to do without a key, or for anything but a POST. */
weft_err_t blog_idem_keep(idempotency_t *self, http_request_t *request, unsigned status,
                          const char *location, const char *answer);

#endif
