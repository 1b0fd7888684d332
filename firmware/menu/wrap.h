/* Lines that are longer than the screen is wide: shown on several rows. */
#ifndef MENU_WRAP_H
#define MENU_WRAP_H

#include <stdint.h>

/* wrap_rows - how many rows a text takes; rows behind the first are indented.
 * Words stay whole where they are shorter than a row. */
unsigned wrap_rows(const char *text);

/* wrap_draw - shows it from `row` on. */
void wrap_draw(unsigned row, uint8_t attribute, const char *text);

/* wrap_text - shows it from a column on, on at most `rows` rows; what does not
 * fit there is cut. Returns how many rows it took. */
unsigned wrap_text(unsigned row, unsigned column, uint8_t attribute,
                   const char *text, unsigned rows);

#endif
