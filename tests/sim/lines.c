/* Bytes into lines, for the dialogues. */
#include "tests/sim/dialogue.h"

void sim_lines_take(struct sim_lines *lines, const uint8_t *data, size_t len,
                    void (*each)(void *context, const char *line, size_t len),
                    void *context)
{
    for (size_t i = 0; i < len; i++) {
        if (lines->len == sizeof(lines->line))
            sim_fail("an answer's line of more than %zu bytes", lines->len);
        if (data[i] != '\n') {
            lines->line[lines->len++] = (char)data[i];
            continue;
        }
        if (lines->len == 0 || lines->line[lines->len - 1] != '\r')
            sim_fail("an answer's line ends without CR");
        lines->line[--lines->len] = '\0';
        each(context, lines->line, lines->len);
        lines->len = 0;
    }
}
