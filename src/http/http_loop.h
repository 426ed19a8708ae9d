/* http_loop: what a server asks of the loop that it lives on: to watch a descriptor, and to call back
 * once after a while. Everything is called on the loop's thread, and calls back on it. */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include <weft.h>

typedef struct {
    /* Call fn whenever fd is readable, until fd_end. */
    weft_err_t (*fd)(void *loop, int fd, weft_fd_fn fn, void *arg);
    void (*fd_end)(void *loop, int fd);
    /* Call fn once. id  out: for timer_end, valid until fn is called. */
    weft_err_t (*timer)(void *loop, unsigned delay_ms, weft_timer_fn fn, void *arg, int *id);
    void (*timer_end)(void *loop, int id);
    void *loop;
} http_loop_t;

#endif
