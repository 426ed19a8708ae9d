/* weft_assert: checks of our own logic; stays on in release builds.
 * Never used on bytes from a peer, disk, configuration or clock. */
#ifndef WEFT_ASSERT_H
#define WEFT_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#define WEFT_ASSERT(condition)                                                            \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "weft: assertion failed: %s (%s:%d)\n", #condition, __FILE__, \
                    __LINE__);                                                            \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

#endif
