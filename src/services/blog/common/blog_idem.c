/* blog_idem: a POST repeated under the same Idempotency-Key gets its first answer again. */
#include "blog_idem.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <service_after.h>

#include "blog_db.h"

#define KEY_BYTES_MAX 255u
#define KEEP_US ((int64_t) 24 * 3600 * 1000000)
#define SWEEP_MS (10u * 60 * 1000)

enum { FIND, KEEP, SWEEP, STATEMENTS };

static const char *const s_sql[STATEMENTS] = {
    [FIND] = "SELECT body_hash, body_size, status, location, answer FROM idempotency "
             "WHERE scope = ?1 AND key = ?2 AND created_us > ?3",
    [KEEP] = "INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    /* a piece at a time, so that requests have their turn */
    [SWEEP] = "DELETE FROM idempotency WHERE (scope, key) IN (SELECT scope, key FROM idempotency "
              "WHERE created_us <= ?1 ORDER BY created_us LIMIT 500)",
};

struct blog_idem {
    weft_service_t *service;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int timer_id;
    bool timer;
};

static int64_t s_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The database's own words for an unsigned hash. */
static int64_t s_hash(const http_request_t *request, size_t *size) {
    const void *body = http_request_body(request, size);
    uint64_t hash = http_hash(body, *size);
    int64_t out;
    memcpy(&out, &hash, sizeof out);
    return out;
}

static blog_query_t s_query(blog_idem_t *self, size_t which) {
    return (blog_query_t){.db = self->db, .stmt = self->statements[which], .rc = SQLITE_OK};
}

static weft_err_t s_sweep(weft_tx_t *tx, void *arg) {
    (void) tx;
    blog_idem_t *self = arg;
    blog_query_t query = s_query(self, SWEEP);
    blog_bind_int(&query, 1, s_now_us() - KEEP_US);
    return blog_run(&query, NULL);
}

static void s_on_timer(void *arg) {
    blog_idem_t *self = arg;
    weft_err_t rc = weft_service_transaction(self->service, s_sweep, self);
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "idempotency.sweep", "error=%s", weft_err_name(rc));
}

weft_err_t blog_idem_new(blog_idem_t **out, weft_service_t *service) {
    weft_err_t rc = WEFT_E_NOMEM;
    blog_idem_t *self = calloc(1, sizeof *self);
    if (!self) goto out;
    self->service = service;
    self->db = weft_service_db(service);
    for (size_t i = 0; i < STATEMENTS; i++) {
        int sqlite = sqlite3_prepare_v3(self->db, s_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &self->statements[i], NULL);
        if ((rc = blog_sqlite_error(self->db, sqlite)) != WEFT_OK) goto out;
    }
    rc = weft_service_timer(service, SWEEP_MS, 0, s_on_timer, self, &self->timer_id);
    if (rc != WEFT_OK) goto out;
    self->timer = true;
    *out = self;
    self = NULL;
out:
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_ERROR, "idempotency.start", "error=%s", weft_err_name(rc));
    blog_idem_destroy(&self);
    return rc;
}

void blog_idem_destroy(blog_idem_t **self_p) {
    blog_idem_t *self = *self_p;
    if (!self) return;
    if (self->timer) weft_service_timer_end(self->service, self->timer_id);
    for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(self->statements[i]);
    free(self);
    *self_p = NULL;
}

/* ---------------------------------------------------------------------------------------------- */

/* "POST /posts/create"; malloc, NULL without memory. */
static char *s_scope(const http_request_t *request) {
    const char *method = http_request_method(request), *path = http_request_path(request);
    size_t size = strlen(method) + strlen(path) + 2;
    char *scope = malloc(size);
    if (scope) snprintf(scope, size, "%s %s", method, path);
    return scope;
}

static bool s_key_ok(const char *key) {
    size_t size = strlen(key);
    if (!size || size > KEY_BYTES_MAX) return false;
    for (; *key; key++)
        if (*key < 0x21 || *key > 0x7E) return false;
    return true;
}

/* A row of FIND is at hand: answer from it. */
static void s_replay(const blog_idem_t *self, http_request_t *request, blog_query_t *query) {
    size_t size;
    int64_t hash = s_hash(request, &size);
    if (blog_column_int(query, 0) != hash || blog_column_int(query, 1) != (int64_t) size) {
        http_answer_error(request, 422, "this key has been used with another body",
                          "Idempotency-Key");
        return;
    }
    const char *location = blog_column_text(query, 3);
    http_answer_header(request, "Idempotency-Replayed", "true");
    service_after_answer(request, self->service); /* that event, or a later one */
    if (*location) http_answer_header(request, "Location", location);
    http_answer_text(request, (unsigned) blog_column_int(query, 2),
                     strdup(blog_column_text(query, 4)));
}

static bool s_find(blog_idem_t *self, http_request_t *request, const char *scope, const char *key) {
    blog_query_t query = s_query(self, FIND);
    blog_bind_text(&query, 1, scope);
    blog_bind_text(&query, 2, key);
    blog_bind_int(&query, 3, s_now_us() - KEEP_US);
    weft_err_t rc = blog_step(&query);
    if (rc == WEFT_E_NOT_FOUND) return true;
    if (rc == WEFT_OK)
        s_replay(self, request, &query);
    else
        http_answer_error(request, 500, "database could not be read", NULL);
    blog_end(&query);
    return false;
}

/* While a request is held, its mark says under which key it is in work. */
static weft_err_t s_mark(http_request_t *request, const char *scope, const char *key) {
    size_t size = strlen(scope) + strlen(key) + 2;
    char *mark = malloc(size);
    if (!mark) return WEFT_E_NOMEM;
    snprintf(mark, size, "%s\n%s", scope, key);
    weft_err_t rc = http_request_mark(request, mark);
    free(mark);
    return rc;
}

bool blog_idem_begin(blog_idem_t *self, http_request_t *request) {
    const char *key = http_request_header(request, "Idempotency-Key");
    if (!key) return true;
    if (!s_key_ok(key)) {
        http_answer_error(request, 400, "must be 1 to 255 visible ASCII characters",
                          "Idempotency-Key");
        return false;
    }
    char *scope = s_scope(request);
    bool goes_on = false;
    if (!scope || s_mark(request, scope, key) != WEFT_OK)
        http_answer_error(request, 500, "out of memory", NULL);
    else if (http_request_mark_held(request))
        http_answer_error(request, 409, "the first request with this key is still in work",
                          "Idempotency-Key");
    else
        goes_on = s_find(self, request, scope, key);
    free(scope);
    return goes_on;
}

weft_err_t blog_idem_keep(blog_idem_t *self, http_request_t *request, unsigned status,
                          const char *location, const char *answer) {
    const char *key = http_request_header(request, "Idempotency-Key");
    if (!key || strcmp(http_request_method(request), "POST") != 0) return WEFT_OK;
    char *scope = s_scope(request);
    if (!scope) return WEFT_E_NOMEM;
    size_t size;
    int64_t hash = s_hash(request, &size);
    blog_query_t query = s_query(self, KEEP);
    blog_bind_text(&query, 1, scope);
    blog_bind_text(&query, 2, key);
    blog_bind_int(&query, 3, hash);
    blog_bind_int(&query, 4, (int64_t) size);
    blog_bind_int(&query, 5, status);
    blog_bind_text(&query, 6, location);
    blog_bind_text(&query, 7, answer);
    blog_bind_int(&query, 8, s_now_us());
    weft_err_t rc = blog_run(&query, NULL);
    free(scope);
    return rc;
}
