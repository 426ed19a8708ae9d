/* bench_machine: what the figures were measured on, and how long others kept the machine busy. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdio.h>

void bench_machine_print(FILE *out);

#endif
