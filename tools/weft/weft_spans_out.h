/* weft_spans_out: spans into a file, or to an OpenTelemetry collector over HTTP. */
#ifndef WEFT_SPANS_OUT_H
#define WEFT_SPANS_OUT_H

#include "weft_verb.h"

#include <jansson.h>

/* Both take json over (NULL: out of memory). Failures have been told. WEFT_OK, WEFT_E_IO, WEFT_E_NOMEM; the
 * second also WEFT_E_UNREACHABLE, WEFT_E_PROTO (the collector refuses some or all). */
weft_err_t weft_spans_to_file(const weft_args_t *args, const char *path, json_t *json);
/* url: http:// or https://, with /v1/traces added where it has no path. */
weft_err_t weft_spans_to_collector(const weft_args_t *args, const char *url, json_t *json);

#endif
