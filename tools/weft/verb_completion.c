/* weft completion: scripts for bash and zsh, made from the same tables as --help. */
#include "weft_verb.h"

#include <stdio.h>
#include <string.h>

/* "ls|show SERVICE" begins with a choice: its words. */
static void s_choice(const weft_verb_t *verb) {
    size_t size = strcspn(verb->words, " ");
    if (!memchr(verb->words, '|', size)) return;
    for (size_t i = 0; i < size; i++) putchar(verb->words[i] == '|' ? ' ' : verb->words[i]);
}

/* What may follow a verb: its choice, and its options as it prints them itself. */
static void s_follows(const weft_verb_t *verb) {
    s_choice(verb);
    char help[] = "--help", *argv[] = {NULL, help, NULL};
    weft_args_help_as(WEFT_HELP_WORDS);
    verb->run(verb, 2, argv);
    weft_args_help_as(WEFT_HELP_TEXT);
}

static void s_bash(const weft_verb_t *const *verbs, size_t count) {
    printf("# bash completion for weft: source <(weft completion bash)\n"
           "_weft() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]}\n"
           "    if ((COMP_CWORD == 1)); then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"");
    for (size_t i = 0; i < count; i++) printf("%s ", verbs[i]->name);
    printf("help --help --version\" -- \"$word\")\n"
           "        return\n"
           "    fi\n"
           "    local words\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < count; i++) {
        printf("    %s) words=\"", verbs[i]->name);
        s_follows(verbs[i]);
        printf("\" ;;\n");
    }
    printf("    help) words=\"");
    for (size_t i = 0; i < count; i++) printf("%s ", verbs[i]->name);
    printf("\" ;;\n"
           "    *) return ;;\n"
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "}\n"
           "complete -o default -F _weft weft\n");
}

/* A description within single quotes of zsh, where ':' parts word and description. */
static void s_zsh_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (*text == ':')
            printf("\\:");
        else
            putchar(*text);
    }
}

static void s_zsh(const weft_verb_t *const *verbs, size_t count) {
    printf("#compdef weft\n"
           "# zsh completion for weft: source <(weft completion zsh)\n"
           "_weft() {\n"
           "    local -a verbs options\n"
           "    verbs=(\n");
    for (size_t i = 0; i < count; i++) {
        printf("        '%s:", verbs[i]->name);
        s_zsh_text(verbs[i]->help);
        printf("'\n");
    }
    printf("    )\n"
           "    if ((CURRENT == 2)); then\n"
           "        _describe verb verbs\n"
           "        return\n"
           "    fi\n"
           "    case $words[2] in\n");
    for (size_t i = 0; i < count; i++) {
        printf("    %s) options=(", verbs[i]->name);
        s_follows(verbs[i]);
        printf(") ;;\n");
    }
    printf("    esac\n"
           "    compadd -- $options\n"
           "    _files\n"
           "}\n"
           "if [[ $funcstack[1] == _weft ]]; then _weft \"$@\"; else compdef _weft weft; fi\n");
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    size_t count;
    const weft_verb_t *const *verbs = weft_verbs(&count);
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc != WEFT_OK) return rc;
    if (strcmp(args.words[0], "bash") == 0)
        s_bash(verbs, count);
    else if (strcmp(args.words[0], "zsh") == 0)
        s_zsh(verbs, count);
    else
        return weft_say_usage(verb, "'%s' is none of bash, zsh", args.words[0]);
    return WEFT_OK;
}

const weft_verb_t weft_verb_completion = {
    .name = "completion",
    .words = "bash|zsh",
    .words_least = 1,
    .words_most = 1,
    .help = "print a completion script for a shell",
    .more = "bash: source <(weft completion bash)\n"
            "zsh:  source <(weft completion zsh), after compinit\n",
    .run = s_run,
};
