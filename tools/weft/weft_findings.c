/* weft_findings: see weft_findings.h. */
#include "weft_findings.h"

#include "weft_out.h"
#include "weft_table.h"

#include <stdio.h>

#define FOUND_BYTES 512u

void weft_finding(const weft_findings_t *self, weft_health_t health, const char *check,
                  const char *where, const char *mend, const char *format, ...) {
    static const char *const names[] = {
        [WEFT_FINE] = "ok", [WEFT_DOUBT] = "warning", [WEFT_BAD] = "critical"};
    static const weft_colour_t colours[] = {
        [WEFT_FINE] = WEFT_GREEN, [WEFT_DOUBT] = WEFT_YELLOW, [WEFT_BAD] = WEFT_RED};
    char found[FOUND_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(found, sizeof found, format, args);
    va_end(args);
    for (char *at = found; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f) *at = '?';
    weft_verb_exit((int) health);
    if (self->json) {
        weft_out_json(json_pack("{s:s, s:s, s:s, s:s+, s:s}", "check", check, "status",
                                names[health], "where", where, "found", found, "", "do", mend));
    } else if (weft_term()) {
        weft_out("%s%-8s%s  %-8s  %s%s%s\n", weft_colour(colours[health]), names[health],
                 weft_colour(WEFT_PLAIN), check, where, *where ? ": " : "", found);
        if (*mend) weft_out("%20sdo: %s\n", "", mend);
    } else {
        weft_out("%s\t%s\t%s\t%s\t%s\n", names[health], check, *where ? where : "-", found,
                 *mend ? mend : "-");
    }
    weft_out_flush();
}
