/* weft-bench: measures weft and what it is compared with. ./dev bench builds and calls it. */
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_sweeps.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bench_row_fn_t s_rows[] = {
    {"ack", "acknowledged events a second: JetStream, Redis, ceiling", bench_row_ack},
    {"index", "the index of causes after such a load: behind, and catching up", bench_row_index},
    {"sync", "lone synchronous publish: bare commit", bench_row_sync},
    {"live", "publisher to handler at 10 and 90 % of capacity: bare commits", bench_row_live},
    {"fanout", "16 subscribers: zmq_proxy", bench_row_fanout},
    {"catchup", "reading a log: JetStream, XREAD, four readers", bench_row_catchup},
    {"service", "a service's handlers: the same statements in a plain loop", bench_row_service},
    {"outbox", "transactions that emit: the same without weft", bench_row_outbox},
    {"growth", "cost of an event, memory, WAL, start on a log that grows", bench_row_growth},
    {"sparse", "a filter for 0.1 % of a long log: reading all", bench_row_sparse},
};
#define ROWS (sizeof s_rows / sizeof *s_rows)

static void s_help(void) {
    printf(
        "usage: weft-bench [option...]\n\n"
        "  --only NAME    one row of those below\n"
        "  --quick        shorter, three rounds: two minutes and some\n"
        "  --tiny         as little as shows that it works\n"
        "  --rounds N     rounds of each comparison (default 7)\n"
        "  --json FILE    the figures by name\n"
        "  --docs FILE    put the table between this file's markers\n"
        "  --plots DIR    afterwards draw SVGs into DIR: by size, publishers, subscribers, filters,\n"
        "                 load, length of the log; needs gnuplot\n"
        "  --dir DIR      where the scratch directory is made, on the disk to be measured\n"
        "                 (default: the working directory)\n\nrows:\n");
    for (size_t i = 0; i < ROWS; i++) printf("  %-10s %s\n", s_rows[i].name, s_rows[i].help);
}

static _Noreturn void s_wrong(const char *what, const char *word) {
    fprintf(stderr, "weft-bench: %s%s; try --help\n", what, word);
    exit(2);
}

static void s_parse(bench_options_t *options, int argc, char **argv) {
    static const struct option known[] = {
        {"only", required_argument, NULL, 'o'},  {"quick", no_argument, NULL, 'q'},
        {"tiny", no_argument, NULL, 't'},        {"rounds", required_argument, NULL, 'r'},
        {"json", required_argument, NULL, 'j'},  {"dir", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},        {"docs", required_argument, NULL, 'D'},
        {"plots", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    int option;
    *options = (bench_options_t){.scale = BENCH_NORMAL, .dir = "."};
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'o': options->only = optarg; break;
        case 'q': options->scale = BENCH_QUICK; break;
        case 't': options->scale = BENCH_TINY; break;
        case 'r': options->rounds = atoi(optarg); break;
        case 'j': options->json = optarg; break;
        case 'D': options->docs = optarg; break;
        case 'p': options->plots = optarg; break;
        case 'd': options->dir = optarg; break;
        case 'h': s_help(); exit(0);
        default: exit(2);
        }
        if (option == 'r' && options->rounds < 1) s_wrong("--rounds wants a number: ", optarg);
    }
    if (optind < argc) s_wrong("unknown argument ", argv[optind]);
    bool found = !options->only;
    for (size_t i = 0; i < ROWS; i++)
        if (options->only && strcmp(options->only, s_rows[i].name) == 0) found = true;
    if (!found) s_wrong("no such row: ", options->only);
}

int main(int argc, char **argv) {
    bench_options_t options;
    int64_t begin = bench_now_ns();
    s_parse(&options, argc, argv);
    setenv("WEFT_DIAG", "warn", 0); /* services tell that they have joined */
    bench_run_begin(&options);
    for (size_t i = 0; i < ROWS; i++)
        if (!options.only || strcmp(options.only, s_rows[i].name) == 0) s_rows[i].run();
    if (options.json) bench_report_json(options.json);
    if (options.docs) bench_report_docs(options.docs);
    if (options.plots) bench_sweeps(options.plots);
    bench_progress("measured for %.0f s", (double) (bench_now_ns() - begin) / 1e9);
    bench_run_end();
    bench_report_print();
    return 0;
}
