/* weft hook: the hooks of a weft-bridge, over its HTTP. */
#include "weft_verb.h"

#include "weft_bridge.h"
#include "weft_options.h"
#include "weft_table.h"

#include <stdlib.h>
#include <string.h>

#define PARKED_PAGE 1000

typedef struct {
    weft_args_t args;
    weft_bridge_t bridge;
    const char *filter, *mode, *format, *start, *parallel, *attempts, *timeout_ms;
    char path[256]; /* of the hook */
} weft_hook_run_t;

static const char *s_text(const json_t *object, const char *field) {
    const char *text = json_string_value(json_object_get(object, field));
    return text ? text : "";
}

static long long s_number(const json_t *object, const char *field) {
    return (long long) json_integer_value(json_object_get(object, field));
}

/* ---- what is printed */

static void s_row(weft_table_t *table, const json_t *hook) {
    const char *state = s_text(hook, "state"), *error = s_text(hook, "error");
    weft_colour_t colour = strcmp(state, "live") == 0 ? WEFT_GREEN
                           : strcmp(state, "stopped") == 0 || strcmp(state, "waiting") == 0
                               ? WEFT_RED
                               : WEFT_YELLOW;
    weft_table_cell(table, WEFT_PLAIN, "%s", s_text(hook, "name"));
    weft_table_cell(table, colour, "%s", state);
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(hook, "position"));
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(hook, "behind"));
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(hook, "delivered"));
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(hook, "retried"));
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(hook, "skipped"));
    weft_table_cell(table, s_number(hook, "parked") ? WEFT_RED : WEFT_PLAIN, "%lld",
                    s_number(hook, "parked"));
    weft_table_cell(table, WEFT_PLAIN, "%s", s_text(hook, "url"));
    weft_table_cell(table, *error ? WEFT_RED : WEFT_PLAIN, "%s", *error ? error : "-");
}

/* One hook, or an array of them; taken. */
static void s_print(const weft_hook_run_t *self, json_t *hooks) {
    static const char *const heads[] = {"HOOK",       ">STATE",   ">POSITION", ">BEHIND",
                                        ">DELIVERED", ">RETRIED", ">SKIPPED",  ">PARKED",
                                        "URL",        "ERROR"};
    weft_table_t *table = self->args.json ? NULL : weft_table_new(heads, 10);
    size_t count = json_is_array(hooks) ? json_array_size(hooks) : 1;
    for (size_t i = 0; i < count; i++) {
        json_t *hook = json_is_array(hooks) ? json_array_get(hooks, i) : hooks;
        if (self->args.json)
            weft_out_json(json_incref(hook));
        else
            s_row(table, hook);
    }
    weft_table_print(&table);
    json_decref(hooks);
}

static weft_err_t s_ask_and_print(weft_hook_run_t *self, const char *method, const char *path,
                                  json_t *body) {
    json_t *hooks = NULL;
    weft_err_t rc = weft_bridge_ask(&self->bridge, method, path, body, &hooks);
    if (rc == WEFT_OK) s_print(self, hooks);
    return rc;
}

/* ---- acts */

static weft_err_t s_ls(weft_hook_run_t *self) {
    return s_ask_and_print(self, "GET", "/hooks", NULL);
}

static weft_err_t s_show(weft_hook_run_t *self) {
    return s_ask_and_print(self, "GET", self->path, NULL);
}

static weft_err_t s_pause(weft_hook_run_t *self) {
    return s_ask_and_print(self, "PUT", self->path, json_pack("{s:b}", "paused", 1));
}

static weft_err_t s_resume(weft_hook_run_t *self) {
    return s_ask_and_print(self, "PUT", self->path, json_pack("{s:b}", "paused", 0));
}

static weft_err_t s_retry(weft_hook_run_t *self) {
    char path[300];
    snprintf(path, sizeof path, "%s/retry", self->path);
    return s_ask_and_print(self, "POST", path, NULL);
}

static json_t *s_filters(const char *text) {
    json_t *list = json_array();
    while (*text) {
        size_t size = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, size));
        text += size + (text[size] == ',');
    }
    return list;
}

static weft_err_t s_set_number(const weft_hook_run_t *self, json_t *body, const char *field,
                               const char *text) {
    uint64_t number;
    if (!text) return WEFT_OK;
    if (!weft_options_number(text, 0, INT64_MAX, &number))
        return weft_say_usage(self->args.verb, "'%s' is no number", text);
    json_object_set_new(body, field, json_integer((json_int_t) number));
    return WEFT_OK;
}

