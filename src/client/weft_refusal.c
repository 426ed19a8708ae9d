/* weft_refusal: see weft_refusal.h. docs/operations.md says more about each. */
#include "weft_refusal.h"

#include <stddef.h>

static const struct {
    weft_err_t code;
    bool place, origin;
    const char *ways;
} s_refusals[] = {
    {WEFT_E_OTHER_LOG, true, true,
     "start the bus on the store that this database belongs to; or rebuild the service; or accept "
     "the log as it is: --adopt-log now|start|N, and --new-origin if it emits events"},
    {WEFT_E_LOG_BEHIND, true, false,
     "restore a newer copy of the bus' store; or rebuild the service; or accept the log as it is: "
     "--adopt-log now|start|N"},
    {WEFT_E_FORKED, true, false,
     "restore the right copy of the bus' store; or rebuild the service; or accept the log as it is: "
     "--adopt-log now|start|N"},
    {WEFT_E_GONE, true, false,
     "rebuild the service from what is kept; or go on without what is gone: --adopt-log "
     "now|start|N"},
    {WEFT_E_TWIN, false, true,
     "stop the other process that uses a copy of this database; or restore its newest copy; or go "
     "on with this one: --new-origin"},
    {WEFT_E_BUS_LOST, false, true,
     "restore a newer copy of the bus' store; or go on without the lost events: --new-origin"},
};

#define COUNT (sizeof s_refusals / sizeof *s_refusals)

bool weft_refusal_of_place(weft_err_t code) {
    for (size_t i = 0; i < COUNT; i++)
        if (s_refusals[i].code == code) return s_refusals[i].place;
    return false;
}

bool weft_refusal_of_origin(weft_err_t code) {
    for (size_t i = 0; i < COUNT; i++)
        if (s_refusals[i].code == code) return s_refusals[i].origin;
    return false;
}

void weft_refusal_tell(const char *name, const char *database, weft_err_t code,
                       const char *followed) {
    for (size_t i = 0; i < COUNT; i++) {
        if (s_refusals[i].code != code) continue;
        if (followed)
            weft_diag(WEFT_DIAG_WARN, "service.refused",
                      "name=%s error=%s reason=\"%s\" database=\"%s\" followed=\"%s\"", name,
                      weft_err_name(code), weft_err_text(code), database, followed);
        else
            weft_diag(WEFT_DIAG_ERROR, "service.refused",
                      "name=%s error=%s reason=\"%s\" database=\"%s\" ways=\"%s\"", name,
                      weft_err_name(code), weft_err_text(code), database, s_refusals[i].ways);
    }
}
