/* weft_bus_health: whether the bus takes events and whether its loops go round, from its figures alone.
 * Any thread. */
#ifndef WEFT_BUS_HEALTH_H
#define WEFT_BUS_HEALTH_H

#include "weft_bus_stats.h"

#define WEFT_TROUBLE_BYTES 128u

/* A loop wakes at least each second. One that has not for so long waits for a disk that does not answer,
 * or has ended. */
#define WEFT_BUS_STUCK_MS 10000

/* Why no events are accepted; "" if they are. The text is text, or static. */
const char *weft_bus_trouble_text(const weft_bus_stats_t *stats, char text[WEFT_TROUBLE_BYTES]);
/* Which loop stands still, "bus" or "control"; NULL: none. Static. */
const char *weft_bus_stuck(const weft_bus_stats_t *stats, int64_t now_ms);

#endif
