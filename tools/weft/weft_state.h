/* weft_state: what the bus says of itself and of the services that report to it, as JSON. */
#ifndef WEFT_STATE_H
#define WEFT_STATE_H

#include "weft_online.h"

#include <jansson.h>

#define WEFT_SILENT_S 10 /* a service that has not reported for so long counts as stopped */

/* Ask for STATUS. Of reports under one name the silent ones give way to one that is heard, or else to
 * the newest. A service that lags gets lagSeconds: how long the first event that it has not applied has
 * been in the log. out: the caller's. A failure has been told. */
weft_err_t weft_state_ask(weft_ask_t *ask, const weft_args_t *args, json_t **out);
/* The same, with a failure left to the caller to tell: weft_ask_reason has it. */
weft_err_t weft_state_try(weft_ask_t *ask, int timeout_ms, const char *bus, json_t **out);

/* The same without lagSeconds, which costs a question for each service that lags. */
weft_err_t weft_state_reports(weft_ask_t *ask, const weft_args_t *args, json_t **out);
/* The first with a connection of its own. */
weft_err_t weft_state_get(const weft_args_t *args, json_t **out);
/* Does a service consume events of that type? */
bool weft_state_wants(const json_t *service, const char *type);

/* Members of an object. */
const char *weft_json_text(const json_t *object, const char *key);
long long weft_json_int(const json_t *object, const char *key);
double weft_json_real(const json_t *object, const char *key);

#endif
