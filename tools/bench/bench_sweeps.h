/* bench_sweeps: pictures of how throughput, latency, memory and CPU change with size, publishers,
 * subscribers, filters, load and length of the log. One measurement a point. */
#ifndef BENCH_SWEEPS_H
#define BENCH_SWEEPS_H

void bench_sweeps(const char *dir);

#endif
