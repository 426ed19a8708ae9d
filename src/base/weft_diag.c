/* weft_diag: one line of key=value on stderr, written in one call so that lines of threads and
 * processes do not mix. */
#include "weft.h"

#include "weft_os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 2048

static const char *const s_levels[] = {"debug", "info", "warn", "error", "off"};

static weft_diag_level_t s_least(void) {
    const char *wanted = getenv("WEFT_DIAG");
    for (unsigned i = 0; wanted && i < sizeof s_levels / sizeof *s_levels; i++)
        if (strcmp(wanted, s_levels[i]) == 0) return (weft_diag_level_t) i;
    return WEFT_DIAG_INFO;
}

void weft_diag(weft_diag_level_t level, const char *name, const char *format, ...) {
    if (level < s_least()) return;
    int keep = errno;
    char line[LINE_BYTES];
    int64_t now = weft_os_now_us();
    time_t seconds = (time_t) (now / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    int more = snprintf(line + used, sizeof line - used, ".%03dZ %s %s ", (int) (now / 1000 % 1000),
                        s_levels[level], name);
    used += (size_t) more;
    size_t text = used;
    va_list args;
    va_start(args, format);
    more = vsnprintf(line + used, sizeof line - used - 1, format, args);
    va_end(args);
    if (more > 0) used += (size_t) more;
    if (used > sizeof line - 2) used = sizeof line - 2;
    for (size_t i = text; i < used; i++)
        if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
    line[used++] = '\n';
    while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR) continue;
    errno = keep;
}
