/* weft_log_check: see weft_log_check.h. */
#include "weft_log_check.h"

#include "weft_check_postings.h"
#include "weft_check_rare.h"
#include "weft_checksum.h"
#include "weft_limits.h"
#include "weft_log_reader.h"
#include "weft_log_sql.h"
#include "weft_map.h"
#include "weft_record.h"
#include "weft_stmt.h"
#include "weft_type.h"
#include "weft_wire_event.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS 100000 /* of SQLite's machine, some ms, from look to look at whether to go on */

/* An origin as the rows tell it. */
typedef struct {
    uint64_t last, position, chain;
    bool from_start; /* its first row is here, so its chain is known */
    bool compared;
} weft_check_origin_t;

typedef struct {
    bool has_row;
} weft_check_type_t;

typedef struct {
    weft_log_check_t *out;
    weft_log_check_fn progress; /* may be NULL */
    void *progress_arg;
    bool ended; /* as progress wished */
    char path[PATH_MAX];
    sqlite3 *db; /* for what is not in rows */
    weft_log_reader_t *reader;
    weft_log_head_t head;
    weft_map_t *origins, *types;
    weft_buf_t page;
    uint64_t at, chain; /* rows up to here are whole */
    bool started, done;
    bool failed; /* out->reason says why */
} weft_check_run_t;

static weft_err_t s_say(weft_check_run_t *self, weft_err_t rc, uint64_t position,
                        const char *format, ...) WEFT_PRINTF(4, 5);

static weft_err_t s_say(weft_check_run_t *self, weft_err_t rc, uint64_t position,
                        const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self->out->reason, sizeof self->out->reason, format, args);
    va_end(args);
    self->out->position = position;
    return rc;
}

/* ---- rows */

static weft_check_origin_t *s_origin(weft_check_run_t *self, const weft_wire_event_t *event) {
    weft_check_origin_t *origin = weft_map_get(self->origins, event->origin, 16);
    if (origin) return origin;
    origin = calloc(1, sizeof *origin);
    if (origin && !weft_map_put(self->origins, event->origin, 16, origin)) {
        free(origin);
        return NULL;
    }
    if (!origin) return NULL;
    origin->from_start = event->source_seq == 1;
    origin->last = event->source_seq - 1;
    return origin;
}

/* I2: of an origin, the sequence numbers rise by one. 0 belongs to nobody. */
static weft_err_t s_event(weft_check_run_t *self, uint64_t position, uint64_t type_hash,
                          const weft_wire_event_t *event) {
    if (!event->source_seq) return WEFT_OK;
    weft_check_origin_t *origin = s_origin(self, event);
    char text[33];
    if (!origin) return WEFT_E_NOMEM;
    if (event->source_seq != origin->last + 1 || (!self->head.anchor && !origin->from_start)) {
        weft_uuid_text(text, event->origin);
        return s_say(self, WEFT_E_CORRUPT, position,
                     "row %" PRIu64 " has source_seq %" PRIu64
                     " of origin %s, which was at %" PRIu64,
                     position, event->source_seq, text, origin->from_start ? origin->last : 0);
    }
    origin->last = event->source_seq;
    origin->position = position;
    origin->chain = weft_checksum_origin(origin->chain, type_hash,
                                         weft_hash(event->bytes, event->size));
    return WEFT_OK;
}

static weft_err_t s_type(weft_check_run_t *self, const char *name, size_t size, bool has_row) {
    weft_check_type_t *type = weft_map_get(self->types, name, size);
    if (!type) {
        type = calloc(1, sizeof *type);
        if (!type || !weft_map_put(self->types, name, size, type)) {
            free(type);
            return WEFT_E_NOMEM;
        }
    }
    type->has_row = type->has_row || has_row;
    return WEFT_OK;
}

