/* weft: the command line of the mesh. One verb a file; this one only finds it.
 * Exit status: 0 done, 1 failed, 2 wrong use, 3 warning, 4 critical. */
#include "weft_out.h"
#include "weft_verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(name) &weft_verb_##name,
static const weft_verb_t *const s_verbs[] = {WEFT_VERBS(X)};
#undef X
#define VERBS (sizeof s_verbs / sizeof *s_verbs)

static int s_exit;

void weft_verb_exit(int status) {
    if (status > s_exit) s_exit = status;
}

const weft_verb_t *const *weft_verbs(size_t *count) {
    *count = VERBS;
    return s_verbs;
}

static void s_help(void) {
    printf("usage: weft VERB [options]\n\n");
    for (size_t i = 0; i < VERBS; i++) printf("  %-10s %s\n", s_verbs[i]->name, s_verbs[i]->help);
    printf("  %-10s %s\n", "help VERB", "say more about a verb, as weft VERB --help does");
    printf(
        "\nEvery verb has --json, and --bus ENDPOINT, also by $WEFT_BUS. weft cheat has examples.\n"
        "Exit status: 0 done, 1 failed, 2 wrong use, 3 warning, 4 critical.\n");
}

/* The page of the manual for the tool itself. */
static void s_help_scdoc(void) {
    printf(
        "weft(1)\n\n# NAME\n\nweft - the command line of an event mesh\n\n# SYNOPSIS\n\n"
        "```\nweft VERB [options]\n```\n\n# VERBS\n\nEach has a page of its own, *weft-VERB*(1).\n\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("*%s*\n```\n    %s\n```\n\n", s_verbs[i]->name, s_verbs[i]->help);
    printf("# ENVIRONMENT\n\n```\n"
           "WEFT_BUS   control endpoint of the bus, unless --bus is given\n"
           "WEFT_BRIDGE, WEFT_BRIDGE_TOKEN  as --bridge and --token of weft hook\n"
           "WEFT_DIAG  off by default here; debug, info, warn or error show the library's lines\n"
           "NO_COLOR   no colours on a terminal\n```\n\n"
           "# EXIT STATUS\n\n```\n0  done\n1  failed; one line on standard error says why\n"
           "2  wrong use; the line says what is right\n3  warning\n4  critical\n```\n");
}

static weft_err_t s_unknown(const char *what, const char *word) {
    fprintf(stderr, "weft: %s%s%s%s; try weft --help\n", what, *word ? " '" : "", word,
            *word ? "'" : "");
    return WEFT_E_USAGE;
}

static const weft_verb_t *s_find(const char *name) {
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(s_verbs[i]->name, name) == 0) return s_verbs[i];
    return NULL;
}

static weft_err_t s_help_verb(const char *name) {
    char help[] = "--help";
    const weft_verb_t *verb = s_find(name);
    if (!verb) return s_unknown("unknown verb", name);
    char *argv[] = {NULL, help, NULL};
    return verb->run(verb, 2, argv);
}

/* help --scdoc [VERB] */
static weft_err_t s_scdoc(int argc, char **argv) {
    if (argc > 4) return s_unknown("unexpected word", argv[4]);
    if (argc == 3) {
        s_help_scdoc();
        return WEFT_OK;
    }
    weft_args_help_as(WEFT_HELP_SCDOC);
    return s_help_verb(argv[3]);
}

static weft_err_t s_run(int argc, char **argv) {
    if (argc < 2) return s_unknown("a verb is missing", "");
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        printf("weft %s\n", weft_version());
        return WEFT_OK;
    }
    bool help = strcmp(word, "help") == 0;
    if (help && argc > 2 && strcmp(argv[2], "--scdoc") == 0) return s_scdoc(argc, argv);
    if (help && argc > 3) return s_unknown("unexpected word", argv[3]);
    if (help && argc == 3) return s_help_verb(argv[2]);
    if (help || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        s_help();
        return WEFT_OK;
    }
    const weft_verb_t *verb = s_find(word);
    if (!verb) return s_unknown(word[0] == '-' ? "unknown option" : "unknown verb", word);
    return verb->run(verb, argc - 1, argv + 1);
}

int main(int argc, char **argv) {
    /* Each verb says in one line what is wrong; the library's lines are for who asks for them. */
    setenv("WEFT_DIAG", "off", 0);
    weft_out_init();
    weft_err_t rc = s_run(argc, argv);
    weft_err_t written = weft_out_flush();
    if (written == WEFT_E_IO) fprintf(stderr, "weft: cannot write: %s\n", weft_out_reason());
    if (rc == WEFT_OK && written == WEFT_E_IO) rc = written;
    return rc == WEFT_OK ? s_exit : weft_exit_code(rc);
}
