/* bench_service: see bench_service.h. */
#include "bench_service.h"

#include "bench_pub.h"
#include "bench_run.h"

#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EMITTED "bench.emitted"
#define LOOK_MS 5 /* how often a service looks whether its outbox is empty */
#define PAGE "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
#define ITEMS                                                                      \
    "CREATE TABLE items(position INTEGER PRIMARY KEY, subject TEXT NOT NULL, data" \
    " BLOB NOT NULL)"
/* as the library's own table */
#define OUTBOX                                                                                 \
    "CREATE TABLE outbox(seq INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, time_us"   \
    " INTEGER NOT NULL, subject TEXT NOT NULL, cause INTEGER NOT NULL, traceparent BLOB, data" \
    " BLOB NOT NULL)"
#define INSERT_ITEM "INSERT INTO items VALUES (?, ?, ?)"
#define INSERT_OUTBOX                                                      \
    "INSERT INTO outbox(type, time_us, subject, cause, traceparent, data)" \
    " VALUES (?, ?, ?, ?, ?, ?)"

static const char *const s_schema[] = {ITEMS};

typedef struct {
    const bench_work_t *work;
    bench_slot_t *slot;
    weft_service_t *service;
    sqlite3_stmt *insert;
    bench_data_t data;
    uint8_t trace[WEFT_TRACEPARENT_BYTES]; /* of requests */
    uint64_t done;
    int turn_fd; /* always readable */
} bench_service_t;

static void s_check(weft_err_t rc, const char *what) {
    if (rc != WEFT_OK) bench_fail("service: %s: %s", what, weft_err_text(rc));
}

static void s_check_sql(sqlite3 *db, int rc, const char *what) {
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        bench_fail("service: %s: %s", what, sqlite3_errmsg(db));
}

static void s_put_item(sqlite3_stmt *st, int64_t position, const char *subject, const void *data,
                       size_t size) {
    sqlite3_bind_int64(st, 1, position);
    sqlite3_bind_text(st, 2, subject, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 3, data, size, SQLITE_STATIC);
    s_check_sql(sqlite3_db_handle(st), sqlite3_step(st), "insert");
    sqlite3_reset(st);
}

/* ---- the service */

static void s_open(bench_service_t *self, const bench_work_t *work, bench_slot_t *slot) {
    static char name[] = BENCH_SOURCE, bus_is[] = "--bus", data_is[] = "--data", bus[64], dir[600];
    char *argv[] = {name, bus_is, bus, data_is, dir, NULL};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, STDOUT_FILENO); /* its ready line is not for the table */
    snprintf(bus, sizeof bus, "%s", work->bus);
    snprintf(dir, sizeof dir, "%s", work->dir);
    *self = (bench_service_t){
        .work = work, .slot = slot, .data = bench_data(BENCH_DATA_BYTES), .turn_fd = -1};
    s_check(weft_service_new(&self->service, BENCH_SOURCE, 5, argv), "new");
    s_check(weft_service_schema(self->service, s_schema, 1), "schema");
    sqlite3 *db = weft_service_db(self->service);
    s_check_sql(db, sqlite3_prepare_v2(db, INSERT_ITEM, -1, &self->insert, NULL), "prepare");
}

static void s_count(bench_service_t *self) {
    sqlite3_stmt *st = NULL;
    sqlite3 *db = weft_service_db(self->service);
    s_check_sql(db, sqlite3_prepare_v2(db, "SELECT count(*) FROM items", -1, &st, NULL), "count");
    uint64_t found = sqlite3_step(st) == SQLITE_ROW ? (uint64_t) sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    if (found != self->work->count)
        bench_fail("service: %llu rows instead of %llu", (unsigned long long) found,
                   (unsigned long long) self->work->count);
}

static void s_close(bench_service_t *self) {
    s_count(self);
    atomic_store(&self->slot->count, self->work->count);
    sqlite3_finalize(self->insert);
    weft_service_destroy(&self->service);
    if (self->turn_fd >= 0) close(self->turn_fd);
}

/* The time of the last event is noted once; the end may wait for the outbox. */
static void s_look(void *arg) {
    bench_service_t *self = arg;
    weft_service_info_t info;
    if (self->done < self->work->count) return;
    if (!self->slot->end_ns) bench_role_end(self->slot);
    weft_service_info(self->service, &info);
    if (self->work->drain && info.outbox) return;
    if (self->work->drain) bench_role_end(self->slot);
    weft_service_stop(self->service, WEFT_OK);
}

static weft_err_t s_handle(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    bench_service_t *self = arg;
    s_put_item(self->insert, (int64_t) event->position.value, event->subject, event->data,
               event->data_size);
    self->done++;
    if (!self->work->emit) return WEFT_OK;
    return weft_tx_emit(tx, EMITTED, event->subject, event->data, event->data_size);
}

