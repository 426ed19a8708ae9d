/* weft_keep: how much of a log to keep, as people write it: "30d", "20GB" or "30d,20GB". */
#ifndef WEFT_KEEP_H
#define WEFT_KEEP_H

#include "weft.h"

#define WEFT_KEEP_BYTES_MIN UINT64_C(1000000) /* 1MB */

/* 0: no such bound. With both, an event is forgotten as soon as one of them says so. */
typedef struct {
    uint64_t age_us;
    uint64_t bytes;
} weft_keep_t;

/* Ages in s, m, h, d; sizes in MB, GB, TB (powers of 1000) and MiB, GiB, TiB, at least 1MB; whole numbers.
 * reason out on error: static, what is wrong. WEFT_OK, WEFT_E_ARG. */
weft_err_t weft_keep_parse(weft_keep_t *out, const char *text, const char **reason);
/* One age, as above. */
weft_err_t weft_keep_parse_age(uint64_t *age_us, const char *text, const char **reason);

#endif
