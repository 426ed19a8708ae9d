/* weft backup: a whole, checked copy of a store while a bus writes to it. */
#include "weft_copy.h"

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    const char *store;
    const weft_verb_option_t options[] = {
        {"store", "DIR", "the store to copy, as weft-bus has it", NULL, &store, NULL},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options, 1);
    if (rc != WEFT_OK) return rc;
    if (!store) return weft_say_usage(verb, "--store DIR is missing: what to copy");
    return weft_copy(&args, store, WEFT_LOG_COPY_ALL, args.words[0]);
}

const weft_verb_t weft_verb_backup = {
    .name = "backup",
    .words = "DIR",
    .words_least = 1,
    .words_most = 1,
    .help = "copy a store, also while its bus runs",
    .more =
        "DIR must not be there, or be empty. It is made when the copy is complete, read back and\n"
        "on disk; it is a store itself. Until then it is DIR.partial.\n",
    .run = s_run,
};
