/* The text of a message on its way out: see pop3_text.h. */
#include "pop3/pop3_text.h"
#include <string.h>

void pop3_text_init(struct pop3_text *text, uint64_t lines)
{
    memset(text, 0, sizeof(*text));
    text->lines = lines;
    text->line_start = true;
    text->empty_line = true;
}

/* A CRLF went by. */
static void end_line(struct pop3_text *text)
{
    if (text->body) {
        text->lines--;
    } else if (text->empty_line) {
        text->body = true;
    }
    text->line_start = true;
    text->empty_line = true;
    text->dot_sent = false;
    text->carriage_return = false;
    text->finished = text->body && text->lines == 0;
}

/* A piece of one line that has no LF in it, but perhaps as its last byte. */
static void scan_piece(struct pop3_text *text, const uint8_t *data, size_t len)
{
    bool line_feed = data[len - 1] == '\n';
    bool after_cr = len >= 2 ? data[len - 2] == '\r' : text->carriage_return;

    if (line_feed && after_cr) {
        if (len > 2 || (len == 2 && !text->line_start))
            text->empty_line = false;
        end_line(text);
        return;
    }
    /* Only a CR that begins the line leaves it empty so far. */
    if (len > 1 || data[0] != '\r' || !text->line_start)
        text->empty_line = false;
    text->line_start = false;
    text->carriage_return = data[len - 1] == '\r';
}

/* Whether a line begins at data[at], at > 0. */
static bool line_starts(const struct pop3_text *text, const uint8_t *data,
                        size_t at)
{
    return data[at - 1] == '\n' &&
           (at >= 2 ? data[at - 2] == '\r' : text->carriage_return);
}

/* Index of the first dot from `at` on, len when there is none. */
static size_t find_dot(const uint8_t *data, size_t at, size_t len)
{
    const uint8_t *dot = memchr(data + at, '.', len - at);

    return dot != NULL ? (size_t)(dot - data) : len;
}

/* Of a whole message only lines that begin with a dot matter. */
static size_t scan_whole(struct pop3_text *text, const uint8_t *data,
                         size_t len)
{
    size_t end = find_dot(data, 0, len);

    while (end < len && (end == 0 || !line_starts(text, data, end)))
        end = find_dot(data, end + 1, len);
    if (end > 0) {
        text->line_start = line_starts(text, data, end);
        text->carriage_return = data[end - 1] == '\r';
        text->dot_sent = false;
    }
    return end;
}

size_t pop3_text_scan(struct pop3_text *text, const uint8_t *data, size_t len)
{
    size_t i = 0;

    if (text->lines == POP3_ALL_LINES)
        return scan_whole(text, data, len);
    while (i < len && !text->finished && !pop3_text_dot_due(text, data[i])) {
        const uint8_t *feed = memchr(data + i, '\n', len - i);
        size_t piece = feed != NULL ? (size_t)(feed - (data + i)) + 1 : len - i;

        scan_piece(text, data + i, piece);
        i += piece;
    }
    return i;
}
