/* weft export: the log as JSON, one event a line, as weft sub --json writes them. */
#include "weft_verb.h"

#include "weft_out.h"
#include "weft_past.h"
#include "weft_print_event.h"

typedef struct {
    weft_ask_t texts; /* holds the texts of the event at hand */
    weft_print_t print;
    weft_err_t rc;
} weft_export_run_t;

static bool s_row(void *arg, const weft_ask_row_t *row) {
    weft_export_run_t *self = arg;
    weft_event_t event;
    self->rc = weft_ask_row_event(&self->texts, row, &event);
    if (self->rc != WEFT_OK) return false;
    weft_print_event(&self->print, &event);
    self->rc = weft_out_failed();
    return self->rc == WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters;
    weft_export_run_t self = {.print = {.json = true}};
    const char *from;
    const weft_verb_option_t options[] = {WEFT_PAST_OPTION(from)};
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options, 1);
    if (rc == WEFT_OK) rc = weft_past_filters(&args, 0, items, &filters);
    if (rc != WEFT_OK) return rc;
    weft_buf_init(&self.texts.texts);
    rc = weft_past_scan(NULL, &args, from, &filters, s_row, &self);
    weft_buf_free(&self.texts.texts);
    return rc == WEFT_OK ? self.rc : rc;
}

const weft_verb_t weft_verb_export = {
    .name = "export",
    .words = "[FILTER...]",
    .words_most = WEFT_FILTERS_MAX,
    .help = "write the log as JSON, one event a line",
    .more =
        "The lines are those of weft sub --json. weft import reads them. --json changes nothing.\n"
        "On a terminal, standard error tells how far it has come.\n",
    .run = s_run,
    .online = true,
};
