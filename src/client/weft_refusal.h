/* weft_refusal: what a log refuses a service for, and what its user can do. */
#ifndef WEFT_REFUSAL_H
#define WEFT_REFUSAL_H

#include "weft.h"

/* --adopt-log goes on after it. */
bool weft_refusal_of_place(weft_err_t code);
/* --new-origin goes on after it. */
bool weft_refusal_of_origin(weft_err_t code);
/* One line: what happened, and the ways on, or the option that is followed now (NULL: none). Nothing for
 * codes that are told elsewhere. */
void weft_refusal_tell(const char *name, const char *database, weft_err_t code,
                       const char *followed);

#endif
