/* kit_bus: a real bus in a thread of the test, on any transport, that can be stopped and started again
 * on the same store and the same endpoint; and what publishers and readers of tests have in common. */
#ifndef KIT_BUS_H
#define KIT_BUS_H

#include "kit.h"

#include "weft_bus.h"

#include <pthread.h>

typedef struct {
    char *store;         /* directory */
    char endpoint[256];  /* of control; stays the same over restarts */
    void *context;       /* shared with clients: for inproc */
    bool shares_context; /* with the bus, too */
    bool full;           /* each commit waits for the disk */
    weft_keep_t keep;    /* what its log keeps; nothing set: everything */
    weft_bus_t *bus;     /* NULL: stopped */
    pthread_t thread;
} kit_bus_t;

/* transport is "inproc", "ipc" or "tcp". Not started. Nothing else uses the endpoint or the store. */
void kit_bus_init(kit_bus_t *self, const char *transport);
void kit_bus_start(kit_bus_t *self);
weft_err_t kit_bus_try_start(kit_bus_t *self);
void kit_bus_stop(kit_bus_t *self);
void kit_bus_free(kit_bus_t *self);
/* Copy the store of a bus that is stopped, and put a copy in its place again. */
void kit_bus_save(const kit_bus_t *self, const char *name);
void kit_bus_restore(kit_bus_t *self, const char *name);
/* Start anew with an empty store. */
void kit_bus_wipe(kit_bus_t *self);

void kit_copy_tree(const char *from, const char *to);
void kit_remove_tree(const char *path);

/* Ends are destroyed by kit_bus_free, or before that by these. */
weft_pub_t *kit_pub(const kit_bus_t *bus);
void kit_pub_end(weft_pub_t **pub);
/* filter NULL: everything. */
weft_sub_t *kit_sub(const kit_bus_t *bus, const char *filter, weft_start_t start,
                    const weft_resume_t *resume);
void kit_sub_end(weft_sub_t **sub);

/* Send events whose data is first, first + 1 …; waits where the window is full. */
void kit_send(weft_pub_t *pub, const char *type, uint64_t first, uint64_t count);
void kit_flush(weft_pub_t *pub);
/* The number that is an event's data. */
uint64_t kit_number(const weft_event_t *event);

/* Reads batches and checks that positions rise without doubles, and that chains and place agree. */
typedef struct {
    weft_sub_t *sub;
    weft_pub_t *pub; /* goes on publishing meanwhile; may be NULL */
    uint64_t events;
    uint64_t expected; /* next number, if numbers are checked */
    bool numbers;      /* data counts up: expected, expected + 1 … */
    weft_resume_t at;
} kit_reader_t;

/* Read until the place is at least position. */
void kit_read_to(kit_reader_t *self, uint64_t position);
/* Read until events is at least that many. */
void kit_read_events(kit_reader_t *self, uint64_t events);
/* What the next error is that recv returns; batches before it are read. */
weft_err_t kit_read_error(kit_reader_t *self);

#endif
