/* weft_print_event: one event as one line, for people or as JSON. */
#ifndef WEFT_PRINT_EVENT_H
#define WEFT_PRINT_EVENT_H

#include "weft_verb.h"

typedef struct {
    bool json;
    const char *format; /* NULL: none */
} weft_print_t;

#define WEFT_PRINT_OPTION(variable)                                                       \
    {                                                                                     \
        "format", "FORMAT", "-f FORMAT: a line an event as FORMAT says, see below", NULL, \
            &(variable), NULL                                                             \
    }
#define WEFT_PRINT_HELP                                                                             \
    "FORMAT: %p position, %t type, %s subject, %d data as JSON, %T time stored, %E time emitted,\n" \
    "%S source, %o origin, %q sequence, %c cause (0: none), %j all as JSON, %%, \\t, \\n.\n"

/* WEFT_OK, or WEFT_E_USAGE, told. format may be NULL. */
weft_err_t weft_print_begin(weft_print_t *self, const weft_args_t *args, const char *format);
/* POSITION TIME TYPE SUBJECT DATA, or as the format says, or with json one object. Goes to weft_out. */
void weft_print_event(const weft_print_t *self, const weft_event_t *event);

#endif
