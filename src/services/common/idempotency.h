/* idempotency: what has been done under which key, in the service's database.
 *
 * A key is kept in the transaction of what was done under it, so there is no moment at which one is
 * there without the other. */
#ifndef IDEMPOTENCY_H
#define IDEMPOTENCY_H

#include <stdint.h>

#include <weft.h>

/* The schema step of a service that uses it. */
#define IDEMPOTENCY_SCHEMA                                                                    \
    "CREATE TABLE idempotency (scope TEXT NOT NULL, key TEXT NOT NULL, body_hash INTEGER "    \
    "NOT NULL, body_size INTEGER NOT NULL, status INTEGER NOT NULL, location TEXT NOT NULL, " \
    "answer TEXT NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY (scope, key)) WITHOUT "   \
    "ROWID; CREATE INDEX idempotency_created ON idempotency (created_us)"

#define IDEMPOTENCY_FOR_EVER INT64_MAX

typedef struct idempotency idempotency_t;

/* What was done: a fingerprint of the request, and its answer. */
typedef struct {
    uint64_t body_hash;
    size_t body_size;
    unsigned status;
    const char *location, *answer; /* "" if none */
} idempotency_row_t;

/* After weft_service_schema. keep_us: how long keys are kept; a timer of the service clears away older ones. */
weft_err_t idempotency_new(idempotency_t **out, weft_service_t *service, int64_t keep_us);
/* Before the service ends. NULL-safe, clears *self_p. */
void idempotency_destroy(idempotency_t **self_p);

/* row  out: its texts are borrowed until idempotency_found.
 * Returns WEFT_OK, WEFT_E_NOT_FOUND, WEFT_E_STORE. */
weft_err_t idempotency_find(idempotency_t *self, const char *scope, const char *key,
                            idempotency_row_t *row);
/* Done with the row, whatever was returned. */
void idempotency_found(idempotency_t *self);
/* Inside a transaction. WEFT_OK, WEFT_E_FULL, WEFT_E_STORE, WEFT_E_NOMEM. */
weft_err_t idempotency_keep(idempotency_t *self, const char *scope, const char *key,
                            const idempotency_row_t *row);

/* The service it was made for. */
const weft_service_t *idempotency_service(const idempotency_t *self);

/* 1..255 visible characters of ASCII. */
bool idempotency_key_ok(const char *key);

#endif