static void s_set_text(json_t *body, const char *field, const char *text) {
    if (text) json_object_set_new(body, field, json_string(text));
}

/* "--start 100" is a number, "--start now" a text: the bridge looks at the rest. */
static weft_err_t s_put(weft_hook_run_t *self) {
    json_t *body = json_object();
    uint64_t number;
    if (self->args.words_count > 2) s_set_text(body, "url", self->args.words[2]);
    if (self->filter) json_object_set_new(body, "filters", s_filters(self->filter));
    s_set_text(body, "mode", self->mode);
    s_set_text(body, "format", self->format);
    if (self->start && weft_options_number(self->start, 0, INT64_MAX, &number))
        json_object_set_new(body, "start", json_integer((json_int_t) number));
    else
        s_set_text(body, "start", self->start);
    weft_err_t rc = s_set_number(self, body, "parallel", self->parallel);
    if (rc == WEFT_OK) rc = s_set_number(self, body, "attempts", self->attempts);
    if (rc == WEFT_OK) rc = s_set_number(self, body, "timeoutMs", self->timeout_ms);
    if (rc == WEFT_OK) return s_ask_and_print(self, "PUT", self->path, body);
    json_decref(body);
    return rc;
}

static weft_err_t s_rm(weft_hook_run_t *self) {
    weft_err_t rc = weft_bridge_ask(&self->bridge, "DELETE", self->path, NULL, NULL);
    if (rc != WEFT_OK) return rc;
    if (self->args.json)
        weft_out_json(json_pack("{s:s, s:b}", "hook", self->args.words[1], "removed", 1));
    else
        weft_out("%s removed\n", self->args.words[1]);
    return WEFT_OK;
}

static void s_parked_row(weft_table_t *table, const json_t *row) {
    const char *subject = s_text(row, "subject");
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(row, "position"));
    weft_table_cell(table, WEFT_PLAIN, "%s", s_text(row, "type"));
    weft_table_cell(table, WEFT_PLAIN, "%s", *subject ? subject : "-");
    weft_table_cell(table, WEFT_PLAIN, "%lld", s_number(row, "attempts"));
    weft_table_cell(table, WEFT_PLAIN, "%s", s_text(row, "parked"));
    weft_table_cell(table, WEFT_RED, "%s", s_text(row, "error"));
}

static weft_err_t s_parked(weft_hook_run_t *self) {
    static const char *const heads[] = {">POSITION", "TYPE",   "SUBJECT",
                                        ">ATTEMPTS", "PARKED", "ERROR"};
    weft_table_t *table = self->args.json ? NULL : weft_table_new(heads, 6);
    weft_err_t rc;
    long long after = 0;
    size_t count;
    do {
        char path[400];
        json_t *rows = NULL, *row;
        size_t i;
        snprintf(path, sizeof path, "%s/parked?limit=%d&after=%lld", self->path, PARKED_PAGE,
                 after);
        rc = weft_bridge_ask(&self->bridge, "GET", path, NULL, &rows);
        count = json_array_size(rows);
        json_array_foreach(rows, i, row) {
            after = s_number(row, "position");
            if (self->args.json)
                weft_out_json(json_incref(row));
            else
                s_parked_row(table, row);
        }
        json_decref(rows);
    } while (rc == WEFT_OK && count == PARKED_PAGE);
    weft_table_print(&table);
    return rc;
}

static weft_err_t s_drop(weft_hook_run_t *self) {
    char path[400];
    json_t *answer = NULL;
    uint64_t position = 0;
    if (self->args.words_count > 2 &&
        !weft_options_number(self->args.words[2], 1, INT64_MAX, &position))
        return weft_say_usage(self->args.verb, "'%s' is no position", self->args.words[2]);
    snprintf(path, sizeof path, "%s/parked?position=%llu", self->path,
             (unsigned long long) position);
    weft_err_t rc = weft_bridge_ask(&self->bridge, "DELETE", path, NULL, &answer);
    if (rc != WEFT_OK) return rc;
    long long dropped = s_number(answer, "dropped");
    json_decref(answer);
    if (self->args.json)
        weft_out_json(
            json_pack("{s:s, s:I}", "hook", self->args.words[1], "dropped", (json_int_t) dropped));
    else
        weft_out("%lld dropped\n", dropped);
    return WEFT_OK;
}

