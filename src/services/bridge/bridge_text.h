/* bridge_text: a text that grows. The first failed allocation is kept: look once, at the end. */
#ifndef BRIDGE_TEXT_H
#define BRIDGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <weft.h>

typedef struct {
    char *data; /* ends with a NUL once something was added; NULL before */
    size_t size, room;
    bool failed;
} bridge_text_t;

void bridge_text_free(bridge_text_t *self);
void bridge_text_clear(bridge_text_t *self); /* keeps the room */
void bridge_text_add(bridge_text_t *self, const char *text, size_t size);
void bridge_text_say(bridge_text_t *self, const char *text);
void bridge_text_format(bridge_text_t *self, const char *format, ...) WEFT_PRINTF(2, 3);
/* A JSON string with its quotes. text is valid UTF-8. */
void bridge_text_json(bridge_text_t *self, const char *text);

#endif