/* The rows of a page, as a client gets them. */
static weft_err_t s_page(weft_check_run_t *self) {
    weft_mp_t r = weft_mp_reader(self->page.data, self->page.size);
    while (weft_mp_left(&r)) {
        const char *type;
        size_t size;
        weft_stamp_t stamp;
        weft_wire_event_t event;
        if (!weft_mp_str(&r, &type, &size) || !weft_stamp_take(&r, &stamp)) return WEFT_E_PROTO;
        if (weft_type_check(type, size) != WEFT_OK || weft_wire_event_take(&r, &event) != WEFT_OK)
            return s_say(self, WEFT_E_CORRUPT, stamp.position,
                         "row %" PRIu64 " is chained, but holds no event that may be stored",
                         stamp.position);
        weft_err_t rc = s_type(self, type, size, true);
        if (rc == WEFT_OK) rc = s_event(self, stamp.position, weft_hash(type, size), &event);
        if (rc != WEFT_OK) return rc;
        self->out->rows++;
        self->out->bytes += event.size;
    }
    return WEFT_OK;
}

static weft_err_t s_reader_says(weft_check_run_t *self, weft_err_t rc, uint64_t position) {
    const char *reason = weft_log_reader_reason(self->reader);
    if (rc == WEFT_OK || rc == WEFT_E_NOMEM) return rc;
    return s_say(self, rc, rc == WEFT_E_CORRUPT ? position : 0, "%s",
                 *reason ? reason : weft_err_text(rc));
}

static bool s_beside_rows(const weft_check_run_t *self) {
    return strcmp(weft_log_reader_reason(self->reader), weft_log_meta_damaged) == 0;
}

/* The next page of rows. It goes on where the last one ended. */
static weft_err_t s_rows(weft_check_run_t *self) {
    static const weft_text_t all = {.data = ">", .size = 1};
    weft_filters_t filters = {.count = 1, .items = (weft_text_t *) (uintptr_t) &all};
    weft_log_page_t page;
    uint64_t chain;
    if (!self->started ||
        self->at < self->head.anchor) { /* or rows were trimmed: anew from there */
        weft_map_clear(self->origins, free);
        self->at = self->head.anchor;
        self->chain = self->head.anchor_chain;
        self->out->first = self->at + 1;
        self->out->rows = self->out->bytes = 0;
        self->started = true;
    }
    self->out->head = self->head.position;
    if (self->at == self->head.position) return WEFT_OK;
    weft_err_t rc = weft_log_reader_verify(self->reader, self->at, &chain);
    if (rc == WEFT_OK && chain != self->chain)
        return s_say(self, WEFT_E_CORRUPT, self->at,
                     "row %" PRIu64 " has changed since it was read", self->at);
    weft_buf_clear(&self->page);
    if (rc == WEFT_OK)
        rc = weft_log_reader_page(self->reader, self->at, &filters, WEFT_PAGE_EVENTS_MAX,
                                  WEFT_PAGE_BYTES_MAX, &self->page, &page);
    if (rc != WEFT_OK) return s_reader_says(self, rc, self->at + 1);
    rc = s_page(self);
    self->at = page.next;
    self->chain = page.chain;
    return rc;
}

/* ---- what stands beside the rows */

static bool s_compare(void *arg, const weft_uuid_t *uuid, const weft_origin_state_t *state) {
    weft_check_run_t *self = arg;
    weft_check_origin_t *origin = weft_map_get(self->origins, uuid->bytes, 16);
    char text[33];
    weft_uuid_text(text, uuid->bytes);
    self->out->origins++;
    if (!origin && state->position > 0 && state->position <= self->head.anchor) return true;
    if (origin && origin->last == state->last && origin->position == state->position &&
        (!origin->from_start || origin->chain == state->chain)) {
        origin->compared = true;
        return true;
    }
    self->failed = true;
    if (!origin)
        s_say(self, WEFT_E_CORRUPT, 0, "origin %s has no row in the log", text);
    else if (origin->last != state->last || origin->position != state->position)
        s_say(self, WEFT_E_CORRUPT, 0,
              "origin %s is at source_seq %" PRIu64 ", position %" PRIu64
              "; its rows end with %" PRIu64 ", position %" PRIu64,
              text, state->last, state->position, origin->last, origin->position);
    else
        s_say(self, WEFT_E_CORRUPT, 0, "origin %s has another chain than its rows", text);
    return false;
}

