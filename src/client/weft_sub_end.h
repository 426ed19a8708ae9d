/* weft_sub_end: what the service needs of a subscriber beyond weft.h. */
#ifndef WEFT_SUB_END_H
#define WEFT_SUB_END_H

#include "weft_control.h"

/* Tell the bus how the service is doing; lost if the bus is away. */
void weft_sub_report(weft_sub_t *self, const weft_report_t *report);
/* All that matches up to here has been handed out. Beyond the position of weft_sub_info while nothing but
 * events of no interest came, of which weft_sub_recv tells only now and then. */
uint64_t weft_sub_passed(const weft_sub_t *self);
/* As weft_subscriber_drops. */
const uint64_t *weft_sub_drops(const weft_sub_t *self);
/* As weft_subscriber_began. */
bool weft_sub_began(const weft_sub_t *self, weft_resume_t *out);

#endif
