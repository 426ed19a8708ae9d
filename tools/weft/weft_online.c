/* weft_online: see weft_online.h. */
#include "weft_online.h"

#include "weft_stop.h"

weft_err_t weft_ask_begin(weft_ask_t *self, const weft_args_t *args) {
    weft_err_t rc = weft_ask_open(self, args->bus);
    if (rc != WEFT_OK) return weft_say(args->verb, rc, "cannot connect to bus '%s'", args->bus);
    self->stop_fd = weft_stop_fd();
    return rc;
}

weft_err_t weft_ask_failed(const weft_ask_t *self, const weft_args_t *args, weft_err_t rc) {
    return rc == WEFT_E_INTERRUPTED ? rc : weft_say(args->verb, rc, "%s", weft_ask_reason(self));
}
