/* weft_pages: pages for FETCH. Who catches up asks for one page after the other, so the next one is
 * read while the last one is on its way. The last few pages are kept: services that start together ask
 * for the same.
 * Owned by one thread, the reader's. */
#ifndef WEFT_PAGES_H
#define WEFT_PAGES_H

#include "weft_log_reader.h"

#include <zmq.h>

typedef struct weft_pages weft_pages_t;

/* NULL: out of memory. reader and log live longer than self. */
weft_pages_t *weft_pages_new(weft_log_reader_t *reader, const weft_uuid_t *log);
void weft_pages_destroy(weft_pages_t **self_p);

/* What a FETCH asks for: type, stamp, event in turn are in body, which is to be copied
 * (zmq_msg_copy shares the bytes) before the next call.
 * filters: those of fetch, decoded. Returns as weft_log_reader_place and _page. */
weft_err_t weft_pages_get(weft_pages_t *self, const weft_fetch_t *fetch,
                          const weft_filters_t *filters, weft_log_head_t *head,
                          weft_log_page_t *page, zmq_msg_t **body);
/* Read the page behind the one that was served last. Call it when no request waits. */
void weft_pages_ahead(weft_pages_t *self);
/* Forget what nobody asked for since the last call. */
void weft_pages_tick(weft_pages_t *self);
/* How many were served that had been read before, or ahead. */
uint64_t weft_pages_again(const weft_pages_t *self);

#endif
