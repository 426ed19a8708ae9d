/* bench_table: the rows that the bus stores, written by a bare loop: the same table, the same pages,
 * the same number of rows a statement, the same checkpoints, and nothing else. What the floor and the
 * ceiling stand on. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct bench_table bench_table_t;

/* A database in a directory; WAL with synchronous=FULL. */
bench_table_t *bench_table_new(const char *dir);
void bench_table_destroy(bench_table_t **self_p);
void bench_table_begin(bench_table_t *self);
/* One more row. The event must stay until bench_table_commit. */
void bench_table_add(bench_table_t *self, const void *event, size_t size);
/* Insert what was added, and the origin's row; COMMIT. */
void bench_table_commit(bench_table_t *self);
/* If it is due. */
void bench_table_checkpoint(bench_table_t *self);

#endif
