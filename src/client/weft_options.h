/* weft_options: "--name value" and "--name=value", flags "--name"; one table for parsing and for --help. */
#ifndef WEFT_OPTIONS_H
#define WEFT_OPTIONS_H

#include "weft.h"

/* Parse argv[1..] against both lists (the second may be NULL). --help prints usage with about to
 * stdout, --version the version; a mistake goes to stderr with the way to help.
 * WEFT_OK, WEFT_E_HELP, WEFT_E_USAGE. */
weft_err_t weft_options_parse(const char *program, const char *about, int argc, char **argv,
                              const weft_option_t *options, size_t options_count,
                              const weft_option_t *more, size_t more_count);
/* A whole number within bounds. False: it is none. */
bool weft_options_number(const char *text, uint64_t least, uint64_t most, uint64_t *out);

#endif
