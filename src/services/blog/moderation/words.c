/* words: the list of words that moderation rejects. Pure. */
#include "words.h"

#include <stdlib.h>
#include <string.h>

static char *s_trim(char *text) {
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size && strchr(" \t", text[size - 1])) size--;
    text[size] = 0;
    return text;
}

bool words_parse(words_t *out, const char *text) {
    *out = (words_t){0};
    char *rest = out->storage = strdup(text), *word;
    if (!rest) return false;
    while ((word = strsep(&rest, ","))) {
        word = s_trim(word);
        if (!*word) continue;
        if (out->count == WORDS_MAX) return false;
        out->items[out->count++] = word;
    }
    return true;
}

void words_clear(words_t *words) {
    free(words->storage);
    *words = (words_t){0};
}

bool words_found(const words_t *words, const char *text) {
    for (size_t i = 0; i < words->count; i++)
        if (strstr(text, words->items[i])) return true;
    return false;
}
