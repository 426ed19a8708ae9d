/* weft fork: the log as it was when it ended at some position, as a store of its own. */
#include "weft_copy.h"

#include "weft_options.h"

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    uint64_t to = 0;
    const char *store, *to_text;
    const weft_verb_option_t options[] = {
        {"store", "DIR", "the store to copy, as weft-bus has it", NULL, &store, NULL},
        {"to", "N", "the last position that the copy has", NULL, &to_text, NULL},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options, 2);
    if (rc != WEFT_OK) return rc;
    if (!store) return weft_say_usage(verb, "--store DIR is missing: what to copy");
    if (!to_text) return weft_say_usage(verb, "--to N is missing: where the copy ends");
    if (!weft_options_number(to_text, 0, INT64_MAX, &to))
        return weft_say_usage(verb, "--to '%s' is no position", to_text);
    return weft_copy(&args, store, to, args.words[0]);
}

const weft_verb_t weft_verb_fork = {
    .name = "fork",
    .words = "DIR",
    .words_least = 1,
    .words_most = 1,
    .help = "copy a store up to a position, to debug what happened then",
    .more =
        "Also while its bus runs. DIR is made as by weft backup: a store, checked and on disk, as it\n"
        "was when the log ended at N. It keeps the id of the log, so a copy of a service's database\n"
        "goes on there if it stands at N or before; one that has seen more refuses it by name.\n"
        "Of a log that was trimmed N may be as low as where the kept events begin. Events beyond N are\n"
        "read then, too, until they tell of each origin what was trimmed; publishers whose history\n"
        "is not known whole any more are refused by name.\n",
    .run = s_run,
};
