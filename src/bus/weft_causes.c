/* weft_causes: see weft_causes.h.
 * Effects lie near their causes, so they are added near the end of their table. Traces are random
 * numbers: one table by trace would touch a page for each event. They are kept by blocks of positions,
 * so that what is added stays in the cache, and a search looks once into each block. Many are added at
 * once, in their order, so that a page is written once for several. */
#include "weft_causes.h"

#include "weft_stmt.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA 1
#define PAGE_BYTES 8192u
#define BLOCK_SHIFT 18 /* 262,144 positions */
#define FORGET_CAUSES 16384u
#define MACHINE_BYTES 64

struct weft_causes {
    sqlite3 *db;
    weft_resume_t at;
    uint64_t forgotten; /* no rows for causes up to here */
    weft_stmt_t add_effect, add_trace, moved, effects, trace, forget_effects, forget_traces, forgot;
};

static const char s_create[] =
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK (id = 1), log BLOB NOT NULL, position INTEGER"
    " NOT NULL, chain INTEGER NOT NULL, forgotten INTEGER NOT NULL, machine TEXT);"
    "CREATE TABLE effects(cause INTEGER NOT NULL, effect INTEGER NOT NULL,"
    " PRIMARY KEY (cause, effect)) WITHOUT ROWID;"
    "CREATE TABLE traces(block INTEGER NOT NULL, trace INTEGER NOT NULL, position INTEGER NOT NULL,"
    " PRIMARY KEY (block, trace, position)) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

/* ---- opening */

/* The start of the machine: after another one, what was not synced may be lost. */
static void s_machine(char text[MACHINE_BYTES]) {
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, MACHINE_BYTES - 1) : -1;
    if (fd >= 0) close(fd);
    text[size > 0 ? size : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static weft_err_t s_schema(weft_causes_t *self, const weft_uuid_t *log) {
    weft_stmt_t st;
    int64_t version = 0, tables = 0;
    weft_err_t rc = weft_stmt_prepare(&st, self->db,
                                      "SELECT (SELECT user_version FROM pragma_user_version),"
                                      " (SELECT count(*) FROM sqlite_schema)");
    if (rc != WEFT_OK) return rc;
    if (weft_stmt_row(&st)) {
        version = weft_stmt_int(&st, 0);
        tables = weft_stmt_int(&st, 1);
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    if (rc != WEFT_OK) return rc;
    if (version > SCHEMA) return WEFT_E_SCHEMA;
    if (tables) return version == SCHEMA ? WEFT_OK : WEFT_E_CORRUPT;
    rc = weft_db_exec(self->db, "BEGIN IMMEDIATE");
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, s_create);
    if (rc == WEFT_OK)
        rc = weft_stmt_prepare(&st, self->db, "INSERT INTO meta VALUES (1, ?, 0, 0, 0, NULL)");
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_blob(&st, 1, log->bytes, sizeof log->bytes);
    rc = weft_stmt_run(&st);
    weft_stmt_free(&st);
    return rc == WEFT_OK ? weft_db_exec(self->db, "COMMIT") : rc;
}

/* machine is NULL while nobody has it open. */
static weft_err_t s_load(weft_causes_t *self, const weft_uuid_t *log, const char *machine) {
    weft_stmt_t st;
    weft_err_t rc = weft_stmt_prepare(
        &st, self->db, "SELECT log, position, chain, forgotten, machine FROM meta WHERE id = 1");
    if (rc != WEFT_OK) return rc;
    rc = WEFT_E_CORRUPT;
    if (weft_stmt_row(&st)) {
        size_t size, machine_size;
        const void *bytes = weft_stmt_blob(&st, 0, &size);
        const char *last = weft_stmt_text(&st, 4, &machine_size);
        self->at = (weft_resume_t){.position = {weft_stmt_bits(&st, 1)},
                                   .chain = weft_stmt_bits(&st, 2)};
        self->forgotten = weft_stmt_bits(&st, 3);
        if (bytes && size == sizeof self->at.log.bytes) {
            memcpy(self->at.log.bytes, bytes, size);
            rc = memcmp(bytes, log->bytes, size) == 0 ? WEFT_OK : WEFT_E_OTHER_LOG;
        }
        if (rc == WEFT_OK && last && (!*machine || strcmp(last, machine) != 0)) rc = WEFT_E_CORRUPT;
    }
    weft_err_t end = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return end != WEFT_OK ? end : rc;
}

/* Note that it is open, or whole, so that the note is on the disk before, or after, all else. */
static weft_err_t s_mark(weft_causes_t *self, const char *machine) {
    weft_stmt_t st;
    weft_err_t rc = weft_db_exec(self->db, "PRAGMA synchronous=FULL");
    if (rc == WEFT_OK) rc = weft_stmt_prepare(&st, self->db, "UPDATE meta SET machine = ?");
    if (rc != WEFT_OK) return rc;
    if (machine)
        weft_stmt_bind_text(&st, 1, machine, strlen(machine));
    else
        weft_stmt_bind_null(&st, 1);
    rc = weft_stmt_run(&st);
    weft_stmt_free(&st);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    return rc == WEFT_OK ? weft_db_exec(self->db, "PRAGMA synchronous=OFF") : rc;
}

static weft_err_t s_prepare(weft_causes_t *self) {
    const struct {
        weft_stmt_t *stmt;
        const char *sql;
    } all[] = {
        {&self->add_effect, "INSERT OR IGNORE INTO effects VALUES (?, ?)"},
        {&self->add_trace, "INSERT OR IGNORE INTO traces VALUES (?, ?, ?)"},
        {&self->moved, "UPDATE meta SET position = ?, chain = ?"},
        {&self->effects, "SELECT effect FROM effects WHERE cause = ? AND effect > ?"
                         " ORDER BY effect LIMIT ?"},
        {&self->trace, "SELECT position FROM traces WHERE block = ? AND trace = ? AND position > ?"
                       " ORDER BY position LIMIT ?"},
        {&self->forget_effects, "DELETE FROM effects WHERE cause <= ?"},
        {&self->forget_traces, "DELETE FROM traces WHERE block < ?"},
        {&self->forgot, "UPDATE meta SET forgotten = ?"},
    };
    weft_err_t rc = WEFT_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && rc == WEFT_OK; i++)
        rc = weft_stmt_prepare(all[i].stmt, self->db, all[i].sql);
    return rc;
}

