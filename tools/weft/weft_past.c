/* weft_past: see weft_past.h. */
#include "weft_past.h"

#include "weft_stop.h"
#include "weft_type.h"

#include <string.h>

weft_err_t weft_past_filters(const weft_args_t *args, size_t first, weft_text_t *items,
                             weft_filters_t *out) {
    items[0] = weft_text(">");
    *out = (weft_filters_t){.count = args->words_count - first, .items = items};
    for (size_t i = first; i < args->words_count; i++) {
        if (weft_filter_check(args->words[i], strlen(args->words[i])) != WEFT_OK)
            return weft_say_usage(
                args->verb, "'%s' is no filter; want comment.created, comment.*, comment.> or >",
                args->words[i]);
        items[i - first] = weft_text(args->words[i]);
    }
    if (!out->count) out->count = 1;
    return WEFT_OK;
}

weft_err_t weft_past_find(weft_past_t *out, weft_ask_t *ask, const weft_args_t *args,
                          const char *text, const weft_filters_t *filters) {
    weft_from_t from;
    weft_welcome_t welcome;
    weft_position_t after = {0};
    if (!weft_from_parse(&from, text))
        return weft_say_usage(
            args->verb,
            "--from '%s' is none of start, now, N, last=N, since=90s|5m|1h|7d, since=TIME", text);
    weft_err_t rc = weft_ask_welcome(ask, args->timeout_ms, &welcome);
    if (rc != WEFT_OK) return weft_ask_failed(ask, args, rc);
    *out = (weft_past_t){.after = welcome.first, .head = welcome.head, .at_us = welcome.at};
    if (from.kind == WEFT_FROM_NOW) out->after = out->head;
    if (from.kind == WEFT_FROM_POSITION && from.number > out->after + 1)
        out->after = from.number - 1;
    if (!weft_from_wants_bus(&from)) return WEFT_OK;
    rc = weft_from_find(&from, ask, args->timeout_ms, &welcome, filters, &after);
    if (rc != WEFT_OK) return weft_ask_failed(ask, args, rc);
    out->after = after.value;
    return WEFT_OK;
}

weft_err_t weft_past_scan(weft_past_t *out, const weft_args_t *args, const char *from,
                          const weft_filters_t *filters, weft_scan_fn fn, void *arg) {
    weft_ask_t ask;
    weft_past_t past = {0};
    if (!weft_stop_take()) return weft_say(args->verb, WEFT_E_IO, "cannot take signals");
    weft_err_t rc = weft_ask_begin(&ask, args);
    if (rc != WEFT_OK) return rc;
    rc = weft_past_find(&past, &ask, args, from, filters);
    if (rc == WEFT_OK) rc = weft_scan(&ask, args, filters, past.after, past.head, fn, arg);
    weft_ask_close(&ask);
    if (out) *out = past;
    return rc;
}
