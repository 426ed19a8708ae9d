/* replay: runs a fuzz target on kept inputs, without libFuzzer: on the empty one, and on each line of the
 * files it is given. A line is an input in hex; what follows a "#" is for people. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static int s_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Run one line. False: it is not hex. */
static bool s_run_line(const char *line, size_t length) {
    size_t size = 0;
    uint8_t *bytes = malloc(length / 2 + 1); /* then of exactly that size, so that overruns show */
    WEFT_ASSERT(bytes);
    while (2 * size + 1 < length) {
        int high = s_digit(line[2 * size]), low = s_digit(line[2 * size + 1]);
        if (high < 0 || low < 0) break;
        bytes[size++] = (uint8_t) (high << 4 | low);
    }
    char after = 2 * size < length ? line[2 * size] : '\n';
    bool whole = after == '\n' || after == ' ' || after == '#';
    if (whole && size) {
        uint8_t *exact = realloc(bytes, size);
        WEFT_ASSERT(exact);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
        return true;
    }
    free(bytes);
    return whole;
}

static bool s_run_file(const char *path, unsigned *inputs) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    bool ok = true;
    FILE *file = fopen(path, "r");
    if (!file) return perror(path), false;
    while (ok && (length = getline(&line, &capacity, file)) > 0) {
        ok = s_run_line(line, (size_t) length);
        ++*inputs;
        if (!ok) fprintf(stderr, "%s: an input is not hex: %s", path, line);
    }
    free(line);
    fclose(file);
    return ok;
}

int main(int argc, char **argv) {
    unsigned inputs = 1;
    static const uint8_t nothing[1];
    LLVMFuzzerTestOneInput(nothing, 0);
    for (int i = 1; i < argc; i++)
        if (!s_run_file(argv[i], &inputs)) return 1;
    printf("%u inputs\n", inputs);
    return 0;
}
