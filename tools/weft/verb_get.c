/* weft get: one event by its position. */
#include "weft_verb.h"

#include "weft_ask.h"
#include "weft_options.h"
#include "weft_print_event.h"

static weft_err_t s_get(weft_ask_t *ask, const weft_args_t *args, uint64_t number, int timeout_ms) {
    weft_welcome_t welcome;
    weft_event_t event;
    weft_err_t rc = weft_ask_welcome(ask, timeout_ms, &welcome);
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "%s", weft_ask_reason(ask));
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
    rc = weft_ask_event(ask, timeout_ms, (weft_position_t){number}, &event);
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "%s", weft_ask_reason(ask));
    weft_print_event(&event, args->json);
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    const char *timeout;
    int64_t timeout_ms;
    uint64_t number;
    const weft_verb_option_t options[] = {
        {"timeout", "SECONDS", "how long to wait for the bus", "3", &timeout, NULL},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!weft_args_seconds(timeout, &timeout_ms))
        return weft_say_usage(verb, "--timeout '%s' is no number of seconds", timeout);
    if (!weft_options_number(args.words[0], 0, INT64_MAX, &number))
        return weft_say_usage(verb, "'%s' is no position", args.words[0]);
    weft_ask_t ask;
    rc = weft_ask_open(&ask, args.bus);
    if (rc != WEFT_OK) return weft_say(verb, rc, "cannot connect to bus '%s'", args.bus);
    rc = s_get(&ask, &args, number, (int) timeout_ms);
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
            "Exit status 1 if there is none.\n",
    .run = s_run,
};
