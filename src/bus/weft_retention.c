/* weft_retention: see weft_retention.h.
 * An age is found by halving, since stored_us never goes back (I6). For a size the rows are sampled: their
 * sizes say where in the log the bytes lie; the bus' own bounds are looked at again and again, so a
 * rough answer is good enough. */
#include "weft_retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 256u
#define ROW_BYTES 40u /* what a row costs beside its event */

struct weft_retention {
    weft_retention_config_t config;
    weft_readers_t *readers;
    weft_reader_t holder; /* of the last plan */
};

static bool s_load(void *arg, const weft_reader_t *reader) {
    weft_readers_load(arg, reader);
    return true;
}

weft_err_t weft_retention_new(weft_retention_t **out, const weft_retention_config_t *config) {
    weft_err_t rc = WEFT_E_NOMEM;
    weft_retention_t *self = calloc(1, sizeof *self);
    if (!self) return rc;
    self->config = *config;
    self->readers = weft_readers_new();
    if (self->readers) rc = weft_log_reader_readers(config->reader, s_load, self->readers);
    if (rc == WEFT_OK) {
        *out = self;
        self = NULL;
    }
    weft_retention_destroy(&self);
    return rc;
}

void weft_retention_destroy(weft_retention_t **self_p) {
    weft_retention_t *self = *self_p;
    if (!self) return;
    weft_readers_destroy(&self->readers);
    free(self);
    *self_p = NULL;
}

void weft_retention_report(weft_retention_t *self, const weft_report_t *report, int64_t now_us) {
    weft_readers_report(self->readers, report, now_us);
}

/* ---- where the bounds lie; in a read transaction */

/* The last position that was stored before that time; the anchor if there is none. */
static weft_err_t s_by_age(weft_retention_t *self, const weft_log_head_t *head, int64_t before_us,
                           uint64_t *out) {
    uint64_t older = head->anchor, newer = head->position + 1;
    while (newer - older > 1) {
        uint64_t middle = older + (newer - older) / 2, size;
        int64_t stored_us;
        weft_err_t rc = weft_log_reader_look(self->config.reader, middle, &stored_us, &size);
        if (rc != WEFT_OK) return rc;
        if (stored_us < before_us)
            older = middle;
        else
            newer = middle;
    }
    *out = older;
    return WEFT_OK;
}

typedef struct {
    uint64_t used;        /* bytes in the database, without free pages */
    uint64_t rows, count; /* rows of the log, samples taken of them */
    uint64_t weights[SAMPLES], total;
} weft_sample_t;

static weft_err_t s_sample(weft_retention_t *self, const weft_log_head_t *head,
                           weft_sample_t *out) {
    weft_err_t rc = WEFT_OK;
    out->rows = head->position - head->anchor;
    out->count = out->rows < SAMPLES ? out->rows : SAMPLES;
    for (uint64_t i = 0; i < out->count && rc == WEFT_OK; i++) {
        int64_t stored_us;
        uint64_t at = head->anchor + 1 + i * (out->rows / out->count), size;
        rc = weft_log_reader_look(self->config.reader, at, &stored_us, &size);
        out->weights[i] = size + ROW_BYTES;
        out->total += out->weights[i];
    }
    return rc;
}

/* The position at which about that many bytes lie behind. */
static uint64_t s_by_size(const weft_log_head_t *head, const weft_sample_t *sample,
                          uint64_t bytes) {
    if (!sample->count) return head->anchor;
    double each = (double) sample->rows / (double) sample->count;
    double left = (double) bytes / (double) sample->used * (double) sample->total, rows = 0;
    for (uint64_t i = 0; i < sample->count && left > 0; i++) {
        double weight = (double) sample->weights[i];
        rows += left < weight ? each * left / weight : each;
        left -= weight;
    }
    uint64_t more = (uint64_t) rows + 1;
    return more < sample->rows ? head->anchor + more : head->position;
}

/* About how many bytes lie in the events up to that position. */
static uint64_t s_bytes(const weft_log_head_t *head, const weft_sample_t *sample, uint64_t to) {
    if (!sample->count) return 0;
    double each = (double) sample->rows / (double) sample->count;
    double rows = (double) (to - head->anchor), weight = 0;
    for (uint64_t i = 0; i < sample->count && rows > 0; i++, rows -= each)
        weight += (double) sample->weights[i] * (rows < each ? rows / each : 1);
    return (uint64_t) (weight / (double) sample->total * (double) sample->used);
}

