/* weft_stop: see weft_stop.h. Signals are a process' own, so this state is the program's, too. */
#include "weft_stop.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t s_wanted;
static int s_fd = -1;

static void s_on_signal(int number) {
    const uint64_t one = 1;
    int keep = errno;
    (void) number;
    s_wanted = 1;
    ssize_t written = write(s_fd, &one, sizeof one);
    (void) written;
    errno = keep;
}

bool weft_stop_take(void) {
    /* no SA_RESTART: a write to a reader that does not read ends, too */
    struct sigaction action = {.sa_handler = s_on_signal, .sa_flags = (int) SA_RESETHAND};
    s_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sigemptyset(&action.sa_mask);
    return s_fd >= 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGTERM, &action, NULL) == 0;
}

bool weft_stop_wanted(void) {
    return s_wanted != 0;
}

int weft_stop_fd(void) {
    return s_fd;
}
