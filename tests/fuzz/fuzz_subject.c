/* libFuzzer: any bytes as a message whose subject is looked for. The subject
 * must come out as one line of well-formed UTF-8 that ends within its room.
 *
 * Input: a byte that says how much room there is, and the message. */
#include "mailstore/store_internal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Bytes of the character at text, judged by its value; the text ends in NUL,
 * which continues nothing. */
static size_t character(const uint8_t *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = text[0] < 0x80             ? 1
                   : (text[0] & 0xe0) == 0xc0 ? 2
                   : (text[0] & 0xf0) == 0xe0 ? 3
                   : (text[0] & 0xf8) == 0xf0 ? 4
                                              : 0;
    uint32_t value = bytes == 1 ? text[0] : text[0] & (0x7fu >> bytes);

    require(bytes != 0);
    for (size_t i = 1; i < bytes; i++) {
        require((text[i] & 0xc0) == 0x80);
        value = value << 6 | (text[i] & 0x3f);
    }
    require(value >= least[bytes] && value <= 0x10ffff);
    require(value < 0xd800 || value > 0xdfff);
    require(value >= 0x20 && value != 0x7f);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = size > 0 ? (size_t)data[0] + 1 : 1;
    char *subject = malloc(room);
    size_t len = size > 0 ? size - 1 : 0;
    uint8_t *message = malloc(len > 0 ? len : 1);

    require(subject != NULL && message != NULL);
    if (len > 0)
        memcpy(message, data + 1, len);
    memset(subject, 'x', room);
    subject_find(message, len, subject, room);
    require(memchr(subject, '\0', room) != NULL);
    for (const uint8_t *at = (const uint8_t *)subject; *at != '\0';)
        at += character(at);
    free(message);
    free(subject);
    return 0;
}
