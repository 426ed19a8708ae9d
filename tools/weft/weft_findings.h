/* weft_findings: what weft doctor has looked at, how it is, and what to do about it. */
#ifndef WEFT_FINDINGS_H
#define WEFT_FINDINGS_H

#include "weft_verb.h"

typedef enum {
    WEFT_FINE = 0,
    WEFT_DOUBT = WEFT_EXIT_WARNING,
    WEFT_BAD = WEFT_EXIT_CRITICAL
} weft_health_t;

/* Printed at once, as a line or as JSON; the exit status of the program follows the worst.
 * where  a path, an endpoint, a service, or "".
 * mend   what to do; "" if all is well. */
typedef struct {
    bool json;
} weft_findings_t;

void weft_finding(const weft_findings_t *self, weft_health_t health, const char *check,
                  const char *where, const char *mend, const char *format, ...) WEFT_PRINTF(6, 7);

/* Checks, in the order in which they are made. */
void weft_doctor_host(const weft_findings_t *findings);
/* path: a directory, or a file in it. */
void weft_doctor_disk(const weft_findings_t *findings, const char *path);
/* The bus, and what it knows of services; their databases' disks as far as they are on this machine and
 * none of the paths that were looked at lies on the same. */
void weft_doctor_mesh(const weft_findings_t *findings, const weft_args_t *args);

#endif
