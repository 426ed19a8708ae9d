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

static void s_help(void) {
    printf("usage: weft VERB [options]\n\n");
    for (size_t i = 0; i < VERBS; i++) printf("  %-10s %s\n", s_verbs[i]->name, s_verbs[i]->help);
    printf("  %-10s %s\n", "help VERB", "say more about a verb, as weft VERB --help does");
    printf("\nEvery verb has --json, and --bus ENDPOINT, also by $WEFT_BUS.\n"
           "Exit status: 0 done, 1 failed, 2 wrong use, 3 warning, 4 critical.\n");
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

static weft_err_t s_run(int argc, char **argv) {
    if (argc < 2) return s_unknown("a verb is missing", "");
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        printf("weft %s\n", weft_version());
        return WEFT_OK;
    }
    bool help = strcmp(word, "help") == 0;
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
