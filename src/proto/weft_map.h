/* weft_map: byte-string key → pointer, open addressing. Keys are copied; values are the caller's. */
#ifndef WEFT_MAP_H
#define WEFT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct weft_map weft_map_t;

weft_map_t *weft_map_new(void); /* NULL: out of memory */
/* free_value may be NULL. NULL-safe. */
void weft_map_destroy(weft_map_t **self_p, void (*free_value)(void *));
void *weft_map_get(const weft_map_t *self, const void *key, size_t size); /* NULL: not there */
/* The key must not be there yet. False: out of memory, nothing changed. */
bool weft_map_put(weft_map_t *self, const void *key, size_t size, void *value);
size_t weft_map_count(const weft_map_t *self);
/* Walk in no order: start with cursor 0; NULL at the end. */
void *weft_map_next(const weft_map_t *self, size_t *cursor);
void weft_map_clear(weft_map_t *self, void (*free_value)(void *));

#endif
