/* weft_options: see weft_options.h. */
#include "weft_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void s_print_options(const weft_option_t *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char head[64];
        snprintf(head, sizeof head, "--%s%s%s", options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        printf("  %-26s %s", head, options[i].help);
        if (options[i].preset && *options[i].preset) printf(" (default %s)", options[i].preset);
        printf("\n");
    }
}

static const weft_option_t *s_find(const weft_option_t *options, size_t count, const char *name,
                                   size_t size) {
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return &options[i];
    return NULL;
}

static weft_err_t s_usage(const char *program, const char *what, const char *which) {
    fprintf(stderr, "%s: %s '%s'; try %s --help\n", program, what, which, program);
    return WEFT_E_USAGE;
}

weft_err_t weft_options_parse(const char *program, const char *about, int argc, char **argv,
                              const weft_option_t *options, size_t options_count,
                              const weft_option_t *more, size_t more_count) {
    for (size_t i = 0; i < options_count; i++) *options[i].out = options[i].preset;
    for (size_t i = 0; i < more_count; i++) *more[i].out = more[i].preset;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            printf("usage: %s [options]\n%s\n\n", program, about);
            s_print_options(more, more_count);
            s_print_options(options, options_count);
            printf("  %-26s %s\n  %-26s %s\n", "--help", "print this and exit", "--version",
                   "print the version and exit");
            return WEFT_E_HELP;
        }
        if (strcmp(arg, "--version") == 0) {
            printf("%s (weft %s)\n", program, weft_version());
            return WEFT_E_HELP;
        }
        if (strncmp(arg, "--", 2) != 0) return s_usage(program, "unexpected argument", arg);
        size_t size = strcspn(arg + 2, "=");
        const weft_option_t *option = s_find(more, more_count, arg + 2, size);
        if (!option) option = s_find(options, options_count, arg + 2, size);
        if (!option) return s_usage(program, "unknown option", arg);
        bool equals = arg[2 + size] == '=';
        if (!option->value && equals) return s_usage(program, "no value is wanted in", arg);
        if (!option->value)
            *option->out = arg; /* a flag */
        else if (equals)
            *option->out = arg + 2 + size + 1;
        else if (i + 1 < argc)
            *option->out = argv[++i];
        else
            return s_usage(program, "missing value after", arg);
    }
    return WEFT_OK;
}

bool weft_options_number(const char *text, uint64_t least, uint64_t most, uint64_t *out) {
    if (*text < '0' || *text > '9') return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || value < least || value > most) return false;
    *out = value;
    return true;
}
