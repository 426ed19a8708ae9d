/* weft_store: see weft_store.h.
 * Checkpoints are ours, not SQLite's own: they run after the acks of a batch, and their errors are
 * not lost (SQLite's automatic one drops them). */
#include "weft_store.h"

#include "weft_assert.h"
#include "weft_crash.h"
#include "weft_log_schema.h"
#include "weft_log_sql.h"
#include "weft_log_trust.h"
#include "weft_os.h"
#include "weft_stmt.h"
#include "weft_store_index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_KIB 32768                        /* a whole batch and the inner pages of the tree */
#define ROOM_BYTES (2u * WEFT_EVENT_BYTES_MAX) /* that a full disk must have again */
#define BUSY_MS 500 /* the loop must not stand still for another program's lock */

struct weft_store {
    char path[PATH_MAX];
    int lock;
    sqlite3 *db;
    weft_log_meta_t meta; /* as it is on disk */
    weft_log_head_t head;
    weft_err_t trouble;
    weft_turnstile_t *turnstile;
    int wal_pages;      /* as of the last commit; 0: all of it is in the database */
    int wal_pages_held; /* when another program's read was last found in the way */
    int wal_pages_target;
    int64_t last_type; /* highest id in types */
    bool full;         /* commits of events wait for the disk */
    bool block_whole;  /* the block that was not full at the start */
    weft_stmt_t begin, commit;
    weft_stmt_t insert, insert_many, type_insert, origin, origin_put;
    weft_stmt_t look, forget, meta_put, reader_put, readers_forget;
    weft_store_index_t index;
};

/* ---- opening */

static weft_err_t s_reason(char *reason, size_t size, weft_err_t rc, const char *format, ...)
    WEFT_PRINTF(4, 5);

static weft_err_t s_reason(char *reason, size_t size, weft_err_t rc, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(reason, size, format, args);
    va_end(args);
    return rc;
}

/* The names of a new directory must survive a power loss, too. Best effort: some file systems refuse
 * to sync a directory and need it not. */
static void s_sync_directory(const char *dir, const char *below) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s%s", dir, below);
    int fd = size > 0 && size < (int) sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                                  : -1;
    if (fd < 0) return;
    if (fsync(fd) != 0)
        weft_diag(WEFT_DIAG_DEBUG, "store.sync_directory", "path=\"%s\" errno=%d", path, errno);
    close(fd);
}

static weft_err_t s_enter_directory(weft_store_t *self, const char *dir, char *reason,
                                    size_t size) {
    char path[PATH_MAX];
    long pid;
    bool fits = snprintf(path, sizeof path, "%s/lock", dir) < (int) sizeof path &&
                snprintf(self->path, sizeof self->path, "%s/log.db", dir) < (int) sizeof self->path;
    if (!fits) return s_reason(reason, size, WEFT_E_IO, "store directory has too long a name");
    if (weft_os_mkdir(dir) != WEFT_OK)
        return s_reason(reason, size, WEFT_E_IO,
                        "cannot make store directory %s: %s; choose another", dir, strerror(errno));
    weft_err_t rc = weft_os_lock(&self->lock, path, &pid);
    if (rc == WEFT_E_LOCKED)
        return s_reason(reason, size, rc,
                        "store %s is in use by the weft-bus with pid %ld: stop that one, or choose "
                        "another --store",
                        dir, pid);
    if (rc != WEFT_OK)
        return s_reason(reason, size, rc,
                        "cannot write in store directory %s: %s; check its rights", dir,
                        strerror(errno));
    if (access(self->path, F_OK) != 0) {
        s_sync_directory(dir, "");
        s_sync_directory(dir, "/..");
    }
    return WEFT_OK;
}

/* Are the rows of the block that is not full yet whole? Its postings will be made from them. */
static weft_err_t s_check_block(weft_store_t *self, weft_log_reader_t *reader) {
    weft_filters_t none = {0};
    weft_buf_t nothing = {0};
    weft_err_t rc = WEFT_OK;
    uint64_t start = weft_postings_block(self->head.position + 1) * WEFT_POSTINGS_BLOCK;
    weft_log_page_t page = {.next = start > self->head.anchor ? start : self->head.anchor};
    while (rc == WEFT_OK && page.next < self->head.position)
        rc = weft_log_reader_page(reader, page.next, &none, 1, 0, &nothing, &page);
    weft_buf_free(&nothing);
    self->block_whole = rc == WEFT_OK;
    if (rc != WEFT_E_CORRUPT) return rc;
    weft_diag(WEFT_DIAG_WARN, "store.block", "reason=\"%s\" action=no_postings",
              weft_log_reader_reason(reader));
    return WEFT_OK;
}

