/* weft_progress: see weft_progress.h. Short work shows nothing. */
#include "weft_progress.h"

#include "weft_os.h"

#include <stdio.h>
#include <unistd.h>

#define FIRST_MS 500
#define EACH_MS 200

void weft_progress_begin(weft_progress_t *self, const char *what, uint64_t total) {
    int64_t now = weft_os_monotonic_ms();
    *self = (weft_progress_t){.what = what, .total = total, .start_ms = now, .told_ms = now};
}

void weft_progress_note(weft_progress_t *self, uint64_t done) {
    int64_t now = weft_os_monotonic_ms(), spent = now - self->start_ms;
    if (now - self->told_ms < (self->shown ? EACH_MS : FIRST_MS) || !isatty(STDERR_FILENO)) return;
    double rate = (double) done * 1000 / (double) spent;
    self->told_ms = now;
    self->shown = true;
    fprintf(stderr, "\r%llu", (unsigned long long) done);
    if (self->total)
        fprintf(stderr, " of %llu %s, %.0f %%", (unsigned long long) self->total, self->what,
                100.0 * (double) done / (double) self->total);
    else
        fprintf(stderr, " %s", self->what);
    fprintf(stderr, ", %.0f/s", rate);
    if (self->total > done && rate > 0)
        fprintf(stderr, ", %.0f s left", (double) (self->total - done) / rate);
    fprintf(stderr, "\x1b[K");
    fflush(stderr);
}

void weft_progress_end(weft_progress_t *self) {
    if (!self->shown) return;
    fprintf(stderr, "\r\x1b[K");
    fflush(stderr);
    self->shown = false;
}
