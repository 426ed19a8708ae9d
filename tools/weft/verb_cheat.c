/* weft cheat: worked examples. A test runs each of them as it stands. */
#include "weft_verb.h"

#include "weft_out.h"
#include "weft_table.h"

#include <string.h>

typedef struct {
    const char *about, *command;
    bool live; /* runs until Ctrl-C */
} weft_example_t;

static const weft_example_t s_examples[] = {
    {"publish an event; its position is printed once it is on disk",
     "weft pub order.placed --subject order/1 --data '{\"total\": 12}'", false},
    {"publish one event for each line",
     "printf '{\"total\": %d}\\n' 3 14 15 | weft pub order.placed --data -", false},
    {"look at one event", "weft get 1 --json", false},
    {"watch what comes", "weft sub", true},
    {"watch some of it, with the last ten first", "weft sub 'order.*' --from last=10", true},
    {"all that happened", "weft sub --from start --until-end", false},
    {"the last hour, with the fields that matter",
     "weft sub --from since=1h --until-end -f '%p\\t%t\\t%s'", false},
    {"pick by data", "weft sub 'order.*' --from start --until-end --where '.total > 10'", false},
    {"the last word on each subject", "weft sub --from start --until-end --last-per-subject",
     false},
    {"how many?", "weft count 'order.>' --from since=1d", false},
    {"which types are there, who emits, who consumes?", "weft types", false},
    {"who tells whom, as a picture", "weft graph | head -n 3", false},
    {"why did this happen, and what followed?", "weft explain 1", false},
    {"the same as a picture", "weft explain 1 --dot | head -n 3", false},
    {"is the bus up?", "weft status", false},
    {"who is behind?", "weft services", false},
    {"the same, live; for a program a snapshot each second", "weft top --json --count 2", false},
    {"is this a place where a mesh keeps its promises?", "weft doctor .", false},
    {"a probe for monitoring", "weft lag --warn 1000 --crit 60s", false},
    {"has a service applied all that is in the log now?", "weft wait blog-query", false},
    {"what has a service set aside, and why?", "weft dead ls blog-query", false},
    {"after the mend", "weft dead retry blog-query", false},
    {"what has not reached the bus?", "weft outbox ls blog-posts", false},
    {"what would building a view anew do?", "weft replay blog-query --dry-run", false},
    {"keep the events as text", "weft export > events.jsonl", false},
    {"make a store of that text, which may have been edited",
     "weft export | weft import --store new-store", false},
    {"any of it for a program", "weft services --json", false},
};

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    bool some = false;
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc != WEFT_OK) return rc;
    for (size_t i = 0; i < sizeof s_examples / sizeof *s_examples; i++) {
        const weft_example_t *example = &s_examples[i];
        if (args.words_count && !strstr(example->command, args.words[0]) &&
            !strstr(example->about, args.words[0]))
            continue;
        some = true;
        if (args.json)
            weft_out_json(json_pack("{s:s, s:s, s:b}", "about", example->about, "command",
                                    example->command, "live", example->live));
        else
            weft_out("%s# %s%s%s\n%s%s%s\n\n", weft_colour(WEFT_GREEN), example->about,
                     example->live ? "; Ctrl-C ends it" : "", weft_colour(WEFT_PLAIN),
                     weft_colour(WEFT_BOLD), example->command, weft_colour(WEFT_PLAIN));
    }
    if (some) return WEFT_OK;
    return weft_say(verb, WEFT_E_NOT_FOUND, "no example has '%s' in it; weft cheat prints all",
                    args.words[0]);
}

const weft_verb_t weft_verb_cheat = {
    .name = "cheat",
    .words = "[WORD]",
    .words_most = 1,
    .help = "print worked examples, all or those with a word in them",
    .more = "",
    .run = s_run,
};
