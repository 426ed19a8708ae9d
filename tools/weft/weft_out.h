/* weft_out: standard output that tells a reader who went away from a disk that is full. */
#ifndef WEFT_OUT_H
#define WEFT_OUT_H

#include "weft.h"

#include <jansson.h>

void weft_out_init(void); /* SIGPIPE becomes an error; more buffer if it is no terminal */
void weft_out(const char *format, ...) WEFT_PRINTF(1, 2);
/* One object a line; taken over. */
void weft_out_json(json_t *json);
/* WEFT_OK, WEFT_E_INTERRUPTED (nobody reads any more: no reason to complain), WEFT_E_IO. Once it
 * has failed it stays so. */
weft_err_t weft_out_flush(void);
/* The same without writing what is buffered. */
weft_err_t weft_out_failed(void);
const char *weft_out_reason(void); /* of WEFT_E_IO */

#endif
