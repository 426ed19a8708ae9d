/* weft_diag: how diagnostics look and how many there are, for the programs that let people choose. The
 * lines themselves are written by weft_diag of weft.h. Any thread. */
#ifndef WEFT_DIAG_H
#define WEFT_DIAG_H

#include "weft.h"

typedef enum {
    WEFT_DIAG_TEXT,   /* TIME LEVEL NAME key=value … */
    WEFT_DIAG_LOGFMT, /* time=TIME level=LEVEL event=NAME key=value … */
    WEFT_DIAG_JSON /* {"time":…,"level":…,"event":…,"key":"value",…}; every value is a string */
} weft_diag_form_t;

#define WEFT_DIAG_FORMS "text|logfmt|json" /* as people write them */

/* False: text names no form. */
bool weft_diag_form_parse(const char *text, weft_diag_form_t *out);
/* Instead of that of WEFT_DIAG_FORMAT in the environment (default: text). */
void weft_diag_set_form(weft_diag_form_t form);

/* One level more than now, down to debug; and back to what the environment says. Also from a signal
 * handler. */
void weft_diag_more(void);
void weft_diag_back(void);

/* Lines of a level that were written since the start. */
uint64_t weft_diag_lines(weft_diag_level_t level);
/* "debug", "info", "warn", "error". */
const char *weft_diag_level_name(weft_diag_level_t level);

#endif
