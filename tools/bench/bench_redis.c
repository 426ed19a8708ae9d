/* bench_redis: Redis Streams as a measured system: append-only file, appendfsync always; pipelines of
 * 1024 XADD; XREAD in thousands. */
#include "bench_run.h"
#include "bench_system.h"

#ifdef BENCH_HIREDIS
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPELINE 1024
#define READ_COUNT "1000"

static void s_start(bench_server_t *server, const char *dir) {
    char program[] = "redis-server", port_is[] = "--port", bind_is[] = "--bind", dir_is[] = "--dir";
    char aof[] = "--appendonly", yes[] = "yes", sync[] = "--appendfsync", always[] = "always";
    char save[] = "--save", none[] = "", host[] = "127.0.0.1", port[16], at[600], output[4096];
    int number = bench_free_port();
    snprintf(port, sizeof port, "%d", number);
    snprintf(at, sizeof at, "%s", dir);
    char *argv[] = {program, port_is, port, bind_is, host, dir_is, at,
                    aof,     yes,     sync, always,  save, none,   NULL};
    bench_server_start(server, dir, argv);
    server->port = number;
    while (!bench_port_open(number))
        if (!bench_server_output(server, output, sizeof output))
            bench_fail("redis-server has ended: %s", output);
}

static redisContext *s_open(const bench_load_t *load) {
    redisContext *redis = redisConnect("127.0.0.1", load->server->port);
    if (!redis || redis->err) bench_fail("Redis: connect: %s", redis ? redis->errstr : "no memory");
    return redis;
}

static redisReply *s_reply(redisContext *redis) {
    void *reply = NULL;
    if (redisGetReply(redis, &reply) != REDIS_OK) bench_fail("Redis: %s", redis->errstr);
    redisReply *got = reply;
    if (got->type == REDIS_REPLY_ERROR) bench_fail("Redis: %s", got->str);
    return got;
}

static void s_append(redisContext *redis, const char *event, size_t size) {
    const char *argv[] = {"XADD", BENCH_TYPE, "*", "e", event};
    const size_t sizes[] = {4, strlen(BENCH_TYPE), 1, 1, size};
    if (redisAppendCommandArgv(redis, 5, argv, sizes) != REDIS_OK)
        bench_fail("Redis: %s", redis->errstr);
}

static void s_publish(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    size_t size = bench_event_size(load);
    char *event = calloc(1, size);
    redisContext *redis = s_open(load);
    uint64_t sent = 0;
    s_append(redis, event, size);
    freeReplyObject(s_reply(redis));
    bench_role_ready(board, self);
    bench_role_begin(self);
    while (bench_load_more(load, sent, self->begin_ns)) {
        unsigned n = 0;
        for (; n < PIPELINE && (!load->count || sent + n < load->count); n++)
            s_append(redis, event, size);
        for (unsigned i = 0; i < n; i++) freeReplyObject(s_reply(redis));
        sent += n;
    }
    bench_role_end(self);
    atomic_store(&self->count, sent + 1);
    redisFree(redis);
    free(event);
}

static void s_lone(bench_board_t *board, bench_slot_t *self, const void *arg) {
    const bench_load_t *load = arg;
    char event[BENCH_EVENT_BYTES] = {0};
    redisContext *redis = s_open(load);
    bench_role_ready(board, self);
    bench_role_begin(self);
    for (uint64_t i = 0; i < load->warm + load->count; i++) {
        int64_t begin = bench_now_ns();
        s_append(redis, event, sizeof event);
        freeReplyObject(s_reply(redis));
        if (i >= load->warm) bench_hist_add(&self->hist, bench_now_ns() - begin);
    }
    bench_role_end(self);
    redisFree(redis);
}

/* XREAD replies [[key, [[id, [field, value]] …]]], or nil if nothing came. */
static void s_take(redisReply *reply, bench_slot_t *self, char last[64]) {
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        const redisReply *entries = reply->element[0]->element[1];
        if (entries->elements) {
            snprintf(last, 64, "%s", entries->element[entries->elements - 1]->element[0]->str);
            atomic_fetch_add(&self->count, entries->elements);
        }
    }
    freeReplyObject(reply);
}

static void s_read(redisContext *redis, bench_slot_t *self, char last[64], bool block) {
    int rc = block ? redisAppendCommand(
                         redis, "XREAD COUNT " READ_COUNT " BLOCK 100 STREAMS " BENCH_TYPE " %s",
                         last)
                   : redisAppendCommand(
                         redis, "XREAD COUNT " READ_COUNT " STREAMS " BENCH_TYPE " %s", last);
    if (rc != REDIS_OK) bench_fail("Redis: %s", redis->errstr);
    s_take(s_reply(redis), self, last);
}

static void s_subscribe(bench_board_t *board, bench_slot_t *self, const void *arg) {
    redisContext *redis = s_open(arg);
    char last[64] = "0"; /* from the beginning, which is empty: nothing falls between two reads */
    s_read(redis, self, last, false);
    bench_role_begin(self);
    atomic_store(&self->ready, true);
    while (!bench_reader_done(board, self)) s_read(redis, self, last, true);
    bench_role_end(self);
    redisFree(redis);
}

static void s_replay(bench_board_t *board, bench_slot_t *self, const void *arg) {
    char last[64] = "0";
    bench_role_ready(board, self);
    bench_role_begin(self);
    redisContext *redis = s_open(arg);
    while (!bench_reader_done(board, self)) s_read(redis, self, last, false);
    bench_role_end(self);
    redisFree(redis);
}

const bench_system_t bench_redis = {.name = "Redis",
                                    .program = "redis-server",
                                    .start = s_start,
                                    .publish = s_publish,
                                    .lone = s_lone,
                                    .subscribe = s_subscribe,
                                    .replay = s_replay};
#else
const bench_system_t bench_redis = {.name = "Redis", .program = "redis-server"};
#endif
