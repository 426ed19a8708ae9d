/* weft_args: the one parser for the arguments of all verbs. See weft_verb.h. */
#include "weft_verb.h"

#include "weft_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 86400

/* ---- what goes to stderr */

static void s_say(const weft_verb_t *verb, const char *format, va_list args, const char *tail) {
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    for (char *at = text; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f) *at = '?'; /* one line, whatever was typed */
    fflush(stdout);
    fprintf(stderr, "weft %s: %s%s", verb->name, text, tail);
}

weft_err_t weft_say(const weft_verb_t *verb, weft_err_t rc, const char *format, ...) {
    va_list args;
    va_start(args, format);
    s_say(verb, format, args, "\n");
    va_end(args);
    return rc;
}

weft_err_t weft_say_usage(const weft_verb_t *verb, const char *format, ...) {
    char tail[64];
    va_list args;
    snprintf(tail, sizeof tail, "; try weft %s --help\n", verb->name);
    va_start(args, format);
    s_say(verb, format, args, tail);
    va_end(args);
    return WEFT_E_USAGE;
}

/* ---- help */

static void s_help_options(const weft_verb_option_t *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const weft_verb_option_t *option = &options[i];
        char head[64];
        snprintf(head, sizeof head, "--%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("  %-18s %s", head, option->help);
        if (option->value && option->preset) printf(" (default %s)", option->preset);
        printf("\n");
    }
}

/* ---- parsing */

static const weft_verb_option_t *s_find(const weft_verb_option_t *options, size_t count,
                                        const char *name, size_t size) {
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return &options[i];
    return NULL;
}

/* One option at argv[*at]; *at moves on if its value is the next word. */
static weft_err_t s_take(const weft_verb_t *verb, const weft_verb_option_t *option, int argc,
                         char **argv, int *at) {
    const char *equals = strchr(argv[*at], '=');
    if (!option->value) {
        if (equals) return weft_say_usage(verb, "--%s takes no value", option->name);
        *option->flag = true;
        return WEFT_OK;
    }
    if (equals)
        *option->out = equals + 1;
    else if (*at + 1 < argc)
        *option->out = argv[++*at];
    else
        return weft_say_usage(verb, "--%s wants a value, %s", option->name, option->value);
    return WEFT_OK;
}

static weft_err_t s_check(const weft_args_t *self) {
    const weft_verb_t *verb = self->verb;
    const char *reason;
    if (self->words_count < verb->words_least)
        return weft_say_usage(verb, "%s is missing", verb->words);
    if (self->words_count > verb->words_most)
        return weft_say_usage(verb, "unexpected word '%s'", self->words[verb->words_most]);
    if (weft_endpoint_check(self->bus, &reason) != WEFT_OK)
        return weft_say_usage(verb, "bus '%s': %s", self->bus, reason);
    return WEFT_OK;
}

weft_err_t weft_args_parse(weft_args_t *self, const weft_verb_t *verb, int argc, char **argv,
                           const weft_verb_option_t *options, size_t count) {
    const char *bus = getenv("WEFT_BUS");
    *self = (weft_args_t){.verb = verb, .bus = bus && *bus ? bus : WEFT_DEFAULT_BUS};
    const weft_verb_option_t common[] = {
        {"bus", "ENDPOINT", "control endpoint of the bus; also $WEFT_BUS", WEFT_DEFAULT_BUS,
         &self->bus, NULL},
        {"json", NULL, "JSON, one object a line", NULL, NULL, &self->json},
    };
    const size_t common_count = sizeof common / sizeof *common;
    for (size_t i = 0; i < count; i++)
        if (options[i].value) *options[i].out = options[i].preset;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (ended || arg[0] != '-' || !arg[1]) {
            argv[1 + self->words_count++] = argv[i]; /* never beyond what has been read */
        } else if (strcmp(arg, "--") == 0) {
            ended = true;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            printf("usage: weft %s %s%s[options]\n%s\n\n", verb->name, verb->words,
                   *verb->words ? " " : "", verb->help);
            s_help_options(options, count);
            s_help_options(common, common_count);
            printf("%s%s", *verb->more ? "\n" : "", verb->more);
            return WEFT_E_HELP;
        } else {
            bool dashes = arg[1] == '-';
            size_t size = dashes ? strcspn(arg + 2, "=") : 0;
            const weft_verb_option_t *option = dashes ? s_find(options, count, arg + 2, size)
                                                      : NULL;
            if (dashes && !option) option = s_find(common, common_count, arg + 2, size);
            if (!option) return weft_say_usage(verb, "unknown option '%s'", arg);
            weft_err_t rc = s_take(verb, option, argc, argv, &i);
            if (rc != WEFT_OK) return rc;
        }
    }
    self->words = (const char *const *) (argv + 1);
    return s_check(self);
}

bool weft_args_seconds(const char *text, int64_t *ms) {
    char *end;
    if ((*text < '0' || *text > '9') || strspn(text, "0123456789.") != strlen(text)) return false;
    double seconds = strtod(text, &end);
    if (*end || !(seconds >= 0) || seconds > SECONDS_MAX) return false;
    *ms = (int64_t) (seconds * 1000 + 0.5);
    return true;
}
