/* bench_report: see bench_report.h. */
#include "bench_report.h"

#include "bench_machine.h"
#include "bench_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX 96
#define DOCS_BYTES_MAX (1 << 20)

typedef struct {
    const char *name, *what, *unit, *missing;
    bench_bar_t bar;
    double limit, figure, min, max, weft, peer; /* weft and peer: 0 if there is none */
    size_t rounds;
} bench_result_t;

static bench_result_t s_results[RESULTS_MAX];
static size_t s_count;

static bench_result_t *s_new(const char *name) {
    if (s_count == RESULTS_MAX) bench_fail("more than %d results", RESULTS_MAX);
    s_results[s_count] = (bench_result_t){.name = name, .what = "", .unit = ""};
    return &s_results[s_count++];
}

void bench_report_add(const char *name, const char *what, bench_bar_t bar, double limit,
                      const bench_series_t *figure, const bench_series_t *weft,
                      const bench_series_t *peer, const char *unit, double scale) {
    bench_result_t *r = s_new(name);
    r->what = what;
    r->unit = unit;
    r->bar = bar;
    r->limit = limit;
    r->figure = bench_series_median(figure);
    r->min = bench_series_min(figure);
    r->max = bench_series_max(figure);
    r->rounds = figure->count;
    r->weft = weft ? bench_series_median(weft) * scale : 0;
    r->peer = peer ? bench_series_median(peer) * scale : 0;
}

void bench_report_ratio(const char *name, const char *what, bench_bar_t bar, double limit,
                        const bench_comparison_t *from, unsigned metric, const char *unit,
                        double scale) {
    bench_report_add(name, what, bar, limit, &from->ratio[metric], &from->weft[metric],
                     &from->peer[metric], unit, scale);
}

void bench_report_value(const char *name, const char *what, bench_bar_t bar, double limit,
                        double value, const char *unit) {
    bench_series_t one = {.values = {value}, .count = 1};
    bench_report_add(name, what, bar, limit, &one, NULL, NULL, unit, 1);
}

void bench_report_missing(const char *name, const char *why) {
    s_new(name)->missing = why;
}

static const char *s_holds(const bench_result_t *r) {
    if (r->bar == BENCH_QUOTED) return "";
    bool holds = r->bar == BENCH_AT_LEAST ? r->figure >= r->limit : r->figure <= r->limit;
    return holds ? "holds" : "short";
}

static void s_bar_text(const bench_result_t *r, char text[32]) {
    if (r->bar == BENCH_QUOTED)
        snprintf(text, 32, "quoted");
    else
        snprintf(text, 32, "%s %.4g", r->bar == BENCH_AT_LEAST ? "≥" : "≤", r->limit);
}

static void s_value_text(double value, const char *unit, char text[48]) {
    if (value > 0)
        snprintf(text, 48, "%.3g %s", value, unit);
    else
        snprintf(text, 48, "-");
}

static void s_row(FILE *out, const bench_result_t *r) {
    char bar[32], weft[48], peer[48];
    if (r->missing) {
        fprintf(out, "| %s | | | not measured: %s | | | |\n", r->name, r->missing);
        return;
    }
    s_bar_text(r, bar);
    s_value_text(r->weft, r->unit, weft);
    s_value_text(r->peer, r->unit, peer);
    fprintf(out, "| %s | **%.3g**%s%s | %.3g – %.3g (%zu) | %s %s | %s | %s | %s |\n", r->name,
            r->figure, r->weft > 0 ? "" : " ", r->weft > 0 ? "" : r->unit, r->min, r->max,
            r->rounds, bar, s_holds(r), weft, peer, r->what);
}

static void s_table(FILE *out) {
    fprintf(out, "| name | figure | min – max (rounds) | bar | weft | peer | what |\n"
                 "|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < s_count; i++) s_row(out, &s_results[i]);
    fprintf(out,
            "\nMedian fdatasync of 4 KiB at the start of a round: %.0f µs. Rounds put off because "
            "it took twice as long: %u.\n",
            bench_rounds_yardstick_us(), bench_rounds_repeated());
}

void bench_report_print(void) {
    bench_machine_print(stdout);
    s_table(stdout);
}

#define MARK_BEGIN "<!-- table: weft-bench --docs writes from here -->"
#define MARK_END "<!-- to here -->"

static char *s_read_file(const char *path) {
    FILE *in = fopen(path, "r");
    char *text = calloc(1, DOCS_BYTES_MAX);
    if (!in || !text) bench_fail("cannot read %s: %s", path, strerror(errno));
    if (fread(text, 1, DOCS_BYTES_MAX - 1, in) == DOCS_BYTES_MAX - 1)
        bench_fail("%s is too long", path);
    fclose(in);
    return text;
}

void bench_report_docs(const char *path) {
    char *text = s_read_file(path);
    char *begin = strstr(text, MARK_BEGIN), *end = begin ? strstr(begin, MARK_END) : NULL;
    if (!end) bench_fail("%s has no \"%s\" … \"%s\"", path, MARK_BEGIN, MARK_END);
    FILE *out = fopen(path, "w");
    if (!out) bench_fail("cannot write %s: %s", path, strerror(errno));
    fprintf(out, "%.*s%s\n", (int) (begin - text), text, MARK_BEGIN);
    bench_machine_print(out);
    s_table(out);
    fprintf(out, "%s", end);
    if (fclose(out) != 0) bench_fail("cannot write %s: %s", path, strerror(errno));
    free(text);
}

void bench_report_json(const char *path) {
    FILE *out = fopen(path, "w");
    if (!out) bench_fail("cannot write %s: %s", path, strerror(errno));
    fprintf(out, "{\n");
    for (size_t i = 0; i < s_count; i++) {
        if (s_results[i].missing)
            fprintf(out, "  \"%s\": null,\n", s_results[i].name);
        else
            fprintf(out, "  \"%s\": %.6g,\n", s_results[i].name, s_results[i].figure);
    }
    fprintf(out, "  \"details\": {\n");
    bool any = false;
    for (size_t i = 0; i < s_count; i++) {
        const bench_result_t *r = &s_results[i];
        if (r->missing) continue;
        fprintf(out,
                "%s    \"%s\": {\"min\": %.6g, \"max\": %.6g, \"rounds\": %zu, \"weft\": %.6g, "
                "\"peer\": %.6g, \"unit\": \"%s\"}",
                any ? ",\n" : "", r->name, r->min, r->max, r->rounds, r->weft, r->peer, r->unit);
        any = true;
    }
    fprintf(out, "\n  }\n}\n");
    if (fclose(out) != 0) bench_fail("cannot write %s: %s", path, strerror(errno));
}
