/* weft explain: why did this event happen, and what followed? */
#include "weft_causes_view.h"

#include "weft_options.h"

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_causes_run_t run = {0};
    uint64_t number;
    const weft_verb_option_t options[] = {WEFT_CAUSES_OPTIONS(run)};
    weft_err_t rc = weft_args_parse(&run.args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!weft_options_number(run.args.words[0], 0, INT64_MAX, &number))
        return weft_say_usage(verb, "'%s' is no position", run.args.words[0]);
    return weft_causes_show(&run, (weft_position_t){number}, NULL);
}

const weft_verb_t weft_verb_explain = {
    .name = "explain",
    .words = "POSITION",
    .words_least = 1,
    .words_most = 1,
    .help = "show the events that led to one, and those that it led to",
    .more =
        "A tree over all services, from the first cause down to the last effect.\n" WEFT_CAUSES_HELP,
    .run = s_run,
    .online = true,
};
