/* weft_scan: see weft_scan.h. */
#include "weft_scan.h"

#include "weft_limits.h"
#include "weft_progress.h"

weft_err_t weft_scan(weft_ask_t *ask, const weft_args_t *args, const weft_filters_t *filters,
                     uint64_t after, uint64_t up_to, weft_scan_fn fn, void *arg) {
    weft_progress_t progress;
    uint64_t start = after;
    weft_err_t rc = WEFT_OK;
    bool more = true;
    weft_progress_begin(&progress, "events", up_to > after ? up_to - after : 0);
    while (more && after < up_to) {
        weft_page_t page;
        weft_mp_t body;
        weft_ask_row_t row;
        rc = weft_ask_page(ask, args->timeout_ms, after, filters, WEFT_PAGE_EVENTS_MAX, &page,
                           &body);
        if (rc != WEFT_OK) break;
        uint64_t next = page.next;
        while (more && weft_ask_page_next(&body, &row) && row.stamp.position <= up_to)
            more = fn(arg, &row);
        if (next <= after) break; /* the head: C2, a page moves on */
        after = next;
        weft_progress_note(&progress, after - start);
    }
    weft_progress_end(&progress);
    return rc == WEFT_OK ? rc : weft_ask_failed(ask, args, rc);
}
