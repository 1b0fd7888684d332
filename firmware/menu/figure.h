/* Numbers that fit, whatever they count. */
#ifndef MENU_FIGURE_H
#define MENU_FIGURE_H

#include <stdint.h>

#define FIGURE_BYTES 8

/* figure_count - at most 5 characters: "99999", "1234k", "567M", "89G".
 * figure_bytes - at most 7: "999 B", "1023 KB", "567 MB", "89 GB".
 * text: FIGURE_BYTES. Both return text. */
char *figure_count(uint64_t count, char *text);
char *figure_bytes(uint64_t bytes, char *text);

#endif