/* Start after the last row; it must be whole (P6). Older rows are checked as they are read. */
static weft_err_t s_check_head(weft_store_t *self, char *reason, size_t size) {
    weft_log_reader_t *reader = NULL;
    weft_err_t rc = weft_log_reader_new(&reader, self->path);
    if (rc == WEFT_OK) rc = weft_log_reader_begin(reader, &self->head);
    if (rc == WEFT_OK) rc = weft_log_reader_verify_head(reader);
    if (rc == WEFT_OK) self->meta = *weft_log_reader_meta(reader);
    if (rc == WEFT_OK) rc = s_check_block(self, reader);
    if (rc == WEFT_E_CORRUPT)
        s_reason(reason, size, rc,
                 "%s is damaged%s%s: restore a copy, or start with an empty --store", self->path,
                 reader ? ", " : "", reader ? weft_log_reader_reason(reader) : "");
    else if (rc != WEFT_OK)
        s_reason(reason, size, rc, "cannot read %s: %s", self->path, weft_err_text(rc));
    if (reader) weft_log_reader_end(reader);
    weft_log_reader_destroy(&reader);
    return rc;
}

static int s_on_commit(void *arg, sqlite3 *db, const char *name, int pages) {
    (void) db;
    (void) name;
    ((weft_store_t *) arg)->wal_pages = pages;
    return SQLITE_OK;
}

static weft_err_t s_prepare(weft_store_t *self) {
    /* secure_delete would write each page that a trim frees */
    weft_err_t rc = weft_db_exec(self->db, "PRAGMA wal_autocheckpoint=0;"
                                           "PRAGMA journal_size_limit=67108864;"
                                           "PRAGMA secure_delete=OFF;");
    const struct {
        weft_stmt_t *stmt;
        const char *sql;
    } all[] = {
        {&self->begin, "BEGIN IMMEDIATE"},
        {&self->commit, "COMMIT"},
        {&self->insert, weft_sql_event_insert},
        {&self->insert_many, weft_sql_event_insert_many},
        {&self->type_insert, weft_sql_type_insert},
        {&self->origin, weft_sql_origin},
        {&self->origin_put, weft_sql_origin_put},
        {&self->look, weft_sql_row},
        {&self->forget, weft_sql_events_forget},
        {&self->meta_put, weft_sql_meta_put},
        {&self->reader_put, weft_sql_reader_put},
        {&self->readers_forget, weft_sql_readers_forget},
    };
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d", CACHE_KIB);
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, sql);
    for (size_t i = 0; i < sizeof all / sizeof *all && rc == WEFT_OK; i++)
        rc = weft_stmt_prepare(all[i].stmt, self->db, all[i].sql);
    if (rc == WEFT_OK)
        rc = weft_store_index_open(&self->index, self->db, self->head.position, self->block_whole);
    if (rc != WEFT_OK) return rc;
    sqlite3_busy_timeout(self->db, BUSY_MS);
    sqlite3_wal_hook(self->db, s_on_commit, self);
    return WEFT_OK;
}

static weft_err_t s_open_database(weft_store_t *self, bool full, char *reason, size_t size) {
    weft_err_t rc = weft_db_open(&self->db, self->path, WEFT_DB_CREATE, full, WEFT_LOG_PAGE_BYTES);
    if (rc == WEFT_OK) rc = weft_db_secure(self->db);
    if (rc == WEFT_E_CORRUPT)
        return s_reason(
            reason, size, rc,
            "%s is damaged or no database: restore a copy, or start with an empty --store",
            self->path);
    if (rc == WEFT_E_FULL)
        return s_reason(reason, size, rc, "disk is full: make room for %s", self->path);
    if (rc != WEFT_OK)
        return s_reason(reason, size, rc, "cannot open %s: %s; check its rights and its disk",
                        self->path, weft_err_text(rc));
    return WEFT_OK;
}

