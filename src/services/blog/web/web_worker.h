/* web_worker: a thread for what blocks, so that the loop never waits. One job after the other. */
#ifndef WEB_WORKER_H
#define WEB_WORKER_H

#include <weft.h>

#define WEB_WORKER_JOBS_MAX 16u /* that wait or are done and not yet told */

typedef struct web_worker web_worker_t;

/* work runs on the thread and touches nothing of the loop's but arg. */
typedef void (*web_work_fn)(void *arg);
/* Afterwards, on the loop. worked is false for a job that was never begun, as the worker ends. */
typedef void (*web_done_fn)(void *arg, bool worked);

/* Returns WEFT_OK, WEFT_E_NOMEM, WEFT_E_IO. */
weft_err_t web_worker_new(web_worker_t **out, weft_service_t *service);
/* Waits for the job in work, tells all. NULL-safe, clears *self_p. */
void web_worker_destroy(web_worker_t **self_p);
/* False: too many jobs; nothing is called. */
bool web_worker_run(web_worker_t *self, web_work_fn work, web_done_fn done, void *arg);

#endif