static void s_free(weft_causes_t *self) {
    weft_stmt_free(&self->add_effect);
    weft_stmt_free(&self->add_trace);
    weft_stmt_free(&self->moved);
    weft_stmt_free(&self->effects);
    weft_stmt_free(&self->trace);
    weft_stmt_free(&self->forget_effects);
    weft_stmt_free(&self->forget_traces);
    weft_stmt_free(&self->forgot);
    weft_db_close(&self->db);
    free(self);
}

weft_err_t weft_causes_open(weft_causes_t **out, const char *path, const weft_uuid_t *log) {
    char machine[MACHINE_BYTES];
    weft_causes_t *self = calloc(1, sizeof *self);
    if (!self) return WEFT_E_NOMEM;
    s_machine(machine);
    weft_err_t rc = weft_db_open(&self->db, path, WEFT_DB_CREATE, true, PAGE_BYTES);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "PRAGMA cache_size=-4096");
    if (rc == WEFT_OK) rc = s_schema(self, log);
    if (rc == WEFT_OK) rc = s_load(self, log, machine);
    if (rc == WEFT_OK) rc = s_mark(self, machine);
    if (rc == WEFT_OK) rc = s_prepare(self);
    if (rc != WEFT_OK) {
        s_free(self);
        return rc;
    }
    *out = self;
    return WEFT_OK;
}

void weft_causes_close(weft_causes_t **self_p) {
    weft_causes_t *self = *self_p;
    if (!self) return;
    (void) s_mark(self, NULL); /* else it counts as not closed, and is made anew after a reboot */
    s_free(self);
    *self_p = NULL;
}

void weft_causes_remove(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (snprintf(name, sizeof name, "%s%s", path, ends[i]) < (int) sizeof name)
            (void) unlink(name); /* what is not there needs not be removed; else open tells */
}

weft_resume_t weft_causes_at(const weft_causes_t *self) {
    return self->at;
}

/* ---- adding */

static uint64_t s_block(uint64_t position) {
    return position >> BLOCK_SHIFT;
}

static uint64_t s_trace_key(const uint8_t *trace_id) {
    uint64_t key;
    memcpy(&key, trace_id + 8, sizeof key); /* the half that is random in any case, says W3C */
    return key;
}

bool weft_causes_note(weft_causes_note_t *out, uint64_t position, uint64_t cause,
                      const uint8_t *traceparent) {
    if (cause >= position) cause = 0; /* a later one can be no cause */
    if (!cause && !traceparent) return false;
    *out = (weft_causes_note_t){.position = position,
                                .cause = cause,
                                .trace = traceparent ? s_trace_key(traceparent) : 0,
                                .traced = traceparent != NULL};
    return true;
}

static weft_err_t s_begin(weft_causes_t *self) {
    return weft_db_exec(self->db, "BEGIN IMMEDIATE");
}

static weft_err_t s_end(weft_causes_t *self, weft_err_t rc, uint64_t position, uint64_t chain) {
    if (rc == WEFT_OK) {
        weft_stmt_bind_bits(&self->moved, 1, position);
        weft_stmt_bind_bits(&self->moved, 2, chain);
        rc = weft_stmt_run(&self->moved);
    }
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    if (rc == WEFT_OK) {
        self->at.position.value = position;
        self->at.chain = chain;
    } else {
        (void) weft_db_exec(self->db, "ROLLBACK"); /* fails only if SQLite has done it already */
    }
    return rc;
}

