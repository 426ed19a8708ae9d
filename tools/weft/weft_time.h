/* weft_time: Unix time in µs as people write it. */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include "weft.h"

#define WEFT_TIME_BYTES 48u

/* RFC 3339 in UTC with 3 or 6 digits of a second. */
void weft_time_text(char out[WEFT_TIME_BYTES], int64_t us, unsigned digits);
/* RFC 3339 with any offset and fraction. False: it is none. */
bool weft_time_parse(const char *text, int64_t *us);
/* "90s", "5m", "1h", "7d". False: it is none. */
bool weft_time_span_parse(const char *text, int64_t *us);

#endif