weft_err_t weft_store_open(weft_store_t **out, const char *dir, bool full, char *reason,
                           size_t reason_size) {
    weft_err_t rc = WEFT_E_NOMEM;
    s_reason(reason, reason_size, rc, "out of memory");
    weft_store_t *self = calloc(1, sizeof *self);
    if (!self) goto out;
    self->lock = -1;
    self->full = full;
    weft_store_set_wal_target(self, WEFT_STORE_WAL_TARGET);
    if (!(self->turnstile = weft_turnstile_new())) goto out;
    if ((rc = s_enter_directory(self, dir, reason, reason_size)) != WEFT_OK) goto out;
    if ((rc = s_open_database(self, full, reason, reason_size)) != WEFT_OK) goto out;
    if ((rc = weft_log_schema_open(self->db, self->path, reason, reason_size)) != WEFT_OK) goto out;
    if ((rc = s_check_head(self, reason, reason_size)) != WEFT_OK) goto out;
    if ((rc = s_prepare(self)) != WEFT_OK) {
        s_reason(reason, reason_size, rc, "cannot prepare %s: %s", self->path, weft_err_text(rc));
        goto out;
    }
    *reason = '\0';
    *out = self;
    self = NULL; /* handed over */
out:
    weft_store_destroy(&self);
    return rc;
}

void weft_store_destroy(weft_store_t **self_p) {
    weft_store_t *self = *self_p;
    if (!self) return;
    weft_stmt_free(&self->begin);
    weft_stmt_free(&self->commit);
    weft_stmt_free(&self->insert);
    weft_stmt_free(&self->insert_many);
    weft_stmt_free(&self->type_insert);
    weft_stmt_free(&self->origin);
    weft_stmt_free(&self->origin_put);
    weft_stmt_free(&self->look);
    weft_stmt_free(&self->forget);
    weft_stmt_free(&self->meta_put);
    weft_stmt_free(&self->reader_put);
    weft_stmt_free(&self->readers_forget);
    weft_store_index_close(&self->index);
    weft_db_close(&self->db);
    weft_turnstile_destroy(&self->turnstile);
    weft_os_unlock(&self->lock);
    free(self);
    *self_p = NULL;
}

const char *weft_store_path(const weft_store_t *self) {
    return self->path;
}

const weft_uuid_t *weft_store_log(const weft_store_t *self) {
    return &self->meta.log;
}

const weft_log_head_t *weft_store_head(const weft_store_t *self) {
    return &self->head;
}

weft_err_t weft_store_trouble(const weft_store_t *self) {
    return self->trouble;
}

/* ---- reading */

weft_err_t weft_store_load_types(weft_store_t *self, weft_sequencer_t *sequencer) {
    weft_stmt_t st;
    weft_err_t loaded = WEFT_OK, rc = weft_stmt_prepare(&st, self->db, weft_sql_types_after);
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_int(&st, 1, INT64_MIN);
    while (loaded == WEFT_OK && weft_stmt_row(&st)) {
        size_t size;
        self->last_type = weft_stmt_int(&st, 0);
        const char *name = weft_stmt_text(&st, 1, &size);
        if (!name || self->last_type < 1 || self->last_type > (int64_t) WEFT_TYPES_MAX)
            loaded = WEFT_E_CORRUPT;
        else if (!weft_sequencer_load_type(sequencer, name, size, self->last_type))
            loaded = WEFT_E_NOMEM;
    }
    rc = weft_stmt_done(&st);
    weft_stmt_free(&st);
    return rc == WEFT_OK ? loaded : rc;
}

/* Nothing is in doubt after these: the transaction was taken back and the next one may go well. */
static bool s_passes(weft_err_t rc) {
    return rc == WEFT_E_FULL || rc == WEFT_E_LOCKED;
}

static bool s_closed(const weft_store_t *self) {
    return self->trouble != WEFT_OK && !s_passes(self->trouble);
}

static weft_err_t s_trouble(weft_store_t *self, weft_err_t rc) {
    if (rc == WEFT_OK || s_closed(self)) return rc;
    if (rc != self->trouble)
        weft_diag(WEFT_DIAG_ERROR, "store.trouble", "error=%s path=\"%s\" action=%s",
                  weft_err_name(rc), self->path, s_passes(rc) ? "retry" : "refuse_until_restart");
    self->trouble = rc;
    return rc;
}

