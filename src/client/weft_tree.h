/* weft_tree: events collected from the bus: those that led to an event and that it led to, or those of a
 * trace. What the index of causes knows is asked for, the rest of the log is read through. */
#ifndef WEFT_TREE_H
#define WEFT_TREE_H

#include "weft_ask.h"

#include <jansson.h>

typedef struct {
    uint64_t position, cause;
    json_t *event; /* as in the answer of weft_explain, without handlers */
} weft_tree_node_t;

typedef struct {
    const weft_explain_config_t *config;
    weft_ask_t ask;
    weft_uuid_t log;
    uint64_t first, head;
    uint64_t indexed;        /* the least that the index said of itself */
    uint64_t scanned;        /* events that were read through */
    bool complete;           /* false: config->events was reached */
    weft_tree_node_t *nodes; /* by position */
    uint64_t *added;         /* the same positions, as they were found */
    size_t count, room;
    char reason[256]; /* of an error that did not come from ask; "" if it did */
} weft_tree_t;

/* WEFT_OK, WEFT_E_ARG, WEFT_E_IO; free it also after an error. */
weft_err_t weft_tree_open(weft_tree_t *self, const weft_explain_config_t *config);
void weft_tree_free(weft_tree_t *self);
const char *weft_tree_reason(const weft_tree_t *self);

/* WEFT_OK, WEFT_E_NOT_FOUND, WEFT_E_GONE, WEFT_E_NOMEM, and as weft_ask. */
weft_err_t weft_tree_of_event(weft_tree_t *self, uint64_t position);
weft_err_t weft_tree_of_trace(weft_tree_t *self, const weft_uuid_t *trace);
/* NULL: not in it. */
weft_tree_node_t *weft_tree_find(const weft_tree_t *self, uint64_t position);

#endif
