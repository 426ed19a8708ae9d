/* weft trace: all that happened because of one request. */
#include "weft_causes_view.h"

#include <stdio.h>
#include <string.h>

/* A traceparent, or its trace-id alone. */
static bool s_parse(const char *word, uint8_t *trace) {
    char whole[WEFT_TRACE_TEXT_BYTES];
    if (strlen(word) != 32) return weft_trace_parse(word, trace);
    snprintf(whole, sizeof whole, "00-%s-0000000000000001-01", word);
    return weft_trace_parse(whole, trace);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_causes_run_t run = {0};
    uint8_t trace[WEFT_TRACEPARENT_BYTES];
    const weft_verb_option_t options[] = {WEFT_CAUSES_OPTIONS(run)};
    weft_err_t rc = weft_args_parse(&run.args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!s_parse(run.args.words[0], trace))
        return weft_say_usage(verb,
                              "'%s' is no traceparent, and no trace-id of 32 lower-case hex"
                              " digits",
                              run.args.words[0]);
    return weft_causes_show(&run, (weft_position_t){0}, trace);
}

const weft_verb_t weft_verb_trace = {
    .name = "trace",
    .words = "TRACEPARENT|TRACEID",
    .words_least = 1,
    .words_most = 1,
    .help = "show the events of a trace: what one request led to",
    .more = "The traceparent is a header of each answer of a service.\n" WEFT_CAUSES_HELP,
    .run = s_run,
    .online = true,
};
