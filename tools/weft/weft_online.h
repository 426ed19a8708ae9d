/* weft_online: weft_ask for a verb: what is wrong is told, and a signal ends the wait. */
#ifndef WEFT_ONLINE_H
#define WEFT_ONLINE_H

#include "weft_ask.h"
#include "weft_verb.h"

/* Open; weft_stop_take, if it is called at all, before. What is wrong has been told. */
weft_err_t weft_ask_begin(weft_ask_t *self, const weft_args_t *args);
/* Tell why the last request failed. Returns rc. */
weft_err_t weft_ask_failed(const weft_ask_t *self, const weft_args_t *args, weft_err_t rc);

#endif
