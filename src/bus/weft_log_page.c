/* weft_log_page: pages of events that filters match, by a scan, or row by row where postings tell that
 * few of a block are of interest. See weft_log_reader.h. */
#include "weft_log_reader_inner.h"

#include "weft_assert.h"
#include "weft_limits.h"
#include "weft_record.h"
#include "weft_type.h"
#include "weft_wire_event.h"

#include <inttypes.h>
#include <string.h>

/* what they cost, in rows of a scan: postings of a block, and a row that they name */
#define BLOCK_ROWS 64
#define PICK_ROWS 16

typedef enum { WANTED_UNKNOWN, WANTED_NO, WANTED_YES } weft_wanted_t;

static bool s_match(const weft_filters_t *filters, const weft_log_type_t *type) {
    for (size_t i = 0; i < filters->count; i++)
        if (weft_filter_match(filters->items[i].data, filters->items[i].size, type->name,
                              type->size))
            return true;
    return false;
}

/* Does the page in hand want this type? Filters are tried once a type and page. */
static bool s_wanted(weft_log_reader_t *self, size_t id) {
    if (self->wanted[id] == WANTED_UNKNOWN)
        self->wanted[id] = s_match(self->filters, &self->types[id]) ? WANTED_YES : WANTED_NO;
    return self->wanted[id] == WANTED_YES;
}

/* A page in the making. */
typedef struct {
    weft_buf_t *w;
    size_t start; /* of the page in w */
    uint64_t max_events, max_bytes;
    uint64_t rows, bytes; /* looked at */
    uint64_t passed; /* no events of interest up to here, say postings; counts beyond out->next */
    bool closed;     /* no room for the next event */
    weft_log_page_t *out;
} weft_page_work_t;

static bool s_open_page(const weft_page_work_t *page) {
    return !page->closed && page->out->count < page->max_events &&
           page->rows < WEFT_PAGE_ROWS_MAX && page->bytes < WEFT_PAGE_LOOK_BYTES_MAX;
}

/* Append type, stamp and event. False: the page has no room for it, and is closed. */
static bool s_put_row(weft_page_work_t *page, const weft_log_row_t *row,
                      const weft_log_type_t *type) {
    weft_buf_t *w = page->w;
    weft_stamp_t stamp = {
        .position = row->position, .stored_us = row->stored_us, .chain = row->chain};
    size_t before = w->size;
    weft_mp_put_str(w, type->name, type->size);
    size_t more = w->size - before + WEFT_STAMP_BYTES_MAX + row->size;
    if (before > page->start && before - page->start + more > page->max_bytes) {
        w->size = before;
        page->closed = true;
        return false;
    }
    uint8_t *to = weft_buf_reserve(w, WEFT_STAMP_BYTES_MAX);
    if (to) { /* no memory: w says so in the end */
        weft_stamp_write(to, &stamp);
        w->size += WEFT_STAMP_BYTES_MAX;
        weft_buf_append(w, row->event, row->size);
    }
    page->out->count++;
    page->out->sum += row->checksum;
    return true;
}

/* One row of a scan. A row that the filters skip is checked like any other: if its type is what was
 * damaged, an event of interest would be missed without a word. */
static weft_err_t s_scan_row(weft_log_reader_t *self, weft_page_work_t *page, weft_log_row_t *row) {
    const weft_log_type_t *type;
    weft_log_page_t *out = page->out;
    if (row->position != out->next + 1)
        return weft_log_damaged(self, out->next + 1, weft_log_missing);
    weft_err_t rc = weft_log_check_row(self, row, out->chain, &type);
    if (rc != WEFT_OK) return rc;
    if (s_wanted(self, (size_t) row->type) && !s_put_row(page, row, type)) return WEFT_OK;
    out->next = row->position;
    out->chain = row->chain;
    return WEFT_OK;
}

static uint64_t s_at(const weft_page_work_t *page) {
    return page->passed > page->out->next ? page->passed : page->out->next;
}

