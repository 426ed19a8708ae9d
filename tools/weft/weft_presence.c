/* weft_presence: see weft_presence.h. */
#include "weft_presence.h"

#include "weft_os.h"

#define TELL_MS 2000

int64_t weft_presence_away_ms(const weft_presence_t *self) {
    return self->away_since_ms ? weft_os_monotonic_ms() - self->away_since_ms : 0;
}

void weft_presence_note(weft_presence_t *self, bool there) {
    if (there) {
        if (self->told) weft_say(self->args->verb, WEFT_OK, "bus %s is back", self->args->bus);
        self->told = false;
        self->away_since_ms = 0;
        return;
    }
    if (!self->away_since_ms) self->away_since_ms = weft_os_monotonic_ms();
    if (!self->args || self->told || weft_presence_away_ms(self) < TELL_MS) return;
    self->told = true;
    weft_say(self->args->verb, WEFT_OK, "bus %s does not answer, waiting for it", self->args->bus);
}

void weft_presence_told(void *presence, bool there) {
    weft_presence_note(presence, there);
}
