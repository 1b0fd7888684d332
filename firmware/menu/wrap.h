/* Lines that are longer than the screen is wide: shown on several rows. */
#ifndef MENU_WRAP_H
#define MENU_WRAP_H

#include <stdint.h>

/* wrap_rows - how many rows a text takes; rows behind the first are indented.
 * Words stay whole where they are shorter than a row. */
unsigned wrap_rows(const char *text);

/* wrap_draw - shows it from `row` on. */
void wrap_draw(unsigned row, uint8_t attribute, const char *text);

#endif
