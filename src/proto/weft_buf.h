/* weft_buf: a growable byte buffer. A failed allocation sticks: check weft_buf_ok once at the end. */
#ifndef WEFT_BUF_H
#define WEFT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
} weft_buf_t;

void weft_buf_init(weft_buf_t *self);
void weft_buf_free(weft_buf_t *self);
/* Forget the content and a failure, keep the memory. */
void weft_buf_clear(weft_buf_t *self);
/* Room for size more bytes at the end; NULL if there is no memory. */
uint8_t *weft_buf_reserve(weft_buf_t *self, size_t size);
void weft_buf_append(weft_buf_t *self, const void *bytes, size_t size);
static inline bool weft_buf_ok(const weft_buf_t *self) {
    return !self->failed;
}

#endif
