/* weft_metrics: see weft_metrics.h. */
#include "weft_metrics.h"

#include "weft_mp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_BYTES 40u

static void s_put(weft_buf_t *w, const char *text) {
    weft_buf_append(w, text, strlen(text));
}

static void s_put_escaped(weft_buf_t *w, const char *text) {
    bool whole = weft_text_ok(text, strlen(text));
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            weft_buf_append(w, (char[]){'\\', *text}, 2);
        else
            weft_buf_append(w, whole || (unsigned char) (*text - 0x20) < 0x5f ? text : "?", 1);
    }
}

/* value / 10^decimals, without zeros at its end. */
static void s_number(char out[NUMBER_BYTES], uint64_t value, unsigned decimals) {
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals; i++) scale *= 10;
    int size = snprintf(out, NUMBER_BYTES, "%" PRIu64, value / scale);
    if (value % scale == 0) return;
    size += snprintf(out + size, NUMBER_BYTES - (size_t) size, ".%0*" PRIu64, (int) decimals,
                     value % scale);
    while (out[size - 1] == '0') out[--size] = '\0';
}

/* last: one more label, or NULL. */
static void s_line(weft_buf_t *w, const char *name, const char *suffix, const weft_label_t *labels,
                   size_t count, const weft_label_t *last, const char *number) {
    s_put(w, name);
    s_put(w, suffix);
    for (size_t i = 0; i < count + (last != NULL); i++) {
        const weft_label_t *label = i < count ? &labels[i] : last;
        s_put(w, i ? "," : "{");
        s_put(w, label->name);
        s_put(w, "=\"");
        s_put_escaped(w, label->value);
        s_put(w, "\"");
    }
    s_put(w, count || last ? "} " : " ");
    s_put(w, number);
    s_put(w, "\n");
}

void weft_metrics_family(weft_buf_t *w, const char *name, weft_metrics_kind_t kind,
                         const char *help) {
    static const char *const kinds[] = {[WEFT_METRICS_COUNTER] = " counter\n",
                                        [WEFT_METRICS_GAUGE] = " gauge\n",
                                        [WEFT_METRICS_HISTOGRAM] = " histogram\n"};
    s_put(w, "# HELP ");
    s_put(w, name);
    s_put(w, " ");
    s_put(w, help);
    s_put(w, "\n# TYPE ");
    s_put(w, name);
    s_put(w, kinds[kind]);
}

void weft_metrics_sample(weft_buf_t *w, const char *name, const weft_label_t *labels, size_t count,
                         uint64_t value, unsigned decimals) {
    char number[NUMBER_BYTES];
    s_number(number, value, decimals);
    s_line(w, name, "", labels, count, NULL, number);
}

void weft_metrics_one(weft_buf_t *w, const char *name, weft_metrics_kind_t kind, const char *help,
                      const weft_label_t *labels, size_t count, uint64_t value, unsigned decimals) {
    weft_metrics_family(w, name, kind, help);
    weft_metrics_sample(w, name, labels, count, value, decimals);
}

void weft_metrics_histogram(weft_buf_t *w, const char *name, const char *help,
                            const weft_label_t *labels, size_t count,
                            const weft_histogram_t *histogram, unsigned decimals) {
    char number[NUMBER_BYTES], bound[NUMBER_BYTES];
    uint64_t below = 0;
    weft_metrics_family(w, name, WEFT_METRICS_HISTOGRAM, help);
    for (unsigned i = 0; i <= WEFT_HISTOGRAM_BOUNDS; i++) {
        below += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        s_number(number, below, 0);
        if (i < WEFT_HISTOGRAM_BOUNDS)
            s_number(bound, weft_histogram_bound_tenths(i), decimals + 1);
        else
            snprintf(bound, sizeof bound, "+Inf");
        s_line(w, name, "_bucket", labels, count, &(weft_label_t){"le", bound}, number);
    }
    s_line(w, name, "_count", labels, count, NULL, number);
    s_number(number, atomic_load_explicit(&histogram->sum, memory_order_relaxed), decimals);
    s_line(w, name, "_sum", labels, count, NULL, number);
}
