/* weft_notify: tells systemd how the program is, if it was started by it (sd_notify(3)); else nothing
 * happens. Beats come from the loop that does the work, never from a thread of their own: one that goes on
 * beating while the work stands still would be worse than none. */
#ifndef WEFT_NOTIFY_H
#define WEFT_NOTIFY_H

#include <stdint.h>

void weft_notify_ready(void);
void weft_notify_stopping(void);
/* The loop went round. Call as often as it does: a message goes out each half of WatchdogSec=. One
 * thread. */
void weft_notify_beat(int64_t now_ms);

#endif
