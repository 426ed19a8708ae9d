/* bench_table: see bench_table.h. */
#include "bench_table.h"

#include "bench_run.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_A_STATEMENT 32
#define COLUMNS 5
#define ROWS_MAX 8192
#define PAGE_BYTES 16384
#define WAL_BYTES_TARGET (16 << 20)

typedef struct {
    const void *event;
    size_t size;
} bench_row_t;

struct bench_table {
    sqlite3 *db;
    sqlite3_stmt *insert, *insert_many, *origin, *begin, *commit;
    uint64_t position;
    int wal_pages;
    size_t count;
    bench_row_t rows[ROWS_MAX];
};

static void s_check(bench_table_t *self, int rc, const char *what) {
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        bench_fail("bare table: %s: %s", what, sqlite3_errmsg(self->db));
}

static sqlite3_stmt *s_prepare(bench_table_t *self, const char *sql) {
    sqlite3_stmt *st = NULL;
    s_check(self, sqlite3_prepare_v3(self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL), sql);
    return st;
}

static sqlite3_stmt *s_prepare_insert(bench_table_t *self, int rows) {
    char sql[1024];
    int size = snprintf(sql, sizeof sql,
                        "INSERT INTO events(position, type, stored_us, chain, event) VALUES");
    for (int i = 0; i < rows; i++)
        size += snprintf(sql + size, sizeof sql - (size_t) size, "%s(?,?,?,?,?)", i ? "," : "");
    return s_prepare(self, sql);
}

static int s_on_commit(void *arg, sqlite3 *db, const char *name, int pages) {
    (void) db;
    (void) name;
    ((bench_table_t *) arg)->wal_pages = pages;
    return SQLITE_OK;
}

bench_table_t *bench_table_new(const char *dir) {
    char path[4200], sql[512];
    bench_table_t *self = calloc(1, sizeof *self);
    if (!self) bench_fail("out of memory");
    snprintf(path, sizeof path, "%s/bare.db", dir);
    s_check(self,
            sqlite3_open_v2(path, &self->db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL),
            "open");
    snprintf(sql, sizeof sql,
             "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
             "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-32768;"
             "CREATE TABLE events(position INTEGER PRIMARY KEY, type INTEGER NOT NULL,"
             " stored_us INTEGER NOT NULL, chain INTEGER NOT NULL, event BLOB NOT NULL);"
             "CREATE TABLE origins(origin BLOB PRIMARY KEY, source TEXT, last INTEGER,"
             " position INTEGER, chain INTEGER) WITHOUT ROWID;",
             PAGE_BYTES);
    s_check(self, sqlite3_exec(self->db, sql, NULL, NULL, NULL), "create");
    self->insert = s_prepare_insert(self, 1);
    self->insert_many = s_prepare_insert(self, ROWS_A_STATEMENT);
    self->origin = s_prepare(self, "INSERT INTO origins VALUES(x'00112233445566778899aabbccddeeff',"
                                   " 'bench', ?1, ?1, ?1 * 77) ON CONFLICT(origin) DO UPDATE SET"
                                   " last = excluded.last, position = excluded.position,"
                                   " chain = excluded.chain");
    self->begin = s_prepare(self, "BEGIN IMMEDIATE");
    self->commit = s_prepare(self, "COMMIT");
    sqlite3_wal_hook(self->db, s_on_commit, self);
    return self;
}

void bench_table_destroy(bench_table_t **self_p) {
    bench_table_t *self = *self_p;
    if (!self) return;
    sqlite3_stmt *all[] = {self->insert, self->insert_many, self->origin, self->begin,
                           self->commit};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
    sqlite3_close(self->db);
    free(self);
    *self_p = NULL;
}

static void s_run(bench_table_t *self, sqlite3_stmt *st) {
    s_check(self, sqlite3_step(st), sqlite3_sql(st));
    sqlite3_reset(st);
}

void bench_table_begin(bench_table_t *self) {
    self->count = 0;
    s_run(self, self->begin);
}

void bench_table_add(bench_table_t *self, const void *event, size_t size) {
    if (self->count == ROWS_MAX) bench_fail("bare table: more than %d rows", ROWS_MAX);
    self->rows[self->count++] = (bench_row_t){event, size};
}

static void s_bind(bench_table_t *self, sqlite3_stmt *st, int at, const bench_row_t *row,
                   int64_t stored_us) {
    uint64_t position = ++self->position;
    sqlite3_bind_int64(st, at, (int64_t) position);
    sqlite3_bind_int64(st, at + 1, 1);
    sqlite3_bind_int64(st, at + 2, stored_us);
    sqlite3_bind_int64(st, at + 3, (int64_t) (position * 0x9e3779b97f4a7c15u)); /* eight bytes */
    sqlite3_bind_blob64(st, at + 4, row->event, row->size, SQLITE_STATIC);
}

void bench_table_commit(bench_table_t *self) {
    int64_t stored_us = 1700000000000000 + (int64_t) self->position;
    size_t at = 0;
    while (self->count - at >= ROWS_A_STATEMENT) {
        for (int i = 0; i < ROWS_A_STATEMENT; i++)
            s_bind(self, self->insert_many, 1 + i * COLUMNS, &self->rows[at++], stored_us);
        s_run(self, self->insert_many);
    }
    while (at < self->count) {
        s_bind(self, self->insert, 1, &self->rows[at++], stored_us);
        s_run(self, self->insert);
    }
    sqlite3_bind_int64(self->origin, 1, (int64_t) self->position);
    s_run(self, self->origin);
    s_run(self, self->commit);
}

void bench_table_checkpoint(bench_table_t *self) {
    if (self->wal_pages < WAL_BYTES_TARGET / PAGE_BYTES) return;
    s_check(self, sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
            "checkpoint");
}
