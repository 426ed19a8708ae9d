/* words: the list of words that moderation rejects. Pure. */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS_MAX 256u

typedef struct {
    char *storage; /* owned */
    const char *items[WORDS_MAX];
    size_t count;
} words_t;

/* Cut "orange,apple pie" at its commas; white space at the ends of a word and empty words go.
 * Returns false for too many, or without memory. Clear in any case. */
bool words_parse(words_t *out, const char *text);
void words_clear(words_t *words);
/* True if text contains a word anywhere, also inside another; upper and lower case differ. */
bool words_found(const words_t *words, const char *text);

#endif
