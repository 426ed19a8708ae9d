/* weft_bus_health: see weft_bus_health.h. */
#include "weft_bus_health.h"

#include <stdio.h>

const char *weft_bus_trouble_text(const weft_bus_stats_t *stats, char text[WEFT_TROUBLE_BYTES]) {
    weft_err_t code = weft_bus_stat_trouble(stats);
    if (code == WEFT_OK) return "";
    if (code == WEFT_E_FULL) return "disk is full";
    if (code == WEFT_E_LOCKED) return "another program holds a lock on the store";
    snprintf(text, WEFT_TROUBLE_BYTES, "store failed: %s; restart the bus", weft_err_text(code));
    return text;
}

static bool s_stands(const atomic_int_least64_t *turn, int64_t now_ms) {
    return now_ms - atomic_load_explicit(turn, memory_order_relaxed) > WEFT_BUS_STUCK_MS;
}

const char *weft_bus_stuck(const weft_bus_stats_t *stats, int64_t now_ms) {
    if (s_stands(&stats->bus_turn_ms, now_ms)) return "bus";
    return s_stands(&stats->control_turn_ms, now_ms) ? "control" : NULL;
}