/* ---- the plan */

static uint64_t s_most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static weft_err_t s_plan(weft_retention_t *self, const weft_trim_t *trim, int64_t now_us,
                         weft_trimmed_t *out, char *text, size_t text_size) {
    weft_log_head_t head;
    weft_sample_t sample = {0};
    uint64_t by_age, chain;
    weft_err_t rc = weft_log_reader_begin(self->config.reader, &head);
    if (rc != WEFT_OK) return rc;
    if (trim->to > head.position) {
        snprintf(text, text_size, "position %" PRIu64 " is beyond the head %" PRIu64 " of the log",
                 trim->to, head.position);
        return WEFT_E_ARG;
    }
    out->first = head.anchor;
    out->head = head.position;
    out->wanted = s_most(head.anchor, trim->to);
    if (trim->age_us) {
        int64_t age_us = trim->age_us < (uint64_t) now_us ? (int64_t) trim->age_us : now_us;
        rc = s_by_age(self, &head, now_us - age_us, &by_age);
        if (rc != WEFT_OK) return rc;
        out->wanted = s_most(out->wanted, by_age);
    }
    if ((rc = weft_log_reader_used(self->config.reader, &sample.used)) != WEFT_OK) return rc;
    bool too_big = trim->bytes && sample.used > trim->bytes;
    if (too_big || trim->id) rc = s_sample(self, &head, &sample); /* not each second for nothing */
    if (rc != WEFT_OK) return rc;
    if (too_big)
        out->wanted = s_most(out->wanted, s_by_size(&head, &sample, sample.used - trim->bytes));
    out->to = out->wanted;
    const weft_reader_t *slowest = weft_readers_slowest(self->readers,
                                                        now_us - (int64_t) self->config.lately_us);
    if (slowest && slowest->resume < out->wanted) {
        self->holder = *slowest;
        out->holder = weft_text(self->holder.name);
        out->holder_resume = slowest->resume;
        if (!trim->force) out->to = s_most(head.anchor, slowest->resume);
    }
    out->bytes = s_bytes(&head, &sample, out->to);
    /* P6: a damaged row must not become what all later rows are checked against */
    return weft_log_reader_verify(self->config.reader, out->to, &chain);
}

weft_err_t weft_retention_trim(weft_retention_t *self, const weft_trim_t *asked, int64_t now_us,
                               weft_trimmed_t *out, char *text, size_t text_size) {
    weft_trim_t trim = *asked;
    *out = (weft_trimmed_t){.id = trim.id, .holder = weft_text("")};
    *text = '\0';
    if (!trim.to && !trim.age_us && !trim.bytes) {
        trim.age_us = self->config.keep.age_us;
        trim.bytes = self->config.keep.bytes;
    }
    if (!trim.to && !trim.age_us && !trim.bytes) {
        snprintf(text, text_size, "nothing says what to keep, and the bus runs without --keep");
        return WEFT_E_ARG;
    }
    weft_err_t rc = s_plan(self, &trim, now_us, out, text, text_size);
    weft_log_reader_end(self->config.reader);
    if (rc != WEFT_OK || trim.dry_run || out->to == out->first) return rc;
    weft_order_t order = {.kind = WEFT_ORDER_TRIM, .to = out->to};
    if (self->config.order(self->config.arg, &order)) return WEFT_OK;
    snprintf(text, text_size, "the bus is busy: try again");
    return WEFT_E_AGAIN;
}

/* ---- upkeep */

static void s_save_readers(weft_retention_t *self) {
    const weft_reader_t *reader;
    while ((reader = weft_readers_unsaved(self->readers)) != NULL) {
        weft_order_t order = {.kind = WEFT_ORDER_READER, .reader = *reader};
        if (self->config.order(self->config.arg, &order)) continue;
        weft_readers_unsave(self->readers); /* the pipe is full: all of them, at the next turn */
        return;
    }
}

void weft_retention_tick(weft_retention_t *self, int64_t now_us) {
    char text[128];
    weft_trimmed_t plan;
    s_save_readers(self);
    if (!self->config.keep.age_us && !self->config.keep.bytes) return;
    weft_err_t rc = weft_retention_trim(self, &(weft_trim_t){0}, now_us, &plan, text, sizeof text);
    if (rc != WEFT_OK)
        weft_diag(WEFT_DIAG_WARN, "retention.keep", "error=%s reason=\"%s%s\"", weft_err_name(rc),
                  text, weft_log_reader_reason(self->config.reader));
}
