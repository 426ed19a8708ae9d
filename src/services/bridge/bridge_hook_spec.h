/* bridge_hook_spec: what a hook is told to do, as JSON and as a word of the command line. Pure. */
#ifndef BRIDGE_HOOK_SPEC_H
#define BRIDGE_HOOK_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft.h>

#define BRIDGE_HOOK_NAME_CHARS_MAX 64u
#define BRIDGE_HOOK_PARALLEL_MAX 64u
#define BRIDGE_HOOK_REASON_BYTES 256u
#define BRIDGE_HOOK_FILTERS_MAX 256u

typedef enum {
    BRIDGE_MODE_DURABLE, /* each event until it is taken, or parked */
    BRIDGE_MODE_COURSE   /* each event once, what is refused is skipped */
} bridge_mode_t;

typedef enum {
    BRIDGE_FORMAT_COURSE,     /* {"type":…,"data":…} */
    BRIDGE_FORMAT_STRUCTURED, /* CloudEvents, all in the body */
    BRIDGE_FORMAT_BINARY      /* CloudEvents, the attributes in headers */
} bridge_format_t;

/* Where a hook begins. */
typedef struct {
    weft_start_t kind; /* BEGINNING, NOW or POSITION; RESUME: where it stands */
    uint64_t position; /* of POSITION: events after it */
} bridge_start_t;

typedef struct {
    char *url;
    char **filters; /* none: all events */
    size_t filters_count;
    bridge_mode_t mode;
    bridge_format_t format;
    unsigned parallel;   /* requests at once; in order for each subject if more than one */
    unsigned attempts;   /* that an event may be refused before it is parked; 0: without end */
    unsigned timeout_ms; /* for one answer */
    bool paused;
} bridge_hook_spec_t;

/* 1..64 of A-Z a-z 0-9 _ - . */
bool bridge_hook_name_ok(const char *name);

/* Take from a JSON object what it says: url filters mode format parallel attempts timeoutMs paused start. What it
 * does not say stays as in before, which is NULL for a new hook (url is needed then).
 * out     to be cleared, also after an error.
 * start   out: RESUME if it says nothing of start.
 * field   out: the field that is wrong, borrowed; reason: BRIDGE_HOOK_REASON_BYTES bytes, why.
 * Returns WEFT_OK, WEFT_E_ARG, WEFT_E_NOMEM. */
weft_err_t bridge_hook_spec_read(bridge_hook_spec_t *out, bridge_start_t *start,
                                 const bridge_hook_spec_t *before, const json_t *json,
                                 const char **field, char *reason);
/* All of it but start. NULL without memory. */
json_t *bridge_hook_spec_json(const bridge_hook_spec_t *spec);
void bridge_hook_spec_clear(bridge_hook_spec_t *spec);

/* Cut "NAME=URL[=FILTER,…][;KEY=VALUE]…" into a name and such a JSON object; '=' and ';' in a URL are written %3D
 * and %3B. name: BRIDGE_HOOK_NAME_CHARS_MAX + 1 bytes. NULL, and the reason, if it has another form. */
json_t *bridge_hook_word_read(const char *word, char *name, char *reason);

#endif
