/* bench_rows: what is measured, one function a row; each adds to the report. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

typedef struct {
    const char *name; /* for --only */
    const char *help;
    void (*run)(void);
} bench_row_fn_t;

void bench_row_ack(void);
void bench_row_index(void);
void bench_row_sync(void);
void bench_row_live(void);
void bench_row_fanout(void);
void bench_row_catchup(void);
void bench_row_service(void);
void bench_row_outbox(void);
void bench_row_growth(void);
void bench_row_sparse(void);

#endif
