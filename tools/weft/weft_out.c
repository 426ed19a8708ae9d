/* weft_out: see weft_out.h. The first error is kept, since stdio forgets which one it was. */
#include "weft_out.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 65536

static int s_errno;

void weft_out_init(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    if (!isatty(STDOUT_FILENO)) setvbuf(stdout, NULL, _IOFBF, BUFFER_BYTES);
}

static void s_keep(bool failed) {
    if (failed && !s_errno) s_errno = errno ? errno : EIO;
}

void weft_out(const char *format, ...) {
    va_list args;
    if (s_errno) return;
    va_start(args, format);
    s_keep(vprintf(format, args) < 0);
    va_end(args);
}

void weft_out_json(json_t *json) {
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17))
                      : NULL;
    json_decref(json);
    if (!text) {
        errno = ENOMEM;
        s_keep(true);
        return;
    }
    weft_out("%s\n", text);
    free(text);
}

weft_err_t weft_out_flush(void) {
    if (!s_errno) s_keep(fflush(stdout) != 0);
    return weft_out_failed();
}

weft_err_t weft_out_failed(void) {
    if (!s_errno) return WEFT_OK;
    return s_errno == EPIPE || s_errno == EINTR ? WEFT_E_INTERRUPTED : WEFT_E_IO;
}

const char *weft_out_reason(void) {
    return strerror(s_errno);
}
