/* weft_os: clock, randomness, lock files, directories: what both ends ask of the system. Any thread. */
#ifndef WEFT_OS_H
#define WEFT_OS_H

#include "weft.h"

int64_t weft_os_now_us(void);       /* Unix time in µs; may jump */
int64_t weft_os_monotonic_ms(void); /* for timers; never jumps */
int64_t weft_os_monotonic_us(void);
uint64_t weft_os_random(void);                   /* never 0 */
void weft_os_random_fill(void *to, size_t size); /* at most 256 bytes */
void weft_os_uuid(weft_uuid_t *out);             /* random, version 4 (RFC 9562) */

/* Make the directory and its parents. WEFT_OK or WEFT_E_IO with errno set. */
weft_err_t weft_os_mkdir(const char *path);
/* Whether a file of so many bytes fits beside path. True, too, where the file system cannot say. */
bool weft_os_has_room(const char *path, size_t bytes);

/* Take the lock file PATH for this process; held until weft_os_unlock or the process ends.
 * fd out. WEFT_OK, WEFT_E_LOCKED (pid out: who holds it as far as the file tells, else 0),
 * WEFT_E_IO with errno set. */
weft_err_t weft_os_lock(int *fd, const char *path, long *pid);
void weft_os_unlock(int *fd); /* fd -1: nothing */

#endif
