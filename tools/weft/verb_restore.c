/* weft restore: a backup becomes the store of a bus. */
#include "weft_copy.h"

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    const char *store;
    const weft_verb_option_t options[] = {
        {"store", "DIR", "where weft-bus looks for it; not there yet, or empty", NULL, &store,
         NULL},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options, 1);
    if (rc != WEFT_OK) return rc;
    if (!store) return weft_say_usage(verb, "--store DIR is missing: where to restore to");
    return weft_copy(&args, args.words[0], WEFT_LOG_COPY_ALL, store);
}

const weft_verb_t weft_verb_restore = {
    .name = "restore",
    .words = "DIR",
    .words_least = 1,
    .words_most = 1,
    .help = "copy a backup to where a bus looks for its store",
    .more =
        "DIR is what weft backup made; it stays. It is checked before the store appears. Services\n"
        "that have seen more than it holds refuse it by name: LOG_BEHIND, FORKED, BUS_LOST.\n",
    .run = s_run,
};