weft_err_t weft_store_origin(weft_store_t *self, const uint8_t uuid[16], uint64_t *last,
                             uint64_t *position, uint64_t *chain) {
    weft_log_origin_t row = {0};
    weft_err_t whole = WEFT_OK;
    weft_stmt_bind_blob(&self->origin, 1, uuid, 16);
    if (weft_stmt_row(&self->origin)) whole = weft_log_take_origin(&self->origin, &row);
    *last = row.last;
    *position = row.position;
    *chain = row.chain;
    weft_err_t rc = weft_stmt_done(&self->origin);
    return rc == WEFT_OK ? whole : s_trouble(self, rc);
}

/* ---- writing */

static weft_err_t s_put_types(weft_store_t *self, weft_sequencer_t *sequencer, int64_t *last_type) {
    size_t count;
    weft_batch_type_t *types = weft_sequencer_types(sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        weft_seq_type_t *type = types[i].type;
        if (!type->is_new) continue;
        weft_stmt_bind_int(&self->type_insert, 1, ++*last_type);
        weft_stmt_bind_text(&self->type_insert, 2, type->name, type->size);
        weft_err_t rc = weft_stmt_run(&self->type_insert);
        if (rc != WEFT_OK) return rc;
        type->store_id = *last_type;
    }
    return WEFT_OK;
}

static void s_bind_row(weft_stmt_t *st, int at, const weft_row_t *row,
                       const weft_batch_type_t *types) {
    WEFT_ASSERT(types[row->type].type->store_id > 0);
    weft_stmt_bind_int(st, at, (int64_t) row->position);
    weft_stmt_bind_int(st, at + 1, types[row->type].type->store_id);
    weft_stmt_bind_int(st, at + 2, row->stored_us);
    weft_stmt_bind_bits(st, at + 3, row->chain);
    weft_stmt_bind_blob(st, at + 4, row->event, row->size);
}

static weft_err_t s_put_rows(weft_store_t *self, weft_sequencer_t *sequencer) {
    size_t count, types_count, at = 0;
    const weft_row_t *rows = weft_sequencer_rows(sequencer, &count);
    const weft_batch_type_t *types = weft_sequencer_types(sequencer, &types_count);
    weft_err_t rc = WEFT_OK;
    while (rc == WEFT_OK && count - at >= WEFT_LOG_INSERT_ROWS) {
        for (int i = 0; i < (int) WEFT_LOG_INSERT_ROWS; i++)
            s_bind_row(&self->insert_many, 1 + i * WEFT_LOG_INSERT_COLUMNS, &rows[at++], types);
        rc = weft_stmt_run(&self->insert_many);
    }
    while (rc == WEFT_OK && at < count) {
        s_bind_row(&self->insert, 1, &rows[at++], types);
        rc = weft_stmt_run(&self->insert);
    }
    return rc;
}

static weft_err_t s_put_meta(weft_store_t *self, const char *key, uint64_t value) {
    weft_stmt_bind_text(&self->meta_put, 1, key, strlen(key));
    weft_stmt_bind_bits(&self->meta_put, 2, value);
    return weft_stmt_run(&self->meta_put);
}

/* added: origins that were not there before. */
static weft_err_t s_put_origins(weft_store_t *self, weft_sequencer_t *sequencer, uint64_t *added) {
    size_t count;
    *added = 0;
    weft_seq_origin_t **touched = weft_sequencer_touched(sequencer, &count);
    for (size_t i = 0; i < count; i++) {
        const weft_seq_origin_t *origin = touched[i];
        if (origin->pending_last == origin->last) continue;
        WEFT_ASSERT(origin->pending_last > origin->last); /* I2 */
        weft_log_origin_t row = {.uuid = origin->uuid.bytes,
                                 .source = origin->source,
                                 .source_size = origin->source_size,
                                 .last = origin->pending_last,
                                 .position = origin->pending_position,
                                 .chain = origin->pending_chain};
        weft_log_bind_origin(&self->origin_put, &row);
        weft_err_t rc = weft_stmt_run(&self->origin_put);
        if (rc != WEFT_OK) return rc;
        *added += origin->last == 0;
    }
    return WEFT_OK;
}

static weft_err_t s_count_origins(weft_store_t *self, weft_log_meta_t *meta, uint64_t added) {
    if (!added) return WEFT_OK;
    meta->origins += added;
    weft_err_t rc = s_put_meta(self, "origins", meta->origins);
    return rc == WEFT_OK ? s_put_meta(self, "sum", weft_log_meta_sum(meta)) : rc;
}

