/* Breaking lines at spaces: see wrap.h. */
#include "menu/wrap.h"
#include "core/machine.h"
#include "menu/screen.h"
#include <stdio.h>
#include <string.h>

#define INDENT 9
/* A word that is longer is broken where the row ends. */
#define WORD_MAX 40

/* How many bytes of the text go into a row of so many columns; *next is where
 * the following row begins. */
static size_t take_row(const char *text, size_t columns, const char **next)
{
    size_t len = strlen(text);
    size_t cut = columns;

    if (len <= columns) {
        *next = text + len;
        return len;
    }
    while (cut > 0 && text[cut] != ' ' && columns - cut < WORD_MAX)
        cut--;
    if (text[cut] != ' ')
        cut = columns;
    *next = text + cut + strspn(text + cut, " ");
    return cut;
}

unsigned wrap_rows(const char *text)
{
    unsigned rows = 0;

    do {
        (void)take_row(text, MACHINE_COLUMNS - (rows > 0 ? INDENT : 0), &text);
        rows++;
    } while (*text != '\0');
    return rows;
}

void wrap_draw(unsigned row, uint8_t attribute, const char *text)
{
    unsigned indent = 0;

    do {
        const char *from = text;
        size_t len = take_row(from, MACHINE_COLUMNS - indent, &text);

        screen_format(row++, indent, attribute, "%.*s", (int)len, from);
        indent = INDENT;
    } while (*text != '\0');
}

unsigned wrap_text(unsigned row, unsigned column, uint8_t attribute,
                   const char *text, unsigned rows)
{
    unsigned used = 0;

    do {
        const char *from = text;
        size_t len = take_row(from, MACHINE_COLUMNS - column, &text);

        if (++used == rows)
            len = strlen(from);
        screen_format(row++, column, attribute, "%.*s", (int)len, from);
    } while (*text != '\0' && used < rows);
    return used;
}
