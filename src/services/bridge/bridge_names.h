/* bridge_names: what types are called over HTTP. The services of a course say "PostCreated" where
 * weft says post.created; rules of the configuration translate, both ways:
 *
 *   "names": [{"weft": "post.created", "http": "PostCreated", "subject": "post/{id}"}, …]
 *
 * What no rule names keeps its name. Data is never touched: the blog's services and the course's use
 * the same fields. subject (may be left out) makes one for events that come without: {FIELD} is the
 * text of that field of the data. Events of one subject are parked together, so this is what puts a
 * course's events under the same heading as those of the C services. */
#ifndef BRIDGE_NAMES_H
#define BRIDGE_NAMES_H

#include <jansson.h>

#include <weft.h>

#define BRIDGE_SUBJECT_BYTES 1025u /* of the protocol, with a NUL */

typedef struct bridge_names bridge_names_t;

/* rules   borrowed; NULL: none.
 * reason  out: reason_size bytes, why not.
 * Returns WEFT_OK, WEFT_E_USAGE (a rule is malformed, or a name is there twice), WEFT_E_NOMEM. */
weft_err_t bridge_names_new(bridge_names_t **out, const json_t *rules, char *reason,
                            size_t reason_size);
/* NULL-safe, clears *self_p. */
void bridge_names_destroy(bridge_names_t **self_p);

/* From weft to HTTP, and from HTTP to weft. What is returned is borrowed from self, or the argument. */
const char *bridge_names_out(const bridge_names_t *self, const char *type);
const char *bridge_names_in(const bridge_names_t *self, const char *name);
/* A subject by the rule of a weft type: "" without a rule, if a field is no text or not there, or if the
 * result is no subject. */
void bridge_names_subject(const bridge_names_t *self, const char *type, const json_t *data,
                          char out[BRIDGE_SUBJECT_BYTES]);

#endif
