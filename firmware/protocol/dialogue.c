/* Lines in, replies out: see dialogue.h. */
#include "protocol/dialogue.h"
#include "core/check.h"
#include <string.h>

void dialogue_init(struct dialogue *dialogue, struct stream *stream,
                   char *buffer, size_t capacity)
{
    ASSERT(capacity <= UINT16_MAX);
    dialogue->stream = stream;
    dialogue->buffer = buffer;
    dialogue->capacity = (uint16_t)capacity;
    dialogue->used = 0;
    dialogue->sent = 0;
    dialogue->content = DIALOGUE_EMPTY;
    dialogue->skipping = false;
    dialogue->carriage_return = false;
}

/* Index behind the first CRLF, 0 when there is none. after_cr: the byte before
 * data was a CR. */
static size_t line_end(const uint8_t *data, size_t len, bool after_cr)
{
    const uint8_t *end = data + len;
    const uint8_t *at = data;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (at == data ? after_cr : at[-1] == '\r')
            return (size_t)(at - data) + 1;
        at++;
    }
    return 0;
}

/* Adds to the part of a line that is kept. The limit counts the whole line, so
 * that how it was cut into segments makes no difference. */
static void keep_part(struct dialogue *dialogue, const uint8_t *data,
                      size_t len)
{
    dialogue->content = DIALOGUE_PART;
    dialogue->carriage_return = data[len - 1] == '\r';
    if (dialogue->skipping ||
        len > (size_t)dialogue->capacity - dialogue->used) {
        dialogue->skipping = true;
        return;
    }
    memcpy(dialogue->buffer + dialogue->used, data, len);
    dialogue->used = (uint16_t)(dialogue->used + len);
}

/* The kept line is complete. */
static enum dialogue_result end_part(struct dialogue *dialogue,
                                     struct dialogue_line *line)
{
    bool too_long = dialogue->skipping;

    if (!too_long) {
        line->text = dialogue->buffer;
        line->len = (size_t)dialogue->used - 2;
    }
    dialogue->content = DIALOGUE_EMPTY;
    dialogue->used = 0;
    dialogue->skipping = false;
    dialogue->carriage_return = false;
    return too_long ? DIALOGUE_TOO_LONG : DIALOGUE_LINE;
}

enum dialogue_result dialogue_read(struct dialogue *dialogue,
                                   const uint8_t *data, size_t len,
                                   size_t *taken, struct dialogue_line *line)
{
    size_t end;

    ASSERT(!dialogue_blocked(dialogue));
    line->text = "";
    line->len = 0;
    *taken = len;
    if (len == 0)
        return DIALOGUE_MORE;
    end = line_end(data, len, dialogue->carriage_return);
    if (end == 0) {
        keep_part(dialogue, data, len);
        return DIALOGUE_MORE;
    }
    *taken = end;
    if (dialogue->content == DIALOGUE_PART) {
        keep_part(dialogue, data, end);
        return end_part(dialogue, line);
    }
    if (end > dialogue->capacity)
        return DIALOGUE_TOO_LONG;
    line->text = (const char *)data;
    line->len = end - 2;
    return DIALOGUE_LINE;
}

bool dialogue_line_clean(const struct dialogue_line *line)
{
    size_t i;

    for (i = 0; i < line->len; i++) {
        uint8_t c = (uint8_t)line->text[i];

        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

struct dialogue_line dialogue_word(const struct dialogue_line *line,
                                   struct dialogue_line *rest)
{
    struct dialogue_line word = {line->text, 0};
    size_t at;
    size_t end = line->len;

    while (word.len < line->len && line->text[word.len] != ' ')
        word.len++;
    at = word.len;
    while (at < end && line->text[at] == ' ')
        at++;
    while (end > at && line->text[end - 1] == ' ')
        end--;
    rest->text = line->text + at;
    rest->len = end - at;
    return word;
}

void dialogue_write(struct dialogue *dialogue, const void *bytes, size_t len)
{
    size_t took;

    ASSERT(!dialogue_blocked(dialogue));
    took = stream_write(dialogue->stream, bytes, len);
    if (took >= len)
        return;
    ASSERT(len - took <= dialogue->capacity);
    memcpy(dialogue->buffer, (const char *)bytes + took, len - took);
    dialogue->content = DIALOGUE_REPLY;
    dialogue->used = (uint16_t)(len - took);
    dialogue->sent = 0;
    dialogue->skipping = false;
    dialogue->carriage_return = false;
}

bool dialogue_flush(struct dialogue *dialogue)
{
    size_t waiting;
    size_t took;

    if (!dialogue_blocked(dialogue))
        return true;
    waiting = (size_t)dialogue->used - dialogue->sent;
    took = stream_write(dialogue->stream, dialogue->buffer + dialogue->sent,
                        waiting);
    dialogue->sent = (uint16_t)(dialogue->sent + took);
    if (took < waiting)
        return false;
    dialogue->content = DIALOGUE_EMPTY;
    dialogue->used = 0;
    return true;
}