/* Go to the end of what was passed over: the row there tells the chain. */
static weft_err_t s_settle(weft_log_reader_t *self, weft_page_work_t *page) {
    uint64_t at = s_at(page), chain;
    if (at == page->out->next) return WEFT_OK;
    weft_err_t rc = weft_log_reader_verify(self, at, &chain);
    if (rc != WEFT_OK) return rc;
    page->out->next = at;
    page->out->chain = chain;
    return WEFT_OK;
}

/* Look at one row after the other, up to position to. */
static weft_err_t s_scan(weft_log_reader_t *self, weft_page_work_t *page, uint64_t to) {
    weft_err_t stop = s_settle(self, page);
    if (stop != WEFT_OK) return stop;
    weft_stmt_bind_bits(&self->rows_after, 1, page->out->next);
    weft_stmt_bind_bits(&self->rows_after, 2, to - page->out->next);
    while (stop == WEFT_OK && s_open_page(page)) {
        weft_log_row_t row;
        if (!weft_stmt_row(&self->rows_after)) {
            if (page->out->next < to)
                stop = weft_log_damaged(self, page->out->next + 1, weft_log_missing);
            break;
        }
        weft_log_take_row(&self->rows_after, &row);
        page->rows++;
        page->bytes += row.size;
        stop = s_scan_row(self, page, &row);
    }
    weft_err_t rc = weft_stmt_done(&self->rows_after);
    return rc == WEFT_OK ? stop : weft_log_unreadable(self, rc, page->out->next + 1);
}

/* One row that the postings name. The row vouches for the chain before it. */
static weft_err_t s_take_picked(weft_log_reader_t *self, weft_page_work_t *page,
                                const weft_stmt_t *st, uint64_t previous) {
    const weft_log_type_t *type;
    weft_log_row_t row;
    weft_log_take_row(st, &row);
    weft_err_t rc = weft_log_check_row(self, &row, previous, &type);
    if (rc != WEFT_OK) return rc;
    bool put = !s_wanted(self, (size_t) row.type) || s_put_row(page, &row, type);
    page->bytes += row.size;
    page->out->next = put ? row.position : row.position - 1;
    page->out->chain = put ? row.chain : previous;
    return WEFT_OK;
}

/* From the copies of rare rows. False: it has none, or a damaged one; then the log's own tells. */
static bool s_pick_copy(weft_log_reader_t *self, weft_page_work_t *page, uint64_t position) {
    weft_err_t taken = WEFT_E_NOT_FOUND;
    if (!self->rare.stmt) return false;
    weft_stmt_bind_bits(&self->rare, 1, position);
    if (weft_stmt_row(&self->rare))
        taken = s_take_picked(self, page, &self->rare, weft_stmt_bits(&self->rare, 5));
    if (weft_stmt_done(&self->rare) == WEFT_OK && taken == WEFT_OK) return true;
    if (taken == WEFT_E_CORRUPT && !self->rare_damaged) {
        weft_diag(WEFT_DIAG_WARN, "reader.rare", "position=%" PRIu64 " reason=damaged action=log",
                  position);
        self->rare_damaged = true;
    }
    return false;
}

static weft_err_t s_pick_row(weft_log_reader_t *self, weft_page_work_t *page, uint64_t position) {
    uint64_t previous;
    if (s_pick_copy(self, page, position)) return WEFT_OK;
    weft_err_t rc = weft_log_chain_at(self, position - 1, &previous), checked;
    if (rc != WEFT_OK) return rc;
    weft_stmt_bind_bits(&self->row, 1, position);
    if (weft_stmt_row(&self->row)) {
        checked = s_take_picked(self, page, &self->row, previous);
    } else {
        checked = weft_log_damaged(self, position, weft_log_missing);
    }
    rc = weft_stmt_done(&self->row);
    return rc == WEFT_OK ? checked : weft_log_unreadable(self, rc, position);
}

/* Is a row of that type to be looked at? Also if its name cannot be read, or no row has vouched for it
 * yet: by a damaged name all its events would be passed over without a word. */
static bool s_wanted_id(void *arg, int64_t id) {
    weft_log_reader_t *self = arg;
    const weft_log_type_t *type;
    if (weft_log_type(self, id, &type) != WEFT_OK || !type || !type->vouched) return true;
    return s_wanted(self, (size_t) id);
}

