/* weft_link: what both client ends share: a ZeroMQ context, the control socket, and one descriptor
 * that turns readable when any of their sockets or their timer has work. Owned by one thread. */
#ifndef WEFT_LINK_H
#define WEFT_LINK_H

#include "weft_control.h"
#include "weft_net.h"

typedef struct {
    void *context;
    bool own_context;
    char endpoint[WEFT_ENDPOINT_BYTES]; /* control */
    void *control;
    int epoll_fd;
    int timer_fd;
    int64_t armed_us; /* what the timer stands at */
    uint64_t request_ids;
} weft_link_t;

/* context NULL: an own one. WEFT_OK, WEFT_E_ARG (endpoint), WEFT_E_IO. On error the link is closed. */
weft_err_t weft_link_open(weft_link_t *self, const char *endpoint, void *context);
void weft_link_close(weft_link_t *self);

/* Make a socket that is part of the descriptor; closing takes it out. NULL: see errno. */
void *weft_link_socket(weft_link_t *self, int type, int hwm, bool immediate);
void weft_link_drop(weft_link_t *self, void **socket);

/* Descriptor turns readable at that monotonic time (ms, µs), INT64_MAX: not by time. */
void weft_link_arm(weft_link_t *self, int64_t at_ms);
void weft_link_arm_us(weft_link_t *self, int64_t at_us);
/* Wait until the descriptor is readable: timeout_ms -1 for ever. False: it is not. */
bool weft_link_wait(weft_link_t *self, int timeout_ms);

/* A fresh request id (C3): a step of splitmix64 from a random seed, since it is asked for often. */
uint64_t weft_link_request_id(weft_link_t *self);
/* Send one request. WEFT_E_AGAIN: the bus is not there. */
weft_err_t weft_link_send(weft_link_t *self, weft_command_t command, const weft_buf_t *body);
/* Take one reply: command, body and page frames (up to 3, closed by the caller with
 * weft_net_close_frames (frames, *count, 3)). Returns WEFT_E_AGAIN if there is none; a message that
 * is no reply comes as WEFT_COMMAND_NONE. */
weft_err_t weft_link_recv(weft_link_t *self, zmq_msg_t frames[3], unsigned *count,
                          weft_command_t *command);

#endif
