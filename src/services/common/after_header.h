/* after_header: the request headers of read-your-writes. Pure.
 *
 *   Weft-After: ORIGIN:SEQUENCE, …    events that the answer must know of
 *   Weft-Wait: MS                     how long to wait for them */
#ifndef AFTER_HEADER_H
#define AFTER_HEADER_H

#include <stdbool.h>

#include <weft.h>

#define AFTER_HEADER "Weft-After"
#define AFTER_WAIT_HEADER "Weft-Wait"
#define AFTER_TOKENS_MAX 8u
#define AFTER_WAIT_MS 2000u /* unless Weft-Wait says otherwise */
#define AFTER_WAIT_MS_MAX 30000u

/* reason  out: why not, in words for the client; static. */
bool after_header_tokens(const char *value, weft_after_t tokens[AFTER_TOKENS_MAX], size_t *count,
                         const char **reason);
/* value NULL: the default. */
bool after_header_wait(const char *value, unsigned *ms, const char **reason);

#endif
