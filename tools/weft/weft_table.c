/* weft_table: see weft_table.h. Cells are kept until all widths are known. */
#include "weft_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 16u

typedef struct {
    char *text;
    size_t width;
    weft_colour_t colour;
} weft_cell_t;

struct weft_table {
    const char *const *heads;
    size_t columns, count, room;
    weft_cell_t *cells;
};

bool weft_term(void) {
    return isatty(STDOUT_FILENO) == 1;
}

bool weft_term_colours(void) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return weft_term() && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

const char *weft_colour(weft_colour_t colour) {
    static const char *const codes[] = {[WEFT_PLAIN] = "\x1b[0m",
                                        [WEFT_GREEN] = "\x1b[32m",
                                        [WEFT_YELLOW] = "\x1b[33m",
                                        [WEFT_RED] = "\x1b[31m",
                                        [WEFT_BOLD] = "\x1b[1m"};
    return weft_term_colours() ? codes[colour] : "";
}

weft_table_t *weft_table_new(const char *const *heads, size_t columns) {
    weft_table_t *self = columns <= COLUMNS_MAX ? calloc(1, sizeof *self) : NULL;
    if (!self) return NULL;
    self->heads = heads;
    self->columns = columns;
    return self;
}

/* Columns on the screen: bytes that do not continue a UTF-8 character. */
static size_t s_width(const char *text) {
    size_t width = 0;
    for (; *text; text++) width += ((unsigned char) *text & 0xc0) != 0x80;
    return width;
}

void weft_table_cell(weft_table_t *self, weft_colour_t colour, const char *format, ...) {
    va_list args;
    char *text = NULL;
    if (!self) return;
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        weft_cell_t *cells = realloc(self->cells, room * sizeof *cells);
        if (!cells) return;
        self->cells = cells;
        self->room = room;
    }
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) text = NULL;
    va_end(args);
    if (!text) return;
    for (char *at = text; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f) *at = '?';
    self->cells[self->count++] = (weft_cell_t){text, s_width(text), colour};
}

static void s_cell(const char *text, size_t width, size_t room, bool right, bool last,
                   weft_colour_t colour) {
    int pad = room > width ? (int) (room - width) : 0;
    weft_out("%*s%s%s%s", right ? pad : 0, "", colour ? weft_colour(colour) : "", text,
             colour ? weft_colour(WEFT_PLAIN) : "");
    if (last)
        weft_out("\n");
    else
        weft_out("%*s  ", right ? 0 : pad, "");
}

/* The widest of each column, its heading included. */
static void s_rooms(const weft_table_t *self, size_t rooms[COLUMNS_MAX]) {
    for (size_t column = 0; column < self->columns; column++) {
        const char *head = self->heads[column];
        rooms[column] = s_width(head) - (head[0] == '>');
    }
    for (size_t i = 0; i < self->count; i++)
        if (self->cells[i].width > rooms[i % self->columns])
            rooms[i % self->columns] = self->cells[i].width;
}

static void s_aligned(const weft_table_t *self) {
    size_t rooms[COLUMNS_MAX];
    s_rooms(self, rooms);
    for (size_t row = 0; row <= self->count / self->columns; row++) {
        for (size_t column = 0; column < self->columns; column++) {
            bool right = self->heads[column][0] == '>';
            const char *head = self->heads[column] + right;
            size_t room = rooms[column];
            bool last = column + 1 == self->columns;
            if (!row) {
                s_cell(head, s_width(head), room, right, last, WEFT_BOLD);
                continue;
            }
            const weft_cell_t *cell = &self->cells[(row - 1) * self->columns + column];
            s_cell(cell->text, cell->width, room, right, last, cell->colour);
        }
    }
}

static void s_plain(const weft_table_t *self) {
    for (size_t i = 0; i < self->count; i++)
        weft_out("%s%s", self->cells[i].text, (i + 1) % self->columns ? "\t" : "\n");
}

void weft_table_print(weft_table_t **self_p) {
    weft_table_t *self = *self_p;
    if (!self) return;
    if (weft_term())
        s_aligned(self);
    else
        s_plain(self);
    for (size_t i = 0; i < self->count; i++) free(self->cells[i].text);
    free(self->cells);
    free(self);
    *self_p = NULL;
}

const char *weft_ago(char out[WEFT_AGO_BYTES], double seconds) {
    static const struct {
        double least, unit;
        const char *name;
    } steps[] = {{172800, 86400, "d"}, {7200, 3600, "h"}, {120, 60, "m"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (seconds < steps[i].least) continue;
        snprintf(out, WEFT_AGO_BYTES, "%.0f%s", seconds / steps[i].unit, steps[i].name);
        return out;
    }
    snprintf(out, WEFT_AGO_BYTES, "%.1fs", seconds > 0 ? seconds : 0);
    return out;
}
