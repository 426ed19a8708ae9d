/* weft types: the types in the log, who emits them and who wants them. */
#include "weft_verb.h"

#include "weft_census.h"
#include "weft_state.h"
#include "weft_table.h"
#include "weft_time.h"

#include <stdlib.h>
#include <string.h>

static json_t *s_emitters(const weft_census_type_t *type) {
    json_t *array = json_array();
    for (size_t i = 0; i < type->sources_count; i++)
        json_array_append_new(array, json_string(type->sources[i]));
    return array;
}

static json_t *s_consumers(const json_t *state, const char *type) {
    size_t i;
    const json_t *service;
    json_t *array = json_array();
    json_array_foreach(json_object_get(state, "services"), i, service) {
        if (weft_state_wants(service, type))
            json_array_append(array, json_object_get(service, "name"));
    }
    return array;
}

/* Names with a space between; the caller frees. */
static char *s_joined(const json_t *array) {
    size_t i, size = 1;
    const json_t *item;
    json_array_foreach(array, i, item) size += json_string_length(item) + 1;
    char *text = calloc(1, size + 1);
    if (!text) return NULL;
    json_array_foreach(array, i, item) {
        if (i) strcat(text, " ");
        strcat(text, json_string_value(item));
    }
    if (!*text) text[0] = '-';
    return text;
}

/* Events a second between the first and now. */
static double s_rate(const weft_census_type_t *type, const weft_past_t *past) {
    double seconds = (double) (past->at_us - type->first_us) / 1e6;
    return seconds > 1 ? (double) type->count / seconds : (double) type->count;
}

static void s_json(const weft_census_type_t *type, const weft_past_t *past, const json_t *state) {
    char time[WEFT_TIME_BYTES];
    weft_time_text(time, type->last_us, 6);
    weft_out_json(json_pack("{s:s, s:I, s:f, s:I, s:s, s:o, s:o}", "type", type->type, "count",
                            (json_int_t) type->count, "rate", s_rate(type, past), "lastPosition",
                            (json_int_t) type->last, "lastStored", time, "emitters",
                            s_emitters(type), "consumers", s_consumers(state, type->type)));
}

static void s_row(weft_table_t *table, const weft_census_type_t *type, const weft_past_t *past,
                  const json_t *state) {
    char ago[WEFT_AGO_BYTES];
    json_t *emitters = s_emitters(type), *consumers = s_consumers(state, type->type);
    char *emit = s_joined(emitters), *consume = s_joined(consumers);
    weft_table_cell(table, WEFT_PLAIN, "%s", type->type);
    weft_table_cell(table, WEFT_PLAIN, "%llu", (unsigned long long) type->count);
    weft_table_cell(table, WEFT_PLAIN, "%.3g/s", s_rate(type, past));
    weft_table_cell(table, WEFT_PLAIN, "%llu", (unsigned long long) type->last);
    weft_table_cell(table, WEFT_PLAIN, "%s",
                    weft_ago(ago, (double) (past->at_us - type->last_us) / 1e6));
    weft_table_cell(table, WEFT_PLAIN, "%s", emit ? emit : "?");
    weft_table_cell(table, WEFT_PLAIN, "%s", consume ? consume : "?");
    free(emit);
    free(consume);
    json_decref(emitters);
    json_decref(consumers);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    static const char *const heads[] = {"TYPE", ">COUNT",   ">RATE",    ">LAST",
                                        ">AGO", "EMITTERS", "CONSUMERS"};
    weft_args_t args;
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters;
    weft_census_t census = {0};
    weft_past_t past;
    json_t *state = NULL;
    const char *from;
    const weft_verb_option_t options[] = {WEFT_PAST_OPTION(from)};
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options, 1);
    if (rc == WEFT_OK) rc = weft_past_filters(&args, 0, items, &filters);
    if (rc == WEFT_OK) rc = weft_census_take(&census, &past, &args, from, &filters);
    if (rc == WEFT_OK) rc = weft_state_get(&args, &state);
    weft_table_t *table = rc == WEFT_OK && !args.json ? weft_table_new(heads, 7) : NULL;
    for (size_t i = 0; rc == WEFT_OK && i < census.count; i++) {
        if (args.json)
            s_json(census.sorted[i], &past, state);
        else
            s_row(table, census.sorted[i], &past, state);
    }
    weft_table_print(&table);
    json_decref(state);
    weft_census_free(&census);
    return rc;
}

const weft_verb_t weft_verb_types = {
    .name = "types",
    .words = "[FILTER...]",
    .words_most = WEFT_FILTERS_MAX,
    .help = "list the types in the log: count, rate, last, who emits and who consumes",
    .more =
        "Reads the stretch of the log that --from names. RATE is over the time since the first event\n"
        "of the type in it; emitters are the sources in it, consumers the services that report.\n",
    .run = s_run,
    .online = true,
};
