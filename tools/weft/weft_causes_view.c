/* weft_causes_view: see weft_causes_view.h. */
#include "weft_causes_view.h"

#include "weft_options.h"
#include "weft_progress.h"
#include "weft_spans.h"
#include "weft_spans_out.h"
#include "weft_state.h"
#include "weft_stop.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 10000u
#define TAIL_EVENTS 10000u /* the index is always a little behind: no reason to say so */

/* ---- asking */

typedef struct {
    const weft_args_t *args;
    weft_progress_t progress;
} s_scan_t;

static bool s_on_progress(void *arg, uint64_t done, uint64_t total) {
    s_scan_t *self = arg;
    if (done == 0) {
        if (total > TAIL_EVENTS)
            weft_say(self->args->verb, WEFT_OK,
                     "the bus' index of causes lacks the last %llu events, they are read through",
                     (unsigned long long) total);
        weft_progress_begin(&self->progress, "events", total);
    }
    weft_progress_note(&self->progress, done);
    if (done == total) weft_progress_end(&self->progress);
    return !weft_stop_wanted();
}

static weft_err_t s_ask(const weft_causes_run_t *run, weft_position_t position,
                        const uint8_t *trace_id, uint64_t events, json_t **out) {
    const weft_args_t *args = &run->args;
    s_scan_t scan = {.args = args};
    weft_explain_config_t config;
    char reason[512], *json = NULL;
    weft_explain_config_init(&config);
    config.bus = args->bus;
    config.timeout_ms = args->timeout_ms;
    config.events = (unsigned) events;
    config.progress = s_on_progress;
    config.arg = &scan;
    config.stop_fd = weft_stop_fd();
    weft_err_t rc = trace_id ? weft_explain_trace(&config, trace_id, &json, reason, sizeof reason)
                             : weft_explain(&config, position, &json, reason, sizeof reason);
    weft_progress_end(&scan.progress);
    if (rc == WEFT_E_INTERRUPTED) return rc;
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "%s", reason);
    *out = json_loads(json, 0, NULL);
    free(json);
    return *out ? WEFT_OK : weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
}

static weft_err_t s_export(const weft_causes_run_t *run, const json_t *answer) {
    size_t count;
    weft_err_t rc = WEFT_OK;
    weft_span_t *spans = weft_spans(answer, &count);
    if (!spans) return weft_say(run->args.verb, WEFT_E_NOMEM, "out of memory");
    if (run->perfetto)
        rc = weft_spans_to_file(&run->args, run->perfetto, weft_spans_perfetto(spans, count));
    if (rc == WEFT_OK && run->otlp)
        rc = strncmp(run->otlp, "http://", 7) == 0 || strncmp(run->otlp, "https://", 8) == 0
                 ? weft_spans_to_collector(&run->args, run->otlp, weft_spans_otlp(spans, count))
                 : weft_spans_to_file(&run->args, run->otlp, weft_spans_otlp(spans, count));
    free(spans);
    return rc;
}

weft_err_t weft_causes_show(const weft_causes_run_t *run, weft_position_t position,
                            const uint8_t *trace_id) {
    const weft_verb_t *verb = run->args.verb;
    uint64_t events;
    json_t *answer = NULL;
    if (!weft_options_number(run->events, 1, EVENTS_MAX, &events))
        return weft_say_usage(verb, "--events '%s' is no number from 1 to %u", run->events,
                              EVENTS_MAX);
    if (run->dot && run->args.json)
        return weft_say_usage(verb, "--dot and --json exclude each other");
    if ((run->perfetto || run->otlp) && (run->dot || run->args.json))
        return weft_say_usage(verb, "--perfetto and --otlp exclude --dot and --json");
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    weft_err_t rc = s_ask(run, position, trace_id, events, &answer);
    if (rc != WEFT_OK) return rc;
    if (!json_is_true(json_object_get(answer, "complete")))
        weft_say(verb, WEFT_OK, "there are more events than %s; --events shows more", run->events);
    if (run->perfetto || run->otlp)
        rc = s_export(run, answer);
    else if (run->dot)
        weft_causes_dot(answer);
    else if (run->args.json)
        weft_causes_json(answer);
    else
        weft_causes_text(answer);
    json_decref(answer);
    return rc;
}

/* ---- looking into an answer */

const json_t *weft_causes_find(const json_t *answer, json_int_t position) {
    const json_t *events = json_object_get(answer, "events");
    size_t low = 0, high = json_array_size(events);
    while (low < high) { /* they are sorted */
        size_t middle = low + (high - low) / 2;
        const json_t *event = json_array_get(events, middle);
        long long at = weft_json_int(event, "position");
        if (at == position) return event;
        if (at < position)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const json_t *weft_causes_cause(const json_t *answer, const json_t *event) {
    json_int_t cause = weft_json_int(event, "cause");
    if (!cause || cause >= weft_json_int(event, "position")) return NULL;
    return weft_causes_find(answer, cause);
}