static weft_err_t s_origins(weft_check_run_t *self) {
    size_t cursor = 0;
    weft_check_origin_t *origin;
    weft_err_t rc = weft_log_reader_origins(self->reader, s_compare, self);
    if (rc != WEFT_OK) return s_reader_says(self, rc, 0);
    if (self->failed) return WEFT_E_CORRUPT;
    while ((origin = weft_map_next(self->origins, &cursor)))
        if (!origin->compared)
            return s_say(self, WEFT_E_CORRUPT, 0,
                         "the origin of row %" PRIu64 " is not among the origins",
                         origin->position);
    return WEFT_OK;
}

/* A type is written together with its first row. So each that was there before the rows were read has
 * one, unless rows were trimmed. */
static weft_err_t s_check_type(weft_check_run_t *self, int64_t id, const char *name, size_t size) {
    if (id < 1 || id > (int64_t) WEFT_TYPES_MAX || !name || weft_type_check(name, size) != WEFT_OK)
        return s_say(self, WEFT_E_CORRUPT, 0, "type %" PRId64 " is damaged", id);
    weft_check_type_t *type = weft_map_get(self->types, name, size);
    if (type && !type->has_row && !self->head.anchor)
        return s_say(self, WEFT_E_CORRUPT, 0, "type %" PRId64 " has no row in the log", id);
    self->out->types++;
    return WEFT_OK;
}

/* before: only note them; what is wrong with them shows in rows first. */
static weft_err_t s_types(weft_check_run_t *self, bool before) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_types_after), found = WEFT_OK;
    if (rc != WEFT_OK) return s_say(self, rc, 0, "the types cannot be read");
    weft_stmt_bind_int(&st, 1, INT64_MIN);
    while (found == WEFT_OK && weft_stmt_row(&st)) {
        size_t size;
        int64_t id = weft_stmt_int(&st, 0);
        const char *name = weft_stmt_text(&st, 1, &size);
        if (!before)
            found = s_check_type(self, id, name, size);
        else if (name)
            found = s_type(self, name, size, false);
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    if (before && rc == WEFT_E_CORRUPT) return WEFT_OK;
    return rc == WEFT_OK ? found : s_say(self, rc, 0, "the types cannot be read");
}

static void s_tell(void *arg) {
    weft_check_run_t *self = arg;
    if (self->progress && !self->progress(self->progress_arg, self->out)) self->ended = true;
}

/* SQLite asks in the midst of a long statement; not 0: end it. */
static int s_on_steps(void *arg) {
    weft_check_run_t *self = arg;
    s_tell(self);
    return self->ended;
}

static weft_err_t s_postings(weft_check_run_t *self) {
    weft_log_check_t *out = self->out;
    weft_err_t rc = weft_check_postings(self->db, s_tell, self, &out->blocks, out->reason,
                                        sizeof out->reason);
    if (rc == WEFT_OK || rc == WEFT_E_NOMEM || *out->reason) return rc;
    return s_say(self, rc, 0, "the index of types cannot be read");
}

static weft_err_t s_rare(weft_check_run_t *self) {
    char *reason = self->out->reason;
    weft_err_t rc = weft_check_rare(self->db, s_tell, self, reason, sizeof self->out->reason);
    return rc == WEFT_OK || *reason ? rc
                                    : s_say(self, rc, 0, "the copies of rare rows cannot be read");
}

static weft_err_t s_integrity(weft_check_run_t *self) {
    weft_stmt_t st;
    char said[256] = "no answer";
    weft_err_t rc = weft_stmt_prepare(&st, self->db, "PRAGMA integrity_check(1)");
    if (rc == WEFT_OK) {
        if (weft_stmt_row(&st)) {
            const char *text = weft_stmt_text(&st, 0, NULL);
            snprintf(said, sizeof said, "%s", text ? text : "");
        }
        rc = weft_stmt_done(&st);
        weft_stmt_free(&st);
    }
    for (char *c = said; *c; c++)
        if ((unsigned char) *c < 0x20) *c = ' ';
    if (rc == WEFT_OK && strcmp(said, "ok") != 0) rc = WEFT_E_CORRUPT;
    if (rc == WEFT_OK) return rc;
    return s_say(self, rc, 0, "SQLite finds: %s",
                 strcmp(said, "ok") == 0 ? weft_err_text(rc) : said);
}

/* ---- all of it */

