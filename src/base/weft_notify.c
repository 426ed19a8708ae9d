/* weft_notify: see weft_notify.h. Failures are systemd's to see: it hears nothing. */
#include "weft_notify.h"

#include <systemd/sd-daemon.h>

static int64_t s_every_ms = -1; /* -1: not asked yet; 0: nobody wants beats */
static int64_t s_due_ms;

void weft_notify_ready(void) {
    (void) sd_notify(0, "READY=1");
}

void weft_notify_stopping(void) {
    (void) sd_notify(0, "STOPPING=1");
}

void weft_notify_beat(int64_t now_ms) {
    uint64_t within_us = 0;
    if (s_every_ms < 0)
        s_every_ms = sd_watchdog_enabled(0, &within_us) > 0 ? (int64_t) (within_us / 2000) : 0;
    if (!s_every_ms || now_ms < s_due_ms) return;
    s_due_ms = now_ms + s_every_ms;
    (void) sd_notify(0, "WATCHDOG=1");
}
