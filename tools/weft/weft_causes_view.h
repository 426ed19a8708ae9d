/* weft_causes_view: what weft_explain tells, asked for with progress on the terminal and shown in one of
 * several forms. The answer is a json_t as include/weft.h describes it. */
#ifndef WEFT_CAUSES_VIEW_H
#define WEFT_CAUSES_VIEW_H

#include "weft_verb.h"

#include <jansson.h>

typedef struct {
    weft_args_t args;
    const char *events, *perfetto, *otlp;
    bool dot;
} weft_causes_run_t;

/* clang-format off */
#define WEFT_CAUSES_OPTIONS(run) \
    {"events", "N", "show at most so many", "1000", &(run).events, NULL}, \
    {"dot", NULL, "the tree in Graphviz' language", NULL, NULL, &(run).dot}, \
    {"perfetto", "FILE", "write a trace for ui.perfetto.dev or chrome://tracing", NULL, \
     &(run).perfetto, NULL}, \
    {"otlp", "FILE|URL", "write OpenTelemetry spans, or send them to a collector", NULL, \
     &(run).otlp, NULL}
/* clang-format on */

#define WEFT_CAUSES_HELP                                                                           \
    "Below each event: the services that consume it, with the time from when the bus had stored\n" \
    "it to when they emitted what follows, and those that have not handled it yet.\n"              \
    "What the bus' index of causes does not cover is read through, which takes longer.\n"          \
    "--otlp http://HOST:4318 is a collector's address; /v1/traces is added if there is no path.\n"

/* Ask for an event, or for a trace (16 bytes) if it is not NULL, and show the answer as the options say.
 * Failures have been told. */
weft_err_t weft_causes_show(const weft_causes_run_t *run, weft_position_t position,
                            const uint8_t *trace_id);

/* The forms. */
void weft_causes_text(const json_t *answer);
void weft_causes_json(const json_t *answer);
void weft_causes_dot(const json_t *answer);

/* The event at a position, NULL: not in the answer. */
const json_t *weft_causes_find(const json_t *answer, json_int_t position);
/* The event that caused this one; NULL: none, or not in the answer. */
const json_t *weft_causes_cause(const json_t *answer, const json_t *event);

#endif
