/* bridge_text: see bridge_text.h. */
#include "bridge_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bridge_text_free(bridge_text_t *self) {
    free(self->data);
    *self = (bridge_text_t){0};
}

void bridge_text_clear(bridge_text_t *self) {
    self->size = 0;
    self->failed = false;
}

static bool s_grow(bridge_text_t *self, size_t more) {
    size_t room = self->room ? self->room : 256;
    while (room < self->size + more + 1) room *= 2;
    if (room == self->room) return true;
    char *data = self->failed ? NULL : realloc(self->data, room);
    self->failed = !data;
    if (!data) return false;
    self->data = data;
    self->room = room;
    return true;
}

void bridge_text_add(bridge_text_t *self, const char *text, size_t size) {
    if (!s_grow(self, size)) return;
    memcpy(self->data + self->size, text, size);
    self->size += size;
    self->data[self->size] = 0;
}

void bridge_text_say(bridge_text_t *self, const char *text) {
    bridge_text_add(self, text, strlen(text));
}

void bridge_text_format(bridge_text_t *self, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size >= 0 && s_grow(self, (size_t) size)) {
        vsnprintf(self->data + self->size, (size_t) size + 1, format, again);
        self->size += (size_t) size;
    }
    va_end(again);
    va_end(args);
}

void bridge_text_json(bridge_text_t *self, const char *text) {
    bridge_text_add(self, "\"", 1);
    for (;;) {
        size_t plain = 0;
        while ((unsigned char) text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        bridge_text_add(self, text, plain);
        text += plain;
        if (!*text) break;
        if (*text == '"' || *text == '\\')
            bridge_text_format(self, "\\%c", *text);
        else
            bridge_text_format(self, "\\u%04x", (unsigned) (unsigned char) *text);
        text++;
    }
    bridge_text_add(self, "\"", 1);
}
