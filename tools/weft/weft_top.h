/* weft_top: a mesh over time: what the bus says of itself, and how fast it changes. */
#ifndef WEFT_TOP_H
#define WEFT_TOP_H

#include "weft_online.h"

#include <jansson.h>

#define WEFT_TOP_RATES 256u /* samples kept of the log's rate */

typedef struct {
    json_t *state;                /* as weft_state; NULL: the bus has not answered yet */
    int64_t at_ms;                /* when it came, by the monotonic clock */
    double rates[WEFT_TOP_RATES]; /* events a second into the log, the newest last */
    size_t rates_count;
    weft_err_t error; /* of the last try; the state stays as it was before */
    char reason[512];
} weft_top_t;

/* Ask once. True: there is a new state. */
bool weft_top_sample(weft_top_t *self, weft_ask_t *ask, int timeout_ms, const char *bus);
void weft_top_free(weft_top_t *self);

/* Of a service of the state. */
typedef enum { WEFT_TOP_LIVE, WEFT_TOP_CATCHES_UP, WEFT_TOP_SILENT } weft_top_presence_t;
weft_top_presence_t weft_top_presence(const json_t *service);
const char *weft_top_presence_text(weft_top_presence_t presence);
/* A rate that a sample set: "rate" of the state or a service, "commitsRate" of the state. Negative: not
 * known yet. */
double weft_top_rate(const json_t *object, const char *key);

/* One snapshot for programs; the caller's. */
json_t *weft_top_json(const weft_top_t *self);

#endif