void bench_role_service(bench_board_t *board, bench_slot_t *self, const void *arg) {
    bench_service_t service;
    s_open(&service, arg, self);
    s_check(weft_service_on(service.service, BENCH_TYPE, s_handle, &service), "handler");
    s_check(weft_service_after_apply(service.service, s_look, &service), "after apply");
    if (service.work->drain)
        s_check(weft_service_timer(service.service, LOOK_MS, 0, s_look, &service, NULL), "timer");
    bench_role_ready(board, self);
    bench_role_begin(self);
    s_check(weft_service_run(service.service), "run");
    s_close(&service);
}

/* ---- requests */

static weft_err_t s_request(weft_tx_t *tx, void *arg) {
    bench_service_t *self = arg;
    s_put_item(self->insert, (int64_t) self->done + 1, bench_subject(), self->data.bytes,
               self->data.size);
    if (!self->work->emit) return WEFT_OK;
    (void) bench_trace_at(self->done, self->trace);
    weft_tx_trace(tx, self->trace);
    weft_tx_cause(tx, (weft_position_t){self->done}); /* the one before */
    return weft_tx_emit(tx, EMITTED, bench_subject(), self->data.bytes, self->data.size);
}

static void s_on_turn(int fd, short revents, void *arg) {
    bench_service_t *self = arg;
    (void) revents;
    s_check(weft_service_transaction(self->service, s_request, self), "transaction");
    if (++self->done < self->work->count) return;
    weft_service_fd_end(self->service, fd);
    s_look(self);
}

void bench_role_requests(bench_board_t *board, bench_slot_t *self, const void *arg) {
    bench_service_t service;
    s_open(&service, arg, self);
    service.turn_fd = eventfd(1, EFD_CLOEXEC);
    s_check(weft_service_fd(service.service, service.turn_fd, POLLIN, s_on_turn, &service), "fd");
    s_check(weft_service_timer(service.service, LOOK_MS, 0, s_look, &service, NULL), "timer");
    bench_role_ready(board, self);
    bench_role_begin(self);
    s_check(weft_service_run(service.service), "run");
    s_close(&service);
}

/* ---- plain */

typedef struct {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *item, *outbox;
} bench_plain_t;

static sqlite3_stmt *s_prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *st = NULL;
    s_check_sql(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL), sql);
    return st;
}

static void s_step(sqlite3_stmt *st) {
    s_check_sql(sqlite3_db_handle(st), sqlite3_step(st), sqlite3_sql(st));
    sqlite3_reset(st);
}

static void s_open_plain(bench_plain_t *self, const char *dir) {
    char path[600];
    snprintf(path, sizeof path, "%s/plain.db", dir);
    s_check_sql(NULL, sqlite3_open(path, &self->db), "open");
    s_check_sql(self->db, sqlite3_exec(self->db, PAGE ITEMS ";" OUTBOX, NULL, NULL, NULL),
                "create");
    self->begin = s_prepare(self->db, "BEGIN IMMEDIATE");
    self->commit = s_prepare(self->db, "COMMIT");
    self->item = s_prepare(self->db, INSERT_ITEM);
    self->outbox = s_prepare(self->db, INSERT_OUTBOX);
}

static void s_put_outbox(bench_plain_t *self, int64_t cause, const bench_data_t *data) {
    static const uint8_t trace[WEFT_TRACEPARENT_BYTES] = {1};
    sqlite3_bind_text(self->outbox, 1, EMITTED, -1, SQLITE_STATIC);
    sqlite3_bind_int64(self->outbox, 2, bench_now_ns() / 1000);
    sqlite3_bind_text(self->outbox, 3, bench_subject(), -1, SQLITE_STATIC);
    sqlite3_bind_int64(self->outbox, 4, cause);
    sqlite3_bind_blob(self->outbox, 5, trace, sizeof trace, SQLITE_STATIC);
    sqlite3_bind_blob64(self->outbox, 6, data->bytes, data->size, SQLITE_STATIC);
    s_step(self->outbox);
}

void bench_role_plain(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_work_t *work = arg;
    bench_data_t data = bench_data(BENCH_DATA_BYTES);
    bench_plain_t plain;
    s_open_plain(&plain, work->dir);
    bench_role_ready(board, self);
    bench_role_begin(self);
    for (uint64_t i = 0; i < work->count; i++) {
        if (i % work->batch == 0) s_step(plain.begin);
        s_put_item(plain.item, (int64_t) i + 1, bench_subject(), data.bytes, data.size);
        if (work->emit) s_put_outbox(&plain, (int64_t) i + 1, &data);
        if ((i + 1) % work->batch == 0 || i + 1 == work->count) s_step(plain.commit);
    }
    bench_role_end(self);
    atomic_store(&self->count, work->count);
    sqlite3_stmt *all[] = {plain.begin, plain.commit, plain.item, plain.outbox};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
    sqlite3_close(plain.db);
}
