/* A screen on which nothing is seen, for pages that are driven by keys. To be
 * included by one C file of a test program. */
#ifndef TESTS_UNIT_BLANK_SCREEN_H
#define TESTS_UNIT_BLANK_SCREEN_H

#include "menu/screen.h"

void screen_text(unsigned row, unsigned column, uint8_t attribute,
                 const char *text)
{
    (void)row;
    (void)column;
    (void)attribute;
    (void)text;
}

void screen_format(unsigned row, unsigned column, uint8_t attribute,
                   const char *format, ...)
{
    (void)row;
    (void)column;
    (void)attribute;
    (void)format;
}

void screen_cursor(unsigned row, unsigned column)
{
    (void)row;
    (void)column;
}

#endif