/* Does the block have postings, and few events of interest? Then self->picks holds their positions. */
static bool s_find_picks(weft_log_reader_t *self, uint64_t block, size_t *count) {
    bool found = false;
    if (!self->postings.stmt) return false;
    weft_stmt_bind_bits(&self->postings, 1, block);
    if (weft_stmt_row(&self->postings)) {
        size_t size;
        const void *blob = weft_stmt_blob(&self->postings, 0, &size);
        found = weft_postings_find(block, blob, size, s_wanted_id, self, self->picks,
                                   WEFT_LOG_PICKS_MAX, count);
        if (!found && !self->postings_damaged) {
            weft_diag(WEFT_DIAG_WARN, "reader.postings",
                      "block=%" PRIu64 " reason=damaged action=scan", block);
            self->postings_damaged = true;
        }
    }
    return weft_stmt_done(&self->postings) == WEFT_OK && found && *count <= WEFT_LOG_PICKS_MAX;
}

/* Go to the end of a block by its postings, unless the page is full before an event of interest: looking
 * into the postings alone may have filled it. */
static weft_err_t s_pick(weft_log_reader_t *self, weft_page_work_t *page, uint64_t end,
                         size_t count) {
    page->rows += BLOCK_ROWS;
    for (size_t i = 0; i < count; i++) {
        if (self->picks[i] <= page->out->next) continue;
        if (!s_open_page(page)) return WEFT_OK;
        page->rows += PICK_ROWS;
        weft_err_t rc = s_pick_row(self, page, self->picks[i]);
        if (rc != WEFT_OK || page->closed) return rc;
    }
    page->passed = end;
    return WEFT_OK;
}

static bool s_takes_all(const weft_filters_t *filters) {
    for (size_t i = 0; i < filters->count; i++)
        if (filters->items[i].size == 1 && *filters->items[i].data == '>') return true;
    return false;
}

/* The first row after from is damaged, unless it is from itself, whose chain it was held against. */
static weft_err_t s_blame(weft_log_reader_t *self, uint64_t from) {
    uint64_t chain;
    char reason[sizeof self->reason];
    memcpy(reason, self->reason, sizeof reason);
    weft_err_t rc = weft_log_reader_verify(self, from, &chain);
    if (rc != WEFT_OK) return rc;
    memcpy(self->reason, reason, sizeof reason);
    return WEFT_E_CORRUPT;
}

weft_err_t weft_log_reader_page(weft_log_reader_t *self, uint64_t from,
                                const weft_filters_t *filters, uint64_t max_events,
                                uint64_t max_bytes, weft_buf_t *w, weft_log_page_t *out) {
    WEFT_ASSERT(self->open && max_events > 0);
    weft_page_work_t page = {
        .w = w, .start = w->size, .max_events = max_events, .max_bytes = max_bytes, .out = out};
    bool all = s_takes_all(filters);
    *out = (weft_log_page_t){.next = from};
    self->filters = filters;
    memset(self->wanted, WANTED_UNKNOWN, self->types_capacity);
    weft_err_t rc = weft_log_chain_at(self, from, &out->chain);
    if (rc != WEFT_OK) return rc;
    while (rc == WEFT_OK && s_open_page(&page) && s_at(&page) < self->at.position) {
        uint64_t block = weft_postings_block(s_at(&page) + 1), end = weft_postings_last(block);
        size_t count = 0;
        if (all || end > self->at.position)
            rc = s_scan(self, &page, self->at.position);
        else if (s_find_picks(self, block, &count))
            rc = s_pick(self, &page, end, count);
        else
            rc = s_scan(self, &page, end);
    }
    if (rc == WEFT_OK) rc = s_settle(self, &page);
    self->filters = NULL;
    /* what lies before the damage is whole */
    if (rc == WEFT_E_CORRUPT) rc = out->next > from ? WEFT_OK : s_blame(self, from);
    return rc == WEFT_OK && !weft_buf_ok(w) ? WEFT_E_NOMEM : rc;
}
