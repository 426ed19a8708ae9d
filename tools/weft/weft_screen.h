/* weft_screen: weft top on a terminal, by ncurses. State of the terminal is the process' own, so there is one
 * screen at a time. */
#ifndef WEFT_SCREEN_H
#define WEFT_SCREEN_H

#include "weft_top.h"

typedef enum {
    WEFT_KEY_NONE,
    WEFT_KEY_QUIT,
    WEFT_KEY_SORT,
    WEFT_KEY_UP,
    WEFT_KEY_DOWN,
    WEFT_KEY_RESIZE
} weft_key_t;

typedef struct {
    bool by_lag;  /* else by name */
    size_t above; /* services scrolled out at the top; put right by drawing */
} weft_screen_view_t;

/* False: the terminal cannot do it. */
bool weft_screen_open(void);
void weft_screen_close(void); /* the terminal is as before */
void weft_screen_draw(const weft_top_t *top, weft_screen_view_t *view, const char *bus);
/* Wait for a key, a new size, or the time. */
weft_key_t weft_screen_key(int timeout_ms);

#endif
