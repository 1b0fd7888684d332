/* The one screen of the AO: 25 rows of 80 cells, shown on the display and
 * mirrored on the serial console; and the keys from both.
 *
 * Pages draw into a grid of wanted cells; screen_flush() sends what differs
 * from what is shown, to each of the two by itself, without ever waiting for
 * the serial line. */
#ifndef MENU_SCREEN_H
#define MENU_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* VGA text attributes. */
#define SCREEN_NORMAL   0x07
#define SCREEN_BRIGHT   0x0f
#define SCREEN_TITLE    0x1f
#define SCREEN_SELECTED 0x70
#define SCREEN_FIELD    0x17
#define SCREEN_GOOD     0x0a
#define SCREEN_WARNING  0x0e
#define SCREEN_BAD      0x0c
#define SCREEN_DIM      0x08

/* screen_init - an empty screen on both. */
void screen_init(void);

/* screen_clear - blanks the grid; nothing is shown before screen_flush(). */
void screen_clear(void);

/* screen_text - puts text from (row, column) on; what does not fit is cut, and
 * "..." stands in the last columns then. Bytes outside 32..126 are shown as
 * '?'. */
void screen_text(unsigned row, unsigned column, uint8_t attribute,
                 const char *text);

/* screen_format - the same with printf. */
void screen_format(unsigned row, unsigned column, uint8_t attribute,
                   const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* screen_bar - a whole row in one attribute with text at its left. */
void screen_bar(unsigned row, uint8_t attribute, const char *text);

/* screen_cursor - where the cursor shows after the next flush; row 25: not. */
void screen_cursor(unsigned row, unsigned column);

/* screen_flush - sends what has changed. Returns true while some of it still
 * waits for the serial line: call again in the next turn. */
bool screen_flush(void);

/* screen_redraw - everything again at the next flush, for a terminal that was
 * connected later. */
void screen_redraw(void);

/* screen_key - the next key: as machine_key_read() says, from the keyboard or
 * decoded from the serial console. KEY_NONE when there is none. Ctrl-L redraws
 * and is not returned. */
int screen_key(void);

#endif
