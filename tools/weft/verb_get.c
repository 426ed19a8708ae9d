/* weft get: one event by its position. */
#include "weft_verb.h"

#include "weft_online.h"
#include "weft_options.h"
#include "weft_print_event.h"

static weft_err_t s_get(weft_ask_t *ask, const weft_args_t *args, const weft_print_t *print,
                        uint64_t number) {
    weft_welcome_t welcome;
    weft_event_t event;
    weft_err_t rc = weft_ask_welcome(ask, args->timeout_ms, &welcome);
    if (rc != WEFT_OK) return weft_ask_failed(ask, args, rc);
    if (welcome.head == 0)
        return weft_say(args->verb, WEFT_E_NOT_FOUND, "no event at position %llu: the log is empty",
                        (unsigned long long) number);
    if (number == 0 || number > welcome.head)
        return weft_say(args->verb, WEFT_E_NOT_FOUND,
                        "no event at position %llu: the log has 1 to %llu",
                        (unsigned long long) number, (unsigned long long) welcome.head);
    if (number <= welcome.first)
        return weft_say(args->verb, WEFT_E_GONE,
                        "event %llu is gone: the log keeps those after %llu",
                        (unsigned long long) number, (unsigned long long) welcome.first);
    rc = weft_ask_event(ask, args->timeout_ms, (weft_position_t){number}, &event);
    if (rc != WEFT_OK) return weft_ask_failed(ask, args, rc);
    weft_print_event(print, &event);
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_print_t print;
    const char *format;
    uint64_t number;
    const weft_verb_option_t options[] = {WEFT_PRINT_OPTION(format)};
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc == WEFT_OK) rc = weft_print_begin(&print, &args, format);
    if (rc != WEFT_OK) return rc;
    if (!weft_options_number(args.words[0], 0, INT64_MAX, &number))
        return weft_say_usage(verb, "'%s' is no position", args.words[0]);
    weft_ask_t ask;
    rc = weft_ask_begin(&ask, &args);
    if (rc != WEFT_OK) return rc;
    rc = s_get(&ask, &args, &print, number);
    weft_ask_close(&ask);
    return rc;
}

const weft_verb_t weft_verb_get = {
    .name = "get",
    .words = "POSITION",
    .words_least = 1,
    .words_most = 1,
    .help = "print the event at a position of the log",
    .more = "One line, POSITION TIME TYPE SUBJECT DATA; with --json all that is known of it.\n"
            "Exit status 1 if there is none.\n" WEFT_PRINT_HELP,
    .run = s_run,
    .online = true,
};
