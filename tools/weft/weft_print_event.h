/* weft_print_event: one event as one line, for people or as JSON. */
#ifndef WEFT_PRINT_EVENT_H
#define WEFT_PRINT_EVENT_H

#include "weft.h"

/* POSITION TIME TYPE SUBJECT DATA, or with json one object. Goes to weft_out. */
void weft_print_event(const weft_event_t *event, bool json);

#endif
