/* weft_relay: carries one origin's events to the bus until they are acknowledged. The events
 * themselves are kept by the owner: in memory (weft_pub) or in the outbox (weft_service). */
#ifndef WEFT_RELAY_H
#define WEFT_RELAY_H

#include "weft_link.h"
#include "weft_publisher.h"

typedef struct weft_relay weft_relay_t;

/* Read the event with that sequence: its type and the whole event as on the wire, both valid until
 * the next call. False: it cannot be read (the relay stops with WEFT_E_STORE). */
typedef struct {
    const char *type;
    size_t type_size;
    const uint8_t *event;
    size_t size;
} weft_relay_event_t;
typedef bool (*weft_relay_read_fn)(void *arg, uint64_t sequence, weft_relay_event_t *out);

/* The answer to weft_relay_ask. */
typedef void (*weft_relay_told_fn)(void *arg, uint64_t id, const weft_welcome_t *welcome);

typedef struct {
    const char *bus;
    const char *name;
    void *zmq_context; /* NULL: own */
    weft_uuid_t origin;
    uint64_t acked, acked_chain; /* as weft_publisher_new */
    weft_uuid_t log;
    uint64_t oldest, highest;
    /* F1: while a message is under way, what comes within so many µs of it shares the next one */
    unsigned gather_us;
    weft_relay_read_fn read;
    void *arg;
} weft_relay_config_t;

/* WEFT_OK, WEFT_E_ARG, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t weft_relay_new(weft_relay_t **out, const weft_relay_config_t *config);
void weft_relay_destroy(weft_relay_t **self_p);

void weft_relay_queued(weft_relay_t *self, uint64_t highest);
void weft_relay_pruned(weft_relay_t *self, uint64_t oldest);
/* Ask the bus about another origin (all zero: about its head alone); fn gets the answer while
 * weft_relay_step runs, or never: then ask again. A new question takes the place of the one before.
 * id out. False: nobody to ask. */
bool weft_relay_ask(weft_relay_t *self, const weft_uuid_t *origin, weft_relay_told_fn fn, void *arg,
                    uint64_t *id);
/* Do what is due without blocking. WEFT_OK, or why it stopped. */
weft_err_t weft_relay_step(weft_relay_t *self);
/* Tell the bus how the owner is doing; lost if the bus is away. */
void weft_relay_report(weft_relay_t *self, const weft_report_t *report);
int weft_relay_fd(const weft_relay_t *self);
bool weft_relay_wait(weft_relay_t *self, int timeout_ms);
const weft_publisher_t *weft_relay_publisher(const weft_relay_t *self);

#endif
