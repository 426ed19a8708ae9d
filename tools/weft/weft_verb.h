/* weft_verb: what every verb of the command line is made of, and its arguments.
 *
 * A verb is one file that exports one weft_verb_t; main.c lists them. Options may stand before,
 * between and after the words of a verb; "--" ends them. Every verb has --bus, --json, --help. */
#ifndef WEFT_VERB_H
#define WEFT_VERB_H

#include "weft.h"

typedef struct weft_verb weft_verb_t;
struct weft_verb {
    const char *name;
    const char *words; /* "TYPE" or "[FILTER...]", for --help */
    size_t words_least, words_most;
    const char *help; /* one line */
    const char *more; /* the rest of --help; may be "" */
    weft_err_t (*run)(const weft_verb_t *verb, int argc, char **argv); /* argv[0] is the verb */
    bool online; /* asks the bus: has --timeout */
};

const weft_verb_t *const *weft_verbs(size_t *count);

/* Exit status of the program when a verb returns WEFT_OK; the first two are weft_exit_code's. */
#define WEFT_EXIT_WARNING 3
#define WEFT_EXIT_CRITICAL 4
/* A worse one said earlier stays. */
void weft_verb_exit(int status);

/* All verbs, in the order of the help. */
#define WEFT_VERBS(X) \
    X(pub)            \
    X(sub)            \
    X(get)            \
    X(count)          \
    X(types)          \
    X(graph)          \
    X(explain)        \
    X(trace)          \
    X(status)         \
    X(services)       \
    X(lag)            \
    X(wait)           \
    X(top)            \
    X(dead)           \
    X(outbox)         \
    X(doctor)         \
    X(hook)           \
    X(check)          \
    X(trim)           \
    X(backup)         \
    X(restore)        \
    X(fork)           \
    X(reset)          \
    X(replay)         \
    X(export)         \
    X(import)         \
    X(cheat)          \
    X(completion)

#define X(name) extern const weft_verb_t weft_verb_##name;
WEFT_VERBS(X)
#undef X

/* "--NAME VALUE" or "--NAME=VALUE", or a flag "--NAME". */
typedef struct {
    const char *name;  /* without the dashes */
    const char *value; /* word for the value; NULL: a flag */
    const char *help;
    const char *preset; /* default of a value, may be NULL */
    const char **out;   /* a value's; lives as long as argv */
    bool *flag;         /* a flag's */
} weft_verb_option_t;

typedef struct {
    const weft_verb_t *verb;
    const char *bus;
    bool json;
    int timeout_ms;           /* of an online verb */
    const char *const *words; /* what is no option, in order */
    size_t words_count;
} weft_args_t;

/* Parse argv[1..] and check the endpoint of the bus. argv is reordered. A mistake has been told on
 * stderr. WEFT_OK, WEFT_E_HELP, WEFT_E_USAGE. */
weft_err_t weft_args_parse(weft_args_t *self, const weft_verb_t *verb, int argc, char **argv,
                           const weft_verb_option_t *options, size_t count);
/* --help writes a page of the manual in scdoc's language, or the options one a line, instead of the
 * text for the terminal: one source for all three. */
typedef enum { WEFT_HELP_TEXT, WEFT_HELP_SCDOC, WEFT_HELP_WORDS } weft_help_t;
void weft_args_help_as(weft_help_t help);
/* Seconds with or without a fraction, at most a day, to ms. False: it is none. */
bool weft_args_seconds(const char *text, int64_t *ms);

/* One line "weft VERB: …" on stderr. Returns rc. */
weft_err_t weft_say(const weft_verb_t *verb, weft_err_t rc, const char *format, ...)
    WEFT_PRINTF(3, 4);
/* The same with the way to help behind it. Returns WEFT_E_USAGE. */
weft_err_t weft_say_usage(const weft_verb_t *verb, const char *format, ...) WEFT_PRINTF(2, 3);

#endif
