/* weft status: what the bus says of itself and of the services that report to it. */
#include "weft_verb.h"

#include "weft_out.h"
#include "weft_state.h"

static void s_print(const json_t *state) {
    static const char *const texts[] = {"software", "started", "log",   "boot",
                                        "control",  "fanout",  "ingest"};
    bool accepting = json_is_true(json_object_get(state, "accepting"));
    const char *name;
    const json_t *value;
    size_t i;
    for (i = 0; i < sizeof texts / sizeof *texts; i++)
        weft_out("%-16s %s\n", texts[i], weft_json_text(state, texts[i]));
    weft_out("%-16s %lld\n", "head", weft_json_int(state, "head"));
    if (weft_json_int(state, "first"))
        weft_out("%-16s %lld\n", "first", weft_json_int(state, "first"));
    weft_out("%-16s %s%s%s\n", "accepting", accepting ? "yes" : "no", accepting ? "" : ": ",
             weft_json_text(state, "reason"));
    json_t *counters = json_object_get(state, "counters");
    for (void *at = json_object_iter(counters); at; at = json_object_iter_next(counters, at)) {
        name = json_object_iter_key(at);
        value = json_object_iter_value(at);
        if (json_integer_value(value)) weft_out("%-16s %lld\n", name, json_integer_value(value));
    }
    json_array_foreach(json_object_get(state, "services"), i, value) {
        weft_out("%-16s %s position=%lld lag=%lld outbox=%lld parked=%lld live=%s seen=%.1fs\n",
                 "service", weft_json_text(value, "name"), weft_json_int(value, "position"),
                 weft_json_int(value, "lag"), weft_json_int(value, "outbox"),
                 weft_json_int(value, "parked"),
                 json_is_true(json_object_get(value, "live")) ? "yes" : "no",
                 json_real_value(json_object_get(value, "seenAgo")));
    }
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_ask_t ask;
    json_t *state;
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc == WEFT_OK) rc = weft_ask_begin(&ask, &args);
    if (rc != WEFT_OK) return rc;
    rc = weft_state_ask(&ask, &args, &state);
    weft_ask_close(&ask);
    if (rc != WEFT_OK) return rc;
    if (args.json) {
        weft_out_json(state);
        return WEFT_OK;
    }
    s_print(state);
    json_decref(state);
    return WEFT_OK;
}

const weft_verb_t weft_verb_status = {
    .name = "status",
    .words = "",
    .help = "print how the bus is doing, and the services that report to it",
    .more = "One thing a line, NAME VALUE; counters that are zero are left out, --json has them.\n"
            "weft services tells more of the services.\n",
    .run = s_run,
    .online = true,
};
