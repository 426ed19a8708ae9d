/* weft_table: rows of cells. On a terminal they are aligned below a heading, colours included unless
 * NO_COLOR is set; elsewhere a row is a line and cells are parted by a tab, for cut and awk. */
#ifndef WEFT_TABLE_H
#define WEFT_TABLE_H

#include "weft_out.h"

typedef enum { WEFT_PLAIN, WEFT_GREEN, WEFT_YELLOW, WEFT_RED, WEFT_BOLD } weft_colour_t;

typedef struct weft_table weft_table_t;

/* heads: one word a column; a leading ">" aligns it to the right. Borrowed. NULL: out of memory. */
weft_table_t *weft_table_new(const char *const *heads, size_t columns);
/* The next cell, row by row. A text is cleaned of control bytes. */
void weft_table_cell(weft_table_t *self, weft_colour_t colour, const char *format, ...)
    WEFT_PRINTF(3, 4);
/* Print it to weft_out and free it. */
void weft_table_print(weft_table_t **self_p);

/* Is standard output a terminal, and may it have colours? */
bool weft_term(void);
bool weft_term_colours(void);
/* Switches the colour on, WEFT_PLAIN off; "" without colours. */
const char *weft_colour(weft_colour_t colour);

/* "3.2s", "5m", "2h", "4d". */
#define WEFT_AGO_BYTES 32u
const char *weft_ago(char out[WEFT_AGO_BYTES], double seconds);

#endif
