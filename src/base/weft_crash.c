/* weft_crash: see weft_crash.h. Not part of weft_base: only programs with points compile it. */
#include "weft_crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void weft_crash_point(const char *name) {
    static atomic_long hits;
    const char *wanted = getenv("WEFT_CRASH_AT");
    size_t size = strlen(name);
    if (!wanted || strncmp(wanted, name, size) != 0 || wanted[size] != ':') return;
    if (atomic_fetch_add(&hits, 1) + 1 < strtol(wanted + size + 1, NULL, 10)) return;
    (void) raise(SIGKILL);
}
