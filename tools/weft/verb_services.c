/* weft services: who reports to the bus, and how each is doing. */
#include "weft_verb.h"

#include "weft_state.h"
#include "weft_table.h"

#include <stdio.h>
#include <string.h>

#define FILTERS_BYTES 256u

static void s_filters(char out[FILTERS_BYTES], const json_t *service) {
    size_t i, used = 0;
    const json_t *filter;
    out[0] = '\0';
    json_array_foreach(json_object_get(service, "filters"), i, filter) {
        int size = snprintf(out + used, FILTERS_BYTES - used, "%s%s", i ? " " : "",
                            json_string_value(filter));
        if (size < 0 || used + (size_t) size >= FILTERS_BYTES) break;
        used += (size_t) size;
    }
}

static void s_row(weft_table_t *table, const json_t *service) {
    char filters[FILTERS_BYTES], ago[WEFT_AGO_BYTES];
    const json_t *lag = json_object_get(service, "lagSeconds");
    long long parked = weft_json_int(service, "parked");
    bool silent = json_is_true(json_object_get(service, "silent"));
    bool live = json_is_true(json_object_get(service, "live"));
    s_filters(filters, service);
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_json_text(service, "name"));
    weft_table_cell(table,
                    silent ? WEFT_RED
                    : live ? WEFT_GREEN
                           : WEFT_YELLOW,
                    "%s",
                    silent              ? "silent"
                    : live || !*filters ? "live"
                                        : "catching up");
    weft_table_cell(table, WEFT_PLAIN, "%lld", weft_json_int(service, "position"));
    weft_table_cell(table, weft_json_int(service, "lag") ? WEFT_YELLOW : WEFT_PLAIN, "%lld",
                    weft_json_int(service, "lag"));
    weft_table_cell(table, WEFT_PLAIN, "%s",
                    json_is_number(lag) ? weft_ago(ago, json_number_value(lag)) : "-");
    weft_table_cell(table, WEFT_PLAIN, "%lld", weft_json_int(service, "outbox"));
    weft_table_cell(table, parked ? WEFT_RED : WEFT_PLAIN, "%lld", parked);
    weft_table_cell(table, WEFT_PLAIN, "%s",
                    parked ? weft_ago(ago, weft_json_real(service, "parkedOldestAgo")) : "-");
    weft_table_cell(table, WEFT_PLAIN, "%lld", weft_json_int(service, "skipped"));
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_json_text(service, "onError"));
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_ago(ago, weft_json_real(service, "seenAgo")));
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_json_text(service, "software"));
    weft_table_cell(table, WEFT_PLAIN, "%s", *filters ? filters : "-");
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    static const char *const heads[] = {"SERVICE", "STATE",   ">POSITION", ">LAG",     ">BEHIND",
                                        ">OUTBOX", ">PARKED", ">OLDEST",   ">SKIPPED", "ON-ERROR",
                                        ">SEEN",   "VERSION", "FILTERS"};
    weft_args_t args;
    weft_ask_t ask;
    json_t *state, *service;
    size_t i;
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc == WEFT_OK) rc = weft_ask_begin(&ask, &args);
    if (rc != WEFT_OK) return rc;
    rc = weft_state_ask(&ask, &args, &state);
    weft_ask_close(&ask);
    if (rc != WEFT_OK) return rc;
    weft_table_t *table = args.json ? NULL : weft_table_new(heads, sizeof heads / sizeof *heads);
    json_array_foreach(json_object_get(state, "services"), i, service) {
        if (args.json)
            weft_out_json(json_incref(service));
        else
            s_row(table, service);
    }
    weft_table_print(&table);
    json_decref(state);
    return WEFT_OK;
}

const weft_verb_t weft_verb_services = {
    .name = "services",
    .words = "",
    .help = "list the services: position, lag, outbox, parked events, last seen",
    .more =
        "Services report to the bus each second; one that has not for 10 s is silent: stopped, or cut\n"
        "off. The bus remembers reports until it is restarted. LAG counts events of the log, BEHIND is\n"
        "how long the first of them has waited, OLDEST how long ago the oldest parked event was parked.\n",
    .run = s_run,
    .online = true,
};