static weft_err_t s_schema(weft_check_run_t *self) {
    weft_stmt_t st;
    int64_t application = 0, version = 0;
    weft_err_t rc = weft_stmt_prepare(&st, self->db, weft_sql_schema);
    if (rc == WEFT_OK) {
        if (weft_stmt_row(&st)) {
            application = weft_stmt_int(&st, 0);
            version = weft_stmt_int(&st, 1);
        }
        rc = weft_stmt_done(&st);
        weft_stmt_free(&st);
    }
    if (rc != WEFT_OK) return s_say(self, rc, 0, "its schema cannot be read");
    if (application != WEFT_LOG_APPLICATION_ID)
        return s_say(self, WEFT_E_CORRUPT, 0,
                     "it is an SQLite database, but not marked as a weft log");
    if (version > WEFT_LOG_SCHEMA)
        return s_say(self, WEFT_E_SCHEMA, 0, "it has schema %" PRId64 ", this program knows %d",
                     version, WEFT_LOG_SCHEMA);
    if (version < 1) return s_say(self, WEFT_E_CORRUPT, 0, "its schema has no number");
    return WEFT_OK;
}

static weft_err_t s_open(weft_check_run_t *self, const char *dir) {
    if (snprintf(self->path, sizeof self->path, "%s/log.db", dir) >= (int) sizeof self->path)
        return s_say(self, WEFT_E_NOT_FOUND, 0, "its name is too long");
    weft_err_t rc = weft_db_open(&self->db, self->path, WEFT_DB_READ_ONLY, true, 0);
    if (rc != WEFT_OK && access(self->path, F_OK) != 0)
        return s_say(self, WEFT_E_NOT_FOUND, 0, "there is no log.db in it");
    if (rc == WEFT_OK) rc = s_schema(self);
    if (rc == WEFT_OK) rc = weft_log_reader_new(&self->reader, self->path);
    if (rc != WEFT_OK && !*self->out->reason)
        s_say(self, rc, 0, "log.db cannot be opened: %s", weft_err_text(rc));
    return rc;
}

static weft_err_t s_run(weft_check_run_t *self) {
    weft_err_t rc = s_types(self, true);
    while (rc == WEFT_OK && !self->done) {
        rc = weft_log_reader_begin(self->reader, &self->head);
        self->out->log = weft_log_reader_meta(self->reader)->log;
        if (rc == WEFT_OK)
            rc = s_rows(self);
        else
            s_reader_says(self, rc, s_beside_rows(self) ? 0 : self->head.position + 1);
        self->done = self->at == self->head.position;
        if (rc == WEFT_OK && self->done) rc = s_origins(self);
        weft_log_reader_end(self->reader);
        s_tell(self);
        if (rc == WEFT_OK && self->ended) rc = WEFT_E_INTERRUPTED;
    }
    if (rc == WEFT_OK) rc = s_types(self, false);
    if (rc == WEFT_OK) rc = s_postings(self);
    if (rc == WEFT_OK) rc = s_rare(self);
    if (rc == WEFT_OK) rc = s_integrity(self);
    return rc;
}

weft_err_t weft_log_check(const char *dir, weft_log_check_fn progress, void *arg,
                          weft_log_check_t *out) {
    weft_check_run_t self = {.out = out, .progress = progress, .progress_arg = arg};
    *out = (weft_log_check_t){0};
    weft_buf_init(&self.page);
    self.origins = weft_map_new();
    self.types = weft_map_new();
    weft_err_t rc = self.origins && self.types ? s_open(&self, dir) : WEFT_E_NOMEM;
    if (rc == WEFT_OK) {
        sqlite3_progress_handler(self.db, STEPS, s_on_steps, &self);
        rc = s_run(&self);
    }
    if (self.ended && rc != WEFT_E_CORRUPT) rc = s_say(&self, WEFT_E_INTERRUPTED, 0, "interrupted");
    if (rc == WEFT_E_NOMEM) s_say(&self, rc, 0, "out of memory");
    weft_log_reader_destroy(&self.reader);
    weft_db_close(&self.db);
    weft_map_destroy(&self.origins, free);
    weft_map_destroy(&self.types, free);
    weft_buf_free(&self.page);
    return rc;
}
