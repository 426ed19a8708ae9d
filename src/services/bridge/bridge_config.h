/* bridge_config: the file of --config, a JSON object:
 *
 *   names    see bridge_names.h
 *   tokens   {"POST /events": "SECRET", …}: who asks for that route says "Authorization: Bearer SECRET"
 *
 * A section that nobody knows is refused: it is a word misspelt. */
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H

#include <jansson.h>

#include <weft.h>

/* path  NULL: an empty configuration.
 * out   owned by the caller.
 * Returns WEFT_OK, WEFT_E_USAGE (the reason is on stderr), WEFT_E_NOMEM. */
weft_err_t bridge_config_load(const char *path, json_t **out);

/* What a token may be: 1..256 visible characters of ASCII. */
bool bridge_token_ok(const char *token);
/* True for "Bearer TOKEN" (the scheme in any case). Takes as long for any guess of a length. */
bool bridge_token_given(const char *authorization, const char *token);

#endif
