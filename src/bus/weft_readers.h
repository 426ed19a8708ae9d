/* weft_readers: the services that read the log, and below which position each will not ask again. Kept
 * over restarts of the bus, so that a trim does not overtake a service that is down. Bounded: beyond
 * WEFT_REPORTS_MAX the one that was heard of longest ago makes room. Owned by one thread. */
#ifndef WEFT_READERS_H
#define WEFT_READERS_H

#include "weft.h"
#include "weft_control.h"
#include "weft_limits.h"

typedef struct {
    weft_uuid_t instance;
    char name[WEFT_SOURCE_BYTES_MAX + 1]; /* for people; longer ones are cut */
    uint64_t resume;                      /* it may ask for events after this one */
    int64_t seen_us;
} weft_reader_t;

typedef struct weft_readers weft_readers_t;

weft_readers_t *weft_readers_new(void); /* NULL: out of memory */
void weft_readers_destroy(weft_readers_t **self_p);

/* One that the store knows. */
void weft_readers_load(weft_readers_t *self, const weft_reader_t *reader);
void weft_readers_report(weft_readers_t *self, const weft_report_t *report, int64_t now_us);
/* The one that holds the log back most, of those heard of since since_us; NULL: there is none. */
const weft_reader_t *weft_readers_slowest(const weft_readers_t *self, int64_t since_us);
/* One that differs from what was handed out here before (or its seen_us by more than a minute); NULL: none. */
const weft_reader_t *weft_readers_unsaved(weft_readers_t *self);
/* All of them go to the store again. */
void weft_readers_unsave(weft_readers_t *self);

#endif
