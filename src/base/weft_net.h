/* weft_net: ZeroMQ sockets with every limit set, endpoints, and sending of two-frame messages. */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include "weft.h"
#include "weft_buf.h"

#include <zmq.h>

#define WEFT_DEFAULT_BUS "tcp://127.0.0.1:7600"
#define WEFT_ENDPOINT_BYTES 256u

typedef enum { WEFT_PORT_CONTROL, WEFT_PORT_FANOUT, WEFT_PORT_INGEST } weft_port_t;

/* Is it tcp://HOST:PORT, ipc://PATH or inproc://NAME, so that the three endpoints of a bus derive
 * from it? reason out: static text. WEFT_OK, WEFT_E_ARG. */
weft_err_t weft_endpoint_check(const char *endpoint, const char **reason);
/* Does only this machine reach it? */
bool weft_endpoint_local(const char *endpoint);
/* The endpoint to bind for one of the three: port + 0, 1, 2 (port 0: any), path + "", ".fan", ".in". */
weft_err_t weft_endpoint_derive(char out[WEFT_ENDPOINT_BYTES], const char *endpoint,
                                weft_port_t port);
/* The endpoint to connect to: a wildcard host in what the bus told is replaced by the control's. */
weft_err_t weft_endpoint_reach(char out[WEFT_ENDPOINT_BYTES], const char *told,
                               const char *control);

/* A socket with: LINGER 0, the given HWM (messages; 0: none) both ways, MAXMSGSIZE, IPV6,
 * TCP keepalive (C4), and for connecting ones reconnection from 100 ms up to 1 s. NULL: see errno. */
void *weft_net_socket(void *context, int type, int hwm);
void weft_net_close(void **socket);
bool weft_net_readable(void *socket); /* also takes in what ZeroMQ has to do inside */

/* Two frames in one message, copied. WEFT_OK, WEFT_E_AGAIN (would block, or nobody there), WEFT_E_IO. */
weft_err_t weft_net_send(void *socket, const void *head, size_t head_size, const void *body,
                         size_t body_size);
/* Take one message without blocking: its first frames, at most max of them, go into frames (to be
 * closed by the caller); the rest is dropped. count out: frames that it had.
 * WEFT_OK, WEFT_E_AGAIN, WEFT_E_IO. */
weft_err_t weft_net_recv(void *socket, zmq_msg_t *frames, unsigned max, unsigned *count);
void weft_net_close_frames(zmq_msg_t *frames, unsigned count, unsigned max);

#endif
