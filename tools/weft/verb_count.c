/* weft count: how many events match. */
#include "weft_verb.h"

#include "weft_out.h"
#include "weft_past.h"
#include "weft_where.h"

typedef struct {
    weft_where_t *where;
    uint64_t count;
} weft_count_run_t;

static bool s_count(void *arg, const weft_ask_row_t *row) {
    weft_count_run_t *self = arg;
    self->count += weft_where_match(self->where, row->event.data, row->event.data_size);
    return true;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters;
    weft_count_run_t self = {0};
    weft_past_t past;
    const char *from, *where;
    const weft_verb_option_t options[] = {WEFT_PAST_OPTION(from), WEFT_WHERE_OPTION(where)};
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc == WEFT_OK) rc = weft_past_filters(&args, 0, items, &filters);
    if (rc == WEFT_OK) rc = weft_where_new(&self.where, verb, where);
    if (rc == WEFT_OK) rc = weft_past_scan(&past, &args, from, &filters, s_count, &self);
    weft_where_destroy(&self.where);
    if (rc != WEFT_OK) return rc;
    if (args.json)
        weft_out_json(json_pack("{s:I, s:I, s:I}", "count", (json_int_t) self.count, "after",
                                (json_int_t) past.after, "head", (json_int_t) past.head));
    else
        weft_out("%llu\n", (unsigned long long) self.count);
    return WEFT_OK;
}

const weft_verb_t weft_verb_count = {
    .name = "count",
    .words = "[FILTER...]",
    .words_most = WEFT_FILTERS_MAX,
    .help = "count the events that match, up to the head as it is now",
    .more = "Filters and --from as in weft sub.\n",
    .run = s_run,
    .online = true,
};
