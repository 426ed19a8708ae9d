/* weft lag: how far services are behind, as a probe for monitoring. */
#include "weft_verb.h"

#include "weft_options.h"
#include "weft_state.h"
#include "weft_table.h"

#include <string.h>

/* A limit in events, or in seconds: "1000", "30s". */
typedef struct {
    uint64_t number;
    bool seconds;
} weft_lag_limit_t;

typedef struct {
    weft_args_t args;
    weft_lag_limit_t warn, crit;
} weft_lag_run_t;

static bool s_limit(const char *text, weft_lag_limit_t *out) {
    char digits[24];
    size_t size = strlen(text);
    if (!size || size >= sizeof digits) return false;
    memcpy(digits, text, size + 1);
    out->seconds = digits[size - 1] == 's';
    if (out->seconds) digits[size - 1] = '\0';
    return weft_options_number(digits, 0, INT64_MAX, &out->number);
}

/* A lag whose time is not known, since the log has trimmed what is missing, is beyond any time. */
static bool s_beyond(const weft_lag_limit_t *limit, const json_t *service) {
    const json_t *seconds = json_object_get(service, "lagSeconds");
    if (!limit->seconds) return (uint64_t) weft_json_int(service, "lag") > limit->number;
    return json_is_number(seconds) ? json_number_value(seconds) > (double) limit->number
                                   : weft_json_int(service, "lag") > 0;
}

static int s_judge(const weft_lag_run_t *self, const json_t *service) {
    if (json_is_true(json_object_get(service, "silent")) || s_beyond(&self->crit, service))
        return WEFT_EXIT_CRITICAL;
    return s_beyond(&self->warn, service) ? WEFT_EXIT_WARNING : 0;
}

static bool s_wanted(const weft_args_t *args, const char *name) {
    for (size_t i = 0; i < args->words_count; i++)
        if (strcmp(args->words[i], name) == 0) return true;
    return !args->words_count;
}

static void s_show(const weft_lag_run_t *self, weft_table_t *table, const json_t *service) {
    static const char *const names[] = {
        [0] = "ok", [WEFT_EXIT_WARNING] = "warning", [WEFT_EXIT_CRITICAL] = "critical"};
    const json_t *behind = json_object_get(service, "lagSeconds");
    char ago[WEFT_AGO_BYTES];
    int status = s_judge(self, service);
    weft_verb_exit(status);
    if (self->args.json) {
        weft_out_json(json_pack(
            "{s:O, s:s, s:O, s:O, s:O, s:O}", "name", json_object_get(service, "name"), "status",
            names[status], "lag", json_object_get(service, "lag"), "lagSeconds", behind, "silent",
            json_object_get(service, "silent"), "seenAgo", json_object_get(service, "seenAgo")));
        return;
    }
    weft_table_cell(table, WEFT_PLAIN, "%s", weft_json_text(service, "name"));
    weft_table_cell(table,
                    status == WEFT_EXIT_CRITICAL ? WEFT_RED
                    : status                     ? WEFT_YELLOW
                                                 : WEFT_GREEN,
                    "%s", names[status]);
    weft_table_cell(table, WEFT_PLAIN, "%lld", weft_json_int(service, "lag"));
    weft_table_cell(table, WEFT_PLAIN, "%s",
                    json_is_number(behind) ? weft_ago(ago, json_number_value(behind)) : "-");
    weft_table_cell(table, WEFT_PLAIN, "%s%s",
                    json_is_true(json_object_get(service, "silent")) ? "silent for " : "",
                    weft_ago(ago, weft_json_real(service, "seenAgo")));
}

/* A service that was asked for and never reported is as bad as one that fell silent. */
static void s_unknown(const weft_lag_run_t *self, weft_table_t *table, const json_t *services,
                      const char *name) {
    size_t i;
    const json_t *service;
    json_array_foreach(services, i, service) {
        if (strcmp(weft_json_text(service, "name"), name) == 0) return;
    }
    weft_verb_exit(WEFT_EXIT_CRITICAL);
    if (self->args.json) {
        weft_out_json(json_pack("{s:s, s:s, s:n, s:n, s:b, s:n}", "name", name, "status",
                                "critical", "lag", "lagSeconds", "silent", true, "seenAgo"));
        return;
    }
    weft_table_cell(table, WEFT_PLAIN, "%s", name);
    weft_table_cell(table, WEFT_RED, "critical");
    weft_table_cell(table, WEFT_PLAIN, "-");
    weft_table_cell(table, WEFT_PLAIN, "-");
    weft_table_cell(table, WEFT_PLAIN, "never seen by this bus");
}

static void s_lag(const weft_lag_run_t *self, const json_t *state) {
    static const char *const heads[] = {"SERVICE", "STATUS", ">LAG", ">BEHIND", "SEEN"};
    const json_t *services = json_object_get(state, "services"), *service;
    weft_table_t *table = self->args.json ? NULL : weft_table_new(heads, 5);
    size_t i;
    json_array_foreach(services, i, service) {
        if (s_wanted(&self->args, weft_json_text(service, "name"))) s_show(self, table, service);
    }
    for (i = 0; i < self->args.words_count; i++)
        s_unknown(self, table, services, self->args.words[i]);
    weft_table_print(&table);
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_lag_run_t self = {0};
    const char *warn, *crit;
    weft_ask_t ask;
    json_t *state;
    const weft_verb_option_t options[] = {
        {"warn", "N", "exit 3 beyond N events, or with 10s beyond 10 seconds", "1000", &warn, NULL},
        {"crit", "N", "exit 4 beyond that", "10000", &crit, NULL},
    };
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!s_limit(warn, &self.warn))
        return weft_say_usage(verb, "--warn '%s' is no number of events or seconds (10s)", warn);
    if (!s_limit(crit, &self.crit))
        return weft_say_usage(verb, "--crit '%s' is no number of events or seconds (10s)", crit);
    rc = weft_ask_begin(&ask, &self.args);
    if (rc != WEFT_OK) return rc;
    rc = weft_state_ask(&ask, &self.args, &state);
    weft_ask_close(&ask);
    if (rc != WEFT_OK) return rc;
    s_lag(&self, state);
    json_decref(state);
    return WEFT_OK;
}

const weft_verb_t weft_verb_lag = {
    .name = "lag",
    .words = "[SERVICE...]",
    .words_most = 256,
    .help = "tell how far services are behind; exit 0, 3 (warning) or 4 (critical)",
    .more =
        "A probe for monitoring: the exit status is that of the worst service. One that has been\n"
        "silent for 10 s is critical, and so is one asked for that this bus has never heard of.\n",
    .run = s_run,
    .online = true,
};