/* As their table is sorted. Keys are the same 64 bits there, but signed. */
static int s_compare(const void *left, const void *right) {
    const weft_causes_note_t *a = left, *b = right;
    uint64_t a_block = s_block(a->position), b_block = s_block(b->position);
    int64_t a_trace = (int64_t) a->trace, b_trace = (int64_t) b->trace;
    if (a_block != b_block) return a_block < b_block ? -1 : 1;
    if (a_trace != b_trace) return a_trace < b_trace ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

static weft_err_t s_add_effect(weft_causes_t *self, const weft_causes_note_t *note) {
    if (!note->cause) return WEFT_OK;
    weft_stmt_bind_bits(&self->add_effect, 1, note->cause);
    weft_stmt_bind_bits(&self->add_effect, 2, note->position);
    return weft_stmt_run(&self->add_effect);
}

static weft_err_t s_add_trace(weft_causes_t *self, const weft_causes_note_t *note) {
    if (!note->traced) return WEFT_OK;
    weft_stmt_bind_bits(&self->add_trace, 1, s_block(note->position));
    weft_stmt_bind_bits(&self->add_trace, 2, note->trace);
    weft_stmt_bind_bits(&self->add_trace, 3, note->position);
    return weft_stmt_run(&self->add_trace);
}

weft_err_t weft_causes_add(weft_causes_t *self, weft_causes_note_t *notes, size_t count,
                           uint64_t position, uint64_t chain) {
    weft_err_t rc = s_begin(self);
    if (rc != WEFT_OK) return rc;
    for (size_t i = 0; i < count && rc == WEFT_OK; i++) rc = s_add_effect(self, &notes[i]);
    if (count) qsort(notes, count, sizeof *notes, s_compare);
    for (size_t i = 0; i < count && rc == WEFT_OK; i++) rc = s_add_trace(self, &notes[i]);
    return s_end(self, rc, position, chain);
}

weft_err_t weft_causes_forget(weft_causes_t *self, uint64_t anchor, bool *more) {
    *more = false;
    if (anchor <= self->forgotten) return WEFT_OK;
    uint64_t to = anchor - self->forgotten > FORGET_CAUSES ? self->forgotten + FORGET_CAUSES
                                                           : anchor;
    weft_err_t rc = s_begin(self);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&self->forget_effects, 1, to);
    rc = weft_stmt_run(&self->forget_effects);
    if (rc == WEFT_OK && s_block(to) != s_block(self->forgotten)) {
        weft_stmt_bind_bits(&self->forget_traces, 1, s_block(to));
        rc = weft_stmt_run(&self->forget_traces);
    }
    weft_stmt_bind_bits(&self->forgot, 1, to);
    weft_err_t noted = weft_stmt_run(&self->forgot);
    if (rc == WEFT_OK) rc = noted;
    rc = s_end(self, rc, self->at.position.value, self->at.chain);
    if (rc == WEFT_OK) self->forgotten = to;
    *more = rc == WEFT_OK && to < anchor;
    return rc;
}

/* ---- finding */

static weft_err_t s_take(weft_stmt_t *st, uint64_t *out, size_t max, size_t *count) {
    while (*count < max && weft_stmt_row(st)) out[(*count)++] = weft_stmt_bits(st, 0);
    return weft_stmt_done(st);
}

weft_err_t weft_causes_effects(weft_causes_t *self, uint64_t cause, uint64_t after, uint64_t *out,
                               size_t max, size_t *count) {
    *count = 0;
    weft_stmt_bind_bits(&self->effects, 1, cause);
    weft_stmt_bind_bits(&self->effects, 2, after);
    weft_stmt_bind_int(&self->effects, 3, (int64_t) max);
    return s_take(&self->effects, out, max, count);
}

weft_err_t weft_causes_trace(weft_causes_t *self, const weft_uuid_t *trace, uint64_t after,
                             uint64_t *out, size_t max, size_t *count) {
    weft_err_t rc = WEFT_OK;
    uint64_t first = after > self->forgotten ? after : self->forgotten;
    *count = 0;
    for (uint64_t block = s_block(first);
         rc == WEFT_OK && *count < max && block <= s_block(self->at.position.value); block++) {
        weft_stmt_bind_bits(&self->trace, 1, block);
        weft_stmt_bind_bits(&self->trace, 2, s_trace_key(trace->bytes));
        weft_stmt_bind_bits(&self->trace, 3, first);
        weft_stmt_bind_int(&self->trace, 4, (int64_t) (max - *count));
        rc = s_take(&self->trace, out, max, count);
    }
    return rc;
}
