/* weft_bus_metrics_services: what services report of themselves, as figures of the bus. */
#ifndef WEFT_BUS_METRICS_SERVICES_H
#define WEFT_BUS_METRICS_SERVICES_H

#include "weft_buf.h"
#include "weft_log_reader.h"

/* Append the families weft_bus_service_*, one sample for each service. Of several reports under one name
 * the last one heard counts: a service that was rebuilt has another instance.
 * reports  as weft_reports_encode makes them.
 * reader   no transaction open; tells when the event was stored that a service has to apply next. */
void weft_bus_metrics_services(weft_buf_t *w, const weft_buf_t *reports, uint64_t head,
                               weft_log_reader_t *reader, int64_t now_us);

#endif
