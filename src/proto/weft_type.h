/* weft_type: the grammar of event types and of filters.
 *   type    segment *("." segment)              1..255 bytes; segment = 1*(ALPHA / DIGIT / "_" / "-")
 *   filter  type / ">" / type ".*" / type ".>" / "*"
 * "*" stands for exactly one segment and ">" for one or more; both only at the end. */
#ifndef WEFT_TYPE_H
#define WEFT_TYPE_H

#include "weft.h"

weft_err_t weft_type_check(const char *type, size_t size);
weft_err_t weft_filter_check(const char *filter, size_t size);
/* Both have been checked. */
bool weft_filter_match(const char *filter, size_t filter_size, const char *type, size_t type_size);
/* The ZeroMQ subscription that lets through at least what the filter matches: a prefix of filter,
 * its length is returned. */
size_t weft_filter_topic(const char *filter, size_t filter_size);

#endif