static void s_well(weft_store_t *self) {
    if (self->trouble != WEFT_OK)
        weft_diag(WEFT_DIAG_INFO, "store.well_again", "after=%s path=\"%s\"",
                  weft_err_name(self->trouble), self->path);
    self->trouble = WEFT_OK;
}

/* A failed COMMIT may or may not have ended the transaction. */
static void s_roll_back(weft_store_t *self) {
    if (!sqlite3_get_autocommit(self->db) && weft_db_exec(self->db, "ROLLBACK") != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "store.rollback", "sqlite=\"%s\"", sqlite3_errmsg(self->db));
}

weft_err_t weft_store_retry(weft_store_t *self) {
    if (self->trouble == WEFT_OK || s_closed(self)) return self->trouble;
    /* room for this small write alone would not last */
    if (self->trouble == WEFT_E_FULL && !weft_os_has_room(self->path, ROOM_BYTES))
        return self->trouble;
    weft_err_t rc = weft_db_exec(self->db, weft_sql_touch);
    if (rc == WEFT_OK) {
        s_well(self);
    } else {
        s_trouble(self, rc);
        s_roll_back(self);
    }
    return rc;
}

weft_err_t weft_store_append(weft_store_t *self, weft_sequencer_t *sequencer) {
    if (s_closed(self)) return self->trouble;
    int64_t last_type = self->last_type;
    uint64_t added = 0;
    weft_log_meta_t meta = self->meta;
    weft_err_t rc = weft_stmt_run(&self->begin);
    if (rc == WEFT_OK) rc = s_put_types(self, sequencer, &last_type);
    if (rc == WEFT_OK) rc = s_put_rows(self, sequencer);
    if (rc == WEFT_OK) rc = weft_store_index_add(&self->index, sequencer);
    if (rc == WEFT_OK) rc = s_put_origins(self, sequencer, &added);
    if (rc == WEFT_OK) rc = s_count_origins(self, &meta, added);
    WEFT_CRASH_POINT("store.written");
    if (rc == WEFT_OK) rc = weft_stmt_run(&self->commit);
    if (rc != WEFT_OK) {
        s_trouble(self, rc);
        s_roll_back(self);
        return rc;
    }
    self->last_type = last_type;
    self->meta.origins = meta.origins; /* not log: other threads read that */
    s_well(self);
    return WEFT_OK;
}

/* ---- upkeep: transactions that need not be on the disk before anybody hears of them */

/* The next commit of events syncs them along. */
static weft_err_t s_begin_upkeep(weft_store_t *self) {
    if (s_closed(self)) return self->trouble;
    weft_err_t rc = weft_db_exec(self->db, "PRAGMA synchronous=NORMAL");
    return rc == WEFT_OK ? weft_db_exec(self->db, "BEGIN IMMEDIATE") : rc;
}

static weft_err_t s_end_upkeep(weft_store_t *self, weft_err_t rc) {
    if (rc == WEFT_OK) rc = weft_db_exec(self->db, "COMMIT");
    if (rc != WEFT_OK) s_roll_back(self);
    weft_err_t back = self->full ? weft_db_exec(self->db, "PRAGMA synchronous=FULL") : WEFT_OK;
    if (back != WEFT_OK) return s_trouble(self, back);
    return s_passes(rc) ? rc : s_trouble(self, rc); /* events may still find room */
}

uint64_t weft_store_anchor(const weft_store_t *self) {
    return self->meta.anchor;
}

int weft_store_synchronous(const weft_store_t *self) {
    weft_stmt_t st;
    int value = -1;
    if (weft_stmt_prepare(&st, self->db, "PRAGMA synchronous") != WEFT_OK) return value;
    if (weft_stmt_row(&st)) value = (int) weft_stmt_int(&st, 0);
    (void) weft_stmt_done(&st);
    weft_stmt_free(&st);
    return value;
}

