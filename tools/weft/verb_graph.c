/* weft graph: who tells whom, from the events in the log and the filters of the services. */
#include "weft_verb.h"

#include "weft_census.h"
#include "weft_out.h"
#include "weft_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    weft_args_t args;
    const char *svg;
    FILE *to;      /* of dot; NULL: standard output */
    json_t *edges; /* from → to → [types] */
} weft_graph_run_t;

static void s_put(const weft_graph_run_t *self, const char *text) {
    if (self->to)
        fputs(text, self->to);
    else
        weft_out("%s", text);
}

/* A string of dot's. */
static void s_quoted(const weft_graph_run_t *self, const char *text) {
    char one[2] = "";
    s_put(self, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') s_put(self, "\\");
        one[0] = *text;
        s_put(self, one);
    }
    s_put(self, "\"");
}

static json_t *s_member(json_t *object, const char *key, json_t *(*make)(void) ) {
    if (!json_object_get(object, key)) json_object_set_new(object, key, make());
    return json_object_get(object, key);
}

/* ---- from types and filters to edges */

static void s_edges(weft_graph_run_t *self, const weft_census_t *census, const json_t *state) {
    const json_t *services = json_object_get(state, "services"), *service;
    self->edges = json_object();
    for (size_t t = 0; t < census->count; t++) {
        const weft_census_type_t *type = census->sorted[t];
        for (size_t s = 0; s < type->sources_count; s++) {
            json_t *from = s_member(self->edges, type->sources[s], json_object);
            size_t i;
            json_array_foreach(services, i, service) {
                if (!weft_state_wants(service, type->type)) continue;
                json_t *types = s_member(from, weft_json_text(service, "name"), json_array);
                json_array_append_new(types, json_string(type->type));
            }
        }
    }
}

/* ---- output */

static void s_json(const weft_graph_run_t *self) {
    const char *from, *to;
    json_t *targets, *types;
    json_object_foreach(self->edges, from, targets) {
        json_object_foreach(targets, to, types) {
            weft_out_json(json_pack("{s:s, s:s, s:O}", "from", from, "to", to, "types", types));
        }
    }
}

static void s_dot(const weft_graph_run_t *self, const json_t *state) {
    const char *from, *to;
    json_t *targets, *types;
    const json_t *service, *type;
    size_t i;
    s_put(self, "digraph weft {\n    rankdir=LR; ranksep=1; nodesep=0.6;\n"
                "    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
                "    edge [fontname=\"sans-serif\", fontsize=10];\n");
    json_array_foreach(json_object_get(state, "services"), i, service) {
        s_put(self, "    ");
        s_quoted(self, weft_json_text(service, "name"));
        s_put(self, json_is_true(json_object_get(service, "silent")) ? " [color=red];\n" : ";\n");
    }
    json_object_foreach(self->edges, from, targets) {
        json_object_foreach(targets, to, types) {
            s_put(self, "    ");
            s_quoted(self, from);
            s_put(self, " -> ");
            s_quoted(self, to);
            s_put(self, " [label=\"");
            json_array_foreach(types, i, type) {
                if (i) s_put(self, "\\n");
                s_put(self, json_string_value(type));
            }
            s_put(self, "\"];\n");
        }
    }
    s_put(self, "}\n");
}

/* Run Graphviz with the graph on its standard input. */
static weft_err_t s_svg(weft_graph_run_t *self, const json_t *state) {
    const weft_verb_t *verb = self->args.verb;
    int ends[2], status = 0;
    if (pipe(ends) != 0) return weft_say(verb, WEFT_E_IO, "no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("dot", "dot", "-Tsvg", "-o", self->svg, (char *) NULL);
        _exit(127);
    }
    close(ends[0]);
    self->to = pid > 0 ? fdopen(ends[1], "w") : NULL;
    if (!self->to) {
        close(ends[1]);
        return weft_say(verb, WEFT_E_IO, "cannot run dot: %s", strerror(errno));
    }
    s_dot(self, state);
    fclose(self->to);
    if (waitpid(pid, &status, 0) != pid || status == 0) return WEFT_OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return weft_say(verb, WEFT_E_NOT_FOUND,
                        "there is no dot: install graphviz, or use weft graph without --svg");
    return weft_say(verb, WEFT_E_IO, "dot could not write '%s'", self->svg);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_graph_run_t self = {0};
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters;
    weft_census_t census = {0};
    json_t *state = NULL;
    const char *from;
    const weft_verb_option_t options[] = {
        WEFT_PAST_OPTION(from),
        {"svg", "FILE", "write a picture, by Graphviz' dot", NULL, &self.svg, NULL},
    };
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc == WEFT_OK && self.svg && self.args.json)
        rc = weft_say_usage(verb, "--svg and --json exclude each other");
    if (rc == WEFT_OK) rc = weft_past_filters(&self.args, 0, items, &filters);
    if (rc == WEFT_OK) rc = weft_census_take(&census, NULL, &self.args, from, &filters);
    if (rc == WEFT_OK) rc = weft_state_get(&self.args, &state);
    if (rc == WEFT_OK) {
        s_edges(&self, &census, state);
        if (self.svg)
            rc = s_svg(&self, state);
        else if (self.args.json)
            s_json(&self);
        else
            s_dot(&self, state);
    }
    json_decref(self.edges);
    json_decref(state);
    weft_census_free(&census);
    return rc;
}

const weft_verb_t weft_verb_graph = {
    .name = "graph",
    .words = "[FILTER...]",
    .words_most = WEFT_FILTERS_MAX,
    .help = "show who tells whom, as a graph in Graphviz' language or as SVG",
    .more =
        "An arrow goes from a source in the log to a service that consumes what it emits, with the\n"
        "types beside it; a service that is silent is red. weft graph --svg mesh.svg needs dot.\n",
    .run = s_run,
    .online = true,
};
