/* bench_system: what is measured, weft and its peers alike: how to start it on an empty directory,
 * and the roles of clients. Roles are run by bench_crew as processes of their own. */
#ifndef BENCH_SYSTEM_H
#define BENCH_SYSTEM_H

#include "bench_crew.h"

#include <stddef.h>

#define BENCH_TYPE "bench.event" /* weft's type, JetStream's subject, the key of Redis' stream */
#define BENCH_RARE_TYPE "bench.rare" /* one event in BENCH_RARE_EACH, if the load says so */
#define BENCH_RARE_EACH 1000
#define BENCH_DATA_BYTES 128
#define BENCH_EVENT_BYTES \
    235 /* with 128 bytes of data in a full envelope (bench_pub.h); peers send as many */

/* What a role shall do. Fields of no interest are 0. */
typedef struct {
    const bench_server_t *server;
    double seconds;     /* publisher: as long as that … */
    uint64_t count;     /* … or so many events */
    uint64_t each_ns;   /* publisher: an event each so many ns, whatever happens (open loop);
                           subscriber: ns from then to its handler in hist */
    size_t data_size;   /* 0: BENCH_DATA_BYTES */
    bool rare;          /* publisher: mix in BENCH_RARE_TYPE */
    const char *filter; /* subscriber; NULL: all */
    uint64_t filters;   /* subscriber: so many further filters that match nothing */
    uint64_t warm;      /* events that lone publishes send before they are timed */
} bench_load_t;

/* Roles: arg is a bench_load_t. A publisher's count is what was acknowledged; begin and end are those of
 * the whole. Readers end once they have board->target events. */
typedef struct {
    const char *name;
    const char *program; /* that must be there; NULL: none */
    bool late_readers;   /* readers become ready by what publishers send */
    double (*batch)(const bench_server_t *server); /* events a commit so far; NULL: not known */
    void (*start)(bench_server_t *server, const char *dir);
    void (*settle)(
        const bench_server_t *server); /* wait for what it does behind acknowledgements */
    bench_role_fn publish;             /* sends as fast as it can, ends when all is acknowledged */
    bench_role_fn lone;      /* sends one event after the other, waits for each; times in hist */
    bench_role_fn subscribe; /* ready once it hears live events */
    bench_role_fn replay;    /* reads from the beginning; begin and end around that */
} bench_system_t;

extern const bench_system_t bench_weft, bench_ceiling;
extern const bench_system_t bench_proxy; /* raw zmq_proxy: nothing is stored or acknowledged */
extern const bench_system_t bench_jetstream, bench_redis; /* start is NULL if built without */

/* Wait until the index of causes of a weft-bus covers the log; returns the seconds that took.
 * behind  out: events that it did not cover at first. May be NULL. */
double bench_weft_index(const bench_server_t *server, double *behind);

/* Installed and built in? */
bool bench_system_there(const bench_system_t *self);

/* The data of an event with so many bytes behind its head; lives on. As one msgpack bin. */
typedef struct {
    void *bytes;
    size_t size;
} bench_data_t;
bench_data_t bench_data(size_t size);
/* A subject that makes an event of the usual size. Static. */
const char *bench_subject(void);
/* Bytes that peers send for an event with so many bytes of data. */
size_t bench_event_size(const bench_load_t *load);

/* The pace of a publisher that sends as fast as it can: true as long as it shall go on. */
bool bench_load_more(const bench_load_t *load, uint64_t sent, int64_t begin_ns);
/* For publishers of late_readers: are all roles before this one ready? */
bool bench_readers_ready(bench_board_t *board, const bench_slot_t *self);
/* For readers: has the target been reached, or a stop been asked for? */
bool bench_reader_done(bench_board_t *board, bench_slot_t *self);

#endif