weft_err_t weft_store_trim(weft_store_t *self, uint64_t to) {
    WEFT_ASSERT(to > self->meta.anchor);
    if (s_closed(self)) return self->trouble;
    weft_log_meta_t meta = self->meta;
    meta.anchor = to;
    weft_stmt_bind_bits(&self->look, 1, to);
    bool found = weft_stmt_row(&self->look);
    if (found) {
        meta.anchor_stored_us = weft_stmt_int(&self->look, 3);
        meta.anchor_chain = weft_stmt_bits(&self->look, 2);
    }
    weft_err_t rc = weft_stmt_done(&self->look);
    if (rc != WEFT_OK) return s_trouble(self, rc);
    if (!found) return WEFT_E_CORRUPT;
    rc = s_begin_upkeep(self);
    weft_stmt_bind_bits(&self->forget, 1, to);
    if (rc == WEFT_OK) rc = weft_stmt_run(&self->forget);
    if (rc == WEFT_OK) rc = weft_store_index_forget(&self->index, to);
    if (rc == WEFT_OK) rc = s_put_meta(self, "anchor_position", to);
    if (rc == WEFT_OK) rc = s_put_meta(self, "anchor_chain", meta.anchor_chain);
    if (rc == WEFT_OK) rc = s_put_meta(self, "anchor_stored_us", (uint64_t) meta.anchor_stored_us);
    if (rc == WEFT_OK) rc = s_put_meta(self, "sum", weft_log_meta_sum(&meta));
    WEFT_CRASH_POINT("store.trim_written");
    rc = s_end_upkeep(self, rc);
    WEFT_CRASH_POINT("store.trimmed");
    if (rc == WEFT_OK) {
        self->meta.anchor = meta.anchor;
        self->meta.anchor_chain = meta.anchor_chain;
        self->meta.anchor_stored_us = meta.anchor_stored_us;
    }
    return rc;
}

weft_err_t weft_store_put_readers(weft_store_t *self, const weft_reader_t *readers, size_t count) {
    weft_err_t rc = s_begin_upkeep(self);
    for (size_t i = 0; i < count && rc == WEFT_OK; i++) {
        weft_stmt_t *st = &self->reader_put;
        weft_stmt_bind_blob(st, 1, readers[i].instance.bytes, sizeof readers[i].instance.bytes);
        weft_stmt_bind_text(st, 2, readers[i].name, strlen(readers[i].name));
        weft_stmt_bind_bits(st, 3, readers[i].resume);
        weft_stmt_bind_int(st, 4, readers[i].seen_us);
        rc = weft_stmt_run(st);
    }
    if (rc == WEFT_OK) {
        weft_stmt_bind_int(&self->readers_forget, 1, WEFT_REPORTS_MAX);
        rc = weft_stmt_run(&self->readers_forget);
    }
    WEFT_CRASH_POINT("store.readers_written");
    return s_end_upkeep(self, rc);
}

void weft_store_set_wal_target(weft_store_t *self, unsigned bytes) {
    self->wal_pages_target = (int) (bytes / WEFT_LOG_PAGE_BYTES);
}

weft_turnstile_t *weft_store_turnstile(const weft_store_t *self) {
    return self->turnstile;
}

/* No read of ours is in the way: what is left in the WAL after it, another program holds there, and it
 * may do so for long. Who comes to read now reads the database alone, so the next commit begins the WAL anew. */
static weft_err_t s_checkpoint(weft_store_t *self) {
    int in_wal = 0, moved = 0;
    int sql = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &moved);
    WEFT_CRASH_POINT("store.checkpointed");
    bool all = sql == SQLITE_OK && moved == in_wal;
    self->wal_pages_held = all ? 0 : self->wal_pages;
    if (all) self->wal_pages = 0;
    return weft_db_error(self->db, sql);
}

bool weft_store_checkpoint_due(weft_store_t *self, bool *must) {
    if (self->wal_pages < self->wal_pages_held) self->wal_pages_held = 0; /* it has begun anew */
    *must = self->wal_pages >= 2 * self->wal_pages_target;
    return self->wal_pages - self->wal_pages_held >= self->wal_pages_target;
}

weft_err_t weft_store_checkpoint(weft_store_t *self) {
    bool must;
    if (!weft_store_checkpoint_due(self, &must)) return WEFT_OK;
    if (!weft_turnstile_shut(self->turnstile, must)) return WEFT_OK;
    weft_err_t rc = s_checkpoint(self);
    weft_turnstile_open(self->turnstile);
    return weft_store_moved(self, rc);
}

weft_err_t weft_store_moved(weft_store_t *self, weft_err_t rc) {
    return rc == WEFT_OK || s_passes(rc) ? WEFT_OK : s_trouble(self, rc);
}

uint64_t weft_store_wal_bytes(const weft_store_t *self) {
    return (uint64_t) self->wal_pages * WEFT_LOG_PAGE_BYTES;
}
