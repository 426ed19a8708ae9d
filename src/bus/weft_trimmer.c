/* weft_trimmer: see weft_trimmer.h. The number of rows of a step follows from how long the last took. */
#include "weft_trimmer.h"

#include "weft_os.h"

#define ROWS_MIN 64u
#define ROWS_MAX 16384u
#define STEP_US 1000  /* what a step should take at most */
#define PAUSE_STEPS 9 /* then commits have this much more time than the step took */
#define TROUBLE_US 1000000
#define PACE 2u /* rows that a step forgets for each that was stored since the last one, at least */
#define PACED_MAX (2 * PACE * ROWS_MAX) /* not reached while each batch is followed by a look */

void weft_trimmer_init(weft_trimmer_t *self, weft_store_t *store) {
    *self = (weft_trimmer_t){.store = store, .rows = ROWS_MIN};
}

void weft_trimmer_order(weft_trimmer_t *self, uint64_t to) {
    if (to > self->goal && to > weft_store_anchor(self->store)) self->goal = to;
}

int64_t weft_trimmer_wait_ms(const weft_trimmer_t *self) {
    if (!self->goal) return -1;
    int64_t left_us = self->due_us - weft_os_monotonic_us();
    return left_us > 0 ? (left_us + 999) / 1000 : 0;
}

void weft_trimmer_step(weft_trimmer_t *self, uint64_t head) {
    uint64_t stored = self->head ? head - self->head : 0, rows = self->rows;
    if (!self->goal || (PACE * stored < rows && weft_trimmer_wait_ms(self) > 0)) return;
    if (rows < PACE * stored) rows = PACE * stored;
    if (rows > PACED_MAX) rows = PACED_MAX;
    self->head = head;
    int64_t start_us = weft_os_monotonic_us();
    uint64_t anchor = weft_store_anchor(self->store);
    uint64_t to = self->goal - anchor > rows ? anchor + rows : self->goal;
    weft_err_t rc = weft_store_trim(self->store, to);
    int64_t end_us = weft_os_monotonic_us(), took_us = end_us - start_us;
    if (rc == WEFT_E_FULL || rc == WEFT_E_LOCKED) { /* passes */
        self->due_us = end_us + TROUBLE_US;
        return;
    }
    if (rc != WEFT_OK || to == self->goal) {
        weft_diag(rc == WEFT_OK ? WEFT_DIAG_INFO : WEFT_DIAG_ERROR, "store.trimmed",
                  "first=%llu error=%s", (unsigned long long) weft_store_anchor(self->store),
                  weft_err_name(rc));
        self->goal = self->head = 0;
        return;
    }
    if (took_us > STEP_US && self->rows > ROWS_MIN) self->rows /= 2;
    if (took_us < STEP_US / 2 && self->rows < ROWS_MAX) self->rows *= 2;
    self->due_us = end_us + PAUSE_STEPS * took_us;
}
