/* weft_reports: the last REPORT of each service instance, for STATUS. Bounded in number and in
 * bytes: the report that is oldest makes room. */
#ifndef WEFT_REPORTS_H
#define WEFT_REPORTS_H

#include "weft.h"
#include "weft_buf.h"

#define WEFT_REPORT_BYTES_MAX (80u << 10)   /* 256 filters at their longest fit */
#define WEFT_REPORTS_BYTES_MAX (512u << 10) /* all of them fit into one STATE message */

typedef struct weft_reports weft_reports_t;

weft_reports_t *weft_reports_new(void); /* NULL: out of memory */
void weft_reports_destroy(weft_reports_t **self_p);
/* body is a legal REPORT body of this instance, copied. WEFT_OK, WEFT_E_TOO_BIG, WEFT_E_NOMEM. */
weft_err_t weft_reports_put(weft_reports_t *self, const weft_uuid_t *instance, int64_t seen_us,
                            const void *body, size_t size);
/* Append an array of {seen, report}, in no order. */
void weft_reports_encode(const weft_reports_t *self, weft_buf_t *w);
size_t weft_reports_count(const weft_reports_t *self);

#endif
