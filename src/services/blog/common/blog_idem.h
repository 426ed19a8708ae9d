/* blog_idem: a POST repeated under the same Idempotency-Key gets its first answer again.
 *
 * The answer is kept in the transaction of what it tells of, so there is no moment at which one is
 * there without the other. Only successes are kept: a refusal changed nothing and may be tried
 * again. A key belongs to a method and a path, and is forgotten after a day. */
#ifndef BLOG_IDEM_H
#define BLOG_IDEM_H

#include <http_server.h>
#include <weft.h>

/* The schema step of a service that uses it. */
#define BLOG_IDEM_SCHEMA                                                                      \
    "CREATE TABLE idempotency (scope TEXT NOT NULL, key TEXT NOT NULL, body_hash INTEGER "    \
    "NOT NULL, body_size INTEGER NOT NULL, status INTEGER NOT NULL, location TEXT NOT NULL, " \
    "answer TEXT NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY (scope, key)) WITHOUT "   \
    "ROWID; CREATE INDEX idempotency_created ON idempotency (created_us)"

typedef struct blog_idem blog_idem_t;

/* After weft_service_schema. Old keys are cleared away by a timer of the service. */
weft_err_t blog_idem_new(blog_idem_t **out, weft_service_t *service);
/* Before the service ends. NULL-safe, clears *self_p. */
void blog_idem_destroy(blog_idem_t **self_p);

/* True: go on with the request. False: it has been answered, with the first answer, 400 (malformed
 * key), 409 (the first is still in work) or 422 (another body). */
bool blog_idem_begin(blog_idem_t *self, http_request_t *request);
/* Keep the answer, inside the transaction. Nothing to do without a key, or for anything but a POST. */
weft_err_t blog_idem_keep(blog_idem_t *self, http_request_t *request, unsigned status,
                          const char *location, const char *answer);

#endif