/* ---- the verb */

typedef struct {
    const char *name;
    size_t words_least, words_most;
    weft_err_t (*run)(weft_hook_run_t *self);
} weft_hook_act_t;

static weft_err_t s_act(weft_hook_run_t *self, const weft_hook_act_t *act) {
    const weft_args_t *args = &self->args;
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    if (args->words_count < act->words_least)
        return weft_say_usage(args->verb, "NAME is missing, as in weft hook %s query", act->name);
    if (args->words_count > act->words_most)
        return weft_say_usage(args->verb, "unexpected word '%s'", args->words[act->words_most]);
    if (args->words_count > 1) {
        const char *name = args->words[1];
        size_t size = strlen(name);
        if (!size || size > 64 || strspn(name, plain) != size)
            return weft_say_usage(args->verb, "'%s' is no name of a hook", name);
        snprintf(self->path, sizeof self->path, "/hooks/%s", name);
    }
    return act->run(self);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    static const weft_hook_act_t acts[] = {
        {"ls", 1, 1, s_ls},         {"show", 2, 2, s_show},     {"put", 2, 3, s_put},
        {"pause", 2, 2, s_pause},   {"resume", 2, 2, s_resume}, {"rm", 2, 2, s_rm},
        {"parked", 2, 2, s_parked}, {"retry", 2, 2, s_retry},   {"drop", 2, 3, s_drop}};
    weft_hook_run_t self = {0};
    const char *bridge = getenv("WEFT_BRIDGE"), *wait;
    int64_t wait_ms;
    const weft_verb_option_t options[] = {
        {"filter", "FILTER,…", "put: only these events, '>' for all", NULL, &self.filter, NULL},
        {"start", "start|now|N", "put: where it begins, or begins again", NULL, &self.start, NULL},
        {"mode", "MODE", "put: durable, or course: once and no backlog", NULL, &self.mode, NULL},
        {"format", "FORMAT", "put: course, cloudevents or cloudevents-binary", NULL, &self.format,
         NULL},
        {"parallel", "N", "put: requests at once, in order for each subject", NULL, &self.parallel,
         NULL},
        {"attempts", "N", "put: refusals until an event is parked, 0 for ever", NULL,
         &self.attempts, NULL},
        {"timeout-ms", "MS", "put: how long an answer may take", NULL, &self.timeout_ms, NULL},
        {"bridge", "URL", "the bridge; also $WEFT_BRIDGE",
         bridge && *bridge ? bridge : WEFT_DEFAULT_BRIDGE, &self.bridge.url, NULL},
        {"token", "TEXT", "bearer token; also $WEFT_BRIDGE_TOKEN", getenv("WEFT_BRIDGE_TOKEN"),
         &self.bridge.token, NULL},
        {"wait", "SECONDS", "how long to wait for the bridge", "3", &wait, NULL},
    };
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!weft_args_seconds(wait, &wait_ms) || !wait_ms)
        return weft_say_usage(verb, "--wait '%s' is no number of seconds", wait);
    self.bridge.verb = verb;
    self.bridge.timeout_ms = (long) wait_ms;
    if (self.filter && strcmp(self.filter, ">") == 0) self.filter = "";
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].name, self.args.words[0]) == 0) return s_act(&self, &acts[i]);
    return weft_say_usage(verb,
                          "'%s' is none of ls, show, put, pause, resume, rm, parked, retry, drop",
                          self.args.words[0]);
}

const weft_verb_t weft_verb_hook = {
    .name = "hook",
    .words = "ls|show|put|pause|resume|rm|parked|retry|drop [NAME] [URL|POSITION]",
    .words_least = 1,
    .words_most = 3,
    .help =
        "list, set, pause or remove the hooks of a weft-bridge, and see to what they have parked",
    .more =
        "A hook POSTs events to a URL, in order, each until it is taken. ls lists all; show NAME has\n"
        "one; put NAME URL adds a hook, put NAME with options changes what they name; pause and resume;\n"
        "rm forgets it with its position. parked NAME lists what its receiver has refused for good;\n"
        "retry NAME sends that once more; drop NAME POSITION forgets one, drop NAME all of it.\n",
    .run = s_run,
};
