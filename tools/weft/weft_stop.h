/* weft_stop: SIGINT and SIGTERM as a wish to end, for verbs that run until told so. */
#ifndef WEFT_STOP_H
#define WEFT_STOP_H

#include <stdbool.h>

/* The first signal is a wish, the second one kills. False: the system refused. */
bool weft_stop_take(void);
bool weft_stop_wanted(void);
/* Turns readable with the first signal; -1, which poll passes over, if none are taken. */
int weft_stop_fd(void);

#endif
