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

static weft_help_t s_help_as;

void weft_args_help_as(weft_help_t help) {
    s_help_as = help;
}

static void s_option_head(char out[64], const weft_verb_option_t *option) {
    snprintf(out, 64, "--%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
}

static void s_option_text(const weft_verb_option_t *option) {
    char head[64];
    s_option_head(head, option);
    printf("  %-18s %s", head, option->help);
    if (option->value && option->preset && *option->preset) printf(" (default %s)", option->preset);
    printf("\n");
}

/* A literal block keeps every line of the text as it is, and every character but the backslash; scdoc reads
 * "```" only at the start of a line, and no text of ours has one. */
static void s_literal_scdoc(const char *text) {
    for (; *text; text++) {
        if (*text == '\\') putchar('\\');
        putchar(*text);
    }
}

static void s_option_scdoc(const weft_verb_option_t *option) {
    char head[64];
    s_option_head(head, option);
    printf("*%s*\n```\n    ", head);
    s_literal_scdoc(option->help);
    if (option->value && option->preset && *option->preset) printf(" (default %s)", option->preset);
    printf("\n```\n\n");
}

static void s_help_scdoc(const weft_verb_t *verb, const weft_verb_option_t *options, size_t count,
                         const weft_verb_option_t *common, size_t common_count) {
    printf(
        "weft-%s(1)\n\n# NAME\n\nweft-%s - %s\n\n# SYNOPSIS\n\n```\nweft %s %s%s[options]\n```\n\n",
        verb->name, verb->name, verb->help, verb->name, verb->words, *verb->words ? " " : "");
    if (*verb->more) {
        printf("# DESCRIPTION\n\n```\n");
        s_literal_scdoc(verb->more);
        printf("```\n\n");
    }
    printf("# OPTIONS\n\n");
    for (size_t i = 0; i < count; i++) s_option_scdoc(&options[i]);
    for (size_t i = 0; i < common_count; i++) s_option_scdoc(&common[i]);
    printf("# EXIT STATUS\n\n```\n0 done, 1 failed, 2 wrong use, 3 warning, 4 critical\n```\n\n"
           "# SEE ALSO\n\n*weft*(1)\n");
}

static void s_help(const weft_verb_t *verb, const weft_verb_option_t *options, size_t count,
                   const weft_verb_option_t *common, size_t common_count) {
    if (s_help_as == WEFT_HELP_SCDOC) {
        s_help_scdoc(verb, options, count, common, common_count);
    } else if (s_help_as == WEFT_HELP_WORDS) {
        for (size_t i = 0; i < count; i++) printf(" --%s", options[i].name);
        for (size_t i = 0; i < common_count; i++) printf(" --%s", common[i].name);
        printf(" --help");
    } else {
        printf("usage: weft %s %s%s[options]\n%s\n\n", verb->name, verb->words,
               *verb->words ? " " : "", verb->help);
        for (size_t i = 0; i < count; i++) s_option_text(&options[i]);
        for (size_t i = 0; i < common_count; i++) s_option_text(&common[i]);
        printf("%s%s", *verb->more ? "\n" : "", verb->more);
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
    const char *bus = getenv("WEFT_BUS"), *timeout = "3";
    static char long_f[] = "--format"; /* kcat's habit */
    *self = (weft_args_t){.verb = verb, .bus = bus && *bus ? bus : WEFT_DEFAULT_BUS};
    const weft_verb_option_t common[] = {
        {"bus", "ENDPOINT", "control endpoint of the bus; also $WEFT_BUS", WEFT_DEFAULT_BUS,
         &self->bus, NULL},
        {"json", NULL, "JSON, one object a line", NULL, NULL, &self->json},
        {"timeout", "SECONDS", "how long to wait for the bus", "3", &timeout, NULL},
    };
    for (size_t i = 0; i < count; i++)
        if (options[i].value) *options[i].out = options[i].preset;
    size_t common_count = verb->online ? 3 : 2;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (ended || arg[0] != '-' || !arg[1]) {
            argv[1 + self->words_count++] = argv[i]; /* never beyond what has been read */
        } else if (strcmp(arg, "--") == 0) {
            ended = true;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            s_help(verb, options, count, common, common_count);
            return WEFT_E_HELP;
        } else {
            if (strcmp(arg, "-f") == 0) arg = argv[i] = long_f;
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
    int64_t timeout_ms;
    if (!weft_args_seconds(timeout, &timeout_ms))
        return weft_say_usage(verb, "--timeout '%s' is no number of seconds", timeout);
    self->timeout_ms = (int) timeout_ms;
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
