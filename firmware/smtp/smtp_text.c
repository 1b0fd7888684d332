/* The text of a message on its way in: see smtp_text.h. */
#include "smtp/smtp_text.h"
#include <string.h>

static const char received_name[] = "received:";
#define RECEIVED_LENGTH (sizeof(received_name) - 1)

void smtp_text_init(struct smtp_text *text, bool chunked)
{
    memset(text, 0, sizeof(*text));
    text->chunked = chunked;
    text->state = SMTP_TEXT_START;
}

/* Looks at bytes of a header line for its name; the first nine are enough. */
static void match_header(struct smtp_text *text, const uint8_t *data,
                         size_t len)
{
    size_t i;

    for (i = 0; i < len && text->column < RECEIVED_LENGTH; i++) {
        uint8_t c = data[i];

        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + ('a' - 'A'));
        if (text->matched == text->column &&
            c == (uint8_t)received_name[text->column])
            text->matched++;
        text->column++;
        if (text->matched == RECEIVED_LENGTH && text->received < UINT16_MAX)
            text->received++;
    }
}

static void end_line(struct smtp_text *text)
{
    if (text->column == 0)
        text->body = true;
    text->state = SMTP_TEXT_START;
    text->column = 0;
    text->matched = 0;
    text->line = 0;
}

/* Bytes inside a line, up to its CR (with it) or the end of data. */
static size_t scan_line(struct smtp_text *text, const uint8_t *data, size_t len)
{
    const uint8_t *cr = memchr(data, '\r', len);
    size_t run = cr != NULL ? (size_t)(cr - data) : len;

    if (!text->bare && memchr(data, '\n', run) != NULL)
        text->bare = true;
    if (!text->body)
        match_header(text, data, run);
    text->line += (uint32_t)run;
    if (text->line > text->longest)
        text->longest = text->line;
    if (cr == NULL)
        return run;
    text->state = SMTP_TEXT_CR;
    return run + 1;
}

/* The bytes that are not part of the message: a line's leading dot, and the
 * CRLF behind the final one. */
static size_t skip_dot(struct smtp_text *text, const uint8_t *data, size_t len)
{
    size_t i = 0;

    if (text->chunked)
        return 0;
    if (text->state == SMTP_TEXT_START && i < len && data[i] == '.') {
        text->state = SMTP_TEXT_DOT;
        i++;
    }
    if (text->state == SMTP_TEXT_DOT && i < len) {
        if (data[i] == '\r') {
            text->state = SMTP_TEXT_DOT_CR;
            i++;
        } else {
            text->state = SMTP_TEXT_LINE;
        }
    }
    if (text->state == SMTP_TEXT_DOT_CR && i < len) {
        if (data[i] == '\n') {
            text->state = SMTP_TEXT_END;
            i++;
        } else {
            text->bare = true;
            text->state = SMTP_TEXT_CR;
        }
    }
    return i;
}

/* Behind a CR. Returns how many bytes were taken. */
static size_t scan_after_cr(struct smtp_text *text, uint8_t byte)
{
    if (byte == '\n') {
        end_line(text);
        return 1;
    }
    text->bare = true;
    text->state = SMTP_TEXT_LINE;
    return 0;
}

size_t smtp_text_scan(struct smtp_text *text, const uint8_t *data, size_t len,
                      size_t *from, size_t *to)
{
    size_t i = skip_dot(text, data, len);

    *from = i;
    while (i < len && text->state != SMTP_TEXT_END) {
        if (text->state == SMTP_TEXT_START && data[i] == '.' && !text->chunked)
            break;
        if (text->state == SMTP_TEXT_CR) {
            bool header = !text->body;

            i += scan_after_cr(text, data[i]);
            if (header && text->body)
                text->header = text->bytes + i - *from;
        } else {
            text->state = SMTP_TEXT_LINE;
            i += scan_line(text, data + i, len - i);
        }
    }
    *to = i;
    text->bytes += *to - *from;
    if (!text->body)
        text->header = text->bytes;
    return i;
}
