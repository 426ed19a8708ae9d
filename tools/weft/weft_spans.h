/* weft_spans: the answer of weft_explain as spans of traces, for OpenTelemetry and Perfetto. */
#ifndef WEFT_SPANS_H
#define WEFT_SPANS_H

#include <jansson.h>

/* An event as a span: from when it was emitted to when the bus had stored it. */
typedef struct {
    const json_t *event;
    const json_t *cause;      /* NULL: none that is in the answer */
    char trace[33], span[17]; /* hex; made up, the same each time, for an event without a trace */
    char parent[17];          /* span of the cause, if that is of the same trace; else "" */
    long long start_us, end_us;
} weft_span_t;

/* One for each event, in the order of the answer; array from malloc. NULL: out of memory. */
weft_span_t *weft_spans(const json_t *answer, size_t *count);

/* ExportTraceServiceRequest of OTLP in its JSON form. The caller's. */
json_t *weft_spans_otlp(const weft_span_t *spans, size_t count);
/* Trace Event Format, as chrome://tracing and ui.perfetto.dev read it. The caller's. */
json_t *weft_spans_perfetto(const weft_span_t *spans, size_t count);

#endif
