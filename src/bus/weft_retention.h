/* weft_retention: which events the log may forget. It plans, on the control thread's connection; the
 * bus thread deletes (weft_trimmer). Never past the slowest service that reported lately, unless forced. */
#ifndef WEFT_RETENTION_H
#define WEFT_RETENTION_H

#include "weft.h"
#include "weft_control.h"
#include "weft_keep.h"
#include "weft_log_reader.h"
#include "weft_readers.h"

typedef struct weft_retention weft_retention_t;

/* From the control thread to the bus thread, as bytes through the pipe. */
typedef struct {
    enum { WEFT_ORDER_TRIM, WEFT_ORDER_READER } kind;
    uint64_t to;          /* TRIM: forget the events up to here */
    weft_reader_t reader; /* READER: write it down */
} weft_order_t;

typedef struct {
    weft_log_reader_t *reader; /* not owned; no transaction open */
    weft_keep_t keep;          /* the bus' own */
    uint64_t lately_us;        /* a service that was silent for longer holds nothing back */
    bool (*order)(void *arg, const weft_order_t *order); /* false: try again later */
    void *arg;
} weft_retention_config_t;

/* Reads the services that the store knows. WEFT_OK, WEFT_E_NOMEM, WEFT_E_STORE. */
weft_err_t weft_retention_new(weft_retention_t **out, const weft_retention_config_t *config);
void weft_retention_destroy(weft_retention_t **self_p);

void weft_retention_report(weft_retention_t *self, const weft_report_t *report, int64_t now_us);
/* Plan, and order it unless it is a dry run. text out on error, for people, within text_size.
 * out->holder points into self. WEFT_OK, WEFT_E_ARG (no bound, or beyond the head), WEFT_E_CORRUPT,
 * WEFT_E_STORE, WEFT_E_AGAIN (the bus thread is busy). */
weft_err_t weft_retention_trim(weft_retention_t *self, const weft_trim_t *trim, int64_t now_us,
                               weft_trimmed_t *out, char *text, size_t text_size);
/* What is due: services are written down, the bus' own bounds are kept. Call each second. */
void weft_retention_tick(weft_retention_t *self, int64_t now_us);

#endif
