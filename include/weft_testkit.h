/* weft_testkit: test services the way weft itself is tested: a real bus and real service processes in a
 * scratch directory, gone when the test ends, however it ends.
 *
 *     weft_testkit_t *kit = NULL;
 *     weft_position_t at;
 *     pid_t pid;
 *     weft_testkit_new (&kit);
 *     weft_testkit_start (kit, (char *[]){"./counter", NULL}, &pid);
 *     weft_testkit_publish (kit, "post.created", "post/1", "{\"id\":\"1\"}", &at);
 *     weft_testkit_wait (kit, "counter", at, 5000);
 *     … look into its database: weft_testkit_dir (kit) …
 *     weft_testkit_destroy (&kit);
 *
 * One thread owns a kit. Errors have been written to stderr by weft_diag. */
#ifndef WEFT_TESTKIT_H
#define WEFT_TESTKIT_H

#include "weft.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_testkit weft_testkit_t;

/* Make a scratch directory and start a bus in it. The program is $WEFT_BUS_PROGRAM, else weft-bus
 * from the PATH. WEFT_OK, WEFT_E_IO, WEFT_E_TIMEOUT (no ready line within 10 s), WEFT_E_NOMEM. */
weft_err_t weft_testkit_new(weft_testkit_t **out);
/* Stop what was started (SIGTERM, after 5 s SIGKILL) and remove the directory. */
void weft_testkit_destroy(weft_testkit_t **self_p);

const char *weft_testkit_bus(const weft_testkit_t *self); /* endpoint */
const char *weft_testkit_dir(const weft_testkit_t *self); /* services keep their databases here */

/* Start a service: argv as for execvp, NULL-terminated; --bus and --data are added. Returns when it has
 * printed its ready line: WEFT_OK, WEFT_E_IO, WEFT_E_TIMEOUT (10 s). */
weft_err_t weft_testkit_start(weft_testkit_t *self, char *const argv[], pid_t *pid);
/* Send a signal and wait for the end; status as from waitpid, may be NULL. WEFT_OK, WEFT_E_ARG,
 * WEFT_E_TIMEOUT (10 s). */
weft_err_t weft_testkit_stop(weft_testkit_t *self, pid_t pid, int signal, int *status);
/* Stop the bus, or start it again on the same store. */
weft_err_t weft_testkit_bus_stop(weft_testkit_t *self, int signal);
weft_err_t weft_testkit_bus_start(weft_testkit_t *self);

/* Publish one event and wait until it is durable. json is its data, NULL for nil. position out.
 * WEFT_OK, WEFT_E_JSON, WEFT_E_TIMEOUT (10 s), and those of weft_pub_send. */
weft_err_t weft_testkit_publish(weft_testkit_t *self, const char *type, const char *subject,
                                const char *json, weft_position_t *position);
/* Wait until the service of that name has applied all up to position. WEFT_OK, WEFT_E_TIMEOUT. */
weft_err_t weft_testkit_wait(weft_testkit_t *self, const char *name, weft_position_t position,
                             int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
