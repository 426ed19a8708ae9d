/* weft_sub_end: what the service needs of a subscriber beyond weft.h. */
#ifndef WEFT_SUB_END_H
#define WEFT_SUB_END_H

#include "weft_control.h"

/* Tell the bus how the service is doing; lost if the bus is away. */
void weft_sub_report(weft_sub_t *self, const weft_report_t *report);
/* As weft_subscriber_began. */
bool weft_sub_began(const weft_sub_t *self, weft_resume_t *out);

#endif
